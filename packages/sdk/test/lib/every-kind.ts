// One plan with a step of every kind, tools that leave marks in a world outside the run, and a person who answers.
import { z } from 'zod';
import type { Portia } from '../../src/client.ts';
import { type Clarification, InputClarification, UserVerificationClarification } from '../../src/core/clarification.ts';
import { ToolSoftError } from '../../src/core/errors.ts';
import type { PlanRunUUID } from '../../src/core/ids.ts';
import type { JsonObject, JsonValue } from '../../src/core/json.ts';
import type { Model } from '../../src/core/model.ts';
import type { Plan } from '../../src/core/plan.ts';
import type { PlanRun } from '../../src/core/plan-run.ts';
import type { AnyTool } from '../../src/core/tool.ts';
import type { ExecutionHooks } from '../../src/run/hooks.ts';
import type { StorageBackend } from '../../src/storage/storage-backend.ts';
import { object, text, toolCall } from '../../src/testing/script.ts';
import { scriptedModel } from '../../src/testing/scripted-model.ts';
import { tool, type ToolInit } from '../../src/tool/tool.ts';
import { clientOf, planOf } from './engine.ts';

/** Where effects happen: one mark per effect, with the key it was made under. */
export class World {
  readonly effects: { readonly tool: string; readonly key: string }[] = [];
  /** Tools of whose calls a person was asked what became of them. */
  readonly askedAbout: Set<string> = new Set();
  modelCalls = 0;

  mark(name: string, key: string): void {
    this.effects.push({ tool: name, key });
  }

  count(name: string): number {
    return this.effects.filter((effect) => effect.tool === name).length;
  }

  has(key: string): boolean {
    return this.effects.some((effect) => effect.key === key);
  }
}

/** What each tool with effects gives; so that a person can give it, too. */
export const results: Readonly<Record<string, JsonValue>> = {
  stamper: 'stamped',
  mailer: { sent: true },
  payer: { paid: 12 },
  asker: 'painted blue',
  refunder: 'refunded',
};

function resultOf(id: string): JsonValue {
  return results[id] ?? null;
}

const large = 'x'.repeat(6_000);

export function everyTool(world: World): AnyTool[] {
  const acting = (id: string, more: Partial<ToolInit<JsonObject, JsonValue>> = {}): AnyTool =>
    tool<JsonObject, JsonValue>({
      id,
      description: `does what ${id} does`,
      run(_args, { idempotencyKey }) {
        world.mark(id, idempotencyKey);
        return resultOf(id);
      },
      ...more,
    });
  return [
    tool({ id: 'reader', description: 'reads', readOnly: true, run: () => 'what was read' }),
    acting('stamper', {
      idempotent: true,
      async run(_args, { idempotencyKey }) {
        if (!world.has(idempotencyKey)) world.mark('stamper', idempotencyKey);
        return resultOf('stamper');
      },
    }),
    acting('mailer'),
    acting('payer', {
      reconcile: (_args, { idempotencyKey }) => (world.has(idempotencyKey) ? resultOf('payer') : 'not-happened'),
    }),
    tool({
      id: 'asker',
      description: 'paints, once it knows the colour',
      argsSchema: z.object({ colour: z.string().optional() }),
      run({ colour }, context) {
        if (colour === undefined) return InputClarification({ userGuidance: 'Which colour?', argumentName: 'colour' });
        world.mark('asker', context.idempotencyKey);
        return `painted ${colour}`;
      },
    }),
    acting('refunder'),
    tool({
      id: 'adder',
      description: 'adds',
      readOnly: true,
      argsSchema: z.object({ a: z.number(), b: z.number() }),
      run({ a, b }) {
        if (a < 0) throw new ToolSoftError('a may not be negative');
        return a + b;
      },
    }),
    tool({ id: 'lister', description: 'gives a lot', readOnly: true, run: () => large }),
    tool({ id: 'reporter', description: 'reports', readOnly: true, run: () => ({ total: 3, lines: [1, 2] }) }),
  ];
}

export const everyPlan: Plan = planOf(
  { toolId: 'reader', output: '$read' },
  { toolId: 'stamper', output: '$stamp' },
  { toolId: 'mailer', output: '$mail' },
  { toolId: 'payer', output: '$paid' },
  { toolId: 'asker', output: '$painted', task: 'paint it' },
  { toolId: 'refunder', output: '$refund' },
  { toolId: 'adder', output: '$sum', task: 'add' },
  { output: '$words', inputs: ['$sum'], task: 'say it in words' },
  { toolId: 'mailer', output: '$never', condition: 'if $sum is over 100' },
  { toolId: 'mailer', output: '$again', condition: 'if $sum is 3' },
  { toolId: 'lister', output: '$list' },
  { toolId: 'reporter', output: '$report', inputs: ['$list'] },
);

/** How often each tool's effect is made by the plan. */
export const expectedEffects: Readonly<Record<string, number>> = {
  stamper: 1,
  mailer: 2,
  payer: 1,
  asker: 1,
  refunder: 1,
};

const approving: ExecutionHooks = {
  beforeToolCall: ({ id }) =>
    id === 'refunder' ? UserVerificationClarification({ userGuidance: 'May it be refunded?' }) : undefined,
};

function everyModel(world: World): Model {
  return scriptedModel(({ messages, tools = [], schema }) => {
    world.modelCalls += 1;
    const all = JSON.stringify(messages);
    const [first] = tools;
    if (first?.name === 'asker') return toolCall('asker', {});
    if (first?.name === 'adder') return toolCall('adder', { a: all.includes('may not be negative') ? 1 : -1, b: 2 });
    if (JSON.stringify(schema ?? null).includes('"outcome"')) {
      const condition = all.split('<step_condition').at(-1) ?? '';
      return object({ reason: 'as it says', outcome: condition.includes('over 100') ? 'SKIP' : 'CONTINUE' });
    }
    return text('three, in words');
  });
}

/** A client as any process of the same program would make it. Without approvals, steps without effects run at once. */
export function everyClient(
  storage: StorageBackend,
  world: World,
  options: { readonly tools?: readonly AnyTool[]; readonly approves?: boolean } = {},
): Portia {
  const { tools = [], approves = true } = options;
  return clientOf({
    storage,
    tools: [...everyTool(world), ...tools],
    model: everyModel(world),
    hooks: approves ? approving : {},
  });
}

/**
 * How the person answers questions about calls that may have happened: after looking, or by always saying the same.
 */
export type Habit = 'looks it up' | 'gives the result' | 'has it called again';

/** A person: habits with unknown calls, and the steps of which they refuse the approval. */
export interface Person {
  readonly habit: Habit;
  readonly refuses?: ReadonlySet<number>;
}

/** Goes on with a run, answers what it asks, and retries what was only broken for once, until it is finished. */
export async function driveToEnd(portia: Portia, id: PlanRunUUID, world: World, person: Person): Promise<PlanRun> {
  let run = await portia.resume({ planRunId: id });
  for (let round = 0; run.state !== 'COMPLETE'; round += 1) {
    if (round > 40) throw new Error(`the run does not come to an end: ${run.prettyPrint()}`);
    if (run.state === 'FAILED') {
      if (run.error.message !== brokenForOnce) return run;
      run = await portia.retry({ planRunId: id });
      continue;
    }
    for (const clarification of run.getOutstandingClarifications()) {
      const response = await answerTo(portia, id, world, person, clarification);
      await portia.resolveClarification({ planRunId: id, clarification, response });
    }
    run = await portia.resume({ planRunId: id });
  }
  return run;
}

/** What a tool says that works after a retry of the run. */
export const brokenForOnce = 'broken for once';

async function answerTo(
  portia: Portia,
  id: PlanRunUUID,
  world: World,
  person: Person,
  clarification: Clarification,
): Promise<JsonValue> {
  const { habit, refuses } = person;
  if (clarification.category === 'User Verification') return !refuses?.has(clarification.step ?? -1);
  if (clarification.category === 'Input' && clarification.argumentName === 'colour') return 'blue';
  const unknown = (await portia.storage.getToolCalls(id)).find(({ status }) => status === 'UNKNOWN');
  if (!unknown) throw new Error(`an unexpected question: ${clarification.userGuidance}`);
  if (clarification.category === 'Input') return JSON.stringify(resultOf(unknown.toolId));
  world.askedAbout.add(unknown.toolId);
  const again = habit === 'has it called again' || (habit === 'looks it up' && !world.has(unknown.idempotencyKey));
  return again ? 'call again' : 'use a given result';
}
