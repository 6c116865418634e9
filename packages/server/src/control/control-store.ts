import { PortiaError, type Rotation } from 'portia-ts';
import { fitsHash, newKey, parseKey } from '../auth/api-keys.ts';
import type { Scope } from '../auth/principal.ts';
import { Sealer } from './sealer.ts';
import { makeTables } from './schema.ts';
import type { Row, Sql } from './sql.ts';

/** A key without its secret. Times are epoch milliseconds. */
export interface ApiKey {
  readonly id: string;
  readonly organisation: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Whose token it is, for a token of an end user. */
  readonly endUserId: string | null;
  /** Of a token: the key it was made with, and with which it ends. */
  readonly madeWith: string | null;
  readonly createdAt: number;
  readonly expiresAt: number | null;
  readonly revokedAt: number | null;
}

/** What a key is made from. */
export interface ApiKeyInit {
  readonly organisation: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly endUserId?: string | undefined;
  /** Of a token: the id of the key it is made with. */
  readonly madeWith?: string | undefined;
  /** Epoch milliseconds; it never expires unless given. */
  readonly expiresAt?: number | undefined;
}

/** How long an answer is kept for a request that comes again, in milliseconds. */
export const keepAnswersMs: number = 24 * 3_600_000;
/** How long a token that has expired is still known, in milliseconds. */
const keepTokensMs = 30 * 24 * 3_600_000;
/** How long it is known of a message of a webhook that it was sent, or given up, in milliseconds. */
const keepMessagesMs = 7 * 24 * 3_600_000;
/** Rows of one statement: others get their turn in between. */
const mostAtOnce = 500;

/** The organisation that is always there, in the store the server is started with. */
export const defaultOrganisation = 'default';

/** Whether a text can be the name of an organisation: it becomes part of a file name, or the name of a schema. */
function isOrganisationName(name: string): boolean {
  return /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/.test(name);
}

/** What belongs to no organisation's own store: which organisations there are, and the keys to them. */
export class ControlStore {
  readonly sql: Sql;
  /** For the answers that are kept: they tell of runs, which may be encrypted. */
  readonly answers: Sealer;

  private constructor(sql: Sql, answers: Sealer) {
    this.sql = sql;
    this.answers = answers;
  }

  /** Makes the tables that are missing. */
  static async open(sql: Sql, secretKey?: string): Promise<ControlStore> {
    await makeTables(sql);
    const control = new ControlStore(sql, new Sealer(secretKey, 'answers'));
    await control.addOrganisation(defaultOrganisation);
    return control;
  }

  /** Adds an organisation; one that is there stays. @throws PortiaError `CONFIG_INVALID` for a name that cannot be one. */
  async addOrganisation(name: string): Promise<void> {
    if (!isOrganisationName(name)) {
      throw new PortiaError({
        code: 'CONFIG_INVALID',
        message: `${JSON.stringify(name)} cannot be the name of an organisation`,
        hint: 'use up to 40 small letters, digits and hyphens, beginning and ending with a letter or a digit',
      });
    }
    await this.sql.all(
      'INSERT INTO control.organisations (name, created_at) VALUES (?, ?) ON CONFLICT (name) DO NOTHING',
      [name, Date.now()],
    );
  }

  async organisations(): Promise<readonly string[]> {
    const rows = await this.sql.all('SELECT name FROM control.organisations ORDER BY created_at, name');
    return rows.map(({ name }) => String(name));
  }

  /** Makes a key; its secret is given here and never again. */
  async createKey(init: ApiKeyInit): Promise<{ readonly apiKey: ApiKey; readonly key: string }> {
    const { id, key, hash } = newKey();
    const apiKey: ApiKey = {
      id,
      organisation: init.organisation,
      name: init.name,
      scopes: init.scopes,
      endUserId: init.endUserId ?? null,
      madeWith: init.madeWith ?? null,
      createdAt: Date.now(),
      expiresAt: init.expiresAt ?? null,
      revokedAt: null,
    };
    await this.sql.all(
      `INSERT INTO control.api_keys (id, organisation, name, scopes, end_user, made_with, hash, created_at, expires_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      [
        id,
        apiKey.organisation,
        apiKey.name,
        JSON.stringify(apiKey.scopes),
        apiKey.endUserId,
        apiKey.madeWith,
        hash,
        apiKey.createdAt,
        apiKey.expiresAt,
      ],
    );
    return { apiKey, key };
  }

  /** The key that a text is, if it is one that is valid now. */
  async findKey(text: string): Promise<ApiKey | undefined> {
    const parsed = parseKey(text);
    if (!parsed) return undefined;
    const [row] = await this.sql.all('SELECT * FROM control.api_keys WHERE id = ?', [parsed.id]);
    if (!row || !fitsHash(parsed.secret, String(row['hash']))) return undefined;
    const apiKey = apiKeyOf(row);
    return (await this.#isOver(apiKey)) ? undefined : apiKey;
  }

  /** A token is over with the key it was made with: whoever has stolen that key may have made tokens for anybody. */
  async #isOver({ revokedAt, expiresAt, madeWith }: ApiKey): Promise<boolean> {
    if (revokedAt !== null || (expiresAt !== null && expiresAt <= Date.now())) return true;
    if (madeWith === null) return false;
    const [row] = await this.sql.all('SELECT * FROM control.api_keys WHERE id = ?', [madeWith]);
    return row === undefined || this.#isOver(apiKeyOf(row));
  }

  /** How many tokens of end users are valid now, by the id of the key they were made with. */
  async countTokens(organisation: string): Promise<ReadonlyMap<string, number>> {
    const rows = await this.sql.all(
      `SELECT made_with, COUNT(*) AS tokens FROM control.api_keys
       WHERE organisation = ? AND made_with IS NOT NULL AND revoked_at IS NULL AND expires_at > ? GROUP BY made_with`,
      [organisation, Date.now()],
    );
    return new Map(rows.map((row) => [String(row['made_with']), Number(row['tokens'])]));
  }

  /** Revokes all tokens of an end user, at once; gives how many there were. */
  async revokeTokensOf(organisation: string, endUserId: string): Promise<number> {
    const now = Date.now();
    const rows = await this.sql.all(
      `UPDATE control.api_keys SET revoked_at = ?
       WHERE organisation = ? AND end_user = ? AND revoked_at IS NULL AND expires_at > ? RETURNING id`,
      [now, organisation, endUserId, now],
    );
    return rows.length;
  }

  /** The keys of an organisation, oldest first, those that are over included; without the tokens of end users. */
  async listKeys(organisation: string): Promise<readonly ApiKey[]> {
    const rows = await this.sql.all(
      'SELECT * FROM control.api_keys WHERE organisation = ? AND end_user IS NULL ORDER BY created_at, id',
      [organisation],
    );
    return rows.map(apiKeyOf);
  }

  /** Revokes a key or a token, at once; one that is revoked stays so. @throws PortiaError `NOT_FOUND`. */
  async revokeKey(organisation: string, id: string): Promise<ApiKey> {
    await this.sql.all(
      'UPDATE control.api_keys SET revoked_at = ? WHERE organisation = ? AND id = ? AND revoked_at IS NULL',
      [Date.now(), organisation, id],
    );
    const [row] = await this.sql.all('SELECT * FROM control.api_keys WHERE organisation = ? AND id = ?', [
      organisation,
      id,
    ]);
    if (!row) throw new PortiaError({ code: 'NOT_FOUND', message: `there is no key ${JSON.stringify(id)}` });
    return apiKeyOf(row);
  }

  /**
   * Forgets the contents of all answers that are kept for an organisation: they may tell of somebody who was erased. What
   * was done stays done, and is not done again.
   */
  async forgetAnswers(organisation: string): Promise<void> {
    await this.sql.all('UPDATE control.idempotency SET body = NULL WHERE organisation = ? AND body IS NOT NULL', [
      organisation,
    ]);
  }

  /** Seals questions of tools, which are kept for long, with the first key. What is written meanwhile is sealed with it. */
  async rotateQuestions(): Promise<Rotation> {
    let rotated = 0;
    const rows = await this.sql.all('SELECT organisation, place, questions FROM control.tool_questions');
    for (const row of rows) {
      const before = String(row['questions']);
      if (this.answers.isCurrent(before)) continue;
      rotated += 1;
      await this.sql.all(
        'UPDATE control.tool_questions SET questions = ? WHERE organisation = ? AND place = ? AND questions = ?',
        [this.answers.seal(this.answers.open(before)), String(row['organisation']), String(row['place']), before],
      );
    }
    return { rotated, current: rows.length - rotated, left: 0 };
  }

  /**
   * Removes answers kept for a day, tokens that expired a month ago, and what is a week old of webhooks, some at a time
   * until none is left.
   */
  async forgetWhatIsOver(stop: () => boolean): Promise<void> {
    const over: readonly (readonly [statement: string, before: number])[] = [
      [
        `DELETE FROM control.idempotency WHERE (organisation, principal, idempotency_key) IN
         (SELECT organisation, principal, idempotency_key FROM control.idempotency
          WHERE created_at < ? ORDER BY created_at LIMIT ${mostAtOnce}) RETURNING created_at`,
        Date.now() - keepAnswersMs,
      ],
      [
        `DELETE FROM control.api_keys WHERE id IN (SELECT id FROM control.api_keys
          WHERE end_user IS NOT NULL AND expires_at < ? LIMIT ${mostAtOnce}) RETURNING id`,
        Date.now() - keepTokensMs,
      ],
      [
        `DELETE FROM control.deliveries WHERE id IN (SELECT id FROM control.deliveries
          WHERE next_at IS NULL AND coalesce(delivered_at, created_at) < ? LIMIT ${mostAtOnce}) RETURNING id`,
        Date.now() - keepMessagesMs,
      ],
      // Put there while their webhook was removed: nobody takes them.
      [
        `DELETE FROM control.deliveries WHERE id IN (SELECT id FROM control.deliveries
          WHERE created_at < ? AND webhook_id NOT IN (SELECT id FROM control.webhooks) LIMIT ${mostAtOnce}) RETURNING id`,
        Date.now() - keepMessagesMs,
      ],
      [
        `DELETE FROM control.webhook_places WHERE (organisation, run) IN
         (SELECT organisation, run FROM control.webhook_places WHERE at < ? LIMIT ${mostAtOnce}) RETURNING run`,
        Date.now() - keepMessagesMs,
      ],
    ];
    for (const [statement, before] of over)
      while (!stop() && (await this.sql.all(statement, [before])).length === mostAtOnce);
  }

  close(): Promise<void> {
    return this.sql.close();
  }
}

function apiKeyOf(row: Row): ApiKey {
  const time = (value: unknown): number | null => (value === null || value === undefined ? null : Number(value));
  return {
    id: String(row['id']),
    organisation: String(row['organisation']),
    name: String(row['name']),
    scopes: JSON.parse(String(row['scopes'])) as Scope[],
    endUserId: row['end_user'] === null ? null : String(row['end_user']),
    madeWith: row['made_with'] === null ? null : String(row['made_with']),
    createdAt: Number(row['created_at']),
    expiresAt: time(row['expires_at']),
    revokedAt: time(row['revoked_at']),
  };
}
