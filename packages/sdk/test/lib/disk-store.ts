import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunEventBody, toCommit } from '../../src/core/event.ts';
import type { PlanRunUUID } from '../../src/core/ids.ts';
import { diskStorage } from '../../src/storage/disk/disk-storage.ts';
import type { RunStatus, StorageBackend } from '../../src/storage/storage-backend.ts';
import { firstCommit, now, storedRun, working } from '../../src/testing/storage-contract/samples.ts';

/** Runs a test on a store in a folder of its own. */
export async function onDisk(test: (storage: StorageBackend, root: string) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'portia-disk-'));
  const root = join(dir, 'store');
  const storage = diskStorage(root);
  try {
    await test(storage, root);
  } finally {
    await storage.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** A run document of Portia 0.9. */
export type Document = Record<string, unknown> & {
  outputs: { clarifications: Record<string, unknown>[]; step_outputs: Record<string, unknown>; final_output: unknown };
};

/** The file of a run. */
export const readRun = (root: string, id: string): Document =>
  JSON.parse(readFileSync(join(root, `${id}.json`), 'utf8')) as Document;
export const writeRun = (root: string, id: string, document: unknown): void =>
  writeFileSync(join(root, `${id}.json`), JSON.stringify(document, null, 4));
export const journalOf = (root: string, id: string, file: string): string => join(root, '.journal', id, file);

export const question = {
  id: 'clar-3a6f0d8e-6f0c-4b39-8a0d-3b1c52d6d111',
  category: 'Multiple Choice',
  user_guidance: 'Which?',
  source: 'shop',
  argument_name: 'size',
  options: ['S', 50] as (string | number)[],
};
export const asks: RunEventBody[] = [
  { type: 'clarification-raised', step: 1, key: 'tool', clarification: question, audience: 'endUser' },
  { type: 'run-wait' },
];
export const waiting: RunStatus = { state: 'NEED_CLARIFICATION', updatedAt: now + 9 };

/** A run that did its first step and waits in the second for an answer. */
export async function waitingRun(storage: StorageBackend): Promise<PlanRunUUID> {
  const { id } = await storedRun(storage);
  await storage.append(id, 1, firstCommit, working);
  await storage.append(
    id,
    1,
    toCommit(2, now, [
      { type: 'step-end', step: 0, output: { value: { rows: [1, null], total: 2.5 }, summary: 'rows' } },
    ]),
  );
  await storage.append(id, 1, toCommit(3, now, asks), waiting);
  return id;
}
