import { describe, expect, it } from 'vitest';
import { clientOf, planOf, questionOf } from '../../test/lib/engine.ts';
import type { Portia } from '../client.ts';
import { InputClarification } from '../core/clarification.ts';
import type { PlanRunUUID } from '../core/ids.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import { memoryStorage } from '../storage/memory/memory-storage.ts';
import type { StorageBackend } from '../storage/storage-backend.ts';
import { tool } from '../tool/tool.ts';

const asker = tool<JsonObject, JsonValue>({
  id: 'asker',
  description: 'asks',
  run: (_args, { clarifications }) =>
    clarifications.find(({ resolved }) => resolved)?.response ??
    InputClarification({ userGuidance: '?', argumentName: 'a' }),
});
const plan = planOf({ toolId: 'asker', output: '$a' });

type Method = (...args: unknown[]) => unknown;

/** The same store, with some methods done otherwise. */
function otherwise(storage: StorageBackend, replace: (name: string, method: Method) => Method): StorageBackend {
  return new Proxy(storage, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function'
        ? replace(String(name), (...args) => (value as Method).apply(target, args))
        : value;
    },
  });
}

/** The same store, where something happens once: right before the run is let go, or right after it was loaded. */
function interrupted(
  storage: StorageBackend,
  when: 'before release' | 'after load',
  interrupt: (id: PlanRunUUID) => Promise<void>,
): StorageBackend {
  let open = true;
  return otherwise(storage, (name, method) => {
    if (
      name !== (when === 'after load' ? 'loadRun' : 'releaseRun') &&
      !(when === 'before release' && name === 'append')
    )
      return method;
    return async (...args) => {
      const now = open && (name !== 'append' || args[4] === true);
      if (now) open = false;
      if (now && when === 'before release') await interrupt(args[0] as PlanRunUUID);
      const result = await method(...args);
      if (now && when === 'after load') await interrupt(args[0] as PlanRunUUID);
      return result;
    };
  });
}

async function answer(portia: Portia, id: PlanRunUUID): Promise<void> {
  const run = await portia.storage.getPlanRun(id);
  await portia.resolveClarification({ planRun: run, clarification: questionOf(run), response: 'in between' });
}

describe('an answer that comes in between', () => {
  it('the last look of a driver and its release is taken up by that driver', async () => {
    const storage = memoryStorage();
    const elsewhere = clientOf({ tools: [asker], storage });
    // With a handler, even one that takes no question, the run is let go some time after its questions can be seen.
    const hooks = { clarificationHandler: {} };
    const portia = clientOf({
      tools: [asker],
      hooks,
      storage: interrupted(storage, 'before release', (id) => answer(elsewhere, id)),
    });
    const run = await portia.runPlan(plan);
    expect(run.toJSON()).toMatchObject({ state: 'COMPLETE', outputs: { final_output: { value: 'in between' } } });
  });

  it('so is on record, where the driver was only to put something else there', async () => {
    const storage = memoryStorage();
    const two = tool<JsonObject, JsonValue>({
      id: 'asker',
      description: 'asks two things',
      run: (_args, { clarifications }) =>
        clarifications.length > 0
          ? 'done'
          : ([1, 2].map((n) => InputClarification({ userGuidance: `${n}?`, argumentName: 'a' })) as never),
    });
    const elsewhere = clientOf({ tools: [two], storage });
    const waiting = await elsewhere.runPlan(plan);
    const [first, second] = waiting.getOutstandingClarifications();
    const portia = clientOf({
      tools: [two],
      storage: interrupted(
        storage,
        'before release',
        async () =>
          void (await elsewhere.resolveClarification({ planRun: waiting, clarification: second, response: 2 })),
      ),
    });
    await portia.resolveClarification({ planRun: waiting, clarification: first, response: 1 });
    expect((await storage.listRuns({})).items[0]?.status.state).toBe('READY_TO_RESUME');
  });

  it('the loading of a run and its driving is not lost', async () => {
    const storage = memoryStorage();
    const elsewhere = clientOf({ tools: [asker], storage });
    const waiting = await elsewhere.runPlan(plan);
    const portia = clientOf({
      tools: [asker],
      storage: interrupted(storage, 'after load', (id) => answer(elsewhere, id)),
    });
    const run = await portia.resume({ planRun: waiting });
    expect(run.toJSON()).toMatchObject({ state: 'COMPLETE', outputs: { final_output: { value: 'in between' } } });
  });
});

describe('a driver', () => {
  it('that cannot load its run gives it up for others', async () => {
    const storage = memoryStorage();
    const waiting = await clientOf({ tools: [asker], storage }).createPlanRun(plan);
    const broken = otherwise(storage, (name, method) => (name === 'getPlan' ? () => undefined : method));
    await expect(clientOf({ tools: [asker], storage: broken }).resume({ planRun: waiting })).rejects.toMatchObject({
      code: 'PLAN_NOT_FOUND',
    });
    expect((await storage.loadRun(waiting.id))?.driver).toBeUndefined();
  });

  it('hands its receipt over when it lost its run, also to a run that only waits', async () => {
    const storage = memoryStorage();
    let give: ((value: string) => void) | undefined;
    const slow = tool({
      id: 'work',
      description: 'x',
      run: () =>
        new Promise<string>((resolve) => {
          give = resolve;
        }),
    });
    const portia = clientOf({ tools: [slow], storage });
    const running = portia.runPlan(planOf({ toolId: 'work', output: '$a' }));
    await expect.poll(() => give).toBeDefined();
    const [found] = (await storage.listRuns({})).items;
    const id = found?.header.id as PlanRunUUID;
    const { driver } = await storage.claimRun(id, {
      owner: 'elsewhere/1.1/0/x',
      now: 0,
      ttlMs: 1,
      isAlive: () => false,
    });
    await storage.releaseRun(id, driver.epoch);
    const elsewhere = clientOf({ tools: [tool({ id: 'work', description: 'x', run: () => 'made here' })], storage });
    expect((await elsewhere.resume({ planRunId: id })).state).toBe('NEED_CLARIFICATION');
    give?.('made there');
    await expect(running).rejects.toMatchObject({ code: 'DRIVER_LOST', planRunId: id });
    expect((await storage.loadRun(id))?.status.state).toBe('READY_TO_RESUME');
    expect((await elsewhere.resume({ planRunId: id })).outputs.finalOutput).toEqual({
      value: 'made there',
      summary: null,
    });
  });
});
