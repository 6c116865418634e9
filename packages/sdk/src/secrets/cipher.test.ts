import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Cipher, newKey, SecretKeys } from './cipher.ts';

describe('a cipher', () => {
  it('opens what it sealed, in that context only, and nothing that was changed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), fc.nat(), (text, context, place) => {
        const cipher = new Cipher(newKey());
        const sealed = cipher.seal(text, context);
        expect(cipher.open(sealed, context)).toBe(text.toWellFormed());
        expect(cipher.seal(text, context)).toBe(sealed);
        expect(cipher.open(sealed, `${context}x`)).toBe(undefined);
        expect(new Cipher(newKey()).open(sealed, context)).toBe(undefined);
        const at = place % sealed.length;
        const bytes = Buffer.from(sealed, 'base64url');
        bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ 1;
        expect(cipher.open(bytes.toString('base64url'), context)).toBe(undefined);
        expect(cipher.open(sealed.slice(0, at), context)).toBe(undefined);
      }),
      { numRuns: 200 },
    );
  });

  it('shows neither that two texts are the same, nor that two places hold the same', () => {
    const cipher = new Cipher(newKey());
    const sealed = [
      cipher.seal('a', 'x'),
      cipher.seal('b', 'x'),
      cipher.seal('a', 'y'),
      new Cipher(newKey()).seal('a', 'x'),
    ];
    expect(new Set(sealed).size).toBe(4);
    expect(new Set(sealed.map((text) => text.slice(0, 16))).size).toBe(4);
  });
});

describe('secret keys', () => {
  const [first, second] = [Buffer.from(newKey()), Buffer.from(newKey())];

  it('are read from base64, base64url and hexadecimal', () => {
    const sealed = new SecretKeys(first.toString('base64')).seal('secret', 'it');
    for (const text of [first.toString('hex'), first.toString('base64url'), ` ${first.toString('base64')} `])
      expect(new SecretKeys(text).open(sealed, 'it')).toBe('secret');
  });

  it('can be replaced: the new one seals, the old one still opens', () => {
    const old = new SecretKeys(first.toString('base64')).seal('secret', 'it');
    const both = new SecretKeys(`${second.toString('base64')},${first.toString('base64')}`);
    expect(both.open(old, 'it')).toBe('secret');
    expect(new SecretKeys(second.toString('hex')).open(both.seal('secret', 'it'), 'it')).toBe('secret');
    expect(() => new SecretKeys(second.toString('hex')).open(old, 'it')).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    );
    expect(() => both.open(`${old.slice(0, -3)}AAA`, 'it')).toThrow(
      expect.objectContaining({ code: 'STORAGE_CORRUPT' }),
    );
  });

  it.each(['', 'hunter2', 'hunter2'.repeat(9), `${'é'.repeat(43)}=`, `${Buffer.from(newKey()).toString('hex')},`])(
    'are no secrets if they are %j, and the error does not show it',
    (text) => {
      let error: unknown;
      try {
        new SecretKeys(text);
      } catch (thrown) {
        error = thrown;
      }
      expect(error).toMatchObject({ code: 'CONFIG_INVALID', hint: expect.stringContaining('openssl') });
      if (text) expect(String(error)).not.toContain('hunter2');
    },
  );
});
