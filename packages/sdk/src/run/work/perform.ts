import { PortiaError } from '../../core/errors.ts';
import { hashJson } from '../../core/hash.ts';
import type { JsonObject } from '../../core/json.ts';
import type { RetryPolicy } from '../../core/plan-v2-steps.ts';
import type { WorkInstruction, WorkStep } from '../../core/program.ts';
import type { AnyTool } from '../../core/tool.ts';
import { shapeResult } from '../agents/step-result.ts';
import { resolveArgs } from '../references.ts';
import { type CallResult, callTool } from '../tool-call.ts';
import type { VisitRun } from '../visit-run.ts';
import { waiting } from '../waiting.ts';
import { performLlm, performReAct, performSingleToolAgent } from './agents.ts';
import { askForStep, performSleep, performUserInput, performUserVerify, performWaitFor } from './people.ts';
import type { Performed } from './performed.ts';
import { functionTool, toolOf, withTimeout } from './step-tools.ts';

/** Does the work of a step of a builder plan. */
export function performWork(visit: VisitRun): Promise<Performed> {
  const { work } = visit.instruction as WorkInstruction;
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
      return withRetry(visit, work, () => performLlm(visit, work));
    case 'single-tool-agent':
      return withRetry(visit, work, () => performSingleToolAgent(visit, work));
    case 'react-agent':
      return withRetry(visit, work, () => performReAct(visit, work));
    case 'invoke-tool':
      return invoke(visit, work, withTimeout(toolOf(visit, work.tool), work.timeoutMs), work.args);
    case 'function':
    case 'custom':
      return invoke(visit, work, withTimeout(functionTool(visit, work), work.timeoutMs), work.args);
  }
}

type CallStep = Extract<WorkStep, { kind: 'invoke-tool' | 'function' | 'custom' }>;

async function invoke(
  visit: VisitRun,
  work: CallStep,
  tool: AnyTool,
  given: Readonly<Record<string, unknown>>,
): Promise<Performed> {
  const resolved = resolveArgs(visit.at, given);
  const args = resolved instanceof Promise ? await resolved : resolved;
  const refused = work.approval && (await askForStep(visit, work, args, hashJson(args as JsonObject)));
  if (refused) return refused;
  return withRetry(visit, work, async () => {
    const calling = callTool(visit, tool, args);
    const result: CallResult = calling instanceof Promise ? await calling : calling;
    if (result === waiting) return waiting;
    if (!result.ok) return { kind: 'failed', error: result.error, soft: result.soft };
    const { value } = result;
    const schema = 'outputSchema' in work ? work.outputSchema : undefined;
    const shaping = shapeResult(visit, tool, value, {
      task: `Give the result of ${tool.name} in the form asked for.`,
      schema,
    });
    return { kind: 'output', raw: value, result: shaping instanceof Promise ? await shaping : shaping };
  });
}

/**
 * Tries again what failed without effect, as often as the step says. After a model failed, the work is gone through from
 * its beginning as after a crash: what is on record is given back, so that no call is made and no answer paid again.
 */
function withRetry(visit: VisitRun, work: WorkStep, perform: () => Promise<Performed>): Promise<Performed> {
  const policy = 'retry' in work ? work.retry : undefined;
  return policy ? tryAgain(visit, policy, perform) : attemptOnce(visit, perform);
}

async function tryAgain(
  visit: VisitRun,
  { maxAttempts = 1, delayMs = 1_000, backoff = 2 }: RetryPolicy,
  perform: () => Promise<Performed>,
): Promise<Performed> {
  let attempt = 1;
  for (let failures = 0, pause = delayMs; ; pause *= backoff) {
    const performed = await attemptOnce(visit, perform);
    if (performed === waiting || performed.kind !== 'failed' || !performed.soft) return performed;
    if (attempt + failures >= maxAttempts || visit.driver.ending) return performed;
    if (performed.again) {
      failures += 1;
      attempt = 1;
      visit.asked = 0;
      visit.called = 0;
    } else {
      attempt += 1;
    }
    try {
      await visit.run.runtime.clock.sleep(pause, visit.driver.signal);
    } catch {
      return waiting;
    }
  }
}

async function attemptOnce(visit: VisitRun, perform: () => Promise<Performed>): Promise<Performed> {
  try {
    return await perform();
  } catch (thrown) {
    const isModelTrouble =
      PortiaError.isInstance(thrown) && (thrown.code === 'MODEL_FAILED' || thrown.code === 'MODEL_TIMEOUT');
    if (!isModelTrouble || visit.driver.ending) throw thrown;
    return { kind: 'failed', error: visit.error(thrown.code, thrown.message), soft: true, again: true };
  }
}
