import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { clientOf, codeOf, planOf, questionOf } from '../../test/lib/engine.ts';
import { Portia } from '../client.ts';
import { Config } from '../config/config.ts';
import { InputClarification } from '../core/clarification.ts';
import { EndUser } from '../core/end-user.ts';
import { PlanRunUUID } from '../core/ids.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { PlanV2 } from '../core/plan-v2.ts';
import type { PlanRun } from '../core/plan-run.ts';
import { PlanBuilderV2 } from '../plan/builder-v2.ts';
import { memoryStorage } from '../storage/memory/memory-storage.ts';
import { sqliteStorage } from '../storage/sqlite/index.ts';
import { text } from '../testing/script.ts';
import { scriptedModel } from '../testing/scripted-model.ts';
import { tool } from '../tool/tool.ts';

const one = tool({ id: 'one', description: 'gives 1', readOnly: true, run: () => 1 });
const plan = planOf({ toolId: 'one', output: '$a' });
const asker = tool<JsonObject, JsonValue>({
  id: 'asker',
  description: 'asks',
  run: (_args, { clarifications }) =>
    clarifications.find(({ resolved }) => resolved)?.response ??
    InputClarification({ userGuidance: '?', argumentName: 'a' }),
});

describe('a run key', () => {
  it('given twice gives the same run, whose plan goes on', async () => {
    const portia = clientOf({ tools: [asker, one] });
    const asking = planOf({ toolId: 'asker', output: '$a' });
    const first = await portia.runPlan(asking, { runKey: 'order-17' });
    const second = await portia.runPlan(asking, { runKey: 'order-17' });
    expect([second.id, second.state]).toEqual([first.id, 'NEED_CLARIFICATION']);
    await portia.resolveClarification({ planRun: first, clarification: questionOf(first), response: 1 });
    expect(await portia.runPlan(asking, { runKey: 'order-17' })).toMatchObject({ id: first.id, state: 'COMPLETE' });
    expect(await portia.runPlan(asking, { runKey: 'order-17' })).toMatchObject({ id: first.id, state: 'COMPLETE' });
    expect((await portia.storage.listRuns()).items).toHaveLength(1);
  });

  it('belongs to one plan', async () => {
    const portia = clientOf({ tools: [one] });
    await portia.runPlan(plan, { runKey: 'order-17' });
    for (const again of [
      portia.runPlan(planOf({ toolId: 'one', output: '$b' }), { runKey: 'order-17' }),
      portia.start(planOf(), { runKey: 'order-17' }),
    ]) {
      expect(await codeOf(again)).toBe('RUN_KEY_CONFLICT');
    }
  });

  it('stays with its run when that goes on by a changed plan', async () => {
    const storage = memoryStorage();
    const version = (made: number): PlanV2<unknown, unknown, number> =>
      new PlanBuilderV2('order')
        .userVerify({ message: 'Pay?' })
        .functionStep({ function: () => made, version: `${made}` })
        .build();
    const client = (now: PlanV2<unknown, unknown, number>): Portia =>
      new Portia({ config: new Config({ storage, models: { default: scriptedModel([]) } }), plans: [now] });
    const first = await client(version(1)).runPlan(version(1), { runKey: 'order-17' });
    const portia = client(version(2));
    expect(await codeOf(portia.start(version(2), { runKey: 'order-17' }))).toBe('RUN_KEY_CONFLICT');
    await portia.resolveClarification({ planRun: first, clarification: questionOf(first), response: true });
    expect((await portia.resume({ planRun: first, acceptPlanChange: true })).state).toBe('COMPLETE');
    expect(await portia.start(version(2), { runKey: 'order-17' })).toEqual({ planRunId: first.id });
    expect(await portia.runPlan(version(2), { runKey: 'order-17' })).toMatchObject({ id: first.id, state: 'COMPLETE' });
    expect(await codeOf(portia.start(version(3), { runKey: 'order-17' }))).toBe('RUN_KEY_CONFLICT');
  });

  it('belongs to one end user, also in a query', async () => {
    const portia = clientOf({ tools: [one] });
    const first = await portia.start(plan, { runKey: 'order-17', endUser: 'carl' });
    const query = await portia.startQuery('How?', { runKey: 'order-18', endUser: 'carl' });
    for (const endUser of ['dora', { externalId: 'dora' }]) {
      const asked = [
        portia.start(plan, { runKey: 'order-17', endUser }),
        portia.runPlan(plan, { runKey: 'order-17', endUser }),
        portia.startQuery('How?', { runKey: 'order-18', endUser }),
      ];
      for (const again of await Promise.allSettled(asked)) {
        expect(again).toMatchObject({ status: 'rejected', reason: { code: 'RUN_KEY_CONFLICT' } });
        expect(String((again as PromiseRejectedResult).reason)).not.toMatch(/carl|prun-/);
      }
    }
    for (const endUser of ['carl', { externalId: 'carl' }, undefined]) {
      expect(await portia.start(plan, { runKey: 'order-17', endUser })).toEqual(first);
      expect(await portia.startQuery('How?', { runKey: 'order-18', endUser })).toEqual(query);
    }
  });

  it('and labels stand in the execution context, and runs are found by them', async () => {
    const portia = clientOf({ tools: [one] });
    const run = await portia.runPlan(plan, { runKey: 'k', labels: { batch: 'nightly', region: 'EU' } });
    await portia.runPlan(plan, { labels: { batch: 'daily' } });
    expect(run.executionContext).toMatchObject({ runKey: 'k', labels: { batch: 'nightly', region: 'EU' } });
    expect(
      (await portia.storage.listRuns({ labels: { batch: 'nightly' } })).items.map(({ header }) => header.id),
    ).toEqual([run.id]);
  });
});

describe('a plan', () => {
  it('that is stored already is run as it was stored, by its id', async () => {
    const storage = memoryStorage();
    await clientOf({ storage }).storage.savePlan(plan);
    expect((await clientOf({ tools: [one], storage }).runPlan(plan.id)).state).toBe('COMPLETE');
    expect(await codeOf(clientOf({ storage }).runPlan(planOf().id))).toBe('PLAN_NOT_FOUND');
  });
});

describe('the end user of a run', () => {
  it.each([
    ['memory', () => memoryStorage()],
    ['sqlite', () => sqliteStorage(':memory:')],
  ])('keeps what others change of them while a tool is at work: %s', async (_name, open) => {
    const storage = await open();
    const writer = tool({
      id: 'writer',
      description: 'x',
      async run(_args, context) {
        context.updateEndUser({ seen: 'yes' });
        await storage.saveEndUser(EndUser({ externalId: 'ada', name: 'Ada L.', additionalData: { team: 'dev' } }));
      },
    });
    const portia = clientOf({ tools: [writer], storage, model: scriptedModel(() => text('s')) });
    const endUser = { externalId: 'ada', name: 'Ada', additionalData: { team: 'ops' } };
    const kept = { name: 'Ada L.', additionalData: { team: 'dev', seen: 'yes' } };
    await portia.runPlan(planOf({ toolId: 'writer', output: '$a' }), { endUser });
    expect(await storage.getEndUser('ada')).toMatchObject(kept);
    await storage.saveEndUser(EndUser(endUser));
    await portia.callTool('writer', {}, { planRunId: PlanRunUUID.random(), endUser: EndUser(endUser) });
    expect(await storage.getEndUser('ada')).toMatchObject(kept);
    await portia.close();
  });

  it('has what each of two tools at once has set', async () => {
    const storage = memoryStorage();
    let arrived = 0;
    const writer = tool({
      id: 'writer',
      description: 'x',
      argsSchema: z.object({ key: z.string() }),
      async run({ key }, context) {
        arrived += 1;
        await expect.poll(() => arrived).toBe(2);
        context.updateEndUser({ [key]: 'new' });
      },
    });
    const both = new PlanBuilderV2('both')
      .parallel()
      .branch()
      .invokeToolStep({ tool: writer, args: { key: 'a' } })
      .branch()
      .invokeToolStep({ tool: writer, args: { key: 'b' } })
      .endParallel()
      .build();
    const run = await clientOf({ storage }).runPlan(both, {
      endUser: { externalId: 'ada', additionalData: { a: 'old', b: 'old' } },
    });
    expect(run.state).toBe('COMPLETE');
    expect(await storage.getEndUser('ada')).toMatchObject({ additionalData: { a: 'new', b: 'new' } });
  });

  it('is the default one, one by id, or one given whole, who is saved', async () => {
    const portia = clientOf({ tools: [one] });
    const ids = async (endUser?: unknown): Promise<string> =>
      ((await portia.runPlan(plan, { endUser: endUser as never })) as PlanRun).endUserId;
    expect(await ids()).toBe('portia:default_user');
    expect(await ids('ada')).toBe('ada');
    expect(await ids({ externalId: 'bob', name: 'Bob' })).toBe('bob');
    expect(await portia.storage.getEndUser('bob')).toMatchObject({ name: 'Bob' });
  });

  it('is changed by tools after their call; that it cannot be saved is no reason for a call to fail', async () => {
    const writer = tool({
      id: 'writer',
      description: 'x',
      run(_args, context) {
        context.updateEndUser({ team: 'ops' });
        return context.endUser.additionalData;
      },
    });
    const storage = memoryStorage();
    const portia = clientOf({ tools: [writer], storage, model: scriptedModel(() => text('s')) });
    const run = await portia.runPlan(planOf({ toolId: 'writer', output: '$a' }), { endUser: 'ada' });
    expect(run.toJSON()).toMatchObject({ outputs: { step_outputs: { $a: { value: { team: 'ops' } } } } });
    expect(await storage.getEndUser('ada')).toMatchObject({ additionalData: { team: 'ops' } });

    const broken = new Proxy(storage, {
      get: (target, name) =>
        name === 'saveEndUser'
          ? () => {
              throw new Error('read-only');
            }
          : ((Reflect.get(target, name, target) as (...args: unknown[]) => unknown)?.bind?.(target) ??
            Reflect.get(target, name, target)),
    });
    expect(
      (
        await clientOf({ tools: [writer], storage: broken, model: scriptedModel(() => text('s')) }).runPlan(
          planOf({ toolId: 'writer', output: '$a' }),
          { endUser: 'ada' },
        )
      ).state,
    ).toBe('COMPLETE');
  });
});
