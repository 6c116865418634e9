import { PortiaError } from './errors.ts';

/** A plan's id on the wire: `plan-<uuid>`. */
export type PlanUUID = `plan-${string}`;
/** A run's id on the wire: `prun-<uuid>`. */
export type PlanRunUUID = `prun-${string}`;
/** A clarification's id on the wire: `clar-<uuid>`. */
export type ClarificationUUID = `clar-${string}`;

interface IdKind<Id extends string> {
  readonly prefix: string;
  /** A fresh random id (UUID version 4). */
  random(): Id;
  /**
   * Reads an id as Portia 0.9 does: upper case, braces and missing hyphens are accepted and normalised.
   * @throws PortiaError `ID_INVALID` for another prefix, a bare uuid or a malformed one.
   */
  fromString(text: string): Id;
  /**
   * Reads an id from a JSON document: the string form, or `{ "uuid": "<uuid>" }`.
   * @throws PortiaError `ID_INVALID` for anything else.
   */
  fromWire(value: unknown): Id;
  /** Whether a value is an id of this kind in its normal form. */
  is(value: unknown): value is Id;
}

const normalForm = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

function idKind<Id extends string>(prefix: string, example: string): IdKind<Id> {
  const invalid = (text: unknown, why: string): PortiaError =>
    new PortiaError({
      code: 'ID_INVALID',
      message: `${typeof text === 'string' ? JSON.stringify(text) : `a value of type ${typeof text}`} is not a ${prefix} id: ${why}`,
      hint: `give an id such as ${prefix}-${example}`,
    });
  const isNormal = (value: unknown): value is Id =>
    typeof value === 'string' && value.startsWith(`${prefix}-`) && normalForm.test(value.slice(prefix.length + 1));
  const read = (text: unknown): Id => {
    if (isNormal(text)) return text;
    if (typeof text !== 'string') throw invalid(text, 'it is not a string');
    const hyphen = text.indexOf('-');
    const found = hyphen < 0 ? text : text.slice(0, hyphen);
    if (found !== prefix) throw invalid(text, `it does not begin with "${prefix}-"`);
    const hex = text
      .slice(hyphen + 1)
      .replace(/^\{(.*)\}$/, '$1')
      .replaceAll('-', '')
      .toLowerCase();
    if (!/^[0-9a-f]{32}$/.test(hex)) throw invalid(text, 'what follows the prefix is not a uuid');
    return `${prefix}-${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}` as Id;
  };
  return {
    prefix,
    random: () => `${prefix}-${globalThis.crypto.randomUUID()}` as Id,
    fromString: read,
    fromWire(value) {
      const bare = typeof value === 'object' && value !== null && 'uuid' in value ? value.uuid : undefined;
      return read(typeof bare === 'string' ? `${prefix}-${bare}` : value);
    },
    is: isNormal,
  };
}

/** Makes and reads plan ids. */
export const PlanUUID: IdKind<PlanUUID> = idKind('plan', '0b6f2f0e-54b4-4c1c-9a55-6a1f6a2b9d10');
/** Makes and reads run ids. */
export const PlanRunUUID: IdKind<PlanRunUUID> = idKind('prun', '7d7b7a52-1d2e-4a35-9f56-2f4cdb0c9b01');
/** Makes and reads clarification ids. */
export const ClarificationUUID: IdKind<ClarificationUUID> = idKind('clar', '3a6f0d8e-6f0c-4b39-8a0d-3b1c52d6d111');

/** An id made from a SHA-256 hash (base64url): always the same for the same hash. A UUID of version 8 (RFC 9562). */
export function uuidFromHash<Id extends string>(kind: IdKind<Id>, hash: string): Id {
  const bytes = Buffer.from(hash, 'base64url').subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return kind.fromString(`${kind.prefix}-${bytes.toString('hex')}`);
}
