import type { JsonValue } from '../../core/json.ts';

/** A statement and the values of its parameters: by place, or by name where the database has names. */
export interface SqlQuery {
  readonly query: string;
  readonly params: readonly JsonValue[];
}

/** What a query gave. */
export type SqlRows = {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly JsonValue[])[];
  /** Whether there were more rows than are given. */
  readonly truncated: boolean;
};

/** A column of a table. */
export type SqlColumn = {
  readonly name: string;
  readonly type: string;
  readonly nullable: boolean;
  readonly primary_key: boolean;
};

/** What the SQL tools ask of a database. Each call opens it and closes it again. */
export interface SqlDatabase {
  /** Runs one statement. `write`: it may change things, which the database otherwise refuses. */
  run(query: SqlQuery, write: boolean, signal: AbortSignal): Promise<SqlRows>;
  listTables(signal: AbortSignal): Promise<readonly string[]>;
  /** The columns of each table; a table that is not there has none. */
  columns(tables: readonly string[], signal: AbortSignal): Promise<Readonly<Record<string, readonly SqlColumn[]>>>;
  /** What is wrong with a statement; nothing when it could be run. It is not run. */
  check(query: string, signal: AbortSignal): Promise<string | undefined>;
}

/** How much a query may give and how long it may take. */
export interface SqlLimits {
  /** Rows that are given; 200 unless given. */
  readonly maxRows?: number | undefined;
  /** Milliseconds a statement may take; 30,000 unless given. */
  readonly timeoutMs?: number | undefined;
}

/** Characters of one value that are given. */
export const longestText = 10_000;

/** A value of a database as JSON: exact where JSON is, else in words. */
export function sqlValue(value: unknown): JsonValue {
  if (value === null || value === undefined) return null;
  switch (typeof value) {
    case 'boolean':
      return value;
    case 'number':
      return Number.isFinite(value) ? value : String(value);
    case 'bigint':
      return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
    case 'string':
      return value.length > longestText ? `${value.slice(0, longestText)}… (${value.length} characters)` : value;
    default:
      break;
  }
  if (value instanceof Uint8Array || value instanceof ArrayBuffer) return `(${value.byteLength} bytes)`;
  if (value instanceof Date) return value.toISOString();
  return sqlValue(JSON.stringify(value));
}

/** What a database says went wrong, in one line. */
export function sqlReason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/\s+/g, ' ').slice(0, 500);
}
