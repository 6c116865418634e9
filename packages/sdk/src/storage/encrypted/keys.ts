import { EndUser } from '../../core/end-user.ts';
import { PortiaError } from '../../core/errors.ts';
import { hashText } from '../../core/hash.ts';
import { Cipher, newKey, type SecretKeys } from '../../secrets/cipher.ts';
import type { EndUserStore } from '../storage-backend.ts';

/** What the records that hold keys are called among the end users of a store. */
const keyPrefix = 'portia:key:';
/** How long a key is kept in memory; an erasure by another process counts from then on. Milliseconds. */
const keepMs = 60_000;
const mostKept = 10_000;

/** Whether a record among the end users holds keys, and is nobody's own. */
export function isKeyRecord(externalId: string): boolean {
  return externalId.startsWith(keyPrefix);
}

interface Known {
  readonly ciphers: ReadonlyMap<string, Cipher>;
  /** Ids of keys that were destroyed. */
  readonly destroyed: ReadonlySet<string>;
  readonly until: number;
}

/**
 * The data keys of end users. Each stands, wrapped by the master key, in a record of its own; saves of such a record
 * merge, so two processes that make the first key of somebody at once end with two keys, and both are good.
 */
export class DataKeys {
  readonly #store: EndUserStore;
  readonly #secretKeys: SecretKeys;
  readonly #known = new Map<string, Known>();

  constructor(store: EndUserStore, secretKeys: SecretKeys) {
    this.#store = store;
    this.#secretKeys = secretKeys;
  }

  /** A key to seal with; made now when there is none. */
  async sealing(endUserId: string): Promise<Cipher> {
    const [cipher] = (await this.#load(endUserId)).ciphers.values();
    return cipher ?? this.#make(endUserId);
  }

  /** The key with this id; `destroyed` when there was one. */
  async opening(endUserId: string, keyId: string): Promise<Cipher | 'destroyed' | undefined> {
    for (const fresh of [false, true]) {
      const { ciphers, destroyed } = await this.#load(endUserId, fresh);
      const cipher = ciphers.get(keyId);
      if (cipher) return cipher;
      if (destroyed.has(keyId)) return 'destroyed';
    }
    return undefined;
  }

  /** Destroys all keys of an end user. Gives how many there were. */
  async destroy(endUserId: string): Promise<number> {
    const record = await this.#store.getEndUser(recordId(endUserId));
    const ids = wrappedIn(record).flatMap(([id, wrapped]) => (wrapped === null ? [] : [id]));
    this.#known.delete(endUserId);
    if (ids.length === 0) return 0;
    // The mark stays whoever writes the key again, such as a rotation that had read it before.
    const nothing = Object.fromEntries(ids.flatMap((id) => [[id, null] as const, [goneMark(id), 'yes'] as const]));
    await this.#store.saveEndUser(EndUser({ externalId: recordId(endUserId), additionalData: nothing }));
    return ids.length;
  }

  async #make(endUserId: string): Promise<Cipher> {
    const key = newKey();
    const cipher = new Cipher(key);
    const wrapped = this.#secretKeys.seal(Buffer.from(key).toString('base64url'), contextOf(endUserId));
    const record = EndUser({ externalId: recordId(endUserId), additionalData: { [cipher.id]: wrapped } });
    this.#keep(endUserId, await this.#store.saveEndUser(record));
    return cipher;
  }

  async #load(endUserId: string, fresh = false): Promise<Known> {
    const known = this.#known.get(endUserId);
    if (known && !fresh && known.until > Date.now()) return known;
    return this.#keep(endUserId, await this.#store.getEndUser(recordId(endUserId)));
  }

  #keep(endUserId: string, record: EndUser | undefined): Known {
    const ciphers = new Map<string, Cipher>();
    const destroyed = new Set<string>();
    for (const [id, wrapped] of wrappedIn(record)) {
      if (wrapped === null) destroyed.add(id);
      else ciphers.set(id, new Cipher(Buffer.from(this.#secretKeys.open(wrapped, contextOf(endUserId)), 'base64url')));
    }
    const known = { ciphers, destroyed, until: Date.now() + keepMs };
    if (this.#known.size >= mostKept) this.#known.clear();
    this.#known.set(endUserId, known);
    return known;
  }
}

const goneMark = (id: string): string => `gone:${id}`;

/** The keys of a record as they are sealed; `null` for those that were destroyed. */
function wrappedIn(record: EndUser | undefined): readonly (readonly [id: string, wrapped: string | null])[] {
  const data = record?.additionalData ?? {};
  return Object.entries(data)
    .filter(([id]) => !id.startsWith('gone:'))
    .map(([id, wrapped]) => [id, goneMark(id) in data ? null : wrapped]);
}

/** Seals the keys of an end user with the first master key; `undefined` when there are none. */
export async function rewrapKeys(
  store: EndUserStore,
  secretKeys: SecretKeys,
  endUserId: string,
): Promise<{ readonly rotated: number; readonly current: number } | undefined> {
  const externalId = recordId(endUserId);
  const record = await store.getEndUser(externalId);
  if (!record) return undefined;
  const changed: Record<string, string> = {};
  let current = 0;
  for (const [id, wrapped] of wrappedIn(record)) {
    if (wrapped === null) continue;
    const again = secretKeys.seal(secretKeys.open(wrapped, contextOf(endUserId)), contextOf(endUserId));
    if (again === wrapped) current += 1;
    else changed[id] = again;
  }
  const rotated = Object.keys(changed).length;
  if (rotated === 0) return { rotated, current };
  const saved = await store.saveEndUser(EndUser({ externalId, additionalData: changed }));
  // What was destroyed at this moment is destroyed again.
  const gone = Object.keys(changed).filter((id) => goneMark(id) in saved.additionalData);
  if (gone.length > 0)
    await store.saveEndUser(EndUser({ externalId, additionalData: Object.fromEntries(gone.map((id) => [id, null])) }));
  return { rotated: rotated - gone.length, current };
}

/** The id of an end user is not in that of the record. */
function recordId(endUserId: string): string {
  return `${keyPrefix}${hashText(endUserId)}`;
}

function contextOf(endUserId: string): string {
  return `the key of end user ${JSON.stringify(endUserId)}`;
}

const marker = 'portia:sealed:1:';

/** Whether a text is sealed. */
export function isSealed(text: unknown): text is string {
  return typeof text === 'string' && text.startsWith(marker);
}

/** Seals and opens the contents of end users. */
export class Sealer {
  readonly #keys: DataKeys;

  constructor(keys: DataKeys) {
    this.#keys = keys;
  }

  /** Seals texts of one end user; each with what it is. */
  async seal(endUserId: string): Promise<(text: string, what: string) => string> {
    const cipher = await this.#keys.sealing(endUserId);
    return (text, what) => `${marker}${cipher.id}.${cipher.seal(text, what)}`;
  }

  /**
   * The text that was sealed; a text that never was is given back as it is.
   * @throws PortiaError `CONTENT_ERASED` when its key was destroyed, `STORAGE_CORRUPT` when it cannot be opened.
   */
  async open(endUserId: string, sealed: string, what: string): Promise<string> {
    if (!isSealed(sealed)) return sealed;
    const [keyId = '', body = ''] = sealed.slice(marker.length).split('.');
    const cipher = await this.#keys.opening(endUserId, keyId);
    if (cipher === 'destroyed') throw erased(what);
    const text = cipher?.open(body, what);
    if (text !== undefined) return text;
    throw new PortiaError({
      code: 'STORAGE_CORRUPT',
      message: `${what} cannot be opened: ${cipher ? 'it was changed since it was sealed' : 'its key is not in this store'}`,
      hint: cipher ? 'restore it from a copy' : 'restore the end users that belong to this store, keys included',
    });
  }
}

function erased(what: string): PortiaError {
  return new PortiaError({
    code: 'CONTENT_ERASED',
    message: `${what} was erased on behalf of its end user`,
    hint: 'it cannot be brought back; what stays of it is in lists of runs',
  });
}
