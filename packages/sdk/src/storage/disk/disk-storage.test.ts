import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { journalOf, onDisk, question, readRun, waitingRun } from '../../../test/lib/disk-store.ts';
import { EndUser } from '../../core/end-user.ts';
import { toCommit } from '../../core/event.ts';
import { LocalDataValue } from '../../core/output.ts';
import { oddNames } from '../../testing/storage-contract/documents.ts';
import {
  codeOf,
  firstCommit,
  now,
  sampleClaim,
  sampleHeader,
  samplePlan,
  stepCommit,
  storedRun,
  ttlMs,
  working,
} from '../../testing/storage-contract/samples.ts';
import { testStorageBackend } from '../../testing/storage-contract.ts';
import { diskStorage } from './disk-storage.ts';

testStorageBackend(
  {
    name: 'disk',
    persistent: true,
    async open() {
      const dir = mkdtempSync(join(tmpdir(), 'portia-disk-'));
      return {
        storage: diskStorage(join(dir, 'made', '.portia')),
        reopen: async () => diskStorage(join(dir, 'made', '.portia')),
        close: () => rmSync(dir, { recursive: true, force: true }),
      };
    },
  },
  { describe, it, expect },
);

describe('the journal on disk', () => {
  it('is one file for each driver, with a line for each commit, and ends where the next driver began', () =>
    onDisk(async (storage, root) => {
      const { id } = await storedRun(storage);
      await storage.append(id, 1, firstCommit, working);
      await storage.append(id, 1, stepCommit(2));
      await storage.heartbeat([{ id, epoch: 1 }], now + ttlMs + 1);
      const lines = readFileSync(journalOf(root, id, '1.jsonl'), 'utf8').split('\n');
      expect(lines.map((line) => (line === '' ? null : (JSON.parse(line) as unknown)))).toEqual([
        { owner: 'host/1/a', expiresAt: now + ttlMs },
        { status: working },
        [1, now, ...(JSON.parse(firstCommit.events) as unknown[])],
        [2, now + 2, ...(JSON.parse(stepCommit(2).events) as unknown[])],
        { expiresAt: now + ttlMs + 1 },
        null,
      ]);
      await storage.claimRun(id, sampleClaim({ now: now + 2 * ttlMs, owner: 'other/2/b' }));
      expect(readdirSync(journalOf(root, id, '')).sort()).toEqual([
        '1.cut',
        '1.jsonl',
        '2.jsonl',
        'commands',
        'header.json',
        'views',
      ]);
    }));

  it('loses only a line that was cut off by a crash', () =>
    onDisk(async (storage, root) => {
      const { id } = await storedRun(storage);
      await storage.append(id, 1, firstCommit, working);
      appendFileSync(journalOf(root, id, '1.jsonl'), '{"status":{"state":"COMPLETE","updatedAt":1}}\n[2,17672256');
      const again = diskStorage(root);
      expect((await again.loadRun(id))?.commits).toEqual([firstCommit]);
      expect((await again.loadRun(id))?.status).toEqual(working);
      await again.claimRun(id, sampleClaim({ isAlive: () => false }));
      expect(await again.append(id, 2, stepCommit(2))).toBe(true);
      const stored = await storage.loadRun(id);
      expect([stored?.commits, stored?.status]).toEqual([[firstCommit, stepCommit(2)], working]);
      await again.close();
    }));

  it('does not count what a driver writes after another one began, even before that one settled how much counts', () =>
    onDisk(async (storage, root) => {
      const { id } = await storedRun(storage);
      await storage.append(id, 1, firstCommit);
      // The next driver died right after it had begun.
      writeFileSync(journalOf(root, id, '2.jsonl'), `{"owner":"dead/2/b","expiresAt":${now}}\n`);
      expect(await storage.append(id, 1, stepCommit(2, 0, 'late'), { state: 'COMPLETE', updatedAt: now })).toBe(false);
      expect((await storage.loadRun(id))?.commits).toEqual([firstCommit]);
      const { driver } = await storage.claimRun(id, sampleClaim({ now: now + 1 }));
      expect(driver.epoch).toBe(3);
      expect(await storage.append(id, 3, stepCommit(2))).toBe(true);
      expect((await diskStorage(root).loadRun(id))?.commits).toEqual([firstCommit, stepCommit(2)]);
    }));

  it('makes the run of a run key whose maker died halfway', () =>
    onDisk(async (storage, root) => {
      const first = await storedRun(storage, { runKey: 'order-17' });
      rmSync(journalOf(root, first.id, ''), { recursive: true });
      rmSync(join(root, `${first.id}.json`));
      const again = await storage.createRun(sampleHeader(first.header.planId, { runKey: 'order-17' }));
      expect([again.created, again.header]).toEqual([false, first.header]);
      expect((await storage.loadRun(first.id))?.header).toEqual(first.header);
    }));

  it('drives more runs at once than files may be open', () =>
    onDisk(async (storage) => {
      const runs: Awaited<ReturnType<typeof storedRun>>[] = [];
      for (let count = 0; count < 260; count += 1)
        runs.push(await storedRun(storage, runs[0] ? { planId: runs[0].header.planId } : {}));
      for (const seq of [1, 2])
        for (const { id } of runs) expect(await storage.append(id, 1, stepCommit(seq))).toBe(true);
      for (const { id } of runs) expect((await storage.loadRun(id))?.commits.length).toBe(2);
    }));
});

describe('damage on disk', () => {
  it('spoils only what is damaged', () =>
    onDisk(async (storage, root) => {
      const good = await waitingRun(storage);
      const bad = (await storedRun(storage)).id;
      const worse = (await storedRun(storage)).id;
      await storage.append(bad, 1, firstCommit);
      await storage.saveOutput(good, '$sales', LocalDataValue(1));
      await storage.saveEndUser(EndUser({ externalId: 'ada', name: 'Ada' }));
      writeFileSync(journalOf(root, bad, '1.jsonl'), 'not a journal\n');
      writeFileSync(journalOf(root, worse, 'header.json'), '{"id":');
      writeFileSync(join(root, 'prun-00000000-0000-4000-8000-000000000000.json'), '{"id": "prun-');
      writeFileSync(join(root, 'plan-00000000-0000-4000-8000-000000000000.json'), 'null');
      writeFileSync(join(root, good, '$sales.json'), '{');
      writeFileSync(join(root, 'ada.json'), '{');
      const again = diskStorage(root);
      expect((await again.loadRun(good))?.commits.length).toBe(3);
      expect((await again.listRuns({})).items.map(({ header }) => header.id)).toContain(good);
      expect((await again.listPlans({})).items.length).toBe(3);
      for (const id of [bad, worse, 'prun-00000000-0000-4000-8000-000000000000' as const])
        expect(await codeOf(() => again.loadRun(id))).toBe('STORAGE_CORRUPT');
      expect(await codeOf(() => again.getPlan('plan-00000000-0000-4000-8000-000000000000'))).toBe('STORAGE_CORRUPT');
      expect(await codeOf(() => again.getOutput(good, '$sales'))).toBe('STORAGE_CORRUPT');
      expect((await again.getEndUser('ada'))?.name).toBe('Ada');
    }));

  it('says what to do about a folder that cannot be made', () =>
    onDisk(async (_storage, root) => {
      writeFileSync(join(root, 'file'), '');
      expect(await codeOf(() => diskStorage(join(root, 'file')))).toBe('STORAGE_FAILED');
    }));
});

describe('names on disk', () => {
  it('never lead out of the folder, and are never taken for plans or runs', () =>
    onDisk(async (storage, root) => {
      const { id } = await storedRun(storage);
      const before = readdirSync(root);
      for (const name of oddNames) {
        await storage.saveOutput(id, name, LocalDataValue(name));
        if (name !== '') await storage.saveEndUser(EndUser({ externalId: name }));
      }
      expect(readdirSync(join(root, '..'))).toEqual(['store']);
      expect(readdirSync(join(root, id)).length).toBe(oddNames.length);
      const users = readdirSync(root).filter((name) => !before.includes(name) && name !== id);
      expect(users.length).toBe(oddNames.length - 1);
      for (const name of [...users, ...readdirSync(join(root, id))])
        expect(name).toMatch(/^[A-Za-z0-9_$'%;(). ~-]{1,200}\.json$/);
      for (const name of users) expect(name).not.toMatch(/^(plan|prun|con\b|\.)/i);
    }));

  it('are what Portia 0.9 writes where they are plain, and are found where it wrote a colon', () =>
    onDisk(async (storage, root) => {
      const { id } = await storedRun(storage);
      await storage.saveOutput(id, '$sales', LocalDataValue({ rows: 412 }, '412 rows'));
      await storage.saveEndUser(EndUser({ externalId: 'acme-user_17@example.org', name: 'Ada' }));
      expect(JSON.parse(readFileSync(join(root, id, '$sales.json'), 'utf8'))).toEqual({
        value: { rows: 412 },
        summary: '412 rows',
      });
      expect(JSON.parse(readFileSync(join(root, 'acme-user_17@example.org.json'), 'utf8'))).toEqual({
        external_id: 'acme-user_17@example.org',
        name: 'Ada',
        email: '',
        phone_number: '',
        additional_data: {},
      });
      const portia = {
        external_id: 'portia:default_user',
        name: 'Default',
        email: '',
        phone_number: '',
        additional_data: { team: 'ops' },
      };
      writeFileSync(join(root, 'portia:default_user.json'), JSON.stringify(portia));
      writeFileSync(join(root, id, 'a:b.json'), '{"value": "1", "summary": null}');
      expect((await storage.getEndUser('portia:default_user'))?.name).toBe('Default');
      expect(await storage.getOutput(id, 'a:b')).toEqual(LocalDataValue('1'));
      const saved = await storage.saveEndUser(
        EndUser({ externalId: 'portia:default_user', additionalData: { size: 'M' } }),
      );
      expect(saved).toEqual(EndUser({ externalId: 'portia:default_user', additionalData: { team: 'ops', size: 'M' } }));
    }));

  it('take over an end user that Portia 0.9 changed, once', () =>
    onDisk(async (storage, root) => {
      await storage.saveEndUser(EndUser({ externalId: 'ada', name: 'Ada', additionalData: { a: '1' } }));
      const file = join(root, 'ada.json');
      const changed = {
        ...(JSON.parse(readFileSync(file, 'utf8')) as object),
        name: 'Ada L.',
        additional_data: { a: '1', b: '2' },
      };
      writeFileSync(file, JSON.stringify(changed));
      expect(await storage.getEndUser('ada')).toEqual(
        EndUser({ externalId: 'ada', name: 'Ada L.', additionalData: { a: '1', b: '2' } }),
      );
      await storage.saveEndUser(EndUser({ externalId: 'ada', name: 'Ada M.', additionalData: { b: null } }));
      writeFileSync(file, JSON.stringify(changed));
      expect((await diskStorage(root).getEndUser('ada'))?.name).toBe('Ada M.');
    }));
});

describe('the file for Portia 0.9', () => {
  it('shows the run when it is created, when it pauses and when it ends', () =>
    onDisk(async (storage, root) => {
      const plan = samplePlan();
      await storage.savePlan(plan);
      expect(JSON.parse(readFileSync(join(root, `${plan.id}.json`), 'utf8'))).toEqual(plan.document);
      const unclaimed = await storage.createRun(
        sampleHeader(plan.id, { inputs: { $region: LocalDataValue('EMEA') }, endUserId: 'ada' }),
      );
      expect(readRun(root, unclaimed.header.id)).toEqual({
        id: unclaimed.header.id,
        plan_id: plan.id,
        current_step_index: 0,
        state: 'NOT_STARTED',
        end_user_id: 'ada',
        outputs: { clarifications: [], step_outputs: {}, final_output: null },
        plan_run_inputs: { $region: { value: 'EMEA', summary: null } },
      });
      const id = await waitingRun(storage);
      const { outputs, ...rest } = readRun(root, id);
      expect(rest).toMatchObject({ id, current_step_index: 1, state: 'NEED_CLARIFICATION' });
      expect(outputs.step_outputs).toEqual({ $price_0: { value: { rows: [1, null], total: 2.5 }, summary: 'rows' } });
      expect(outputs.clarifications).toEqual([
        { ...question, plan_run_id: id, response: null, step: 1, resolved: false },
      ]);
      await storage.append(
        id,
        1,
        toCommit(5, now, [{ type: 'run-end', state: 'COMPLETE', finalOutput: { value: 'done' } }]),
        { state: 'COMPLETE', updatedAt: now },
      );
      expect(readRun(root, id)).toMatchObject({
        state: 'COMPLETE',
        outputs: { final_output: { value: 'done', summary: null } },
      });
    }));

  it('is written at most once a second while the run works, and then shows all', () =>
    onDisk(async (storage, root) => {
      const { id } = await storedRun(storage);
      const shown = (): number => Object.keys(readRun(root, id).outputs.step_outputs).length;
      await storage.append(id, 1, firstCommit, working);
      for (let step = 0; step < 3; step += 1) await storage.append(id, 1, stepCommit(2 + step, step));
      expect(shown()).toBe(0);
      await sleep(1_200);
      expect(shown()).toBe(3);
    }));

  it('is up to date when the run is given up', () =>
    onDisk(async (storage, root) => {
      const { id } = await storedRun(storage);
      await storage.append(id, 1, firstCommit, working);
      await storage.append(id, 1, stepCommit(2, 0));
      await storage.releaseRun(id, 1);
      expect(Object.keys(readRun(root, id).outputs.step_outputs)).toEqual(['$price_0']);
    }));

  it('never fails the run: without a plan that can be read the journal goes on', () =>
    onDisk(async (storage) => {
      const plan = samplePlan({ document: { not: 'a plan' } });
      await storage.savePlan(plan);
      const warned = new Promise((resolve) => process.once('warning', resolve));
      const { header } = await storage.createRun(sampleHeader(plan.id), sampleClaim());
      expect(await storage.append(header.id, 1, firstCommit, { state: 'COMPLETE', updatedAt: now })).toBe(true);
      expect(await warned).toMatchObject({ code: 'PLAN_INVALID' });
    }));
});
