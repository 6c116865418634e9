import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClarificationUUID, PlanRunUUID, PlanUUID } from './ids.ts';

const uuid = '0b6f2f0e-54b4-4c1c-9a55-6a1f6a2b9d10';

describe('ids', () => {
  it('are made at random, with the prefix of their kind', () => {
    for (const kind of [PlanUUID, PlanRunUUID, ClarificationUUID]) {
      const id = kind.random();
      expect(id.startsWith(`${kind.prefix}-`)).toBe(true);
      expect(kind.is(id)).toBe(true);
      expect(kind.random()).not.toBe(id);
    }
    expect([PlanUUID.prefix, PlanRunUUID.prefix, ClarificationUUID.prefix]).toEqual(['plan', 'prun', 'clar']);
  });

  it('are read in every form Portia reads, and normalised', () => {
    for (const form of [uuid, uuid.toUpperCase(), uuid.replaceAll('-', ''), `{${uuid}}`, `{${uuid.toUpperCase()}}`]) {
      expect(PlanUUID.fromString(`plan-${form}`)).toBe(`plan-${uuid}`);
      expect(PlanUUID.fromWire({ uuid: form })).toBe(`plan-${uuid}`);
    }
    fc.assert(
      fc.property(fc.uuid(), (text) => PlanRunUUID.fromString(`prun-${text.toUpperCase()}`) === `prun-${text}`),
    );
  });

  it('are refused with another prefix, without one, and when malformed', () => {
    for (const [text, why] of [
      [`prun-${uuid}`, 'does not begin with "plan-"'],
      [uuid, 'does not begin with "plan-"'],
      ['plan', 'not a uuid'],
      [`plan-${uuid}0`, 'not a uuid'],
      ['plan-', 'not a uuid'],
      ['nothing', 'does not begin'],
      ['plan-../../etc/passwd', 'not a uuid'],
    ] as const) {
      expect(() => PlanUUID.fromString(text)).toThrow(
        expect.objectContaining({ code: 'ID_INVALID', hint: expect.stringContaining('plan-') }),
      );
      expect(() => PlanUUID.fromString(text)).toThrow(why);
    }
  });

  it('are refused when they are no text at all', () => {
    for (const value of [5, null, undefined, {}, { uuid: 5 }, [], 1n]) {
      expect(() => PlanUUID.fromWire(value)).toThrow('it is not a string');
      expect(() => PlanUUID.fromString(value as string)).toThrow(expect.objectContaining({ code: 'ID_INVALID' }));
    }
  });

  it('are recognised only in their normal form', () => {
    expect(PlanUUID.is(`plan-${uuid}`)).toBe(true);
    for (const value of [uuid, `plan-${uuid.toUpperCase()}`, `prun-${uuid}`, 5, null])
      expect(PlanUUID.is(value)).toBe(false);
  });
});
