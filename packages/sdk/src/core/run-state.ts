import type { Audience, Clarification } from './clarification.ts';
import type { RunBudget } from './budget.ts';
import type { CallOutcome, ExpiryPolicy, ModelPurpose, RunError, VisitId } from './event.ts';
import type { PlanRunUUID, PlanUUID } from './ids.ts';
import { freezeJson, type JsonObject } from './json.ts';
import type { ModelAnswer, ModelMessage } from './model.ts';
import type { LocalDataValue, Output } from './output.ts';
import type { Program } from './program.ts';
import { newThread, strandsOf, type Thread } from './thread.ts';
import { allUntold } from './untold.ts';
import { Visits } from './visits.ts';

/** The six states of a run. */
export const PlanRunState = {
  NOT_STARTED: 'NOT_STARTED',
  IN_PROGRESS: 'IN_PROGRESS',
  NEED_CLARIFICATION: 'NEED_CLARIFICATION',
  READY_TO_RESUME: 'READY_TO_RESUME',
  COMPLETE: 'COMPLETE',
  FAILED: 'FAILED',
} as const;
/** The six states of a run. */
export type PlanRunState = (typeof PlanRunState)[keyof typeof PlanRunState];

/** What is fixed when a run is created. */
export interface RunHeader {
  readonly id: PlanRunUUID;
  readonly planId: PlanUUID;
  readonly endUserId: string;
  /** Epoch milliseconds. */
  readonly createdAt: number;
  readonly inputs: Readonly<Record<string, LocalDataValue>>;
  /** When a worker may begin with it; absent for runs that only their creator begins. Epoch milliseconds. */
  readonly startAt?: number | undefined;
  /** Your own name for this run, unique in the store: starting it twice gives the same run. */
  readonly runKey?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** JSON Schema the final output must fit, when the caller asked for one. */
  readonly outputSchema?: JsonObject | undefined;
  /** What the run may spend. */
  readonly budget?: RunBudget | undefined;
  /** The W3C trace context of whoever started it. */
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
}

/** A clarification with what stands beside it. */
export interface ClarificationRecord {
  clarification: Clarification;
  readonly step: number;
  readonly visit: VisitId;
  readonly key: string;
  readonly audience: Audience;
  readonly raisedAt: number;
  readonly approves: { readonly call: string; readonly argsHash: string } | undefined;
  /** What an approval of a model call allows to be sent. */
  readonly sends?: readonly ModelMessage[];
  readonly expiresAt: number | undefined;
  readonly onExpiry: ExpiryPolicy;
  /** The form it is a field of: declining one field declines them all. */
  readonly form?: string;
  resolvedBy: string | null;
  resolvedAs: Audience | null;
  via: string | null;
}

/** One tool call as the ledger knows it. */
export interface CallState {
  readonly call: string;
  readonly tool: string;
  readonly args: JsonObject;
  status: 'proposed' | 'started' | 'unknown' | 'ended';
  outcome: CallOutcome | undefined;
  /** How often it was handed to the tool. */
  attempts: number;
  /** Whether the hook before it has let it pass as it is: nobody is to be asked about it. */
  cleared?: true;
  /** Whether the hook after it has let its value pass. */
  accepted?: true;
}

/** A model's answer, with the messages that were new when it was asked. */
export interface StoredAnswer {
  readonly purpose: ModelPurpose;
  readonly messages: readonly ModelMessage[];
  readonly answer: ModelAnswer;
}

/** What model calls took. */
export interface ModelUsageTotals {
  modelCalls: number;
  /** Of the model calls, those answered from the cache of model answers: they cost nothing. */
  cachedCalls: number;
  inputTokens: number;
  outputTokens: number;
  cachedInputTokens: number;
  /** Tokens estimated for calls of which the provider did not say; in no other count. */
  estimatedTokens: number;
  /** Milliseconds until the answers were there, added up. */
  modelMs: number;
  /** Millionths of a US dollar, of the calls whose price is known. */
  microUsd: number;
  /** Calls whose price is not known. */
  unpricedCalls: number;
}

/** What one step took. */
export interface StepUsage extends ModelUsageTotals {
  ms: number;
  /** Calls handed to a tool, each counted once however often it was repeated. */
  toolCalls: number;
}

/** Nothing spent. */
export function noUsage(): StepUsage {
  // Written out, because it is made for every step that calls a tool.
  return {
    ms: 0,
    toolCalls: 0,
    modelCalls: 0,
    cachedCalls: 0,
    inputTokens: 0,
    outputTokens: 0,
    cachedInputTokens: 0,
    estimatedTokens: 0,
    modelMs: 0,
    microUsd: 0,
    unpricedCalls: 0,
  };
}

/** Nothing asked. */
export function noModelUsage(): ModelUsageTotals {
  return {
    modelCalls: 0,
    cachedCalls: 0,
    inputTokens: 0,
    outputTokens: 0,
    cachedInputTokens: 0,
    estimatedTokens: 0,
    modelMs: 0,
    microUsd: 0,
    unpricedCalls: 0,
  };
}

/**
 * All that is known of a run. Owned and changed in place by its driver, only through {@link apply}; folding the stored
 * events over {@link initialState} gives the same.
 */
export interface RunState {
  header: RunHeader;
  readonly program: Program;
  /** The plan it began with, or the later version that was accepted for it. */
  planId: PlanUUID;
  seq: number;
  updatedAt: number;
  state: PlanRunState;
  /** The strands of the run that have not ended, by id; the run's own is there always. */
  readonly threads: Map<string, Thread>;
  readonly root: Thread;
  /** Steps of a V1 plan that ended before an earlier one, with which they ran at once. */
  readonly ahead: Set<number>;
  lastExecuted: number;
  /** How often the run was retried after it had failed. */
  retries: number;
  startedAt: number | undefined;
  endedAt: number | undefined;
  /** Whether the hook after the run is still to be told of its end. */
  untold: boolean;
  host: string | undefined;
  version: string | undefined;
  /** By output name; the last visit's. */
  readonly stepOutputs: Map<string, Output>;
  /** Where the last output that is not a marker stands. */
  lastOutput: string | undefined;
  readonly clarifications: ClarificationRecord[];
  /** The same records, by what raised them. */
  readonly questions: Map<string, ClarificationRecord[]>;
  outstanding: number;
  /** How many answers came, and how many there were when the run last waited. */
  answered: number;
  answeredAtWait: number;
  /** In flight. */
  readonly visits: Visits;
  /** By step; `-1` for what belongs to the whole run. Only where models, tools or time were spent. */
  readonly usage: Map<number, StepUsage>;
  /** What all steps took together. */
  readonly totals: StepUsage;
  /** The same of model calls, by model. */
  readonly models: Map<string, ModelUsageTotals>;
  /** What planning took, of a run that began as a query: it counts against the budget, and stands in no total. */
  planning: Readonly<ModelUsageTotals> | undefined;
  /** What all of it may come to: as given, with what people added. */
  budget: RunBudget | undefined;
  /** Milliseconds at work up to `activeAt`. */
  activeMs: number;
  activeAt: number;
  finalOutput: Output | undefined;
  error: RunError | undefined;
}

/** The step number of what belongs to the run as a whole: its final summary. */
export const wholeRun = -1;

/** A run of which nothing is known but how it was created. */
export function initialState(header: RunHeader, program: Program): RunState {
  freezeJson(header.inputs);
  const root = newThread('', undefined, 0, 0);
  return {
    header,
    program,
    planId: header.planId,
    seq: 0,
    updatedAt: header.createdAt,
    state: 'NOT_STARTED',
    threads: new Map([['', root]]),
    root,
    ahead: new Set(),
    lastExecuted: 0,
    retries: 0,
    startedAt: undefined,
    endedAt: undefined,
    untold: false,
    host: undefined,
    version: undefined,
    stepOutputs: root.outputs,
    lastOutput: undefined,
    clarifications: [],
    questions: new Map(),
    outstanding: 0,
    answered: 0,
    answeredAtWait: -1,
    visits: new Visits(),
    usage: new Map(),
    totals: noUsage(),
    models: new Map(),
    planning: undefined,
    budget: header.budget,
    activeMs: 0,
    activeAt: header.createdAt,
    finalOutput: undefined,
    error: undefined,
  };
}

/** The lowest step that is ready, running or waiting; of a finished run, the last one executed. */
export function currentStepIndex(state: RunState): number {
  if (state.error?.step !== undefined && state.state === 'FAILED') return state.error.step;
  const { instructions } = state.program;
  const planStep = (index: number): number => instructions[index]?.planStep ?? index;
  if (state.state === 'COMPLETE' || state.state === 'FAILED') return planStep(state.lastExecuted);
  let lowest = Math.max(0, instructions.length - 1);
  for (const thread of state.threads.values()) if (!thread.fork && thread.next < lowest) lowest = thread.next;
  for (const visit of state.visits) if (visit.step >= 0 && visit.step < lowest) lowest = visit.step;
  return planStep(lowest);
}

/** The step outputs as they read in order: those of strands still running over what was before them. */
export function visibleOutputs(state: RunState): ReadonlyMap<string, Output> {
  if (!state.root.fork) return state.stepOutputs;
  const visible = new Map(state.stepOutputs);
  const lay = (thread: Thread): void => {
    for (const [name, output] of thread.fork?.outputs ?? []) visible.set(name, output);
    for (const strand of strandsOf(thread)) {
      for (const [name, output] of strand.outputs) visible.set(name, output);
      lay(strand);
    }
  };
  lay(state.root);
  // An exit in a strand stands in the run's own outputs before those of the strands do.
  return new Map(inPlanOrder(state.program, visible));
}

/** Outputs by their names, in the order of the steps that make them. */
export function inPlanOrder({ instructions }: Program, outputs: ReadonlyMap<string, Output>): [string, Output][] {
  const place = new Map(instructions.map(({ output, index }) => [output, index]));
  return [...outputs].sort(([a], [b]) => Number(place.get(a)) - Number(place.get(b)));
}

/**
 * When a run goes on without anybody's doing: at its `startAt`, when a step has slept, or when a question expires;
 * absent where it waits for nothing of the kind. Epoch milliseconds.
 */
export function wakeTime(state: RunState): number | undefined {
  if (state.state === 'NOT_STARTED') return state.header.startAt;
  return state.state === 'NEED_CLARIFICATION' || state.state === 'READY_TO_RESUME' ? nextWake(state) : undefined;
}

/** When the first sleeper wakes or the first open question expires. */
export function nextWake(state: RunState): number | undefined {
  let earliest = sleepsUntil(state);
  for (const { clarification, expiresAt } of state.clarifications) {
    if (clarification.resolved || expiresAt === undefined) continue;
    if (earliest === undefined || expiresAt < earliest) earliest = expiresAt;
  }
  return earliest;
}

/** When the first sleeper wakes; absent where none sleeps, or a tool that is not ready keeps the run from going on. */
export function sleepsUntil(state: RunState): number | undefined {
  let earliest: number | undefined;
  for (const { until } of state.visits) {
    if (until !== undefined && (earliest === undefined || until < earliest)) earliest = until;
  }
  return earliest === undefined || isBlocked(state) ? undefined : earliest;
}

/** Whether a tool ahead is not ready, and somebody has been asked to make it so. */
export function isBlocked({ outstanding, clarifications }: RunState): boolean {
  return (
    outstanding > 0 &&
    clarifications.some(({ key, clarification }) => !clarification.resolved && key.startsWith('ready:'))
  );
}

/** When a worker is to look at a run: when it goes on by itself, or at once while hooks are to be told of its end. */
export function lookTime(state: RunState): number | undefined {
  if (!isFinished(state)) return wakeTime(state);
  return isUntold(state) ? state.endedAt : undefined;
}

/** Whether hooks are still to be told of a run that has ended. */
export function isUntold({ untold, root }: RunState): boolean {
  return untold || allUntold(root).length > 0;
}

/** Whether nothing more can happen to the run, unless it is retried. */
export function isFinished(state: { readonly state: PlanRunState }): boolean {
  return state.state === 'COMPLETE' || state.state === 'FAILED';
}
