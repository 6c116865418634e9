import { EndUser } from '../../core/end-user.ts';
import { ClarificationUUID } from '../../core/ids.ts';
import { LocalDataValue } from '../../core/output.ts';
import {
  firstCommit,
  now,
  sampleAnswer,
  sampleClaim,
  sampleHeader,
  samplePlan,
  stepCommit,
  storedRun,
  ttlMs,
  working,
} from './samples.ts';
import type { Open, TestFunctions } from './subject.ts';

/** Stores that outlive their handle, and are shared by several. */
export function reopenTests(open: Open, test: TestFunctions): void {
  test.describe('several handles', () => {
    survivalTests(open, test);
    raceTests(open, test);
  });
}

function survivalTests(open: Open, { it, expect }: TestFunctions): void {
  it('sees everything again through another handle', () =>
    open(async ({ storage, reopen }) => {
      const plan = samplePlan({ beside: { a: 1 } });
      await storage.savePlan(plan);
      const header = sampleHeader(plan.id, {
        runKey: 'order-17',
        labels: { batch: 'nightly' },
        inputs: { $a: LocalDataValue(1) },
      });
      await storage.createRun(header, sampleClaim());
      await storage.append(header.id, 1, firstCommit, working);
      await storage.append(header.id, 1, stepCommit(2));
      const answer = sampleAnswer();
      await storage.putCommand(header.id, answer);
      await storage.saveOutput(header.id, '$large', LocalDataValue([1, 2], 'two'));
      const ada = EndUser({ externalId: 'ada', name: 'Ada' });
      await storage.saveEndUser(ada);
      const before = await storage.loadRun(header.id);

      const again = await reopen();
      expect(await again.getPlan(plan.id)).toEqual(plan);
      expect(await again.loadRun(header.id)).toEqual(before);
      expect((await again.loadRun(header.id))?.commits).toEqual([firstCommit, stepCommit(2)]);
      expect((await again.listRuns({ labels: { batch: 'nightly' } })).items.map((item) => item.header)).toEqual([
        header,
      ]);
      expect((await again.createRun(sampleHeader(plan.id, { runKey: 'order-17' }))).header).toEqual(header);
      expect((await again.pollCommands([header.id], undefined)).commands).toEqual([{ id: header.id, command: answer }]);
      expect(await again.getOutput(header.id, '$large')).toEqual(LocalDataValue([1, 2], 'two'));
      expect(await again.getEndUser('ada')).toEqual(ada);
    }));

  it('sees in one handle what another one did since', () =>
    open(async ({ storage, reopen }) => {
      const again = await reopen();
      const { id } = await storedRun(storage);
      expect((await again.listRuns({})).items.map(({ status }) => status.state)).toEqual(['NOT_STARTED']);
      await storage.append(id, 1, firstCommit, working);
      expect((await again.listRuns({ states: ['IN_PROGRESS'] })).items.length).toBe(1);
      const { mark } = await storage.pollCommands([id], undefined);
      const answer = sampleAnswer();
      await again.putCommand(id, answer);
      expect((await storage.pollCommands([id], mark)).commands).toEqual([{ id, command: answer }]);
      await storage.append(id, 1, stepCommit(2), { state: 'COMPLETE', updatedAt: now + 5 });
      expect((await again.loadRun(id))?.commits.length).toBe(2);
      await storage.releaseRun(id, 1);
      expect((await again.listRuns({})).items[0]).toEqual({
        header: (await storage.loadRun(id))?.header,
        status: { state: 'COMPLETE', updatedAt: now + 5 },
        driver: undefined,
      });
    }));
}

function raceTests(open: Open, { it, expect }: TestFunctions): void {
  it('lets one handle have a run, and refuses what the other one still writes', () =>
    open(async ({ storage, reopen }) => {
      const again = await reopen();
      const { id } = await storedRun(storage);
      expect(await storage.append(id, 1, firstCommit, working)).toBe(true);
      const claim = sampleClaim({ owner: 'other/2/b', now: now + ttlMs });
      const results = await Promise.all([
        again.claimRun(id, claim),
        storage.claimRun(id, { ...claim, owner: 'third/3/c' }),
      ]);
      expect(results.map(({ claimed }) => claimed).sort()).toEqual([false, true]);
      expect(await storage.append(id, 1, stepCommit(2, 0, 'old'), { state: 'COMPLETE', updatedAt: now })).toBe(false);
      expect(await (results[0].claimed ? again : storage).append(id, 2, stepCommit(2, 0, 'new'))).toBe(true);
      for (const handle of [storage, again]) {
        const stored = await handle.loadRun(id);
        expect([stored?.commits, stored?.status]).toEqual([[firstCommit, stepCommit(2, 0, 'new')], working]);
      }
    }));

  it('keeps a run key, an answer and an end user whole between handles', () =>
    open(async ({ storage, reopen }) => {
      const handles = [storage, await reopen(), await reopen()];
      const plan = samplePlan();
      await Promise.all(handles.map(async (handle) => handle.savePlan(plan)));
      const made = await Promise.all(
        handles.map(async (handle) => handle.createRun(sampleHeader(plan.id, { runKey: 'order-17' }))),
      );
      expect(made.filter(({ created }) => created).length).toBe(1);
      const ids = new Set(made.map(({ header }) => header.id));
      expect(ids.size).toBe(1);
      const id = made[0]?.header.id as (typeof made)[number]['header']['id'];
      const key = ClarificationUUID.random();
      const standing = await Promise.all(
        handles.map(async (handle, response) => handle.putCommand(id, sampleAnswer({ key, response }))),
      );
      expect(new Set(standing.map((command) => JSON.stringify(command))).size).toBe(1);
      const keys = Array.from({ length: 12 }, (_, index) => `key_${index}`);
      await Promise.all(
        keys.map(async (name, index) =>
          (handles[index % 3] ?? storage).saveEndUser(EndUser({ externalId: 'ada', additionalData: { [name]: name } })),
        ),
      );
      for (const handle of handles) {
        expect(Object.keys((await handle.getEndUser('ada'))?.additionalData ?? {}).sort()).toEqual([...keys].sort());
      }
    }));
}
