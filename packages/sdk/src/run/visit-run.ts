import { budgetKey } from '../core/budget.ts';
import { type Clarification, clarificationFromWire, clarificationToWire } from '../core/clarification.ts';
import type { RunError, VisitId } from '../core/event.ts';
import { ClarificationUUID } from '../core/ids.ts';
import type { JsonObject } from '../core/json.ts';
import type { ModelMessage } from '../core/model.ts';
import type { Instruction, Scope } from '../core/program.ts';
import type { ClarificationRecord, RunState } from '../core/run-state.ts';
import type { Visit } from '../core/visits.ts';
import type { Audience } from '../core/clarification.ts';
import type { Thread } from '../core/thread.ts';
import type { Driver } from './driver.ts';
import type { ClarificationRequest } from './hooks.ts';
import type { Places } from './limits.ts';
import type { Place } from './references.ts';
import type { DrivenRun } from './runtime.ts';
import type { StorageBackend } from '../storage/storage-backend.ts';

/** What a strand runs in: the run, or a block of it. */
export interface Around {
  /** Whether its strands are to begin nothing new. */
  readonly stopping: boolean;
  /** Aborted when one of its strands failed and the block says that the others are to be aborted. */
  readonly abort: AbortSignal | undefined;
}

/**
 * One visit of one step, while it executes. Executing it again after a pause or a crash goes through the same code:
 * whatever the record holds already (model answers, tool calls, people's answers) is given back instead of done again.
 */
export class VisitRun implements Place {
  readonly run: DrivenRun;
  readonly driver: Driver;
  readonly instruction: Instruction;
  readonly step: number;
  readonly visit: VisitId;
  readonly thread: Thread;
  readonly #around: Around | undefined;
  /** What it holds of the limits of steps at work. */
  places: Places | undefined;
  /** What has to come to rest before this step is put on record; `false` when one of them failed. */
  turn: Promise<boolean> | undefined;
  /** Whether its end is on record. */
  ended = false;
  /** Whether no tool with effects was called in this execution of the visit. */
  quiet = true;
  /** How many models have been asked, and tools called, in this execution of the visit. */
  asked = 0;
  called = 0;

  constructor(
    run: DrivenRun,
    instruction: Instruction,
    visit: VisitId,
    thread: Thread = run.driver.state.root,
    around?: Around,
  ) {
    this.run = run;
    this.driver = run.driver;
    this.instruction = instruction;
    this.step = instruction.index;
    this.visit = visit;
    this.thread = thread;
    this.#around = around;
  }

  /** `step` and `visit` as events hold them. */
  get place(): { readonly step: number; readonly visit?: VisitId } {
    return this.visit === 0 ? { step: this.step } : { step: this.step, visit: this.visit };
  }

  /** Aborted when a strand beside this one failed and the block says that the others are to be aborted. */
  get abort(): AbortSignal | undefined {
    return this.#around?.abort;
  }

  /** Whether nothing new may begin: another step failed, or the run ends. */
  get stopping(): boolean {
    return this.#around?.stopping === true || this.ending;
  }

  /** Whether what this step does is being broken off. */
  get ending(): boolean {
    return this.driver.ending || this.abort?.aborted === true;
  }

  get storage(): StorageBackend {
    return this.run.runtime.storage;
  }

  get state(): RunState {
    return this.driver.state;
  }

  /** What names mean here. */
  get scope(): Scope {
    if ('scope' in this.instruction) return this.instruction.scope;
    throw new Error('steps of this plan hold no references');
  }

  /** What the record holds of this visit. */
  get stored(): Visit | undefined {
    return this.driver.state.visits.get(this.step, this.visit);
  }

  /** The id of the n-th call of this visit, counted from 1. */
  callId(n: number): string {
    // Most steps make no other.
    if (n === 1 && this.visit === 0) return this.run.prepared.firstCall(this.instruction);
    return `${this.instruction.key}.${this.visit}.${n}`;
  }

  /** What was asked under this key so far. */
  questions(key: string): readonly ClarificationRecord[] {
    return this.driver.state.questions.get(key) ?? [];
  }

  /** All clarifications of this step, answered ones included. */
  clarifications(): readonly Clarification[] {
    return this.driver.state.clarifications
      .filter(
        ({ step, visit, key }) =>
          // Who allowed more to be spent answered no question of the step.
          !key.startsWith(budgetKey) &&
          step === this.step &&
          (visit === this.visit || !this.driver.state.program.keepsVisits),
      )
      .map(({ clarification }) => clarification);
  }

  /** The same question as one of its own, where the run has asked it before. */
  fresh<C extends Clarification>(clarification: C): C {
    return freshIn(this.driver, clarification);
  }

  /** Puts questions on record; each only once. */
  raise(key: string, requests: readonly ClarificationRequest[], options: RaiseOptions): void {
    raiseQuestions(this.driver, this.place, key, requests, options);
  }

  /** An error of this step. */
  error(code: RunError['code'], message: string, toolCallId?: string): RunError {
    return { code, message, step: this.instruction.planStep, ...(toolCallId !== undefined && { toolCallId }) };
  }
}

/** What the approval of a whole step is asked under. */
export function stepApprovalKey(visit: VisitRun): string {
  return `approval:${visit.callId(0)}`;
}

/** What goes with questions that are put on record. */
export interface RaiseOptions {
  readonly audience: Audience;
  readonly source?: string;
  readonly approves?: { readonly call: string; readonly argsHash: string };
  /** What an approval of a model call lets be sent. */
  readonly sends?: readonly ModelMessage[];
}

function freshIn<C extends Clarification>(driver: Driver, clarification: C): C {
  const isKnown = driver.state.clarifications.some((known) => known.clarification.id === clarification.id);
  if (!isKnown) return clarification;
  return clarificationFromWire({
    ...clarificationToWire(clarification),
    response: null,
    resolved: false,
    id: ClarificationUUID.random(),
  }) as C;
}

/** Puts questions of a visit on record; each only once. */
export function raiseQuestions(
  driver: Driver,
  place: VisitRun['place'],
  key: string,
  requests: readonly ClarificationRequest[],
  options: RaiseOptions,
): void {
  for (const { clarification: given, audience, expiresIn, onExpiry, form } of requests) {
    if (driver.state.questions.get(key)?.some(({ clarification }) => clarification.id === given.id)) continue;
    const clarification = freshIn(driver, given);
    driver.emit({
      type: 'clarification-raised',
      ...place,
      key,
      clarification: compact(clarification, options.source),
      audience: audience ?? options.audience,
      ...(clarification.category === 'User Verification' && {
        ...(options.approves && { approves: options.approves }),
        ...(options.sends && { sends: options.sends }),
      }),
      ...(expiresIn !== undefined && { expiresAt: driver.now() + expiresIn }),
      ...(onExpiry !== undefined && { onExpiry }),
      ...(form !== undefined && { form }),
    });
  }
}

/** The wire form without what is the same for every question nobody has answered yet. */
function compact(clarification: Clarification, source: string | undefined): JsonObject {
  const {
    plan_run_id: _run,
    step: _step,
    resolved: _resolved,
    response: _response,
    source: _source,
    ...rest
  } = clarificationToWire(clarification);
  const from = clarification.source ?? source;
  return from === undefined ? rest : { ...rest, source: from };
}
