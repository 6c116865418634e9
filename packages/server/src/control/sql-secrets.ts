import { createHash } from 'node:crypto';
import { PortiaError, type Rotation, SecretKeys } from 'portia-ts';
import type { SecretStore } from 'portia-ts/mcp';
import type { Sql } from './sql.ts';

/** Secrets of an organisation, such as sign-ins of its end users: in the control store, sealed with the server's key. */
export class SqlSecrets {
  readonly #sql: Sql;
  readonly #secretKey: string | undefined;
  #keys: SecretKeys | undefined;

  constructor(sql: Sql, secretKey: string | undefined) {
    this.#sql = sql;
    this.#secretKey = secretKey;
  }

  /** The store of one organisation; nothing leads to that of another. Needs the key when it is first used. */
  of(organisation: string): SecretStore {
    const read = (row: Record<string, unknown>): { name: string; value: string } =>
      JSON.parse(this.#sealing().open(String(row['sealed']), contextOf(organisation, String(row['id']))));
    return {
      get: async (name) => {
        const [row] = await this.#sql.all('SELECT id, sealed FROM control.secrets WHERE organisation = ? AND id = ?', [
          organisation,
          idOf(name),
        ]);
        return row && read(row).value;
      },
      set: async (name, value) => {
        const id = idOf(name);
        const sealed = this.#sealing().seal(JSON.stringify({ name, value }), contextOf(organisation, id));
        await this.#sql.all(
          `INSERT INTO control.secrets (organisation, id, sealed) VALUES (?, ?, ?)
           ON CONFLICT (organisation, id) DO UPDATE SET sealed = excluded.sealed`,
          [organisation, id, sealed],
        );
      },
      delete: async (name) => {
        await this.#sql.all('DELETE FROM control.secrets WHERE organisation = ? AND id = ?', [
          organisation,
          idOf(name),
        ]);
      },
      list: async (prefix) => {
        const rows = await this.#sql.all('SELECT id, sealed FROM control.secrets WHERE organisation = ?', [
          organisation,
        ]);
        return rows
          .map((row) => read(row).name)
          .filter((name) => name.startsWith(prefix))
          .sort();
      },
    };
  }

  /** Seals all of them with the first key. What is written meanwhile stays as it is: it is sealed with that key already. */
  async rotate(): Promise<Rotation> {
    let rotated = 0;
    const rows = await this.#sql.all('SELECT organisation, id, sealed FROM control.secrets');
    for (const row of rows) {
      const [organisation, id, before] = [String(row['organisation']), String(row['id']), String(row['sealed'])];
      const context = contextOf(organisation, id);
      const after = this.#sealing().seal(this.#sealing().open(before, context), context);
      if (after === before) continue;
      rotated += 1;
      await this.#sql.all('UPDATE control.secrets SET sealed = ? WHERE organisation = ? AND id = ? AND sealed = ?', [
        after,
        organisation,
        id,
        before,
      ]);
    }
    return { rotated, current: rows.length - rotated, left: 0 };
  }

  #sealing(): SecretKeys {
    if (this.#secretKey === undefined) {
      throw new PortiaError({
        code: 'CONFIG_NOT_FOUND',
        message: 'sign-ins are kept sealed, and the setting secretKey is not set',
        hint: 'set PORTIA_SECRET_KEY to what `openssl rand -base64 32` prints, and keep it safe',
      });
    }
    this.#keys ??= new SecretKeys(this.#secretKey);
    return this.#keys;
  }
}

function idOf(name: string): string {
  return createHash('sha256').update(name).digest('base64url');
}

function contextOf(organisation: string, id: string): string {
  return `secret ${id} of ${organisation}`;
}
