import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { clientOf, planOf } from '../../test/lib/engine.ts';
import { ClarificationUUID, PlanRunUUID } from '../core/ids.ts';
import type { JsonObject } from '../core/json.ts';
import { diskStorage } from './disk/disk-storage.ts';
import { encryptedStorage } from './encrypted/encrypted-storage.ts';
import { memoryStorage } from './memory/memory-storage.ts';
import { PortiaDocuments } from './portia-documents.ts';
import { sqliteStorage } from './sqlite/index.ts';
import type { StorageBackend } from './storage-backend.ts';

const folder = mkdtempSync(join(tmpdir(), 'portia-documents-'));
const secretKey = Buffer.alloc(32, 7).toString('base64');
const stores: [string, () => StorageBackend | Promise<StorageBackend>][] = [
  ['memory', memoryStorage],
  ['SQLite', () => sqliteStorage(':memory:')],
  ['disk', () => diskStorage(folder)],
  ['an encrypted store', () => encryptedStorage(memoryStorage(), { secretKey })],
];

describe.each(stores)('documents in %s', (_name, open) => {
  it('make a run that is read, answered, ended and pruned like any other, and that no worker takes', async () => {
    const storage = await open();
    const documents = new PortiaDocuments(storage);
    const portia = clientOf({ storage });
    const plan = planOf({ output: '$a' }, { output: '$b' });
    await portia.storage.savePlan(plan);
    const id = PlanRunUUID.random();
    const put = (state: string, index: number, outputs: JsonObject): Promise<void> =>
      documents.put(id, { plan_id: plan.id, end_user_id: 'e', current_step_index: index, state, outputs });
    const a = { $a: { value: '1', summary: null } };
    const question = {
      id: ClarificationUUID.random(),
      category: 'Input',
      step: 1,
      user_guidance: 'Who?',
      resolved: false,
      argument_name: 'who',
    };
    await put('NOT_STARTED', 0, {});
    await put('IN_PROGRESS', 0, {});
    await put('IN_PROGRESS', 1, { step_outputs: a });
    await put('NEED_CLARIFICATION', 1, { step_outputs: a, clarifications: [question] });
    const waiting = await portia.storage.getPlanRun(id);
    expect([waiting.state, waiting.currentStepIndex]).toEqual(['NEED_CLARIFICATION', 1]);
    await portia.resolveClarification({ planRunId: id, clarificationId: question.id, response: 'z' });
    await portia.work({ untilIdle: true });
    expect((await portia.storage.getPlanRun(id)).state).toBe('READY_TO_RESUME');
    await expect(portia.resume({ planRunId: id })).rejects.toMatchObject({ code: 'RUN_BUSY' });
    const { document } = await documents.get(id);
    expect(document).toMatchObject({ state: 'READY_TO_RESUME', outputs: { clarifications: [{ response: 'z' }] } });
    const { clarifications } = document['outputs'] as { readonly clarifications: JsonObject[] };
    const last = { value: '2', summary: null };
    await put('COMPLETE', 1, { clarifications, step_outputs: { ...a, $b: last }, final_output: last });
    const ended = await portia.storage.getPlanRun(id);
    expect([ended.state, ended.outputs.finalOutput?.value]).toEqual(['COMPLETE', '2']);
    expect(ended.outputs.clarifications).toMatchObject([{ id: question.id, response: 'z', resolved: true }]);
    const before = (await portia.storage.getEvents(id)).length;
    await put('COMPLETE', 1, { clarifications, step_outputs: { ...a, $b: last }, final_output: last });
    expect((await portia.storage.getEvents(id)).length).toBe(before);
    expect((await storage.loadRun(id))?.driver).toBeUndefined();
    expect(await storage.removeRuns([id], Date.now() + 1_000)).toBe(1);
    await expect(documents.get(id)).rejects.toMatchObject({ code: 'PLAN_RUN_NOT_FOUND' });
    await portia.close();
    rmSync(folder, { recursive: true, force: true });
  });
});

it('writes of one run wait for each other, and none is lost', async () => {
  const storage = memoryStorage();
  const portia = clientOf({ storage });
  const documents = new PortiaDocuments(storage);
  const plan = planOf(...Array.from({ length: 20 }, (_, n) => ({ output: `$${n}` })));
  await portia.storage.savePlan(plan);
  const id = PlanRunUUID.random();
  const outputs: JsonObject[] = plan.steps.map((_, n) =>
    Object.fromEntries(plan.steps.slice(0, n + 1).map(({ output }) => [output, { value: output, summary: null }])),
  );
  await Promise.all(
    outputs.map((step_outputs, n) =>
      documents.put(id, {
        plan_id: plan.id,
        end_user_id: 'e',
        current_step_index: n,
        state: 'IN_PROGRESS',
        outputs: { step_outputs },
      }),
    ),
  );
  const events = await portia.storage.getEvents(id);
  expect(events.map(({ type }) => type)).toEqual(['run-start', ...plan.steps.map(() => 'step-end')]);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, n) => n + 1));
  await portia.close();
});

it('a run that somebody cancelled is ended when its client writes it, and stays so', async () => {
  const storage = memoryStorage();
  const portia = clientOf({ storage });
  const documents = new PortiaDocuments(storage);
  const plan = planOf({ output: '$a' });
  await portia.storage.savePlan(plan);
  const id = PlanRunUUID.random();
  const put = (state: string): Promise<void> => documents.put(id, { plan_id: plan.id, end_user_id: 'e', state });
  await put('IN_PROGRESS');
  await storage.putCommand(id, { type: 'cancel', key: 'cancel.0', at: Date.now(), by: 'op', reason: 'too late' });
  for (const state of ['IN_PROGRESS', 'COMPLETE'])
    await expect(put(state)).rejects.toMatchObject({ code: 'RUN_CANCELLED' });
  const run = await portia.storage.getPlanRun(id);
  expect(run).toMatchObject({ state: 'FAILED', error: { code: 'RUN_CANCELLED', message: 'too late' } });
  expect((await documents.get(id)).document).toMatchObject({ state: 'FAILED' });
  await portia.close();
});

it('puts back the options of a choice that Portia 0.9 lost over an answer that is none of them', async () => {
  const storage = memoryStorage();
  const portia = clientOf({ storage });
  const documents = new PortiaDocuments(storage);
  const plan = planOf({ output: '$a' });
  await portia.storage.savePlan(plan);
  const id = PlanRunUUID.random();
  const put = (state: string, question: JsonObject): Promise<void> =>
    documents.put(id, { plan_id: plan.id, end_user_id: 'e', state, outputs: { clarifications: [question] } });
  const asked = {
    id: ClarificationUUID.random(),
    category: 'Multiple Choice',
    step: 0,
    user_guidance: 'Which?',
    resolved: false,
    argument_name: 'size',
  };
  const options = ['S', 'M'];
  await put('NEED_CLARIFICATION', { ...asked, options });
  await put('READY_TO_RESUME', { ...asked, resolved: true, response: 'XL' });
  const { outputs } = (await documents.get(id)).document as { readonly outputs: JsonObject };
  expect(outputs['clarifications']).toEqual([{ ...asked, options, resolved: true, response: 'XL' }]);
  const run = await portia.storage.getPlanRun(id);
  expect(run.state).toBe('READY_TO_RESUME');
  expect(run.outputs.clarifications).toMatchObject([{ options, resolved: true, response: 'XL' }]);
  await put('READY_TO_RESUME', { ...asked, resolved: true, response: 'XL' });
  await portia.close();
});
