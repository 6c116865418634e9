import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { PortiaError } from '../../core/errors.ts';

/** A value as it is handed to PostgreSQL; lists are arrays of one type. */
export type SqlValue = string | number | null | readonly string[] | readonly number[];

/** A statement, as `pg` takes it. */
export interface PgQuery {
  /** Statements with a name are parsed and planned once for each connection. */
  readonly name?: string;
  readonly text: string;
  readonly values: unknown[];
  readonly types: { getTypeParser(oid: number): (text: string) => unknown };
}

/** What is used of a client of `pg`. */
export interface PgClient {
  query(query: PgQuery): Promise<{ rows: unknown[]; rowCount: number | null }>;
  release(broken?: boolean): void;
}

/** What is used of a `Pool` of `pg`: one of the host program fits. */
export interface PgPool {
  query(query: PgQuery): Promise<{ rows: unknown[]; rowCount: number | null }>;
  connect(): Promise<PgClient>;
  end(): Promise<void>;
}

const numbers: ReadonlySet<number> = new Set([20, 21, 23]);
/** Times and sequence numbers are whole numbers far below 2^53; `pg` would give them as text. */
const types: PgQuery['types'] = {
  getTypeParser: (oid) => (text) => (numbers.has(oid) ? Number(text) : text),
};

const reconnectMs = { first: 50, most: 1_000 } as const;

/** A database, reached through a pool: errors in our words, and patience while it is restarted. */
export class Database {
  /** For people: host, database and schema; never a user or a password. */
  readonly name: string;
  /** The schema, quoted, to stand before names of tables. */
  readonly schema: string;
  readonly pool: PgPool;
  readonly #patienceMs: number;
  readonly #prepare: boolean;
  readonly #names = new Map<string, string>();
  #open = true;

  constructor(init: {
    readonly name: string;
    readonly schema: string;
    readonly pool: PgPool;
    readonly patienceMs: number;
    readonly prepare: boolean;
  }) {
    this.name = init.name;
    this.schema = `"${init.schema}"`;
    this.pool = init.pool;
    this.#patienceMs = init.patienceMs;
    this.#prepare = init.prepare;
  }

  /** The rows of one statement. It may be done twice when the connection is lost under it. */
  rows<Row>(text: string, values: readonly SqlValue[] = []): Promise<readonly Row[]> {
    return this.patiently(() => this.once<Row>(text, values));
  }

  /** The rows of one statement that is not tried again. */
  async once<Row>(text: string, values: readonly SqlValue[] = []): Promise<readonly Row[]> {
    if (!this.#open) throw this.failed(new Error('it was closed'));
    const { rows } = await this.pool.query(query(text, values));
    return rows as Row[];
  }

  /** The same for a statement that is asked often: its text may only come from a small set. */
  async often<Row>(text: string, values: readonly SqlValue[]): Promise<readonly Row[]> {
    if (!this.#prepare) return this.once(text, values);
    if (!this.#open) throw this.failed(new Error('it was closed'));
    const { rows } = await this.pool.query({ name: this.#nameOf(text), ...query(text, values) });
    return rows as Row[];
  }

  #nameOf(text: string): string {
    let name = this.#names.get(text);
    if (name === undefined) {
      name = `portia_${createHash('sha256').update(text).digest('hex').slice(0, 32)}`;
      this.#names.set(text, name);
    }
    return name;
  }

  /** Several statements as one, on one connection. Done again from the beginning when the connection is lost. */
  transaction<T>(work: (ask: Ask) => Promise<T>): Promise<T> {
    return this.patiently(async () => {
      if (!this.#open) throw this.failed(new Error('it was closed'));
      const client = await this.pool.connect();
      const ask: Ask = async (text, values = []) => (await client.query(query(text, values))).rows as never;
      let broken = true;
      try {
        await ask('BEGIN');
        const result = await work(ask);
        await ask('COMMIT');
        broken = false;
        return result;
      } catch (error) {
        broken =
          isGone(error) ||
          (await ask('ROLLBACK').then(
            () => false,
            () => true,
          ));
        throw error;
      } finally {
        client.release(broken);
      }
    });
  }

  /**
   * Does something again, for as long as the patience lasts, while the database cannot be reached or asks to be asked
   * again. `again`: an earlier attempt may have been carried out, although nobody heard of it.
   * @throws PortiaError `STORAGE_FAILED`.
   */
  async patiently<T>(attempt: (again: boolean) => Promise<T>): Promise<T> {
    const deadline = Date.now() + this.#patienceMs;
    let wait: number = reconnectMs.first;
    for (let again = false; ; again = true) {
      try {
        return await attempt(again);
      } catch (error) {
        if (!(isGone(error) || isCollision(error)) || !this.#open || Date.now() + wait > deadline)
          throw this.failed(error);
        await sleep(wait * (0.5 + Math.random() / 2));
        wait = Math.min(reconnectMs.most, wait * 2);
      }
    }
  }

  /** Nothing is asked any more. */
  close(): void {
    this.#open = false;
  }

  failed(error: unknown): PortiaError {
    if (PortiaError.isInstance(error)) return error;
    const { message } = error as Error;
    return new PortiaError({
      code: 'STORAGE_FAILED',
      message: `the PostgreSQL database ${this.name} did not do what was asked: ${message || codeOf(error)}`,
      hint: hintFor(error),
      cause: plain(error),
    });
  }
}

/** What `pg` throws may carry the client, and with it the password. */
function plain(error: unknown): Error {
  const { message, code } = error as { readonly message: string; readonly code?: string };
  return Object.assign(new Error(message), code === undefined ? {} : { code });
}

/** Asks one statement within a transaction. */
export type Ask = <Row>(text: string, values?: readonly SqlValue[]) => Promise<readonly Row[]>;

function query(text: string, values: readonly SqlValue[]): PgQuery {
  return { text, values: [...values], types };
}

function codeOf(error: unknown): string {
  return String((error as { readonly code?: unknown } | undefined)?.code ?? '');
}

const network = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);
/** Shut down by an administrator, crashed, starting up; too many connections. */
const away = new Set(['57P01', '57P02', '57P03', '53300']);

/** Whether the connection was lost, or could not be made: what was asked last may have been done, or not. */
function isGone(error: unknown): boolean {
  const code = codeOf(error);
  if (network.has(code) || away.has(code) || code.startsWith('08')) return true;
  const { message = '' } = (error ?? {}) as { readonly message?: string };
  return /connection (terminated|timeout|error|ended)|timeout exceeded when trying to connect|query read timeout|not queryable/i.test(
    message,
  );
}

/** Whether PostgreSQL undid a statement in favour of another one. */
function isCollision(error: unknown): boolean {
  const code = codeOf(error);
  return code === '40001' || code === '40P01';
}

function hintFor(error: unknown): string {
  const code = codeOf(error);
  if (code === '28P01' || code === '28000') return 'check the user and the password of the address';
  if (code === '3D000') return 'create the database first, or check its name';
  if (code === '42501') return 'the user needs the right to create a schema, or a schema that exists and that it owns';
  if (code === '53100') return 'make room on the disk of the database';
  if (isGone(error)) return 'check that the server runs and can be reached; what was not written is tried again';
  return 'see the cause';
}
