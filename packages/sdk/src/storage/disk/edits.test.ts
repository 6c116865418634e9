import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  asks,
  type Document,
  onDisk,
  question,
  readRun,
  waiting,
  waitingRun,
  writeRun,
} from '../../../test/lib/disk-store.ts';
import { type RunEventBody, toCommit } from '../../core/event.ts';
import { codeOf, now, sampleClaim, stepCommit, storedRun } from '../../testing/storage-contract/samples.ts';
import { diskStorage } from './disk-storage.ts';

/** What Portia 0.9 writes when it has read a run and somebody answered: all values as strings. */
function answeredByPortia(document: Document, response: unknown): Document {
  document['state'] = 'READY_TO_RESUME';
  for (const clarification of document.outputs.clarifications)
    Object.assign(clarification, { resolved: true, response });
  document.outputs.step_outputs = { $price_0: { value: '{"rows": [1, null], "total": 2.5}', summary: 'rows' } };
  return document;
}

describe('a change of the file by somebody else', () => {
  it('is taken over when it only answers clarifications, once and for every reader', () =>
    onDisk(async (storage, root) => {
      const id = await waitingRun(storage);
      await storage.releaseRun(id, 1);
      writeRun(root, id, answeredByPortia(readRun(root, id), 50));
      const answer = expect.objectContaining({
        type: 'answer',
        key: question.id,
        response: 50,
        resolvedBy: null,
        via: 'file',
      }) as unknown;
      const again = diskStorage(root);
      expect((await again.loadRun(id))?.commands).toEqual([answer]);
      expect((await storage.loadRun(id))?.commands).toEqual([answer]);
      const { driver } = await again.claimRun(id, sampleClaim());
      const resolved: RunEventBody = {
        type: 'clarification-resolved',
        id: question.id as never,
        response: 50,
        resolvedBy: null,
        as: null,
        via: 'file',
      };
      await again.append(id, driver.epoch, toCommit(5, now, [resolved]), { state: 'READY_TO_RESUME', updatedAt: now });
      expect(readRun(root, id).outputs.clarifications[0]).toMatchObject({ resolved: true, response: 50 });
      expect((await again.loadRun(id))?.commands).toEqual([answer]);
      await again.close();
    }));

  it('reaches the driver of a run that is being driven', () =>
    onDisk(async (storage, root) => {
      const id = await waitingRun(storage);
      const heard: string[] = [];
      storage.watch((_run, what) => heard.push(what));
      const { mark } = await storage.pollCommands([id], undefined);
      writeRun(root, id, answeredByPortia(readRun(root, id), 'S'));
      const { commands } = await storage.pollCommands([id], mark);
      expect(commands).toMatchObject([{ id, command: { type: 'answer', response: 'S', via: 'file' } }]);
      expect(heard).toEqual(['command']);
    }));

  it.each<[string, (document: Document) => unknown]>([
    [
      'an output',
      (document) => Object.assign(document.outputs.step_outputs, { $price_0: { value: 'other', summary: null } }),
    ],
    [
      'a second output',
      (document) => Object.assign(document.outputs.step_outputs, { $more: { value: '', summary: null } }),
    ],
    [
      'the final output',
      (document) => Object.assign(document.outputs, { final_output: { value: 'x', summary: null } }),
    ],
    ['the step', (document) => Object.assign(document, { current_step_index: 0 })],
    ['the state', (document) => Object.assign(document, { state: 'COMPLETE' })],
    ['the end user', (document) => Object.assign(document, { end_user_id: 'mallory' })],
    ['the inputs', (document) => Object.assign(document, { plan_run_inputs: { $a: { value: 'x', summary: null } } })],
    [
      'the question',
      (document) => Object.assign(document.outputs.clarifications[0] ?? {}, { user_guidance: 'Other?' }),
    ],
    [
      'an answer that is no option',
      (document) => Object.assign(document.outputs.clarifications[0] ?? {}, { resolved: true, response: 'XXL' }),
    ],
    [
      'a response without an answer',
      (document) => Object.assign(document.outputs.clarifications[0] ?? {}, { response: 'S' }),
    ],
    ['a question removed', (document) => document.outputs.clarifications.pop()],
    ['an unknown key', (document) => Object.assign(document, { more: 1 })],
  ])('is refused when it changes %s, until the file is removed', (_what, change) =>
    onDisk(async (storage, root) => {
      const id = await waitingRun(storage);
      await storage.releaseRun(id, 1);
      const document = readRun(root, id);
      change(document);
      writeRun(root, id, document);
      const again = diskStorage(root);
      expect(await codeOf(() => again.loadRun(id))).toBe('RUN_FILE_CHANGED');
      expect(await codeOf(() => again.claimRun(id, sampleClaim()))).toBe('RUN_FILE_CHANGED');
      expect((await again.listRuns({ states: ['NEED_CLARIFICATION'] })).items.length).toBe(1);
      expect(readRun(root, id)).toEqual(document);
      rmSync(join(root, `${id}.json`));
      expect((await again.loadRun(id))?.commands).toEqual([]);
      expect((await again.claimRun(id, sampleClaim())).claimed).toBe(true);
      await again.close();
    }),
  );

  it('is refused when it gives another answer than the one that stands, and when it is no JSON', () =>
    onDisk(async (storage, root) => {
      const id = await waitingRun(storage);
      await storage.putCommand(id, {
        type: 'answer',
        key: question.id as never,
        at: now,
        response: 'S',
        resolvedBy: null,
        as: null,
        via: 'library',
      });
      writeRun(root, id, answeredByPortia(readRun(root, id), 50));
      expect(await codeOf(() => storage.loadRun(id))).toBe('RUN_FILE_CHANGED');
      writeFileSync(join(root, `${id}.json`), '');
      expect(await codeOf(() => storage.loadRun(id))).toBe('RUN_FILE_CHANGED');
    }));

  it('is refused when it answers a question that has expired', () =>
    onDisk(async (storage, root) => {
      const { id } = await storedRun(storage);
      const late = asks.map((event) =>
        event.type === 'clarification-raised' ? { ...event, expiresAt: Date.now() - 1 } : event,
      );
      await storage.append(id, 1, toCommit(1, now, late), waiting);
      const document = readRun(root, id);
      Object.assign(document.outputs.clarifications[0] ?? {}, { resolved: true, response: 'S' });
      writeRun(root, id, document);
      expect(await codeOf(() => storage.loadRun(id))).toBe('RUN_FILE_CHANGED');
    }));

  it('does not stop the driver of a run that is being driven, and is left for a person to see', () =>
    onDisk(async (storage, root) => {
      const id = await waitingRun(storage);
      writeRun(root, id, { ...readRun(root, id), current_step_index: 7 });
      const started = Date.now();
      for (let count = 0; count < 20; count += 1)
        expect((await storage.pollCommands([id], undefined)).commands).toEqual([]);
      expect(Date.now() - started).toBeLessThan(1_000);
      expect(await storage.append(id, 1, stepCommit(5, 1), { state: 'READY_TO_RESUME', updatedAt: now })).toBe(true);
      expect(readRun(root, id)['current_step_index']).toBe(7);
      expect(await codeOf(() => storage.loadRun(id))).toBe('RUN_FILE_CHANGED');
    }));
});
