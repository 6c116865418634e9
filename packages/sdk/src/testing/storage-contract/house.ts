import { EndUser } from '../../core/end-user.ts';
import { PlanRunUUID, PlanUUID } from '../../core/ids.ts';
import { LocalDataValue } from '../../core/output.ts';
import type { StorageBackend, StoredRun } from '../../storage/storage-backend.ts';
import { oddNames } from './documents.ts';
import {
  codeOf,
  copyOf,
  firstCommit,
  now,
  sampleAnswer,
  sampleClaim,
  sampleHeader,
  samplePlan,
  spoil,
  stepCommit,
  storedRun,
  ttlMs,
  working,
} from './samples.ts';
import type { Open, TestFunctions } from './subject.ts';

/** Whole runs come from elsewhere, and old ones go. */
export function houseTests(open: Open, test: TestFunctions): void {
  test.describe('keeping house', () => {
    listingTests(open, test);
    importTests(open, test);
    removalTests(open, test);
    afterRemovalTests(open, test);
  });
}

function listingTests(open: Open, { it, expect }: TestFunctions): void {
  it('names the large outputs of a run, whatever they are called', () =>
    open(async ({ storage }) => {
      const { id } = await storedRun(storage);
      expect(await storage.listOutputs(id)).toEqual([]);
      for (const name of oddNames) await storage.saveOutput(id, name, LocalDataValue(name));
      await storage.saveOutput(id, '$sales', LocalDataValue('again'));
      expect([...(await storage.listOutputs(id))].sort()).toEqual([...oddNames].sort());
      expect(await storage.listOutputs(PlanRunUUID.random())).toEqual([]);
    }));

  it('lists all end users, page by page', () =>
    open(async ({ storage }) => {
      expect((await storage.listEndUsers({})).items).toEqual([]);
      const users = ['ada', 'bob', 'a/b', 'é', 'portia:default_user'].map((externalId) =>
        EndUser({ externalId, name: `the name of ${externalId}`, additionalData: { a: null } }),
      );
      for (const user of users) await storage.saveEndUser(user);
      const found: EndUser[] = [];
      for (let cursor: string | undefined, page = 0; page === 0 || cursor !== undefined; page += 1) {
        const { items, cursor: next } = await storage.listEndUsers({ limit: 2, cursor });
        found.push(...items);
        cursor = next;
      }
      const byId = (a: EndUser, b: EndUser): number => (a.externalId < b.externalId ? -1 : 1);
      expect(found.sort(byId)).toEqual(users.sort(byId));
    }));
}

/** A run that asked, was answered, and waits, with a large output. */
function someRun(planId: PlanUUID, runKey = 'order-17'): StoredRun {
  return {
    header: sampleHeader(planId, { runKey, endUserId: 'ada', labels: { batch: 'nightly' }, startAt: now + 5 }),
    status: { state: 'NEED_CLARIFICATION', updatedAt: now + 3, wakeAt: now + 99 },
    driver: undefined,
    epoch: 3,
    commits: [firstCommit, stepCommit(2), stepCommit(3, 3, '\u2028 "é" 🪙')],
    commands: [sampleAnswer(), sampleAnswer({ response: { a: [1, null] } })],
  };
}

const sales = { name: '$sales', output: LocalDataValue([1, { a: null }], 'two') };

function importTests(open: Open, { it, expect }: TestFunctions): void {
  it('takes a run as it was elsewhere, and goes on with it', () =>
    open(async ({ storage }) => {
      const plan = samplePlan();
      await storage.savePlan(plan);
      const run = someRun(plan.id);
      expect(await storage.importRun(run, [sales])).toBe(true);
      const stored = await storage.loadRun(run.header.id);
      expect(stored).toEqual({ ...run, epoch: stored?.epoch === undefined ? undefined : 3 });
      expect(await storage.getOutput(run.header.id, '$sales')).toEqual(sales.output);
      expect((await storage.listRuns({ labels: { batch: 'nightly' }, endUserId: 'ada' })).items.length).toBe(1);
      expect((await storage.listRuns({ readyAt: now + 99 })).items.length).toBe(1);
      const { claimed, driver } = await storage.claimRun(run.header.id, sampleClaim());
      expect([claimed, driver.epoch]).toEqual([true, 4]);
      expect(await storage.append(run.header.id, 4, stepCommit(4), working)).toBe(true);
      expect((await storage.loadRun(run.header.id))?.commits).toEqual([...run.commits, stepCommit(4)]);
      const said = (await storage.pollCommands([run.header.id], undefined)).commands;
      expect(said.map(({ command }) => command)).toEqual(run.commands);
    }));

  it('takes none whose id or run key is taken, or whose plan is missing, and stores nothing of it', () =>
    open(async ({ storage }) => {
      const plan = samplePlan();
      await storage.savePlan(plan);
      const run = someRun(plan.id);
      await storage.importRun(run, []);
      expect(await storage.importRun({ ...run, commits: [] }, [sales])).toBe(false);
      const other = someRun(plan.id);
      expect(await storage.importRun(other, [sales])).toBe(false);
      const orphan = someRun(PlanUUID.random(), 'order-18');
      expect(await codeOf(async () => storage.importRun(orphan, [sales]))).toBe('PLAN_NOT_FOUND');
      expect((await storage.loadRun(run.header.id))?.commits).toEqual(run.commits);
      for (const { header } of [run, other, orphan]) expect(await storage.listOutputs(header.id)).toEqual([]);
      expect((await storage.listRuns({})).items.length).toBe(1);
    }));

  it('shares no live objects of a run that is imported', () =>
    open(async ({ storage }) => {
      const plan = samplePlan();
      await storage.savePlan(plan);
      const run = someRun(plan.id);
      const given = copyOf(run);
      const output = copyOf(sales);
      await storage.importRun(given, [output]);
      spoil(given);
      spoil(output);
      expect((await storage.loadRun(run.header.id))?.status).toEqual(run.status);
      expect((await storage.loadRun(run.header.id))?.commands).toEqual(run.commands);
      expect(await storage.getOutput(run.header.id, '$sales')).toEqual(sales.output);
    }));
}

/** A run in this state, last changed at this time, given up by its driver. */
async function restingRun(
  storage: StorageBackend,
  state: 'COMPLETE' | 'FAILED' | 'NEED_CLARIFICATION',
  updatedAt: number,
  planId?: PlanUUID,
): Promise<PlanRunUUID> {
  const labels = { batch: 'nightly' };
  const { id } = await storedRun(storage, {
    labels,
    runKey: `key of ${state} ${updatedAt}`,
    ...(planId && { planId }),
  });
  await storage.append(id, 1, firstCommit, working);
  await storage.saveOutput(id, '$sales', LocalDataValue('large'));
  await storage.putCommand(id, sampleAnswer());
  await storage.append(id, 1, stepCommit(2), { state, updatedAt }, true);
  return id;
}

function removalTests(open: Open, { it, expect }: TestFunctions): void {
  it('finds runs by when they were last changed', () =>
    open(async ({ storage }) => {
      const old = await restingRun(storage, 'COMPLETE', now + 10);
      await restingRun(storage, 'COMPLETE', now + 20);
      const found = await storage.listRuns({ states: ['COMPLETE', 'FAILED'], updatedBefore: now + 20 });
      expect(found.items.map(({ header }) => header.id)).toEqual([old]);
    }));

  it('removes finished runs with all that belongs to them, and no others', () =>
    open(async ({ storage }) => {
      const gone = [await restingRun(storage, 'COMPLETE', now + 10), await restingRun(storage, 'FAILED', now + 11)];
      const kept = [
        await restingRun(storage, 'NEED_CLARIFICATION', now + 10),
        await restingRun(storage, 'COMPLETE', now + 50),
        (await storedRun(storage)).id,
      ];
      const unasked = await restingRun(storage, 'COMPLETE', now + 12);
      expect(await storage.removeRuns([...gone, ...kept, PlanRunUUID.random()], now + 50)).toBe(2);
      expect(await storage.removeRuns(gone, now + 50)).toBe(0);
      for (const id of gone) {
        expect((await storage.loadRun(id)) ?? null).toBe(null);
        expect((await storage.getOutput(id, '$sales')) ?? null).toBe(null);
        expect(await storage.listOutputs(id)).toEqual([]);
        expect((await storage.pollCommands([id], undefined)).commands).toEqual([]);
        expect(await codeOf(async () => storage.claimRun(id, sampleClaim()))).toBe('PLAN_RUN_NOT_FOUND');
        expect(await codeOf(async () => storage.putCommand(id, sampleAnswer()))).toBe('PLAN_RUN_NOT_FOUND');
        expect(await storage.append(id, 1, stepCommit(3))).toBe(false);
      }
      const left = (await storage.listRuns({ order: 'oldest' })).items.map(({ header }) => header.id);
      expect([...left].sort()).toEqual([...kept, unasked].sort());
      expect((await storage.listRuns({ labels: { batch: 'nightly' } })).items.length).toBe(3);
      expect((await storage.loadRun(unasked))?.commits.length).toBe(2);
      expect((await storage.getOutput(unasked, '$sales'))?.value).toBe('large');
    }));

  it('leaves a run alone that somebody drives again', () =>
    open(async ({ storage }) => {
      const id = await restingRun(storage, 'FAILED', now + 10);
      await storage.claimRun(id, sampleClaim({ now: now + 20 }));
      expect(await storage.removeRuns([id], now + 21)).toBe(0);
      expect(await storage.append(id, 2, stepCommit(3), { state: 'IN_PROGRESS', updatedAt: now + 21 })).toBe(true);
      expect(await storage.removeRuns([id], now + 10 * ttlMs)).toBe(0);
      expect((await storage.loadRun(id))?.commits.length).toBe(3);
    }));
}

function afterRemovalTests(open: Open, { it, expect }: TestFunctions): void {
  it('takes nothing for something else after the newest runs have gone', () =>
    open(async ({ storage }) => {
      const first = await restingRun(storage, 'NEED_CLARIFICATION', now + 1);
      const last = await restingRun(storage, 'COMPLETE', now + 2);
      const { mark } = await storage.pollCommands([first], undefined);
      expect(await storage.removeRuns([last], now + 50)).toBe(1);
      expect([await storage.countRuns({}), await storage.countRuns({ states: ['FAILED'] })]).toEqual([1, 0]);
      const { NEED_CLARIFICATION, COMPLETE, FAILED } = (await storage.tallyRuns()).states;
      expect([NEED_CLARIFICATION, COMPLETE, FAILED]).toEqual([1, 0, 0]);
      const { runKey } = sampleHeader((await storage.loadRun(first))?.header.planId as PlanUUID, {
        runKey: `key of COMPLETE ${now + 2}`,
      });
      const next = await storedRun(storage, { runKey });
      expect((await storage.loadRun(next.id))?.commits).toEqual([]);
      expect(await storage.append(last, 1, stepCommit(3))).toBe(false);
      expect(await codeOf(async () => storage.claimRun(last, sampleClaim()))).toBe('PLAN_RUN_NOT_FOUND');
      const answer = sampleAnswer();
      await storage.putCommand(next.id, answer);
      expect((await storage.pollCommands([next.id], mark)).commands).toEqual([{ id: next.id, command: answer }]);
      expect(await storage.append(next.id, 1, firstCommit, working)).toBe(true);
      expect((await storage.loadRun(next.id))?.commits).toEqual([firstCommit]);
    }));

  it('pages through runs while others go', () =>
    open(async ({ storage }) => {
      const plan = samplePlan();
      await storage.savePlan(plan);
      const ids: PlanRunUUID[] = [];
      for (let age = 0; age < 8; age += 1) ids.push(await restingRun(storage, 'COMPLETE', now + age, plan.id));
      for (const order of ['newest', 'oldest'] as const) {
        const all = (await storage.listRuns({ order })).items.map(({ header }) => header.id);
        const first = await storage.listRuns({ order, limit: 2 });
        await storage.removeRuns([all[1] as PlanRunUUID, all[2] as PlanRunUUID], now + 50);
        const rest = await storage.listRuns({ order, cursor: first.cursor as string });
        expect(rest.items.map(({ header }) => header.id)).toEqual(all.slice(3));
      }
    }));
}
