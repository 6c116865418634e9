import { type Clarification, isApproved, isClarification } from '../core/clarification.ts';
import { PortiaError } from '../core/errors.ts';
import type { ModelPurpose, VisitId } from '../core/event.ts';
import { hashJson } from '../core/hash.ts';
import { type JsonValue, toJson } from '../core/json.ts';
import type { Model, ModelAnswer, ModelMessage, ModelRequest, ModelTool, ModelToolCall } from '../core/model.ts';
import type { ReadOnlyPlanRun } from '../core/plan-run.ts';
import { wholeRun } from '../core/run-state.ts';
import { visitKey } from '../core/visits.ts';
import type { Driver } from './driver.ts';
import { runView } from './hook-views.ts';
import type { ClarificationRequest, ExecutionHooks } from './hooks.ts';
import { HookFailure, inHook } from './in-hook.ts';
import type { DrivenRun } from './runtime.ts';
import { raiseQuestions } from './visit-run.ts';

/** A model call as hooks see it. */
export interface ModelCall {
  /** `provider/model`, as it was asked for. */
  readonly model: string;
  readonly purpose: ModelPurpose;
  /** The step of the plan it is made for, counted from 0; `null` for the final output and for planning. */
  readonly step: number | null;
  /** All that is sent. `beforeModelCall` may change it in place. */
  messages: ModelMessage[];
  readonly tools: readonly ModelTool[];
}

/** What a model answered, before it is stored and used. `afterModelCall` may change it in place. */
export interface ModelAnswerDraft {
  text: string;
  toolCalls?: ModelToolCall[];
  object?: JsonValue;
}

/** Where a model is asked, as far as hooks need to know. */
interface At {
  readonly driver: Driver;
  readonly step: number;
  readonly visit: VisitId;
  readonly slot: string;
  readonly purpose: ModelPurpose;
}

/** Thrown where a hook at a model call has asked a person: the step waits for the answer. */
export class ModelQuestion extends PortiaError {
  constructor(driver: Driver) {
    super({ code: 'INTERRUPTED', message: 'a hook at a model call waits for a person', planRunId: driver.id });
  }
}

/** An answer as the hook left it, and the way to put what it asks on record. */
export interface Heard {
  readonly answer: ModelAnswer;
  readonly raise?: () => void;
}

/** The hooks around the model calls of a run, where it has any. */
export class ModelGuard {
  readonly #run: DrivenRun;

  constructor(run: DrivenRun) {
    this.#run = run;
  }

  /** Lets the hook see and change what is sent. @throws HookFailure, ModelQuestion */
  async before(
    at: At,
    model: Model,
    messages: readonly ModelMessage[],
    tools: readonly ModelTool[] = [],
  ): Promise<ModelMessage[]> {
    const { hooks } = this.#run.runtime;
    const call = this.#view(at, model, structuredClone(messages) as ModelMessage[], tools);
    if (!hooks.beforeModelCall) return call.messages;
    const key = beforeKey(at);
    refuseOpen(at, key);
    const approved = approvedMessages(at, key);
    if (approved) return approved;
    const { sent, request } = await askBefore(hooks, call, runView(this.#run));
    if (!request) return sent;
    raise(at, key, request, 'Before model call hook', sent);
    await at.driver.commit();
    throw new ModelQuestion(at.driver);
  }

  /** Lets the hook see and change the answer. @throws HookFailure */
  async after(
    at: At,
    model: Model,
    { messages, tools = [] }: Pick<ModelRequest, 'messages' | 'tools'>,
    answer: ModelAnswer,
  ): Promise<Heard> {
    const { hooks } = this.#run.runtime;
    if (!hooks.afterModelCall) return { answer };
    const call = this.#view(at, model, structuredClone(messages) as ModelMessage[], tools);
    const { heard, request } = await askAfter(hooks, answer, call, runView(this.#run));
    return request
      ? { answer: heard, raise: () => raise(at, afterKey(at), request, 'After model call hook') }
      : { answer: heard };
  }

  #view({ purpose, step }: At, model: Model, messages: ModelMessage[], tools: readonly ModelTool[]): ModelCall {
    const planStep = this.#run.driver.state.program.instructions[step]?.planStep;
    return { model: model.id, purpose, step: planStep ?? (step === wholeRun ? null : step), messages, tools };
  }
}

/** Asks the hook before a call, and gives what is to be sent. @throws HookFailure */
async function askBefore(
  hooks: ExecutionHooks,
  call: ModelCall,
  run: ReadOnlyPlanRun | undefined,
): Promise<{ readonly sent: ModelMessage[]; readonly request: ClarificationRequest | undefined }> {
  const request = toRequest(await inHook(() => hooks.beforeModelCall?.(call, run)));
  return { sent: toJson(call.messages, 'messages') as unknown as ModelMessage[], request };
}

/** Asks the hook after a call, and gives the answer as it left it. @throws HookFailure */
async function askAfter(
  hooks: ExecutionHooks,
  answer: ModelAnswer,
  call: ModelCall,
  run: ReadOnlyPlanRun | undefined,
): Promise<{ readonly heard: ModelAnswer; readonly request: ClarificationRequest | undefined }> {
  const { toolCalls, object, ...rest } = answer;
  const draft = structuredClone({
    text: answer.text,
    ...(toolCalls && { toolCalls }),
    ...(object !== undefined && { object }),
  }) as ModelAnswerDraft;
  const request = toRequest(await inHook(() => hooks.afterModelCall?.(draft, call, run)));
  const changed = toJson(draft, 'the answer') as unknown as Pick<ModelAnswer, 'text' | 'toolCalls' | 'object'>;
  return { heard: { ...rest, ...changed }, request };
}

/** The model of a planning, with the hooks around its calls. There is no run that could wait: a question is a failure. */
export function guardedModel(model: Model, hooks: ExecutionHooks): Model {
  if (!hooks.beforeModelCall && !hooks.afterModelCall) return model;
  const view = ({ messages, tools = [] }: ModelRequest): ModelCall => {
    const copy = structuredClone(messages) as ModelMessage[];
    return { model: model.id, purpose: 'planning', step: null, messages: copy, tools };
  };
  return {
    ...model,
    async generate(request) {
      const before = await askBefore(hooks, view(request), undefined);
      if (before.request) throw nobodyWaits('before');
      const asked = { ...request, messages: before.sent };
      const { heard, request: asks } = await askAfter(hooks, await model.generate(asked), view(asked), undefined);
      if (asks) throw nobodyWaits('after');
      return heard;
    },
  };
}

function nobodyWaits(when: 'before' | 'after'): HookFailure {
  return new HookFailure({
    code: 'HOOK_FAILED',
    message: `a hook asked a person ${when} a model call of a planning, when no run is there to wait`,
    hint: "throw instead, or let calls pass whose purpose is 'planning'",
  });
}

/** The guard of a run; none where no hook wants to know. */
export function modelGuard(run: DrivenRun): ModelGuard | undefined {
  const { beforeModelCall, afterModelCall } = run.runtime.hooks;
  return beforeModelCall || afterModelCall ? new ModelGuard(run) : undefined;
}

/** Refuses an answer that is on record while a person has not let it pass. @throws HookFailure, ModelQuestion */
export function checkHeard(at: At): void {
  refuseOpen(at, afterKey(at));
}

const placeKey = ({ step, visit, slot }: At): string => `${visitKey(step, visit)}:${slot}`;
const beforeKey = (at: At): string => `model-before:${placeKey(at)}`;
const afterKey = (at: At): string => `model-after:${placeKey(at)}`;

function refuseOpen({ driver }: At, key: string): void {
  for (const { clarification } of driver.state.questions.get(key) ?? []) {
    if (!clarification.resolved) throw new ModelQuestion(driver);
    if (clarification.category === 'User Verification' && !isApproved(clarification))
      throw new HookFailure({ code: 'APPROVAL_REFUSED', message: 'a person refused a model call' });
  }
}

/**
 * What a person has let be sent: exactly that is sent, whatever the hook would say now and whatever day it has become.
 * @throws HookFailure where it is not what was approved.
 */
function approvedMessages({ driver }: At, key: string): ModelMessage[] | undefined {
  const { clarification, approves, sends } = driver.state.questions.get(key)?.at(-1) ?? {};
  if (!clarification || !sends || !isApproved(clarification)) return undefined;
  if (approves?.argsHash === hashOf(sends)) return structuredClone(sends) as ModelMessage[];
  throw new HookFailure({ code: 'APPROVAL_REFUSED', message: 'the messages of a model call are not those approved' });
}

function hashOf(messages: readonly ModelMessage[]): string {
  return hashJson(messages as unknown as JsonValue);
}

function raise(
  at: At,
  key: string,
  request: ClarificationRequest,
  source: string,
  sends?: readonly ModelMessage[],
): void {
  const { driver, step, visit } = at;
  if (step === wholeRun) {
    throw new HookFailure({
      code: 'HOOK_FAILED',
      message: 'a hook asked a person while the final output was made, when no step is there to wait',
      hint: 'throw instead, or ask at the calls of steps',
    });
  }
  const audience = request.clarification.category === 'User Verification' ? 'operator' : 'endUser';
  const place = visit === 0 ? { step } : { step, visit };
  const approval = sends && { approves: { call: placeKey(at), argsHash: hashOf(sends) }, sends };
  raiseQuestions(driver, place, key, [request], { audience, source, ...approval });
}

function toRequest(answer: Clarification | ClarificationRequest | undefined | void): ClarificationRequest | undefined {
  if (!answer) return undefined;
  return isClarification(answer) ? { clarification: answer } : (answer as ClarificationRequest);
}
