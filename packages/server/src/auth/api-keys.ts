import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** A key as it is shown, once: `portia_<id>_<secret>`. */
export interface NewKey {
  readonly id: string;
  readonly key: string;
  /** What is stored in place of the secret. */
  readonly hash: string;
}

/** Makes a key. Its secret has 256 bits, so that a plain SHA-256 of it is enough to store. */
export function newKey(): NewKey {
  const id = randomBytes(8).toString('hex');
  const secret = randomBytes(32).toString('base64url');
  return { id, key: `portia_${id}_${secret}`, hash: hashOf(secret) };
}

/** The parts of a key; `undefined` for what cannot be one. */
export function parseKey(text: string): { readonly id: string; readonly secret: string } | undefined {
  const [, id, secret] = /^portia_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/.exec(text) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secret };
}

/** Whether a secret is the one that was hashed; takes as long for a wrong one as for a right one. */
export function fitsHash(secret: string, hash: string): boolean {
  const given = Buffer.from(hashOf(secret));
  const stored = Buffer.from(hash);
  return given.length === stored.length && timingSafeEqual(given, stored);
}

/** The key in an `Authorization` header: `Api-Key <key>` or `Bearer <key>`. */
export function keyOfHeader(header: string | null): string | undefined {
  return /^(?:Api-Key|Bearer)\s+(\S+)\s*$/i.exec(header ?? '')?.[1];
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}
