import { describe, expect, it } from 'vitest';
import { hashJson, hashText, idempotencyKey } from './hash.ts';

describe('hashes', () => {
  it('are SHA-256 in base64url without padding', () => {
    // The digest of the empty text, as published with the algorithm, in another alphabet.
    const published = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
    expect(Buffer.from(hashText(''), 'base64url').toString('hex')).toBe(published);
    expect(hashText('')).toMatch(/^[\w-]{43}$/);
  });

  it('of JSON are over its canonical text', () => {
    expect(hashJson({ b: 1, a: [1e21] })).toBe(hashText('{"a":[1e+21],"b":1}'));
    expect(hashJson({ a: [1e21], b: 1 })).toBe(hashJson({ b: 1, a: [1e21] }));
    expect(hashJson({ a: 1 })).not.toBe(hashJson({ a: '1' }));
  });

  it('of a call tell run and call apart', () => {
    expect(idempotencyKey('prun-1', '0.0.1')).toBe(hashText('prun-1/0.0.1'));
    expect(idempotencyKey('prun-1', '0.0.1')).not.toBe(idempotencyKey('prun-1', '0.0.2'));
    expect(idempotencyKey('prun-1', '0.0.1')).not.toBe(idempotencyKey('prun-2', '0.0.1'));
  });
});
