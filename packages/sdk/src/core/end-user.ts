import { PortiaError } from './errors.ts';
import { isPlainObject, type JsonObject } from './json.ts';

/** On whose behalf a run happens. */
export interface EndUser {
  /** Your own id for this person. */
  readonly externalId: string;
  readonly name: string;
  readonly email: string;
  readonly phoneNumber: string;
  /** Anything else you keep; `null` marks a key as removed, since saves merge. */
  readonly additionalData: Readonly<Record<string, string | null>>;
}

/** The end user of runs that name none. */
export const defaultEndUserId = 'portia:default_user';

/** An end user with empty fields filled in. @throws PortiaError `END_USER_INVALID` naming the field. */
export function EndUser(init: { readonly externalId: string } & Partial<EndUser>): EndUser {
  const field = (key: 'name' | 'email' | 'phoneNumber'): string => {
    const value = init[key] ?? '';
    if (typeof value !== 'string') throw invalid(`${key} is not a string`);
    return value;
  };
  if (typeof init.externalId !== 'string' || init.externalId === '') throw invalid('externalId is empty');
  if (init.additionalData !== undefined && !isPlainObject(init.additionalData))
    throw invalid('additionalData is not an object');
  const additionalData = { ...init.additionalData };
  for (const [key, value] of Object.entries(additionalData)) {
    if (value !== null && typeof value !== 'string')
      throw invalid(`additionalData.${key} is neither a string nor null`);
  }
  return Object.freeze({
    externalId: init.externalId,
    name: field('name'),
    email: field('email'),
    phoneNumber: field('phoneNumber'),
    additionalData: Object.freeze(additionalData),
  });
}

/** A field of an end user that a save replaces as a whole. */
export type EndUserField = 'name' | 'email' | 'phoneNumber';

/** All fields that a save replaces as a whole. */
export const endUserFields: readonly EndUserField[] = ['name', 'email', 'phoneNumber'];

/**
 * What a save stores: the new fields, or `only` these of them, with `additionalData` merged key by key over what was there.
 */
export function mergeEndUser(
  stored: EndUser | undefined,
  saved: EndUser,
  only: readonly EndUserField[] = endUserFields,
): EndUser {
  if (!stored) return saved;
  const changed = Object.fromEntries(only.map((field) => [field, saved[field]]));
  const additionalData = { ...stored.additionalData, ...saved.additionalData };
  return EndUser({ ...stored, ...changed, additionalData });
}

/** The wire form of Portia 0.9. */
export function endUserToWire(user: EndUser): JsonObject {
  return {
    external_id: user.externalId,
    name: user.name,
    email: user.email,
    phone_number: user.phoneNumber,
    additional_data: user.additionalData,
  };
}

/** Reads the wire form; unknown keys are ignored. @throws PortiaError `END_USER_INVALID` naming the field. */
export function endUserFromWire(wire: JsonObject): EndUser {
  for (const key of ['name', 'email', 'phone_number', 'additional_data']) {
    if (wire[key] === null) throw invalid(`${key} is null`);
  }
  return EndUser({
    externalId: wire['external_id'],
    name: wire['name'],
    email: wire['email'],
    phoneNumber: wire['phone_number'],
    additionalData: wire['additional_data'],
  } as { externalId: string } & Partial<EndUser>);
}

function invalid(what: string): PortiaError {
  return new PortiaError({ code: 'END_USER_INVALID', message: `an end user cannot be read: ${what}` });
}
