import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientOf, planOf } from '../../../test/lib/engine.ts';
import { freshSchema, startPostgres, type TestPostgres } from '../../../test/lib/postgres.ts';
import { Portia } from '../../client.ts';
import { Config } from '../../config/config.ts';
import { EndUser } from '../../core/end-user.ts';
import { InputClarification } from '../../core/clarification.ts';
import { PlanUUID } from '../../core/ids.ts';
import { LocalDataValue } from '../../core/output.ts';
import { crashingStorage } from '../../testing/crashing-storage.ts';
import { oddNames } from '../../testing/storage-contract/documents.ts';
import {
  codeOf,
  firstCommit,
  now,
  sampleAnswer,
  sampleClaim,
  sampleHeader,
  samplePlan,
  stepCommit,
  working,
} from '../../testing/storage-contract/samples.ts';
import { tool } from '../../tool/tool.ts';
import { diskStorage } from '../disk/disk-storage.ts';
import { encryptedStorage } from '../encrypted/encrypted-storage.ts';
import { memoryStorage } from '../memory/memory-storage.ts';
import { postgresStorage } from '../postgres/index.ts';
import { sqliteStorage } from '../sqlite/index.ts';
import type { StorageBackend } from '../storage-backend.ts';
import { firstLine, lastLine } from './document.ts';
import { exportLines, type Skipped } from './export.ts';
import { importLines } from './import.ts';
import { linesOf } from './lines.ts';

let server: TestPostgres;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portia-transfer-'));
  server = await startPostgres();
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

let stores = 0;
const kinds = ['memory', 'sqlite', 'disk', 'postgres'] as const;
async function newStore(kind: (typeof kinds)[number]): Promise<StorageBackend> {
  stores += 1;
  if (kind === 'memory') return memoryStorage();
  if (kind === 'sqlite') return sqliteStorage(join(folder, `${stores}.db`));
  if (kind === 'disk') return diskStorage(join(folder, String(stores)));
  return postgresStorage({ url: server.url, schema: freshSchema() });
}

async function filledText(): Promise<string> {
  const storage = await newStore('memory');
  await fill(storage);
  return exported(storage);
}

async function exported(storage: StorageBackend): Promise<string> {
  let text = '';
  for await (const line of exportLines(storage)) text += `${line}\n`;
  return text;
}

async function imported(storage: StorageBackend, text: string): ReturnType<typeof importLines> {
  return importLines(storage, linesOf([text] as never));
}

/** Fills a store with a bit of everything: real runs, and what only the contract knows. */
async function fill(storage: StorageBackend): Promise<void> {
  const ask = tool({
    id: 'ask',
    description: 'asks',
    run: (_args, { clarifications }) =>
      clarifications.length === 0
        ? InputClarification({ userGuidance: 'Which?', argumentName: 'which' })
        : 'x'.repeat(9_000),
  });
  const portia = clientOf({ storage: crashingStorage(storage), tools: [ask] });
  const asking = planOf({ toolId: 'ask', output: '$a' });
  await portia.runPlan(asking, { endUser: EndUser({ externalId: 'ada', email: 'a@b.c' }), labels: { z: '1', a: '2' } });
  const run = await portia.runPlan(asking, { runKey: 'order-17' });
  const [clarification] = run.getOutstandingClarifications();
  await portia.resolveClarification({ planRun: run, clarification: clarification as never, response: '\u2028 ü' });
  await portia.resume({ planRunId: run.id });
  await portia.close();
  const plan = samplePlan({ beside: { z: 1, a: [{ y: null, b: '\ud800' }] }, createdAt: now - 5 });
  await storage.savePlan(plan);
  for (const age of [3, 3, 1]) {
    const header = sampleHeader(plan.id, { createdAt: now + age, startAt: now + 9, outputSchema: { type: 'object' } });
    await storage.createRun(header, sampleClaim());
    await storage.append(header.id, 1, firstCommit, working);
    await storage.append(header.id, 1, stepCommit(2, 0, 'new\nline \u0000 \u2029 🪙'), {
      state: 'FAILED',
      updatedAt: now + 7,
      error: { code: 'TOOL_FAILED', message: 'it broke', step: 1 },
    });
    await storage.putCommand(header.id, sampleAnswer({ response: { b: 1, a: [] } }));
    for (const name of oddNames) await storage.saveOutput(header.id, name, LocalDataValue({ b: 1, a: name }, 'odd'));
  }
  for (const externalId of ['bob', 'a/b', 'é', '\ud800', 'x'.repeat(300)])
    await storage.saveEndUser(EndUser({ externalId, additionalData: { z: null, a: 'ü' } }));
}

describe('an export', () => {
  it('is the same to the letter after a way through every kind of store', { timeout: 60_000 }, async () => {
    const first = await newStore('memory');
    await fill(first);
    const text = await exported(first);
    expect(text.split('\n').length).toBeGreaterThan(12);
    let from = text;
    for (const kind of ['sqlite', 'disk', 'postgres', 'disk', 'sqlite', 'memory'] as const) {
      const storage = await newStore(kind);
      const report = await imported(storage, from);
      expect([kind, report.skipped]).toEqual([kind, []]);
      expect([kind, report.runs]).toEqual([kind, { added: 5, present: 0 }]);
      from = await exported(storage);
      expect(from === text).toBe(true);
      const again = await imported(storage, text);
      expect(again).toEqual({
        plans: { added: 0, present: 2 },
        runs: { added: 0, present: 5 },
        endUsers: { added: 0, present: 7 },
        skipped: [],
      });
      await storage.close();
    }
  });

  it.each(kinds)('is taken by %s so that a waiting run goes on in it', async (kind) => {
    const source = await newStore('memory');
    await fill(source);
    const storage = await newStore(kind);
    await imported(storage, await exported(source));
    const done = tool({ id: 'ask', description: 'asks', run: () => 'answered elsewhere' });
    const portia = clientOf({ storage, tools: [done] });
    const { items } = await portia.storage.listRuns({ endUserId: 'ada', states: ['NEED_CLARIFICATION'] });
    const planRunId = items[0]?.header.id as never;
    const [record] = await portia.storage.getClarifications(planRunId);
    await portia.resolveClarification({ planRunId, clarificationId: record?.clarification.id as never, response: 'a' });
    const run = await portia.resume({ planRunId });
    expect([run.state, run.outputs.finalOutput?.value]).toEqual(['COMPLETE', 'answered elsewhere']);
    await portia.close();
  });

  it('that broke off is taken to its end the next time, and no run is ever there by half', async () => {
    const source = await newStore('memory');
    await fill(source);
    const text = await exported(source);
    const storage = await newStore('sqlite');
    for (let write = 1; ; write += 1) {
      const dying = crashingStorage(storage, { write, when: write % 2 === 0 ? 'before' : 'after' });
      const code = await codeOf(() => imported(dying, text));
      const { items } = await storage.listRuns({});
      for (const { header } of items) {
        expect(await storage.loadRun(header.id)).toEqual({ ...(await source.loadRun(header.id)), driver: undefined });
        expect([...(await storage.listOutputs(header.id))].sort()).toEqual(
          [...(await source.listOutputs(header.id))].sort(),
        );
      }
      if (code !== 'STORAGE_FAILED') break;
    }
    expect(await exported(storage)).toBe(text);
  });
});

describe('an import', () => {
  it('leaves out what does not fit, says why, and takes the rest', async () => {
    const source = await newStore('memory');
    await fill(source);
    const lines = (await exported(source)).trimEnd().split('\n').slice(0, -1);
    const runs = lines.filter((line) => line.startsWith('{"type":"run"'));
    const [a = '', b = '', c = '', d = '', e = ''] = runs;
    const other = JSON.parse(a) as { header: { planId: string } };
    other.header.planId = PlanUUID.random();
    const storage = await newStore('sqlite');
    const report = await imported(
      storage,
      [
        ...lines.filter((line) => !line.startsWith('{"type":"run"')),
        'no JSON at all',
        '[1]',
        '{"type":"planet"}',
        JSON.stringify(other),
        b.replace(/"commits":\[\[1,/, '"commits":[[2,'),
        c.replace(/"state":"[A-Z_]+"/, '"state":"DREAMING"'),
        d.replace(/"id":"prun-/, '"id":"../../'),
        e,
        e.replace('"updatedAt":', '"updatedAt":1'),
        lastLine(18),
        '',
      ].join('\n'),
    );
    expect(report.runs).toEqual({ added: 1, present: 0 });
    expect(report.plans).toEqual({ added: 2, present: 0 });
    expect(report.skipped.map(({ code }) => code)).toEqual([
      ...Array.from({ length: 3 }, () => 'STORAGE_CORRUPT'),
      'PLAN_NOT_FOUND',
      ...Array.from({ length: 3 }, () => 'STORAGE_CORRUPT'),
      'RUN_STATE_INVALID',
    ]);
    expect(report.skipped[0]).toMatchObject({ what: 'line 11', why: expect.stringContaining('not JSON') });
    expect(report.skipped[3]?.what).toMatch(/^prun-/);
  });

  it.each([
    ['is empty', () => '', 'it has no last line'],
    ['is empty but for lines', () => '\n\n', 'it has no last line'],
    ['was cut off between two lines', (lines: string[]) => lines.slice(0, -1).join('\n'), 'it has no last line'],
    ['was cut off within a line', (lines: string[]) => lines.slice(0, -2).join('\n').slice(0, -9), 'it has no last'],
    [
      'lacks a document',
      (lines: string[]) => lines.toSpliced(2, 1).join('\n'),
      'speaks of 14 documents, and there are 13',
    ],
    ['goes on after its end', (lines: string[]) => [...lines, lines[1]].join('\n'), 'it has no last line'],
    [
      'is followed by another before its end',
      (lines: string[]) => [firstLine, ...lines.slice(1, -1), ...lines].join('\n'),
      'another begins before its last line',
    ],
  ])('says so when the export %s, and takes what is there', async (_what, damaged, why) => {
    const source = await newStore('memory');
    await fill(source);
    const text = damaged((await exported(source)).trimEnd().split('\n'));
    const storage = await newStore('memory');
    const { skipped } = await imported(storage, text);
    expect(skipped.at(-1)).toMatchObject({ code: 'STORAGE_CORRUPT', why: expect.stringContaining(why) });
  });

  it('of a store that is encrypted and was opened without its key is refused before its first line', async () => {
    const secretKey = 'ab'.repeat(32);
    for (const keyStore of [undefined, memoryStorage()]) {
      const inner = memoryStorage();
      await imported(encryptedStorage(inner, { secretKey, keyStore }), await filledText());
      const lines: string[] = [];
      const reading = (async () => {
        for await (const line of exportLines(inner, () => {})) lines.push(line);
      })();
      await expect(reading).rejects.toMatchObject({ code: 'CONFIG_INVALID', hint: expect.stringMatching(/secretKey/) });
      expect(lines).toEqual([]);
      const portia = new Portia({ config: new Config({ storage: inner }) });
      await expect(portia.storage.export().next()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
      await portia.close();
    }
  });

  it('breaks off where only the journal shows that a run is sealed', async () => {
    const inner = memoryStorage();
    const plan = samplePlan();
    const sealing = encryptedStorage(inner, { secretKey: 'ab'.repeat(32), keyStore: memoryStorage() });
    await sealing.savePlan(plan);
    const { header } = await sealing.createRun(sampleHeader(plan.id, { inputs: {} }), sampleClaim());
    await sealing.append(header.id, 1, firstCommit, working);
    const skipped: Skipped[] = [];
    const all = async () => {
      for await (const line of exportLines(inner, (one) => skipped.push(one))) expect(line).not.toContain('sealed');
    };
    await expect(all()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    expect(skipped).toEqual([]);
  });

  it('takes two exports that stand one after the other', async () => {
    const source = await newStore('memory');
    await fill(source);
    const text = await exported(source);
    const { runs, skipped } = await imported(await newStore('memory'), `${text}${text}`);
    expect([runs, skipped]).toEqual([{ added: 5, present: 5 }, []]);
  });

  it('changes nothing that is there already', async () => {
    const source = await newStore('memory');
    const plan = samplePlan();
    await source.savePlan(plan);
    await source.createRun(sampleHeader(plan.id, { runKey: 'order-17' }));
    await source.saveEndUser(EndUser({ externalId: 'ada', name: 'Ada' }));
    const storage = await newStore('memory');
    await storage.savePlan({ ...plan, hash: 'another' });
    const { header } = await storage.createRun(sampleHeader(plan.id, { runKey: 'order-17' }));
    await storage.saveEndUser(EndUser({ externalId: 'ada', name: 'Ada L.' }));
    const before = await exported(storage);
    const report = await imported(storage, await exported(source));
    expect(report.skipped).toMatchObject([
      { what: plan.id, code: 'PLAN_CHANGED' },
      { what: 'ada', code: 'RUN_STATE_INVALID' },
      { code: 'RUN_KEY_CONFLICT' },
    ]);
    expect(await exported(storage)).toBe(before);
    expect((await storage.listRuns({})).items.map((item) => item.header.id)).toEqual([header.id]);
  });

  it('refuses what a newer release wrote', async () => {
    const storage = await newStore('memory');
    expect(await codeOf(() => imported(storage, '{"type":"portia-ts-export","v":2}\n'))).toBe('STORAGE_CORRUPT');
  });
});

describe("Portia 0.9's own files", () => {
  it('are carried into another store, and what cannot be read is named', async () => {
    const dir = join(folder, 'portia');
    const portia = diskStorage(dir);
    const planId = PlanUUID.random();
    const uuid = '00000000-0000-4000-8000-00000000000';
    const plan = { id: planId, plan_context: { query: 'gold', tool_ids: [] }, plan_inputs: [] };
    const step = { task: 'find', inputs: [], tool_id: 'search_tool', output: '$a', condition: null };
    writeFileSync(join(dir, `${planId}.json`), JSON.stringify({ ...plan, steps: [step] }, null, 4));
    const run = (id: string, more: object): void =>
      writeFileSync(
        join(dir, `${id}.json`),
        JSON.stringify({
          id,
          plan_id: planId,
          end_user_id: 'ada',
          current_step_index: 0,
          plan_run_inputs: {},
          state: 'COMPLETE',
          outputs: {
            clarifications: [],
            step_outputs: { $a: { value: 'x', summary: null } },
            final_output: { value: 'x', summary: null },
          },
          ...more,
        }),
      );
    run(`prun-${uuid}1`, {});
    run(`prun-${uuid}2`, { plan_id: PlanUUID.random() });
    writeFileSync(join(dir, `prun-${uuid}3.json`), '{ broken');
    writeFileSync(join(dir, `plan-${uuid}4.json`), '{ broken');
    writeFileSync(
      join(dir, 'ada.json'),
      JSON.stringify({ external_id: 'ada', name: 'Ada', email: '', phone_number: '', additional_data: {} }),
    );
    const storage = await newStore('sqlite');
    const skipped: Skipped[] = [];
    const report = await importLines(
      storage,
      exportLines(portia, (one) => skipped.push(one)),
    );
    expect([report.plans.added, report.runs.added, report.endUsers.added, report.skipped]).toEqual([1, 1, 1, []]);
    expect(skipped.map(({ what, code }) => `${what} ${code}`).sort()).toEqual([
      `plan-${uuid}4 STORAGE_CORRUPT`,
      `prun-${uuid}2 PLAN_NOT_FOUND`,
      `prun-${uuid}3 STORAGE_CORRUPT`,
    ]);
    expect((await storage.loadRun(`prun-${uuid}1`))?.status.state).toBe('COMPLETE');
    expect(await storage.getEndUser('ada')).toMatchObject({ name: 'Ada' });
  });
});
