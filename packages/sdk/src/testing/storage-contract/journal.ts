import { fromCommit, toCommit } from '../../core/event.ts';
import { PlanRunUUID, PlanUUID } from '../../core/ids.ts';
import { LocalDataValue } from '../../core/output.ts';
import type { RunHeader } from '../../core/run-state.ts';
import type { Commit } from '../../core/event.ts';
import {
  codeOf,
  copyOf,
  firstCommit,
  now,
  sampleClaim,
  sampleHeader,
  samplePlan,
  spoil,
  stepCommit,
  storedRun,
  working,
} from './samples.ts';
import type { Open, TestFunctions } from './subject.ts';

/** Runs are created once, and their journal is read as it was written. */
export function journalTests(open: Open, test: TestFunctions): void {
  test.describe('runs', () => {
    creationTests(open, test);
    refusalTests(open, test);
    appendTests(open, test);
    followTests(open, test);
  });
}

function creationTests(open: Open, { it, expect }: TestFunctions): void {
  it('gives a run back as it was created, not started and without a driver', () =>
    open(async ({ storage }) => {
      const plan = samplePlan();
      await storage.savePlan(plan);
      const header = sampleHeader(plan.id, {
        endUserId: 'acme:user/17',
        inputs: { $region: LocalDataValue({ code: 'EMEA', rank: [1, null] }), $note: LocalDataValue('', 'nothing') },
        startAt: now + 5,
        runKey: 'order-17',
        labels: { batch: 'nightly', ' odd "name"': 'ü' },
        outputSchema: { type: 'object', properties: { total: { type: 'number' } } },
      });
      const made = await storage.createRun(header);
      expect([made.header, made.created, made.driver]).toEqual([header, true, undefined]);
      const stored = await storage.loadRun(header.id);
      expect(stored?.header).toEqual(header);
      expect(stored?.status).toEqual({ state: 'NOT_STARTED', updatedAt: now, wakeAt: now + 5 });
      expect([stored?.driver, stored?.commits, stored?.commands]).toEqual([undefined, [], []]);
      expect((await storage.loadRun(PlanRunUUID.random())) ?? null).toBe(null);
    }));

  it('claims a new run at once when asked to', () =>
    open(async ({ storage }) => {
      const { id, driver } = await storedRun(storage);
      expect(driver).toEqual({ owner: 'host/1/a', epoch: 1, expiresAt: now + 30_000 });
      expect((await storage.loadRun(id))?.driver).toEqual(driver);
    }));

  it('gives the run that has a run key instead of creating a second one', () =>
    open(async ({ storage }) => {
      const first = await storedRun(storage, { runKey: 'order-17' });
      const { planId } = first.header;
      const again = await storage.createRun(
        sampleHeader(planId, { runKey: 'order-17' }),
        sampleClaim({ owner: 'host/2/b' }),
      );
      expect([again.created, again.header, again.driver]).toEqual([false, first.header, first.driver]);
      const other = await storage.createRun(sampleHeader(planId, { runKey: 'order-18' }));
      const without = [await storage.createRun(sampleHeader(planId)), await storage.createRun(sampleHeader(planId))];
      expect([other, ...without].map(({ created }) => created)).toEqual([true, true, true]);
      expect((await storage.listRuns({})).items.length).toBe(4);
    }));

  it('creates one run of many that ask for the same run key at once', () =>
    open(async ({ storage }) => {
      const plan = samplePlan();
      await storage.savePlan(plan);
      const headers = Array.from({ length: 8 }, () =>
        sampleHeader(plan.id, { runKey: 'order-17', labels: { a: 'b' } }),
      );
      const made = await Promise.all(headers.map(async (header) => storage.createRun(header, sampleClaim())));
      expect(made.filter(({ created }) => created).length).toBe(1);
      expect(new Set(made.map(({ header }) => header.id)).size).toBe(1);
      expect((await storage.listRuns({ labels: { a: 'b' } })).items.length).toBe(1);
    }));
}

function refusalTests(open: Open, { it, expect }: TestFunctions): void {
  it('refuses runs of plans that are not stored, and ids that are not ids', () =>
    open(async ({ storage }) => {
      const plan = samplePlan();
      await storage.savePlan(plan);
      expect(await codeOf(() => storage.createRun(sampleHeader(PlanUUID.random())))).toBe('PLAN_NOT_FOUND');
      const id = 'prun-../../x' as PlanRunUUID;
      expect(await codeOf(() => storage.createRun(sampleHeader(plan.id, { id })))).toBe('ID_INVALID');
      expect((await storage.loadRun(id)) ?? null).toBe(null);
      expect((await storage.listRuns({})).items).toEqual([]);
    }));

  it('shares no live objects of runs', () =>
    open(async ({ storage }) => {
      const plan = samplePlan();
      await storage.savePlan(plan);
      const header = sampleHeader(plan.id, {
        inputs: { $a: LocalDataValue<{ b: number[] }>({ b: [1] }) },
        labels: { c: 'd' },
      } as Partial<RunHeader>);
      const given = copyOf(header);
      await storage.createRun(given, sampleClaim());
      spoil(given);
      const commit = { ...firstCommit };
      const status = { ...working, error: { code: 'TOOL_FAILED' as const, message: 'm' } };
      const wanted = copyOf(status);
      await storage.append(header.id, 1, commit, status);
      spoil(commit);
      spoil(status);
      const got = await storage.loadRun(header.id);
      expect([got?.header, got?.status, got?.commits]).toEqual([header, wanted, [firstCommit]]);
      spoil(got);
      spoil((await storage.listRuns({})).items);
      const again = await storage.loadRun(header.id);
      expect([again?.header, again?.status, again?.commits]).toEqual([header, wanted, [firstCommit]]);
    }));
}

function appendTests(open: Open, { it, expect }: TestFunctions): void {
  it('gives commits back in the order of their numbers, to the letter', () =>
    open(async ({ storage }) => {
      const { id } = await storedRun(storage);
      const commits: Commit[] = [firstCommit];
      for (let seq = 2; seq <= 40; seq += 1) commits.push(stepCommit(seq, seq, `\u2028 "quoted" \\ \n 多少 🪙 ${seq}`));
      const pair = toCommit(41, now, [
        { type: 'step-start', step: 41 },
        { type: 'step-end', step: 41, output: { value: { list: [1, 2.5, null, '\u0000', '\ud800'] } } },
      ]);
      commits.push(pair, stepCommit(43));
      for (const commit of commits) expect(await storage.append(id, 1, commit)).toBe(true);
      const stored = (await storage.loadRun(id))?.commits ?? [];
      expect(stored).toEqual(commits);
      expect(stored.flatMap(fromCommit).map(({ seq }) => seq)).toEqual(
        Array.from({ length: 43 }, (_, index) => index + 1),
      );
    }));

  it('keeps a large commit whole', () =>
    open(async ({ storage }) => {
      const { id } = await storedRun(storage);
      const commit = stepCommit(1, 0, 'é'.repeat(1_500_000));
      expect(await storage.append(id, 1, commit)).toBe(true);
      expect(await storage.append(id, 1, stepCommit(2))).toBe(true);
      expect((await storage.loadRun(id))?.commits[0]?.events === commit.events).toBe(true);
    }));

  it('stores the status with the commit, and keeps it until another one comes', () =>
    open(async ({ storage }) => {
      const { id } = await storedRun(storage);
      expect(await storage.append(id, 1, firstCommit, working)).toBe(true);
      expect(await storage.append(id, 1, stepCommit(2))).toBe(true);
      expect((await storage.loadRun(id))?.status).toEqual(working);
      const waiting = { state: 'NEED_CLARIFICATION' as const, updatedAt: now + 3, wakeAt: now + 1000 };
      await storage.append(id, 1, stepCommit(3), waiting);
      expect((await storage.loadRun(id))?.status).toEqual(waiting);
      const error = { code: 'TOOL_FAILED' as const, message: 'it "broke"', step: 1, toolCallId: '1.0.1' };
      await storage.append(id, 1, stepCommit(4), { state: 'FAILED', updatedAt: now + 4, error });
      const failed = (await storage.listRuns({})).items[0];
      expect(failed?.status).toEqual({ state: 'FAILED', updatedAt: now + 4, error });
      await storage.append(id, 1, stepCommit(5), { state: 'READY_TO_RESUME', updatedAt: now + 5 });
      expect((await storage.loadRun(id))?.status).toEqual({ state: 'READY_TO_RESUME', updatedAt: now + 5 });
    }));

  it('refuses a commit of another epoch or of an unknown run, and writes nothing of it', () =>
    open(async ({ storage }) => {
      const { id } = await storedRun(storage);
      await storage.append(id, 1, firstCommit, working);
      const lost = { state: 'COMPLETE' as const, updatedAt: now + 9 };
      for (const epoch of [0, 2, -1]) expect(await storage.append(id, epoch, stepCommit(2), lost)).toBe(false);
      expect(await storage.append(id, 2, stepCommit(2))).toBe(false);
      expect(await storage.append(PlanRunUUID.random(), 1, stepCommit(2), lost)).toBe(false);
      const stored = await storage.loadRun(id);
      expect([stored?.commits, stored?.status]).toEqual([[firstCommit], working]);
    }));

  it('tells those who watch of commits, until they stop', () =>
    open(async ({ storage }) => {
      const heard: string[] = [];
      const stop = storage.watch((id, what) => heard.push(`${what} ${id}`));
      const { id } = await storedRun(storage);
      await storage.append(id, 1, firstCommit);
      await storage.append(id, 7, stepCommit(2));
      stop();
      await storage.append(id, 1, stepCommit(2));
      expect(heard).toEqual([`commit ${id}`]);
    }));
}

function followTests(open: Open, { it, expect }: TestFunctions): void {
  it('leaves out the commits that were seen when asked for what comes after an event', () =>
    open(async ({ storage }) => {
      const { id } = await storedRun(storage);
      const pair = toCommit(3, now, [
        { type: 'step-start', step: 3 },
        { type: 'step-end', step: 3, output: { value: 'both in one commit' } },
      ]);
      const commits = [firstCommit, stepCommit(2), pair, stepCommit(5)];
      for (const commit of commits) await storage.append(id, 1, commit);
      // The pair holds events 3 and 4: whoever has seen the first of them still needs that commit.
      const firstFor = [
        [0, 1],
        [1, 2],
        [2, 3],
        [3, 3],
        [4, 5],
        [5, 5],
        [99, 5],
      ] as const;
      for (const [after, first] of firstFor) {
        const rest = await storage.loadRun(id, after);
        expect(rest?.commits).toEqual(commits.filter(({ seq }) => seq >= first));
        expect(rest?.header.id).toBe(id);
      }
      expect((await storage.loadRun(PlanRunUUID.random(), 3)) ?? null).toBe(null);
    }));
}
