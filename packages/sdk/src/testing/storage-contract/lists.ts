import { toCommit } from '../../core/event.ts';
import type { PlanRunUUID } from '../../core/ids.ts';
import { PlanRunState, type RunHeader } from '../../core/run-state.ts';
import type { RunQuery, RunStatus, StorageBackend } from '../../storage/storage-backend.ts';
import {
  codeOf,
  firstCommit,
  now,
  sampleClaim,
  sampleHeader,
  samplePlan,
  stepCommit,
  ttlMs,
  working,
} from './samples.ts';
import type { Open, TestFunctions } from './subject.ts';

/** Stores a run of each kind, oldest first; gives a way to say which of them a query finds. */
async function variety(storage: StorageBackend): Promise<(query: RunQuery) => Promise<string>> {
  const plans = [samplePlan(), samplePlan()];
  for (const plan of plans) await storage.savePlan(plan);
  const names = new Map<string, string>();
  const add = async (
    name: string,
    plan: number,
    init: Partial<RunHeader>,
    status?: Partial<RunStatus>,
  ): Promise<void> => {
    const at = now + names.size;
    const header = sampleHeader((plans[plan] ?? samplePlan()).id, { createdAt: at, ...init });
    names.set(header.id, name);
    await storage.createRun(header, sampleClaim());
    if (status) await storage.append(header.id, 1, firstCommit, { state: 'IN_PROGRESS', updatedAt: at, ...status });
  };
  await add('new', 0, { labels: { batch: 'nightly', shop: 'eu' } });
  await add('busy', 1, { endUserId: 'cust_1' }, {});
  await add(
    'asks',
    0,
    { endUserId: 'cust_1', labels: { batch: 'nightly' } },
    { state: 'NEED_CLARIFICATION', wakeAt: now + 100 },
  );
  await add('ready', 1, { labels: { batch: 'daily' } }, { state: 'READY_TO_RESUME' });
  await add('done', 0, {}, { state: 'COMPLETE' });
  await add('refused', 0, {}, { state: 'FAILED', error: { code: 'APPROVAL_REFUSED', message: 'no', step: 0 } });
  await add('broken', 1, {}, { state: 'FAILED', error: { code: 'TOOL_FAILED', message: 'no' } });
  await add('waits', 0, {}, { state: 'NEED_CLARIFICATION', wakeAt: now + 200 });
  return async (query) => {
    const { items } = await storage.listRuns(
      query.planId ? { ...query, planId: (plans[Number(query.planId)] ?? samplePlan()).id } : query,
    );
    return items.map(({ header }) => names.get(header.id)).join(' ');
  };
}

/** Lists of runs. */
export function listTests(open: Open, test: TestFunctions): void {
  test.describe('lists of runs', () => {
    filterTests(open, test);
    planTests(open, test);
    readyTests(open, test);
    timeTests(open, test);
    numberTests(open, test);
  });
}

function filterTests(open: Open, { it, expect }: TestFunctions): void {
  it('lists newest or oldest first', () =>
    open(async ({ storage }) => {
      expect((await storage.listRuns({})).items).toEqual([]);
      const list = await variety(storage);
      expect(await list({})).toBe('waits broken refused done ready asks busy new');
      expect(await list({ order: 'newest' })).toBe('waits broken refused done ready asks busy new');
      expect(await list({ order: 'oldest' })).toBe('new busy asks ready done refused broken waits');
    }));

  it('finds runs by every filter, alone and together', () =>
    open(async ({ storage }) => {
      const list = await variety(storage);
      expect(await list({ states: ['COMPLETE'] })).toBe('done');
      expect(await list({ states: ['NEED_CLARIFICATION', 'NOT_STARTED', 'FAILED'] })).toBe(
        'waits broken refused asks new',
      );
      expect(await list({ states: ['READY_TO_RESUME', 'IN_PROGRESS'], order: 'oldest' })).toBe('busy ready');
      expect(await list({ states: [] })).toBe('');
      expect(await list({ planId: '1' as never })).toBe('broken ready busy');
      expect(await list({ planId: '7' as never })).toBe('');
      expect(await list({ endUserId: 'cust_1' })).toBe('asks busy');
      expect(await list({ endUserId: 'portia:default_user', states: ['NOT_STARTED', 'COMPLETE'] })).toBe('done new');
      expect(await list({ labels: { batch: 'nightly' } })).toBe('asks new');
      expect(await list({ labels: { batch: 'nightly', shop: 'eu' } })).toBe('new');
      expect(await list({ labels: { batch: 'weekly' } })).toBe('');
      expect(await list({ labels: {}, states: ['COMPLETE'] })).toBe('done');
      expect(await list({ codes: ['TOOL_FAILED'] })).toBe('broken');
      expect(await list({ codes: ['TOOL_FAILED', 'APPROVAL_REFUSED'], planId: '0' as never })).toBe('refused');
      expect(await list({ drivenFrom: 'host/1/' })).toBe('waits broken refused done ready asks busy new');
      expect(await list({ drivenFrom: 'host/1/', order: 'oldest', labels: { batch: 'nightly' } })).toBe('new asks');
      expect(await list({ drivenFrom: 'host/11/' })).toBe('');
      expect(await list({ drivenFrom: 'host', states: ['COMPLETE'], planId: '0' as never })).toBe('done');
      expect(await list({ states: ['IN_PROGRESS'], endUserId: 'cust_1', planId: '1' as never })).toBe('busy');
    }));
}

function planTests(open: Open, { it, expect }: TestFunctions): void {
  it('finds a run under the plan it goes by now, and says which one that is', () =>
    open(async ({ storage }) => {
      const [first, second] = [samplePlan(), samplePlan()];
      for (const plan of [first, second]) await storage.savePlan(plan);
      const stays = await storage.createRun(sampleHeader(first.id), sampleClaim());
      const { header } = await storage.createRun(sampleHeader(first.id, { createdAt: now + 1 }), sampleClaim());
      const under = async (query: RunQuery): Promise<string[]> => {
        const { items } = await storage.listRuns(query);
        expect(await storage.countRuns(query)).toBe(items.length);
        return items.map((run) => run.header.id);
      };
      expect(await under({ planId: first.id })).toEqual([header.id, stays.header.id]);
      expect(await storage.append(header.id, 1, firstCommit, { ...working, planId: second.id })).toBe(true);
      // A status that says nothing of the plan leaves it as it is, and so does who drives the run.
      const waits = { state: 'NEED_CLARIFICATION', updatedAt: now + 2, wakeAt: now } as const;
      await storage.append(header.id, 1, stepCommit(2), waits, true);
      expect(await under({ planId: first.id })).toEqual([stays.header.id]);
      expect(await under({ planId: second.id })).toEqual([header.id]);
      expect(await under({ planId: second.id, states: ['NEED_CLARIFICATION'] })).toEqual([header.id]);
      expect(await under({ planId: second.id, readyAt: now })).toEqual([header.id]);
      expect(await under({ planId: first.id, readyAt: now })).toEqual([]);
      const { items } = await storage.listRuns({ planId: second.id });
      expect(items).toEqual([{ header, status: { ...waits, planId: second.id }, driver: undefined }]);
      const loaded = await storage.loadRun(header.id);
      expect([loaded?.header.planId, loaded?.status.planId]).toEqual([first.id, second.id]);
      await storage.claimRun(header.id, sampleClaim({ owner: 'host/2/b' }));
      await storage.append(header.id, 2, stepCommit(3), { ...working, planId: first.id }, true);
      expect(await under({ planId: first.id })).toEqual([header.id, stays.header.id]);
      expect(await under({ planId: second.id })).toEqual([]);
    }));

  it('knows the plan of a run that comes from elsewhere, also where only its journal says it', () =>
    open(async ({ storage }) => {
      const [first, second] = [samplePlan(), samplePlan()];
      for (const plan of [first, second]) await storage.savePlan(plan);
      const changed = toCommit(1, now, [{ type: 'plan-accept', planId: second.id, changes: [] }]);
      const runs = [
        { commits: [changed], status: working },
        { commits: [firstCommit], status: { ...working, planId: second.id } },
      ];
      const ids: string[] = [];
      for (const run of runs) {
        const header = sampleHeader(first.id, { createdAt: now + ids.length });
        ids.push(header.id);
        expect(await storage.importRun({ ...run, header, driver: undefined, commands: [] }, [])).toBe(true);
      }
      const { items } = await storage.listRuns({ planId: second.id, order: 'oldest' });
      expect(items.map((run) => [run.header.id, run.status.planId])).toEqual(ids.map((id) => [id, second.id]));
      expect((await storage.listRuns({ planId: first.id })).items).toEqual([]);
    }));
}

function readyTests(open: Open, { it, expect }: TestFunctions): void {
  it('finds runs that can be driven on, those first that could be first, and no others', () =>
    open(async ({ storage }) => {
      const list = await variety(storage);
      // Their drivers are alive; not even then are those ready that nobody began or that wait for somebody.
      expect(await list({ readyAt: now + ttlMs - 1 })).toBe('');
      expect(await list({ readyAt: now + ttlMs })).toBe('busy asks ready waits');
      expect(await list({ readyAt: now + ttlMs, states: ['NEED_CLARIFICATION'], endUserId: 'cust_1' })).toBe('asks');
      expect(await list({ readyAt: now + ttlMs, labels: { batch: 'daily' }, planId: '1' as never })).toBe('ready');
      expect(await list({ readyAt: now + ttlMs, drivenFrom: 'elsewhere/' })).toBe('');
      const ids = (await storage.listRuns({ order: 'oldest' })).items.map(({ header }) => header.id);
      const [, busy, asks, ready, done, , , waits] = ids as PlanRunUUID[];
      for (const id of [busy, asks, ready, done, waits]) await storage.releaseRun(id as PlanRunUUID, 1);
      expect(await list({ readyAt: now + 99 })).toBe('busy ready');
      expect(await list({ readyAt: now + 100 })).toBe('busy ready asks');
      expect(await list({ readyAt: now + 200 })).toBe('busy ready asks waits');
      // One that has ended is looked at again while it has a time to wake.
      await storage.claimRun(done as PlanRunUUID, sampleClaim());
      await storage.append(
        done as PlanRunUUID,
        2,
        stepCommit(2),
        { state: 'COMPLETE', updatedAt: now, wakeAt: now + 50 },
        true,
      );
      await storage.claimRun(asks as PlanRunUUID, sampleClaim());
      expect(await list({ readyAt: now + 200 })).toBe('busy ready done waits');
      await storage.heartbeat([{ id: asks as PlanRunUUID, epoch: 2 }], now + 150);
      expect(await list({ readyAt: now + 150 })).toBe('busy ready done asks');
      const seen: string[] = [];
      for (let cursor: string | undefined, page = 0; page === 0 || cursor !== undefined; page += 1) {
        const found = await storage.listRuns({ readyAt: now + 200, limit: 2, cursor });
        seen.push(...found.items.map(({ header }) => header.id));
        cursor = found.cursor;
      }
      expect(seen).toEqual([busy, ready, done, asks, waits]);
      expect(await codeOf(() => storage.listRuns({ readyAt: now, cursor: 'nonsense' }))).toBe('CONFIG_INVALID');
    }));

  it('finds new runs whose time has come', () =>
    open(async ({ storage }) => {
      const plan = samplePlan();
      await storage.savePlan(plan);
      const ids: string[] = [];
      for (const startAt of [now + 10, undefined, now + 20]) {
        ids.push((await storage.createRun(sampleHeader(plan.id, { startAt, createdAt: now + ids.length }))).header.id);
      }
      const found = async (readyAt: number): Promise<string[]> =>
        (await storage.listRuns({ readyAt })).items.map(({ header }) => header.id);
      expect(await found(now + 9)).toEqual([]);
      expect(await found(now + 10)).toEqual([ids[0]]);
      expect(await found(now + 99)).toEqual([ids[0], ids[2]]);
      await storage.claimRun(ids[0] as never, sampleClaim());
      await storage.append(ids[0] as never, 1, firstCommit, { state: 'IN_PROGRESS', updatedAt: now });
      expect(await found(now + 99)).toEqual([ids[2]]);
    }));
}

function timeTests(open: Open, { it, expect }: TestFunctions): void {
  it('follows a run from state to state', () =>
    open(async ({ storage }) => {
      const plan = samplePlan();
      await storage.savePlan(plan);
      const { header } = await storage.createRun(sampleHeader(plan.id), sampleClaim());
      const found = async (query: RunQuery): Promise<number> => (await storage.listRuns(query)).items.length;
      await storage.append(header.id, 1, firstCommit, {
        state: 'NEED_CLARIFICATION',
        updatedAt: now,
        wakeAt: now + 1,
      });
      const later = { readyAt: now + ttlMs };
      expect([await found({ states: ['NEED_CLARIFICATION'] }), await found(later)]).toEqual([1, 1]);
      await storage.append(header.id, 1, stepCommit(2), { state: 'COMPLETE', updatedAt: now + 2 });
      expect([await found({ states: ['NEED_CLARIFICATION'] }), await found(later)]).toEqual([0, 0]);
      expect(await found({ states: ['COMPLETE'] })).toBe(1);
      const { items } = await storage.listRuns({});
      expect(items[0]).toEqual({
        header,
        status: { state: 'COMPLETE', updatedAt: now + 2 },
        driver: { owner: 'host/1/a', epoch: 1, expiresAt: now + 30_000 },
      });
    }));

  it('pages through runs without repeating or losing any while new ones arrive', () =>
    open(async ({ storage }) => {
      const plan = samplePlan();
      await storage.savePlan(plan);
      let age = 0;
      const add = async (): Promise<string> => {
        const labels = { parity: age % 2 === 0 ? 'even' : 'odd' };
        age += 1;
        return (await storage.createRun(sampleHeader(plan.id, { createdAt: now + age, labels }))).header.id;
      };
      const ids: string[] = [];
      for (let count = 0; count < 7; count += 1) ids.push(await add());
      const pages = async (query: RunQuery, arrive: boolean): Promise<string[]> => {
        const seen: string[] = [];
        for (let cursor: string | undefined, page = 0; page === 0 || cursor !== undefined; page += 1) {
          const { items, cursor: next } = await storage.listRuns(cursor === undefined ? query : { ...query, cursor });
          seen.push(...items.map(({ header }) => header.id));
          cursor = next;
          if (arrive) await add();
        }
        return seen;
      };
      expect(await pages({ limit: 3 }, true)).toEqual([...ids].reverse());
      const all = await pages({ order: 'oldest', limit: 4 }, false);
      expect([all.length, all.slice(0, 7)]).toEqual([10, ids]);
      expect(await pages({ labels: { parity: 'odd' }, order: 'oldest', limit: 1 }, false)).toEqual(
        all.filter((_, index) => index % 2 === 1),
      );
      expect((await storage.listRuns({ limit: 10 })).cursor).toBe(undefined);
      expect((await storage.listRuns({ limit: 0 })).items.length).toBe(1);
      expect(await codeOf(() => storage.listRuns({ cursor: 'nonsense' }))).toBe('CONFIG_INVALID');
    }));
}

function numberTests(open: Open, { it, expect }: TestFunctions): void {
  it('counts the runs of a list, and pages through it by number, whatever it is filtered by', () =>
    open(async ({ storage }) => {
      const plans = [samplePlan(), samplePlan()];
      for (const plan of plans) await storage.savePlan(plan);
      expect(await storage.countRuns({})).toBe(0);
      const states = ['NOT_STARTED', 'COMPLETE', 'COMPLETE', 'FAILED', 'NEED_CLARIFICATION'] as const;
      for (let n = 0; n < 10; n += 1) {
        const plan = plans[n < 7 ? 0 : 1] as (typeof plans)[number];
        const labels = { parity: n % 2 === 0 ? 'even' : 'odd', batch: 'nightly' };
        const header = sampleHeader(plan.id, { createdAt: now + n, labels, endUserId: n < 4 ? 'ada' : 'bob' });
        await storage.createRun(header, sampleClaim());
        const state = states[n % 5] as (typeof states)[number];
        const error = { code: 'TOOL_FAILED', message: 'no' } as const;
        if (state !== 'NOT_STARTED')
          await storage.append(header.id, 1, firstCommit, {
            state,
            updatedAt: now,
            ...(state === 'FAILED' && { error }),
          });
      }
      const queries: readonly RunQuery[] = [
        {},
        ...Object.values(PlanRunState).map((state) => ({ states: [state] })),
        { states: ['COMPLETE', 'FAILED'] },
        { states: ['NOT_STARTED', 'NEED_CLARIFICATION'], order: 'oldest' },
        { states: ['COMPLETE'], endUserId: 'ada' },
        { states: [] },
        { codes: ['TOOL_FAILED'] },
        { planId: plans[1]?.id },
        { labels: { parity: 'odd' } },
        { labels: { parity: 'odd', batch: 'nightly' }, states: ['COMPLETE', 'FAILED', 'NOT_STARTED'] },
        { updatedBefore: now },
      ];
      for (const query of queries) {
        const all = (await storage.listRuns({ ...query, limit: 100 })).items.map(({ header }) => header.id);
        expect([query, await storage.countRuns({ ...query, limit: 1 })]).toEqual([query, all.length]);
        for (const skip of [1, 2, 5]) {
          const { items } = await storage.listRuns({ ...query, skip, limit: 2 });
          expect([query, items.map(({ header }) => header.id)]).toEqual([query, all.slice(skip, skip + 2)]);
        }
      }
      expect(await storage.countRuns({ states: ['COMPLETE'] })).toBe(4);
      expect(await storage.tallyRuns()).toEqual({
        states: {
          NOT_STARTED: 2,
          IN_PROGRESS: 0,
          NEED_CLARIFICATION: 2,
          READY_TO_RESUME: 0,
          COMPLETE: 4,
          FAILED: 2,
        },
        codes: { TOOL_FAILED: 2 },
      });
      const oldest = (await storage.listRuns({ order: 'oldest' })).items.map(({ header }) => header.id);
      const { cursor } = await storage.listRuns({ order: 'oldest', limit: 2, skip: 3 });
      const { items } = await storage.listRuns({ order: 'oldest', limit: 2, skip: 1, cursor: cursor as string });
      expect(items.map(({ header }) => header.id)).toEqual(oldest.slice(6, 8));
    }));
}
