import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PortiaError } from '../core/errors.ts';
import { testSecretStore } from '../testing/secret-store-contract.ts';
import { fileSecretStore } from './file-secret-store.ts';
import { memorySecretStore } from './secret-store.ts';
import { sqliteSecretStore } from './sqlite-secret-store.ts';

const key = randomBytes(32).toString('base64');
const temporary = (): string => mkdtempSync(join(tmpdir(), 'portia-secrets-'));

const test = { describe, it: (name: string, body: () => Promise<void>) => it(name, body), expect };
testSecretStore({ name: 'memory', open: async () => ({ store: memorySecretStore(), close: () => {} }) }, test);
testSecretStore(
  {
    name: 'file',
    async open() {
      const dir = temporary();
      const reopen = async (): Promise<ReturnType<typeof fileSecretStore>> => fileSecretStore({ dir, key });
      return { store: await reopen(), reopen, close: () => rmSync(dir, { recursive: true }) };
    },
  },
  test,
);
testSecretStore(
  {
    name: 'SQLite',
    async open() {
      const dir = temporary();
      const reopen = (): ReturnType<typeof sqliteSecretStore> => sqliteSecretStore({ path: join(dir, 's.db'), key });
      return { store: await reopen(), reopen, close: () => rmSync(dir, { recursive: true }) };
    },
  },
  test,
);

function codeOf(action: () => unknown): unknown {
  try {
    return action();
  } catch (error) {
    return PortiaError.isInstance(error) ? error.code : error;
  }
}

describe('the key of a store', () => {
  it('comes from the environment, and has to be there', async () => {
    expect(codeOf(() => fileSecretStore({ dir: 'nowhere', env: {} }))).toBe('CONFIG_NOT_FOUND');
    expect(codeOf(() => fileSecretStore({ dir: 'nowhere', key: 'c2hvcnQ=' }))).toBe('CONFIG_INVALID');
    const dir = temporary();
    try {
      await fileSecretStore({ dir, env: { PORTIA_SECRET_KEY: key } }).set('a', '1');
      expect(await fileSecretStore({ dir, key }).get('a')).toBe('1');
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

describe('a folder of secrets', () => {
  it('shows neither names nor values, is for its owner only, and does not take one file for another', async () => {
    const dir = join(temporary(), 'secrets');
    try {
      const store = fileSecretStore({ dir, key });
      await store.set('user/ada-lovelace', 'token_of_ada');
      await store.set('user/bob-the-builder', 'token_of_bob');
      const files = readdirSync(dir).map((name) => join(dir, name));
      const all = files.map((file) => `${file}${readFileSync(file, 'utf8')}`).join();
      // Long enough not to stand in a text of random letters by chance.
      expect(all).not.toMatch(/lovelace|the-builder|token_of/);
      expect(statSync(dir).mode & 0o077).toBe(0);
      expect(statSync(files[0] as string).mode & 0o077).toBe(0);
      renameSync(files[0] as string, files[1] as string);
      await expect(store.list('')).rejects.toMatchObject({ code: 'STORAGE_CORRUPT' });
    } finally {
      rmSync(join(dir, '..'), { recursive: true });
    }
  });
});

describe('a new key', () => {
  const next = randomBytes(32).toString('base64');
  it.each([
    ['a folder', async (dir: string, given: string) => fileSecretStore({ dir, key: given })],
    ['a SQLite file', async (dir: string, given: string) => sqliteSecretStore({ path: join(dir, 's.db'), key: given })],
  ] as const)('seals anew what the old one sealed in %s, so that the old one can go', async (_what, open) => {
    const dir = temporary();
    try {
      const old = await open(dir, key);
      for (const name of ['a', 'b', 'c']) await old.set(name, name);
      const both = await open(dir, `${next},${key}`);
      await both.set('c', 'new');
      expect(await both.rotate?.()).toBe(2);
      expect(await both.rotate?.()).toBe(0);
      const only = await open(dir, next);
      expect([await only.get('a'), await only.get('b'), await only.get('c')]).toEqual(['a', 'b', 'new']);
      await expect(old.get('a')).rejects.toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
      for (const store of [old, both, only]) await store.close?.();
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
