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
  `CREATE TABLE IF NOT EXISTS control.webhooks (
    id TEXT PRIMARY KEY,
    organisation TEXT NOT NULL,
    url TEXT NOT NULL,
    events TEXT NOT NULL,
    secret TEXT NOT NULL,
    created_at BIGINT NOT NULL
  )`,
  `CREATE TABLE IF NOT EXISTS control.deliveries (
    id TEXT PRIMARY KEY,
    webhook_id TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    next_at BIGINT,
    attempts BIGINT NOT NULL,
    delivered_at BIGINT
  )`,
  `CREATE INDEX IF NOT EXISTS deliveries_due ON control.deliveries (next_at)`,
  `CREATE INDEX IF NOT EXISTS deliveries_of ON control.deliveries (webhook_id, next_at)`,
  `CREATE INDEX IF NOT EXISTS idempotency_age ON control.idempotency (created_at)`,
  `CREATE TABLE IF NOT EXISTS control.secrets (
    organisation TEXT NOT NULL,
    id TEXT NOT NULL,
    sealed TEXT NOT NULL,
    PRIMARY KEY (organisation, id)
  )`,
  `CREATE TABLE IF NOT EXISTS control.webhook_marks (
    organisation TEXT PRIMARY KEY,
    at BIGINT NOT NULL
  )`,
  `CREATE TABLE IF NOT EXISTS control.webhook_places (
    organisation TEXT NOT NULL,
    run TEXT NOT NULL,
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (organisation, run)
  )`,
  `CREATE INDEX IF NOT EXISTS webhook_places_at ON control.webhook_places (at)`,
  `CREATE TABLE IF NOT EXISTS control.tool_questions (
    organisation TEXT NOT NULL,
    place TEXT NOT NULL,
    version TEXT NOT NULL,
    asked_by TEXT NOT NULL,
    questions TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (organisation, place)
  )`,
  `CREATE INDEX IF NOT EXISTS tool_questions_at ON control.tool_questions (at)`,
];

/** Columns that came later, each with its index. */
const later = [
  {
    table: 'api_keys',
    column: 'made_with',
    type: 'TEXT',
    index: 'CREATE INDEX IF NOT EXISTS api_keys_made_with ON control.api_keys (made_with, revoked_at)',
  },
] as const;

/** Makes the tables and columns that are missing; of several processes that start at once one does, and the others wait. */
export function makeTables(sql: Sql): Promise<void> {
  return sql.alone(() => make(sql));
}

async function make(sql: Sql): Promise<void> {
  for (const table of tables) await sql.all(table);
  for (const { table, column, type, index } of later) {
    const look = (): Promise<unknown> => sql.all(`SELECT ${column} FROM control.${table} WHERE 1 = 0`);
    await look().catch(async () => {
      // Another process may be quicker; then it is there.
      await sql.all(`ALTER TABLE control.${table} ADD COLUMN ${column} ${type}`).catch(() => undefined);
      await look();
    });
    await sql.all(index);
  }
}
