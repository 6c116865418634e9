// What tests of builder plans share: clients without a model, and people who answer in clients of their own.
import { Portia } from '../../src/client.ts';
import { Config } from '../../src/config/config.ts';
import type { JsonValue } from '../../src/core/json.ts';
import type { PlanRun } from '../../src/core/plan-run.ts';
import type { AnyTool } from '../../src/core/tool.ts';
import type { AnyPlanV2 } from '../../src/plan/builder-programs.ts';
import type { ExecutionHooks } from '../../src/run/hooks.ts';
import { memoryStorage } from '../../src/storage/memory/memory-storage.ts';
import type { StorageBackend } from '../../src/storage/storage-backend.ts';
import { scriptedModel } from '../../src/testing/scripted-model.ts';
import { answerAndResume, questionOf } from './engine.ts';

interface Given {
  readonly storage?: StorageBackend;
  readonly plans?: readonly AnyPlanV2[];
  readonly hooks?: ExecutionHooks;
  readonly tools?: readonly AnyTool[];
}

/** A client that has no model to ask. */
export function clientOf({ storage = memoryStorage(), plans = [], hooks = {}, tools = [] }: Given = {}): Portia {
  const config = new Config({ storage, models: { default: scriptedModel([]) } });
  return new Portia({ config, plans, executionHooks: hooks, tools });
}

/** What a run gave; throws what it failed with. */
export function finalOf(run: PlanRun<unknown>): unknown {
  if (run.error) throw new Error(`${run.error.code}: ${run.error.message}`);
  return run.outputs.finalOutput?.value;
}

/** Answers whatever a run asks, each time in a client that shares nothing but the store; gives what was asked, too. */
export async function toEnd(
  client: () => Portia,
  begun: PlanRun<unknown>,
  answer: (guidance: string) => JsonValue,
): Promise<{ run: PlanRun; asked: string[] }> {
  let run = begun as PlanRun;
  const asked: string[] = [];
  while (run.state === 'NEED_CLARIFICATION' && asked.length < 50) {
    const question = questionOf(run);
    asked.push(question.userGuidance);
    run = await answerAndResume(client(), run, answer(question.userGuidance));
  }
  return { run, asked };
}

/** The steps whose output was recorded, in order. */
export async function recorded(portia: Portia, run: PlanRun<unknown>): Promise<JsonValue[]> {
  const events = await portia.storage.getEvents(run.id);
  return events.flatMap((event) =>
    event.type === 'step-end' && event.output && 'value' in event.output ? [event.output.value] : [],
  );
}
