import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { clientOf, planOf } from '../../../test/lib/engine.ts';
import { serveFetch } from '../../../test/lib/fetch-server.ts';
import { type FakePortiaCloud, fakePortiaCloud } from '../../../test/lib/portia-cloud.ts';
import { InputClarification } from '../../core/clarification.ts';
import { EndUser } from '../../core/end-user.ts';
import { PlanUUID } from '../../core/ids.ts';
import { LocalDataValue } from '../../core/output.ts';
import { codeOf, sampleHeader, samplePlan } from '../../testing/storage-contract/samples.ts';
import { tool } from '../../tool/tool.ts';
import { memoryStorage } from '../memory/memory-storage.ts';
import type { StorageBackend } from '../storage-backend.ts';
import { exportLines, type Skipped } from '../transfer/export.ts';
import { importLines } from '../transfer/import.ts';
import { cloudStorage } from './index.ts';

let cloud: FakePortiaCloud;
let storage: StorageBackend;
beforeEach(async () => {
  cloud = await fakePortiaCloud();
  storage = await cloudStorage({ endpoint: cloud.url, apiKey: 'pk-hunter2', patienceMs: 100 });
  cloud.asked.length = 0;
});
afterEach(async () => {
  await storage.close();
  await cloud.close();
});

const ask = tool({
  id: 'ask',
  description: 'asks',
  run: (_args, { clarifications }) =>
    clarifications.length === 0
      ? InputClarification({ userGuidance: 'Which?', argumentName: 'which' })
      : `chose ${String(clarifications[0]?.response)}`,
});
const plan = planOf({ toolId: 'ask', output: '$a' });

describe('a Portia cloud', () => {
  it('is told apart from our own server by asking it', () => {
    expect(storage.name).toContain('Portia 0.9');
    expect([...cloud.keys]).toEqual(['Api-Key pk-hunter2']);
  });

  it('keeps a run as its documents say: made, waiting, complete', async () => {
    const portia = clientOf({ storage, tools: [ask] });
    const run = await portia.runPlan(plan, { endUser: 'ada' });
    expect(run.state).toBe('NEED_CLARIFICATION');
    expect(cloud.runs.get(run.id)).toMatchObject({
      state: 'NEED_CLARIFICATION',
      end_user: 'ada',
      plan: { id: plan.id },
      outputs: { clarifications: [{ category: 'Input', user_guidance: 'Which?' }] },
    });
    expect(cloud.plans.get(plan.id)).toMatchObject({ query: 'the query', tool_ids: [] });
    const [clarification] = run.getOutstandingClarifications();
    await portia.resolveClarification({ planRun: run, clarification: clarification as never, response: 'this' });
    expect((await portia.resume({ planRunId: run.id })).state).toBe('COMPLETE');
    expect(cloud.runs.get(run.id)).toMatchObject({ outputs: { final_output: { value: 'chose this' } } });
    expect(cloud.asked.every((line) => /\/(\?.*)?$/.test(line))).toBe(true);
    await portia.close();
  });

  it('lets another process answer, and go on with, a run that waits', async () => {
    const first = clientOf({ storage: await cloudStorage({ endpoint: cloud.url }), tools: [ask] });
    const { id } = await first.runPlan(plan);
    await first.close();
    const second = clientOf({ storage, tools: [ask] });
    const waiting = await second.storage.getPlanRun(id);
    const [clarification] = waiting.getOutstandingClarifications();
    await second.resolveClarification({ planRun: waiting, clarification: clarification as never, response: 'that' });
    const done = await second.resume({ planRunId: id });
    expect([done.state, done.outputs.finalOutput?.value]).toEqual(['COMPLETE', 'chose that']);
    expect(cloud.runs.get(id)).toMatchObject({ state: 'COMPLETE' });
    await second.close();
  });

  it('gives plans of exactly one query, large outputs in two steps, and end users that merge', async () => {
    const [gold, silver] = [samplePlan({ query: 'gold' }), samplePlan({ query: 'silver' })];
    for (const one of [gold, silver]) await storage.savePlan(one);
    await storage.savePlan(gold);
    expect(await codeOf(async () => storage.savePlan({ ...gold, query: 'x', hash: 'other' }))).toBe('PLAN_CHANGED');
    expect((await storage.listPlans({ query: 'gold' })).items.map(({ id }) => id)).toEqual([gold.id]);
    expect(await storage.getPlan(PlanUUID.random())).toBe(undefined);
    const { header } = await storage.createRun(sampleHeader(gold.id));
    await storage.saveOutput(header.id, '$a/b c', LocalDataValue({ rows: [1] }, 'rows'));
    expect(await storage.getOutput(header.id, '$a/b c')).toEqual(LocalDataValue('{"rows":[1]}', 'rows'));
    expect(await storage.getOutput(header.id, '$other')).toBe(undefined);
    await storage.saveEndUser(EndUser({ externalId: 'a:b', additionalData: { x: '1' } }));
    const ada = await storage.saveEndUser(EndUser({ externalId: 'a:b', name: 'A', additionalData: { y: null } }));
    expect(ada).toEqual(EndUser({ externalId: 'a:b', name: 'A', additionalData: { x: '1', y: null } }));
    expect(await storage.getEndUser('a:b')).toEqual(ada);
    expect(await storage.getEndUser('nobody')).toBe(undefined);
    expect(cloud.asked).toContain('PUT /api/v0/end-user/a:b/');
  });

  it('is never the reason that its key reaches another host', async () => {
    const heard: (string | null)[] = [];
    const stranger = await serveFetch((request) => {
      heard.push(request.headers.get('authorization'));
      return new Response('from elsewhere');
    });
    cloud.memoryBase = stranger.url;
    const one = samplePlan();
    await storage.savePlan(one);
    const { header } = await storage.createRun(sampleHeader(one.id));
    await storage.saveOutput(header.id, '$a', LocalDataValue('x'));
    expect((await storage.getOutput(header.id, '$a'))?.value).toBe('from elsewhere');
    expect(heard).toEqual([null]);
    await stranger.close();
  });

  it('lists runs page by page, by state too', async () => {
    const one = samplePlan();
    await storage.savePlan(one);
    const ids: string[] = [];
    for (let run = 0; run < 5; run += 1) ids.push((await storage.createRun(sampleHeader(one.id))).header.id);
    const seen: string[] = [];
    for (let cursor: string | undefined, page = 0; page === 0 || cursor !== undefined; page += 1) {
      const { items, cursor: next } = await storage.listRuns({ states: ['NOT_STARTED'], cursor });
      seen.push(...items.map(({ header }) => header.id));
      cursor = next;
    }
    expect(seen).toEqual(ids.reverse());
    expect((await storage.listRuns({ states: ['COMPLETE'] })).items).toEqual([]);
    expect(await codeOf(async () => storage.listRuns({ cursor: 'nonsense' }))).toBe('CONFIG_INVALID');
  });

  it('is carried into a store of ours, with what cannot be read by name', async () => {
    const portia = clientOf({ storage, tools: [ask] });
    const { id } = await portia.runPlan(plan, { endUser: EndUser({ externalId: 'ada', name: 'Ada' }) });
    const large = tool({ id: 'large', description: 'much', run: () => 'x'.repeat(20_000) });
    const other = clientOf({ storage: await cloudStorage({ endpoint: cloud.url }), tools: [large] });
    const big = await other.runPlan(planOf({ toolId: 'large', output: '$big' }, { toolId: 'large', output: '$end' }));
    await other.close();
    cloud.runs.set('prun-00000000-0000-4000-8000-000000000001', {
      ...(cloud.runs.get(id) as object),
      id: 'prun-00000000-0000-4000-8000-000000000001',
      state: 'DREAMING',
    });
    const target = memoryStorage();
    const skipped: Skipped[] = [];
    const source = await cloudStorage({ endpoint: cloud.url });
    const report = await importLines(
      target,
      exportLines(source, (one) => skipped.push(one)),
    );
    expect([report.plans.added, report.runs.added, report.endUsers.added, report.skipped]).toEqual([2, 2, 2, []]);
    expect(skipped).toMatchObject([{ what: 'prun-00000000-0000-4000-8000-000000000001', code: 'STORAGE_CORRUPT' }]);
    expect((await target.getOutput(big.id, '$big'))?.value).toBe('x'.repeat(20_000));
    // A cloud tells no times: what is copied counts as of now for a retention, and is the same when it is copied again.
    expect(await target.removeRuns([big.id], Date.now() - 60_000)).toBe(0);
    const again = await importLines(
      target,
      exportLines(source, () => {}),
    );
    expect([again.runs, again.skipped]).toEqual([{ added: 0, present: 2 }, []]);
    const mine = clientOf({ storage: target, tools: [ask] });
    const waiting = await mine.storage.getPlanRun(id);
    const [clarification] = waiting.getOutstandingClarifications();
    await mine.resolveClarification({ planRun: waiting, clarification: clarification as never, response: 'here' });
    expect((await mine.resume({ planRunId: id })).outputs.finalOutput?.value).toBe('chose here');
    for (const client of [portia, mine]) await client.close();
  });

  it('says what it cannot do, and passes on what it is told', async () => {
    expect(await codeOf(async () => storage.importRun({} as never, []))).toBe('CONFIG_INVALID');
    expect(await codeOf(async () => storage.removeRuns([], 0))).toBe('CONFIG_INVALID');
    const broken = await serveFetch(() => Response.json({ detail: 'oh' }, { status: 500 }));
    await expect(cloudStorage({ endpoint: broken.url, patienceMs: 100 })).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
      message: expect.stringContaining('oh'),
    });
    await broken.close();
  });
});
