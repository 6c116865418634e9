import { PortiaError } from '../../core/errors.ts';
import type { PlanRunUUID, PlanUUID } from '../../core/ids.ts';
import { isSealedRun } from '../encrypted/contents.ts';
import { isKeyRecord } from '../encrypted/keys.ts';
import type { NamedOutput } from '../house.ts';
import type { Page, StorageBackend } from '../storage-backend.ts';
import { endUserLine, firstLine, lastLine, planLine, runLine } from './document.ts';

/** What of a store cannot be carried over, and why. */
export interface Skipped {
  /** The id of a plan, a run or an end user; the number of a line where that is not known. */
  readonly what: string;
  readonly code: string;
  readonly why: string;
}

/**
 * Everything in a store as lines of JSON without line breaks: plans, end users, runs with journal, commands and large
 * outputs, between a first line and a last one that says how many there were. In an order of its own, so that two stores
 * that hold the same give the same lines. What cannot be read is told to `skip`; without it that is an error.
 * @throws PortiaError `CONFIG_INVALID` for an encrypted store that was opened without its key: what is sealed could be
 * taken by no other store.
 */
export async function* exportLines(
  storage: StorageBackend,
  skip?: ((skipped: Skipped) => void) | undefined,
): AsyncGenerator<string> {
  const ids = await allIds(storage);
  yield firstLine;
  let documents = 0;
  for await (const line of documentLines(storage, ids, skip)) {
    documents += 1;
    yield line;
  }
  yield lastLine(documents);
}

/** Only ids are held at once, never documents. */
interface Ids {
  readonly plans: readonly PlanUUID[];
  readonly endUsers: readonly string[];
  readonly runs: readonly PlanRunUUID[];
}

/** What there is to export. All of it is looked at first, so that a store that is sealed is refused before anything is written. */
async function allIds(storage: StorageBackend): Promise<Ids> {
  const endUsers = await endUserIds(storage);
  const runs = await runIds(storage);
  const hidden = await storage.unreadable?.();
  return {
    plans: [...(await planIds(storage)), ...(hidden?.plans ?? [])],
    endUsers,
    runs: [...runs, ...(hidden?.runs ?? [])],
  };
}

async function* documentLines(
  storage: StorageBackend,
  ids: Ids,
  skip: ((skipped: Skipped) => void) | undefined,
): AsyncGenerator<string> {
  for (const id of ids.plans) yield* oneLine(id, skip, async () => planOf(storage, id));
  for (const id of ids.endUsers) {
    yield* oneLine(id, skip, async () => {
      const user = await storage.getEndUser(id);
      return user && endUserLine(user);
    });
  }
  for (const id of ids.runs) yield* oneLine(id, skip, async () => runOf(storage, id));
}

async function* oneLine(
  what: string,
  skip: ((skipped: Skipped) => void) | undefined,
  make: () => Promise<string | undefined>,
): AsyncGenerator<string> {
  let line: string | undefined;
  try {
    line = await make();
  } catch (error) {
    if (!skip || !PortiaError.isInstance(error) || isForAll(error)) throw error;
    skip({ what, code: error.code, why: error.message });
  }
  // One that has gone meanwhile is no longer there to be exported.
  if (line !== undefined) yield line;
}

/** Whether an error is not about one document. */
function isForAll({ code, details }: PortiaError): boolean {
  return code === 'STORAGE_FAILED' || details?.['setting'] === 'encryptRuns';
}

async function planOf(storage: StorageBackend, id: PlanUUID): Promise<string | undefined> {
  const plan = await storage.getPlan(id);
  return plan && planLine(plan);
}

async function runOf(storage: StorageBackend, id: PlanRunUUID): Promise<string | undefined> {
  const run = await storage.loadRun(id);
  if (!run) return undefined;
  if (isSealedRun(run)) throw sealed(storage);
  const outputs: NamedOutput[] = [];
  for (const name of [...(await storage.listOutputs(id))].sort()) {
    const output = await storage.getOutput(id, name);
    if (output) outputs.push({ name, output });
  }
  return runLine(run, outputs);
}

interface Timed<Id> {
  readonly id: Id;
  readonly createdAt: number;
}

/** Oldest first, and by id where several are of one time. */
function inOrder<Id extends string>(items: Timed<Id>[]): readonly Id[] {
  items.sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
  return items.map(({ id }) => id);
}

const limit = 500;

async function* pages<T>(next: (cursor: string | undefined) => Promise<Page<T>> | Page<T>): AsyncGenerator<T> {
  let cursor: string | undefined;
  do {
    const page = await next(cursor);
    yield* page.items;
    cursor = page.cursor;
  } while (cursor !== undefined);
}

async function planIds(storage: StorageBackend): Promise<readonly PlanUUID[]> {
  const found: Timed<PlanUUID>[] = [];
  for await (const { id, createdAt } of pages((cursor) =>
    storage.listPlans({ limit, ...(cursor !== undefined && { cursor }) }),
  ))
    found.push({ id, createdAt });
  return inOrder(found);
}

async function runIds(storage: StorageBackend): Promise<readonly PlanRunUUID[]> {
  const found: Timed<PlanRunUUID>[] = [];
  for await (const { header, status } of pages((cursor) => storage.listRuns({ order: 'oldest', limit, cursor }))) {
    if (isSealedRun({ header, status })) throw sealed(storage);
    found.push({ id: header.id, createdAt: header.createdAt });
  }
  return inOrder(found);
}

async function endUserIds(storage: StorageBackend): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { externalId } of pages((cursor) => storage.listEndUsers({ limit, cursor }))) {
    // The store that opens them does not show these.
    if (isKeyRecord(externalId)) throw sealed(storage);
    found.push(externalId);
  }
  return found.sort();
}

function sealed({ name }: StorageBackend): PortiaError {
  return new PortiaError({
    code: 'CONFIG_INVALID',
    message: `${name} is encrypted, and was opened without its key: what is sealed in it could not be read again`,
    hint: 'set PORTIA_ENCRYPT_RUNS=true and PORTIA_SECRET_KEY (in code encryptRuns and secretKey), as where it is written',
    details: { setting: 'encryptRuns' },
  });
}
