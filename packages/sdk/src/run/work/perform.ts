import { PortiaError } from '../../core/errors.ts';
import { hashJson } from '../../core/hash.ts';
import type { JsonObject } from '../../core/json.ts';
import type { RetryPolicy } from '../../core/plan-v2-steps.ts';
import type { WorkInstruction, WorkStep } from '../../core/program.ts';
import type { Awaitable } from '../../storage/storage-backend.ts';
import { shapeResult } from '../agents/step-result.ts';
import type { PreparedCall } from '../prepared.ts';
import { fillIn } from '../references.ts';
import { afterCall, type CallResult, makeCall, next } from '../tool-call.ts';
import { pause } from '../tool-retry.ts';
import type { VisitRun } from '../visit-run.ts';
import { waiting } from '../waiting.ts';
import { performLlm, performReAct, performSingleToolAgent } from './agents.ts';
import { askForStep, performSleep, performUserInput, performUserVerify, performWaitFor } from './people.ts';
import type { Performed } from './performed.ts';

/** Does the work of a step of a builder plan. */
export function performWork(visit: VisitRun): Awaitable<Performed> {
  const instruction = visit.instruction as WorkInstruction;
  const call = visit.run.prepared.call(instruction);
  return call ? invoke(visit, call) : performOther(visit, instruction.work);
}

function performOther(visit: VisitRun, work: WorkStep): Awaitable<Performed> {
  switch (work.kind) {
    case 'user-verify':
      return performUserVerify(visit, work);
    case 'user-input':
      return performUserInput(visit, work);
    case 'wait-for':
      return performWaitFor(visit, work);
    case 'sleep':
      return performSleep(visit, work);
    case 'llm':
      return withRetry(visit, work.retry, () => performLlm(visit, work));
    case 'single-tool-agent':
      return withRetry(visit, work.retry, () => performSingleToolAgent(visit, work));
    case 'react-agent':
      return withRetry(visit, work.retry, () => performReAct(visit, work));
    default:
      throw new Error(`a ${work.kind} step makes a call`);
  }
}

/** Without a promise of its own wherever all is at hand: it is done for every step. */
function invoke(visit: VisitRun, call: PreparedCall): Awaitable<Performed> {
  return next(fillIn(visit, call.args), (args) => invokeWith(visit, call, args as JsonObject));
}

function invokeWith(visit: VisitRun, call: PreparedCall, args: JsonObject): Awaitable<Performed> {
  const { approval, retry, work } = call;
  if (!approval && !retry) return callAndShape(visit, call, args);
  const perform = (): Awaitable<Performed> => withRetry(visit, retry, () => callAndShape(visit, call, args));
  return approval ? askForStep(visit, work, args, hashJson(args)).then((refused) => refused ?? perform()) : perform();
}

const giveResult = 'Give the result of the tool in the form asked for.';

function callAndShape(visit: VisitRun, call: PreparedCall, args: JsonObject): Awaitable<Performed> {
  const { tool } = call;
  return next(makeCall(visit, tool, args), (known) =>
    next(afterCall(visit, tool, args, 1, known), (result) => shapeCall(visit, call, result)),
  );
}

function shapeCall(visit: VisitRun, { tool, schema }: PreparedCall, called: CallResult): Awaitable<Performed> {
  if (called === waiting) return waiting;
  if (!called.ok) return { kind: 'failed', error: called.error, soft: called.soft };
  const { value: raw } = called;
  const shaped = shapeResult(visit, tool, raw, schema ? { task: giveResult, schema } : { task: giveResult });
  return next(shaped, (result): Performed => ({ kind: 'output', raw, result }));
}

/**
 * Tries again what failed without effect, as often as the step says. After a model failed, the work is gone through from
 * its beginning as after a crash: what is on record is given back, so that no call is made and no answer paid again.
 */
function withRetry(
  visit: VisitRun,
  policy: RetryPolicy | undefined,
  perform: () => Awaitable<Performed>,
): Awaitable<Performed> {
  return policy ? tryAgain(visit, policy, perform) : perform();
}

async function tryAgain(
  visit: VisitRun,
  { maxAttempts = 1, delayMs = 1_000, backoff = 2 }: RetryPolicy,
  perform: () => Awaitable<Performed>,
): Promise<Performed> {
  let attempt = 1;
  for (let failures = 0, pauseMs = delayMs; ; pauseMs *= backoff) {
    const performed = await attemptOnce(visit, perform);
    if (performed === waiting || performed.kind !== 'failed' || !performed.soft) return performed;
    if (attempt + failures >= maxAttempts || visit.ending) return performed;
    if (performed.again) {
      failures += 1;
      attempt = 1;
      visit.asked = 0;
      visit.called = 0;
    } else {
      attempt += 1;
    }
    if (!(await pause(visit, pauseMs))) return waiting;
  }
}

async function attemptOnce(visit: VisitRun, perform: () => Awaitable<Performed>): Promise<Performed> {
  try {
    return await perform();
  } catch (thrown) {
    const isModelTrouble =
      PortiaError.isInstance(thrown) && (thrown.code === 'MODEL_FAILED' || thrown.code === 'MODEL_TIMEOUT');
    if (!isModelTrouble || visit.driver.ending) throw thrown;
    return { kind: 'failed', error: visit.error(thrown.code, thrown.message), soft: true, again: true };
  }
}
