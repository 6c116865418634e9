import { ensureError, PortiaError } from '../core/errors.ts';
import type { ModelPurpose, VisitId } from '../core/event.ts';
import type { Model, ModelAnswer, ModelMessage, ModelRequest } from '../core/model.ts';
import { traceContextFor } from '../core/trace.ts';
import { messageOf } from '../model/repair.ts';
import { isFinished } from '../core/run-state.ts';
import type { Crossing } from './account.ts';
import { type Bill, breakOff } from './budget.ts';
import { whileTimeLasts } from './budget-time.ts';
import { type Driver, visitField } from './driver.ts';
import { checkHeard, type Heard, ModelQuestion } from './model-hooks.ts';

/** A conversation with a model, stored as it grows. */
export interface Conversation {
  readonly messages: ModelMessage[];
  /** How many of the messages are on record. */
  stored: number;
}

/** A conversation that begins with these messages. */
export function conversation(messages: readonly ModelMessage[]): Conversation {
  return { messages: [...messages], stored: 0 };
}

/** Where in the run a model is asked. */
export interface Asker {
  readonly driver: Driver;
  readonly step: number;
  readonly visit: VisitId;
  readonly slot: string;
  readonly purpose: ModelPurpose;
}

/**
 * Asks a model, or gives the answer that is on record: no answer is paid twice once it is stored. The answer joins
 * the conversation. `signal`: of whoever asks, when that may end before the run does.
 */
export async function askModel(
  at: Asker,
  model: Model,
  talk: Conversation,
  request: Omit<ModelRequest, 'messages' | 'signal' | 'tenant' | 'onText' | 'traceparent' | 'tracestate'> = {},
  signal: AbortSignal = at.driver.signal,
): Promise<ModelAnswer> {
  const { driver, step, visit, slot, purpose } = at;
  const known = driver.state.visits.get(step, visit)?.answers?.get(slot);
  if (known) {
    checkHeard(at);
    talk.messages.splice(talk.stored, talk.messages.length, ...known.messages);
    return join(talk, known.answer);
  }
  const messages = driver.guard
    ? await takeIn(talk, driver.guard.before(at, model, talk.messages, request.tools))
    : talk.messages;
  if (driver.dirty) await driver.commit();
  driver.notice((now) => ({
    at: now,
    type: 'model-call-start',
    step,
    ...visitField(visit),
    call: slot,
    purpose,
    model: model.id,
  }));
  const asked = { ...request, messages };
  const stop = (crossing: Crossing, scope: 'run' | 'client'): never =>
    breakOff(at, crossing, scope, `a call of ${model.id}`);
  const { release, ...allowed } = await driver.purse.beforeModelCall(model, asked, stop);
  const started = performance.now();
  try {
    const given = await whileTimeLasts(
      driver.purse,
      () => driver.now(),
      signal,
      stop,
      (limits) =>
        generate(driver, model, {
          ...asked,
          ...allowed,
          tenant: driver.state.header.endUserId,
          ...traceContextFor(driver.state.header, `${step}.${visit}.${slot}`),
          // A failed run that is tried again would be given the very answers that it failed with.
          ...(driver.state.retries > 0 && { fresh: true }),
          ...(driver.followed && { onText: textNotices(at) }),
          ...limits,
        }),
    );
    // Whoever asked has been given up, or the run is over. One that is only being stopped keeps what it has paid for.
    if (!driver.ending || isFinished(driver.state) || driver.released) signal.throwIfAborted();
    const bill = driver.purse.bill(model, asked, given);
    const heard: Heard = (await driver.guard?.after(at, model, asked, given)) ?? { answer: given };
    const { answer } = heard;
    record(at, model, talk, bill, answer, performance.now() - started);
    heard.raise?.();
    release();
    await driver.commit();
    if (heard.raise) throw new ModelQuestion(driver);
    return join(talk, answer);
  } finally {
    release();
  }
}

/** What a hook made of the messages is sent, and stored as far as it is not on record yet. */
async function takeIn(talk: Conversation, changed: Promise<ModelMessage[]>): Promise<ModelMessage[]> {
  const sent = await changed;
  if (sent.length > talk.stored) talk.messages.splice(talk.stored, talk.messages.length, ...sent.slice(talk.stored));
  return sent;
}

function record(at: Asker, model: Model, talk: Conversation, bill: Bill, answer: ModelAnswer, ms: number): void {
  const { driver, step, visit, slot, purpose } = at;
  driver.emit({
    type: 'model-call-end',
    step,
    ...visitField(visit),
    call: slot,
    purpose,
    model: answer.model ?? model.id,
    messages: talk.messages.slice(talk.stored),
    answer,
    ms: Math.round(ms),
    ...bill,
  });
}

/** Shows words as they come to whoever follows the run. */
function textNotices({ driver, step, visit, slot: call }: Asker): NonNullable<ModelRequest['onText']> {
  return (text, again) =>
    driver.notice((now) => ({
      at: now,
      type: 'text-delta',
      step,
      ...visitField(visit),
      call,
      text,
      ...(again && { again: true as const }),
    }));
}

/** A model that is not ours may break its contract: what it throws gets a code, and an answer has to be one. */
async function generate(driver: Driver, model: Model, request: ModelRequest): Promise<ModelAnswer> {
  let answer: ModelAnswer;
  try {
    answer = await model.generate(request);
  } catch (thrown) {
    if (PortiaError.isInstance(thrown) || driver.ending) throw thrown;
    const cause = ensureError(thrown);
    throw new PortiaError({
      code: 'MODEL_FAILED',
      message: `${model.id} threw ${cause.name}: ${cause.message}`,
      cause,
    });
  }
  if (typeof answer?.text === 'string' && Array.isArray(answer.toolCalls ?? [])) return answer;
  throw new PortiaError({
    code: 'MODEL_ANSWER_INVALID',
    message: `${model.id} gave something that is no answer: it has no text`,
  });
}

function join(talk: Conversation, answer: ModelAnswer): ModelAnswer {
  talk.messages.push(messageOf(answer));
  talk.stored = talk.messages.length;
  return answer;
}
