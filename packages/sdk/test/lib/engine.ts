// What engine tests share: clients on a store, plans in one line, and finding the question a run asks.
import { Portia, type PortiaOptions } from '../../src/client.ts';
import { Config } from '../../src/config/config.ts';
import type { ConfigOptions } from '../../src/config/config-options.ts';
import type { Clarification } from '../../src/core/clarification.ts';
import type { JsonObject, JsonValue } from '../../src/core/json.ts';
import type { Model } from '../../src/core/model.ts';
import { Plan, type PlanInputInit, type StepInit } from '../../src/core/plan.ts';
import type { PlanRun } from '../../src/core/plan-run.ts';
import type { AnyTool } from '../../src/core/tool.ts';
import type { ExecutionHooks } from '../../src/run/hooks.ts';
import { memoryStorage } from '../../src/storage/memory/memory-storage.ts';
import type { StorageBackend } from '../../src/storage/storage-backend.ts';
import { scriptedModel } from '../../src/testing/scripted-model.ts';

export interface ClientOptions extends Pick<PortiaOptions, 'clock' | 'logger'> {
  readonly tools?: readonly AnyTool[];
  readonly storage?: StorageBackend;
  readonly model?: Model;
  readonly models?: ConfigOptions['models'];
  readonly hooks?: ExecutionHooks;
  readonly config?: ConfigOptions;
}

/** A client with everything given; a model that is asked although none was expected fails the run. */
export function clientOf(options: ClientOptions = {}): Portia {
  const {
    tools = [],
    storage = memoryStorage(),
    model = scriptedModel([]),
    models,
    hooks = {},
    config,
    clock,
    logger,
  } = options;
  return new Portia({
    config: new Config({ storage, models: { default: model, ...models }, ...config }),
    tools,
    executionHooks: hooks,
    clock,
    logger,
  });
}

type StepLine = Partial<Omit<StepInit, 'inputs'>> & { readonly inputs?: readonly string[] };

/** A plan from lines such as `{ toolId: 'mailer', output: '$sent', inputs: ['$text'] }`. */
export function planOf(...steps: readonly StepLine[]): Plan {
  return planWith([], ...steps);
}

/** The same, with plan inputs. */
export function planWith(planInputs: readonly PlanInputInit[], ...steps: readonly StepLine[]): Plan {
  return new Plan({
    planContext: { query: 'the query', toolIds: [] },
    planInputs,
    steps: steps.map(({ inputs = [], task = 'do it', output, ...step }, index) => ({
      ...step,
      task,
      output: output ?? `$out${index}`,
      inputs: inputs.map((name) => ({ name })),
    })),
  });
}

/** The one question a run asks. */
export function questionOf(run: PlanRun): Clarification {
  const asked = run.getOutstandingClarifications();
  if (asked.length !== 1 || !asked[0]) throw new Error(`${asked.length} questions are asked; ${run.prettyPrint()}`);
  return asked[0];
}

/** Answers the one question a run asks, and goes on with it. */
export async function answerAndResume(portia: Portia, run: PlanRun, response: JsonValue): Promise<PlanRun> {
  await portia.resolveClarification({ planRun: run, clarification: questionOf(run), response });
  return portia.resume({ planRun: run });
}

/** A run's document without what differs from run to run, and without questions about unknown calls. */
export function normalised(run: PlanRun): JsonObject {
  const document = JSON.parse(JSON.stringify(run)) as {
    id: string;
    outputs: { clarifications: { id: string; source: string }[] };
  } & JsonObject;
  document.outputs.clarifications = document.outputs.clarifications.filter(({ source }) => source !== 'Effects ledger');
  document.outputs.clarifications.forEach((clarification, index) => {
    clarification.id = `clarification ${index}`;
  });
  return JSON.parse(JSON.stringify(document).replaceAll(document.id, 'this run')) as JsonObject;
}

/** The code of what a promise is rejected with. */
export async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
    return 'nothing was thrown';
  } catch (error) {
    return (error as { readonly code?: unknown }).code ?? String(error);
  }
}
