import type { Sql } from './sql.ts';

const tables = [
  `CREATE TABLE IF NOT EXISTS control.organisations (
    name TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL
  )`,
  `CREATE TABLE IF NOT EXISTS control.api_keys (
    id TEXT PRIMARY KEY,
    organisation TEXT NOT NULL,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    end_user TEXT,
    hash TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT
  )`,
  `CREATE INDEX IF NOT EXISTS api_keys_organisation ON control.api_keys (organisation, created_at)`,
  `CREATE TABLE IF NOT EXISTS control.idempotency (
    organisation TEXT NOT NULL,
    principal TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    status BIGINT,
    content_type TEXT,
    body TEXT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (organisation, principal, idempotency_key)
  )`,
];

/** Makes the tables that are missing. */
export async function makeTables(sql: Sql): Promise<void> {
  for (const table of tables) await sql.all(table);
}
