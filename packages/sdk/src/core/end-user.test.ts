import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EndUser, endUserFromWire, endUserToWire, mergeEndUser } from './end-user.ts';
import type { JsonObject } from './json.ts';

const fixture = JSON.parse(
  readFileSync(new URL('../../fixtures/portia-0.9/end-user.json', import.meta.url), 'utf8'),
) as JsonObject;

describe('EndUser', () => {
  it('fills in what is not given', () => {
    expect(EndUser({ externalId: 'u1' })).toEqual({
      externalId: 'u1',
      name: '',
      email: '',
      phoneNumber: '',
      additionalData: {},
    });
  });

  it('is frozen, and does not share its data with what it was made from', () => {
    const additionalData: Record<string, string> = { team: 'ops' };
    const user = EndUser({ externalId: 'u1', additionalData });
    additionalData['team'] = 'sales';
    expect(user.additionalData).toEqual({ team: 'ops' });
    expect(Object.isFrozen(user) && Object.isFrozen(user.additionalData)).toBe(true);
  });

  it('says which field is wrong', () => {
    for (const [init, what] of [
      [{ externalId: '' }, 'externalId is empty'],
      [{ externalId: 5 }, 'externalId is empty'],
      [{ externalId: 'u', email: 5 }, 'email is not a string'],
      [{ externalId: 'u', additionalData: { a: 1 } }, 'additionalData.a is neither a string nor null'],
      [{ externalId: 'u', additionalData: 'abc' }, 'additionalData is not an object'],
    ] as const) {
      expect(() => EndUser(init as unknown as { externalId: string })).toThrow(
        expect.objectContaining({ code: 'END_USER_INVALID', message: expect.stringContaining(what) }),
      );
    }
  });

  it('merges additional data key by key when it is saved', () => {
    const stored = EndUser({ externalId: 'u', name: 'Ada', additionalData: { team: 'ops', old: 'x' } });
    const saved = EndUser({ externalId: 'u', name: 'Ada L.', additionalData: { old: null, new: 'y' } });
    expect(mergeEndUser(stored, saved)).toEqual({ ...saved, additionalData: { team: 'ops', old: null, new: 'y' } });
    expect(mergeEndUser(undefined, saved)).toBe(saved);
    const both = { ...stored, email: 'ada@example.org', additionalData: { team: 'ops', old: null, new: 'y' } };
    expect(mergeEndUser(stored, EndUser({ ...saved, email: 'ada@example.org' }), ['email'])).toEqual(both);
    expect(mergeEndUser(undefined, saved, ['email'])).toBe(saved);
  });
});

describe('an end user on the wire', () => {
  it('reads and prints the document of Portia 0.9', () => {
    expect(JSON.stringify(endUserToWire(endUserFromWire(fixture)))).toBe(JSON.stringify(fixture));
  });

  it('ignores keys it does not know, and fills in missing ones', () => {
    expect(endUserFromWire({ external_id: 'u', created: 'today' })).toEqual(EndUser({ externalId: 'u' }));
  });

  it('refuses null where Portia does', () => {
    for (const key of ['name', 'email', 'phone_number', 'additional_data']) {
      expect(() => endUserFromWire({ external_id: 'u', [key]: null })).toThrow(`${key} is null`);
    }
    expect(() => endUserFromWire({})).toThrow('externalId is empty');
  });

  it('reads back as it was written', () => {
    const user = fc.record({
      externalId: fc.string({ minLength: 1 }),
      name: fc.string(),
      email: fc.string(),
      phoneNumber: fc.string(),
      additionalData: fc.dictionary(fc.string(), fc.option(fc.string()), { noNullPrototype: true }),
    });
    fc.assert(
      fc.property(user, (init) => {
        const made = EndUser(init);
        expect(endUserFromWire(JSON.parse(JSON.stringify(endUserToWire(made))))).toEqual(made);
      }),
    );
  });
});
