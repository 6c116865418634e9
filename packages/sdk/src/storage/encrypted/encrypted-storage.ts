import { EndUser, type EndUserField } from '../../core/end-user.ts';
import { PortiaError } from '../../core/errors.ts';
import type { Commit } from '../../core/event.ts';
import { PlanRunUUID, type PlanUUID } from '../../core/ids.ts';
import type { LocalDataValue } from '../../core/output.ts';
import type { RunHeader } from '../../core/run-state.ts';
import { SecretKeys } from '../../secrets/cipher.ts';
import type { NamedOutput } from '../house.ts';
import { frozenCopy, frozenHeader, frozenOutput, runNotFound } from '../records.ts';
import type {
  Awaitable,
  Claim,
  Command,
  DriverRecord,
  EndUserStore,
  Page,
  PlanRecord,
  RunQuery,
  RunStatus,
  RunSummary,
  RunTally,
  StorageBackend,
  StoredRun,
} from '../storage-backend.ts';
import { type ClarificationQuery, type ListedClarification, openInStored } from '../open-clarifications.ts';
import { statusWithPlan } from '../plan-now.ts';
import { UnsettledCommits } from '../unsettled.ts';
import type { Watcher } from '../watchers.ts';
import { Contents } from './contents.ts';
import { DataKeys, isKeyRecord, Sealer } from './keys.ts';

/** How {@link encryptedStorage} seals. */
export interface EncryptionOptions {
  /** 32 bytes as base64 or hexadecimal; several with commas, the first one seals. `PORTIA_SECRET_KEY`. */
  readonly secretKey: string;
  /** Where the wrapped keys of end users are kept; the store itself unless given. */
  readonly keyStore?: EndUserStore | undefined;
}

/** What an erasure did. */
export interface Erasure {
  /** How many runs can no longer be read. */
  readonly runs: number;
}

/** A store that can erase what belongs to an end user. */
export interface ErasingStorage extends StorageBackend {
  /**
   * Destroys the key of an end user, and with it all contents of their runs, and empties their record. Done again it
   * changes nothing. @throws PortiaError `RUN_STATE_INVALID` while runs of theirs are not finished.
   */
  eraseEndUser(externalId: string): Promise<Erasure>;
}

/** Whether a store can erase what belongs to an end user. */
function canErase(storage: StorageBackend): storage is ErasingStorage {
  return typeof (storage as Partial<ErasingStorage>).eraseEndUser === 'function';
}

/** How many ends users of runs are kept at hand. */
const mostKnown = 10_000;
/** After the last event there is: a run is looked at without its journal. */
const afterAll = 2_147_483_646;

/**
 * A store that seals the contents of runs with a key of their end user (AES-256-GCM), wrapped by the master key: inputs,
 * events, answers, large outputs, messages of errors, and what is kept of the end user. Ids, states, times, labels, run
 * keys, error codes and plans stay readable, so that runs can be listed and found. Over memory, SQLite, PostgreSQL and
 * CLOUD; what was stored before is read as it is. A store that is encrypted already is given back.
 *
 * @throws PortiaError `CONFIG_INVALID` for a key that is none, and for a store whose files others read.
 */
export function encryptedStorage(inner: StorageBackend, options: EncryptionOptions): ErasingStorage {
  if (canErase(inner)) return inner;
  if (inner.name.startsWith('disk:')) {
    throw new PortiaError({
      code: 'CONFIG_INVALID',
      message: 'a store on disk is also the files of Portia 0.9, which are plain text: it cannot be encrypted',
      hint: 'keep runs in SQLite or PostgreSQL; `portia-ts storage migrate` carries them over',
    });
  }
  return new EncryptedStorage(inner, options);
}

class EncryptedStorage implements ErasingStorage {
  readonly name: string;
  readonly shared: boolean;
  readonly #inner: StorageBackend;
  readonly #keys: DataKeys;
  readonly #contents: Contents;
  readonly #unsettled = new UnsettledCommits();
  /** On whose behalf runs are; a run never changes that. */
  readonly #owners = new Map<PlanRunUUID, string>();

  constructor(inner: StorageBackend, { secretKey, keyStore = inner }: EncryptionOptions) {
    this.name = `${inner.name}, encrypted`;
    this.shared = inner.shared;
    this.#inner = inner;
    this.#keys = new DataKeys(keyStore, new SecretKeys(secretKey));
    this.#contents = new Contents(new Sealer(this.#keys));
  }

  savePlan(plan: PlanRecord): Awaitable<void> {
    return this.#inner.savePlan(plan);
  }

  getPlan(id: PlanUUID): Awaitable<PlanRecord | undefined> {
    return this.#inner.getPlan(id);
  }

  listPlans(filter: {
    readonly query?: string;
    readonly limit?: number;
    readonly cursor?: string;
  }): Awaitable<Page<PlanRecord>> {
    return this.#inner.listPlans(filter);
  }

  async createRun(
    given: RunHeader,
    claim?: Claim,
  ): Promise<{ readonly header: RunHeader; readonly created: boolean; readonly driver: DriverRecord | undefined }> {
    const header = frozenHeader(given);
    const made = await this.#inner.createRun(await this.#contents.sealHeader(header), claim);
    this.#own(made.header);
    return { ...made, header: made.created ? header : await this.#contents.openHeader(made.header, true) };
  }

  async loadRun(id: PlanRunUUID, after?: number): Promise<StoredRun | undefined> {
    const run = await this.#inner.loadRun(id, after);
    return run && this.#opened(run);
  }

  async #opened(run: StoredRun): Promise<StoredRun> {
    const { id, endUserId } = run.header;
    this.#own(run.header);
    return {
      ...run,
      header: await this.#contents.openHeader(run.header),
      status: await this.#contents.openStatus(endUserId, id, run.status),
      commits: await inTurn(run.commits, (commit) => this.#contents.openCommit(endUserId, id, commit)),
      commands: await inTurn(run.commands, (command) => this.#contents.openCommand(endUserId, id, command)),
    };
  }

  async listRuns(query: RunQuery): Promise<Page<RunSummary>> {
    await this.#listEarlier();
    const page = await this.#inner.listRuns(query);
    const items = await inTurn(page.items, async (run) => ({
      ...run,
      header: await this.#contents.openHeader(run.header, true),
      status: await this.#contents.openStatus(run.header.endUserId, run.header.id, run.status, true),
    }));
    return { ...page, items };
  }

  /** Nothing of it is sealed: what it lists is found by these. Only what was stored before has to be read here. */
  async listClarifications(query: ClarificationQuery): Promise<Page<ListedClarification>> {
    await this.#listEarlier();
    return this.#inner.listClarifications(query);
  }

  /** The journals of what was stored before can be read here only. */
  async #listEarlier(): Promise<void> {
    await this.#inner.listEarlier?.((run) => this.#opened(run));
  }

  async countRuns(query: RunQuery): Promise<number> {
    await this.#listEarlier();
    return this.#inner.countRuns(query);
  }

  tallyRuns(): Awaitable<RunTally> {
    return this.#inner.tallyRuns();
  }

  claimRun(id: PlanRunUUID, claim: Claim): Awaitable<{ readonly claimed: boolean; readonly driver: DriverRecord }> {
    return this.#inner.claimRun(id, claim);
  }

  heartbeat(
    drivers: readonly { readonly id: PlanRunUUID; readonly epoch: number }[],
    expiresAt: number,
  ): Awaitable<void> {
    return this.#inner.heartbeat(drivers, expiresAt);
  }

  releaseRun(id: PlanRunUUID, epoch: number): Awaitable<void> {
    return this.#inner.releaseRun(id, epoch);
  }

  async append(
    id: PlanRunUUID,
    epoch: number,
    commit: Commit,
    status?: RunStatus,
    release?: boolean,
  ): Promise<boolean> {
    const given = { seq: commit.seq, at: commit.at, events: commit.events };
    const changed = status && frozenCopy(status, 'the status');
    const owner = await this.#ownerOf(id);
    if (owner === undefined) return false;
    const sealed = changed && (await this.#contents.sealStatus(owner, id, changed));
    // What is unsettled is kept before it is sealed: only then can it be told from what happened since.
    return this.#unsettled.settle(id, epoch, given, async (one) =>
      this.#inner.append(id, epoch, await this.#contents.sealCommit(owner, id, one), sealed, release),
    );
  }

  async putCommand(id: PlanRunUUID, given: Command): Promise<Command> {
    const command = frozenCopy(given, 'the command');
    const owner = await this.#ownerOf(id);
    if (owner === undefined) throw runNotFound(id, this.name);
    const standing = await this.#inner.putCommand(id, await this.#contents.sealCommand(owner, id, command));
    return this.#contents.openCommand(owner, id, standing);
  }

  async pollCommands(
    ids: readonly PlanRunUUID[],
    after: string | undefined,
  ): Promise<{
    readonly commands: readonly { readonly id: PlanRunUUID; readonly command: Command }[];
    readonly mark: string;
  }> {
    const { commands, mark } = await this.#inner.pollCommands(ids, after);
    const opened = await inTurn(commands, async ({ id, command }) => {
      const owner = (await this.#ownerOf(id)) ?? '';
      return { id, command: await this.#contents.openCommand(owner, id, command) };
    });
    return { commands: opened, mark };
  }

  async saveOutput(id: PlanRunUUID, name: string, output: LocalDataValue): Promise<void> {
    const given = frozenOutput(output);
    const owner = await this.#ownerOf(id);
    if (owner === undefined) throw runNotFound(id, this.name);
    await this.#inner.saveOutput(id, name, await this.#contents.sealOutput(owner, id, name, given));
  }

  async getOutput(id: PlanRunUUID, name: string): Promise<LocalDataValue | undefined> {
    const output = await this.#inner.getOutput(id, name);
    return output && this.#contents.openOutput((await this.#ownerOf(id)) ?? '', id, name, output);
  }

  listOutputs(id: PlanRunUUID): Awaitable<readonly string[]> {
    return this.#inner.listOutputs(id);
  }

  async saveEndUser(user: EndUser, only?: readonly EndUserField[]): Promise<EndUser> {
    const sealed = await this.#contents.sealEndUser(EndUser(user));
    return this.#contents.openEndUser(await this.#inner.saveEndUser(sealed, only));
  }

  async getEndUser(externalId: string): Promise<EndUser | undefined> {
    const user = isKeyRecord(externalId) ? undefined : await this.#inner.getEndUser(externalId);
    return user && this.#contents.openEndUser(user);
  }

  async listEndUsers(page: {
    readonly limit?: number | undefined;
    readonly cursor?: string | undefined;
  }): Promise<Page<EndUser>> {
    const found = await this.#inner.listEndUsers(page);
    const people = found.items.filter(({ externalId }) => !isKeyRecord(externalId));
    return { ...found, items: await inTurn(people, (user) => this.#contents.openEndUser(user)) };
  }

  async importRun(run: StoredRun, outputs: readonly NamedOutput[]): Promise<boolean> {
    const header = frozenHeader(run.header);
    const { id, endUserId } = header;
    const contents = this.#contents;
    const sealed: StoredRun = {
      ...run,
      header: await contents.sealHeader(header),
      status: {
        ...(await contents.sealStatus(endUserId, id, frozenCopy(statusWithPlan(run), 'the status'))),
        asks: openInStored(run),
      },
      commits: await inTurn(run.commits, (commit) => contents.sealCommit(endUserId, id, commit)),
      commands: await inTurn(run.commands, (command) => contents.sealCommand(endUserId, id, command)),
    };
    const sealedOutputs = await inTurn(outputs, async ({ name, output }) => ({
      name,
      output: await contents.sealOutput(endUserId, id, name, frozenOutput(output)),
    }));
    return this.#inner.importRun(sealed, sealedOutputs);
  }

  removeRuns(ids: readonly PlanRunUUID[], before: number): Awaitable<number> {
    return this.#inner.removeRuns(ids, before);
  }

  async eraseEndUser(externalId: string): Promise<Erasure> {
    const open = await this.#inner.listRuns({
      endUserId: externalId,
      states: ['NOT_STARTED', 'IN_PROGRESS', 'NEED_CLARIFICATION', 'READY_TO_RESUME'],
      limit: 10,
    });
    if (open.items.length > 0) throw unfinished(externalId, open.items);
    await this.#keys.destroy(externalId);
    // What is left of the record could be opened no more; names of additional data stay, without values.
    const user = await this.#inner.getEndUser(externalId);
    if (user) {
      const additionalData = Object.fromEntries(Object.keys(user.additionalData).map((key) => [key, null]));
      await this.#inner.saveEndUser(EndUser({ externalId, additionalData }));
    }
    let runs = 0;
    let cursor: string | undefined;
    do {
      const page = await this.#inner.listRuns({ endUserId: externalId, limit: 1000, cursor });
      runs += page.items.length;
      cursor = page.cursor;
    } while (cursor !== undefined);
    return { runs };
  }

  #own({ id, endUserId }: RunHeader): void {
    if (this.#owners.size >= mostKnown) this.#owners.clear();
    this.#owners.set(id, endUserId);
  }

  async #ownerOf(id: PlanRunUUID): Promise<string | undefined> {
    const known = this.#owners.get(id);
    if (known !== undefined) return known;
    const run = PlanRunUUID.is(id) ? await this.#inner.loadRun(id, afterAll) : undefined;
    if (run) this.#own(run.header);
    return run?.header.endUserId;
  }

  watch(listener: Watcher): () => void {
    return this.#inner.watch(listener);
  }

  close(): Awaitable<void> {
    return this.#inner.close();
  }
}

/** One after the other: the first one fetches the key, the others find it. */
async function inTurn<T, R>(items: readonly T[], map: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const item of items) results.push(await map(item));
  return results;
}

function unfinished(externalId: string, runs: readonly RunSummary[]): PortiaError {
  const ids = runs.map(({ header }) => header.id);
  return new PortiaError({
    code: 'RUN_STATE_INVALID',
    message: `${JSON.stringify(externalId)} has runs that are not finished: ${ids.join(', ')}`,
    hint: 'let them end, or cancel them, and erase again',
    details: { runs: ids },
  });
}
