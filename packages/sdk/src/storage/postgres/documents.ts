import { type EndUser, type EndUserField, endUserFromWire, endUserToWire } from '../../core/end-user.ts';
import { PlanRunUUID, PlanUUID } from '../../core/ids.ts';
import type { JsonObject } from '../../core/json.ts';
import type { LocalDataValue } from '../../core/output.ts';
import { frozenOutput, frozenPlan, mergedEndUser, planChanged } from '../records.ts';
import { pageLimit, pageOf, readCursor } from '../run-query.ts';
import type { EndUserStore, OutputStore, Page, PlanRecord, PlanStore } from '../storage-backend.ts';
import { storedText, textFrom } from '../stored-text.ts';
import type { Ask, Database, SqlValue } from './database.ts';
import { digestOf, type PlanRow, planOf, uuidOf } from './rows.ts';

/** Plans, large outputs and end users in PostgreSQL. */
export class PostgresDocuments implements PlanStore, OutputStore, EndUserStore {
  protected readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  async savePlan(given: PlanRecord): Promise<void> {
    const plan = frozenPlan(given);
    const { schema } = this.database;
    const made = await this.database.rows(
      `INSERT INTO ${schema}.plan (id, hash, query, query_digest, document, beside, created_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING n`,
      [
        uuidOf(plan.id),
        plan.hash,
        storedText(plan.query),
        digestOf(plan.query),
        JSON.stringify(plan.document),
        plan.beside === undefined ? null : JSON.stringify(plan.beside),
        plan.createdAt,
      ],
    );
    if (made.length > 0) return;
    const stored = await this.getPlan(plan.id);
    if (stored?.hash !== plan.hash) throw planChanged(plan.id);
  }

  async getPlan(id: PlanUUID): Promise<PlanRecord | undefined> {
    if (!PlanUUID.is(id)) return undefined;
    const [row] = await this.database.rows<PlanRow>(`SELECT * FROM ${this.database.schema}.plan WHERE id = $1`, [
      uuidOf(id),
    ]);
    return row && planOf(row);
  }

  async listPlans(filter: {
    readonly query?: string;
    readonly limit?: number;
    readonly cursor?: string;
  }): Promise<Page<PlanRecord>> {
    const limit = pageLimit(filter.limit);
    const values: SqlValue[] = [limit + 1];
    const conditions: string[] = [];
    if (filter.query !== undefined) conditions.push(`query_digest = $${values.push(digestOf(filter.query))}`);
    if (filter.cursor !== undefined) conditions.push(`n < $${values.push(readCursor(filter.cursor))}`);
    const rows = await this.database.rows<PlanRow>(
      `SELECT * FROM ${this.database.schema}.plan ${conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''}
       ORDER BY n DESC LIMIT $1`,
      values,
    );
    const page = rows.slice(0, limit);
    return pageOf(page.map(planOf), rows.length > limit ? String(page.at(-1)?.n) : undefined);
  }

  async saveOutput(id: PlanRunUUID, name: string, output: LocalDataValue): Promise<void> {
    const run = PlanRunUUID.is(id) ? id : PlanRunUUID.fromString(id);
    await this.database.rows(
      `INSERT INTO ${this.database.schema}.output (run, digest, name, body) VALUES ($1, $2, $3, $4)
       ON CONFLICT (run, digest) DO UPDATE SET body = excluded.body`,
      [uuidOf(run), digestOf(name), storedText(name), JSON.stringify(frozenOutput(output))],
    );
  }

  async getOutput(id: PlanRunUUID, name: string): Promise<LocalDataValue | undefined> {
    if (!PlanRunUUID.is(id)) return undefined;
    const [row] = await this.database.rows<{ body: string }>(
      `SELECT body FROM ${this.database.schema}.output WHERE run = $1 AND digest = $2`,
      [uuidOf(id), digestOf(name)],
    );
    return row && frozenOutput(JSON.parse(row.body) as LocalDataValue);
  }

  async listOutputs(id: PlanRunUUID): Promise<readonly string[]> {
    if (!PlanRunUUID.is(id)) return [];
    const rows = await this.database.rows<{ name: string }>(
      `SELECT name FROM ${this.database.schema}.output WHERE run = $1`,
      [uuidOf(id)],
    );
    return rows.map(({ name }) => textFrom(name));
  }

  async listEndUsers(page: {
    readonly limit?: number | undefined;
    readonly cursor?: string | undefined;
  }): Promise<Page<EndUser>> {
    const limit = pageLimit(page.limit);
    const rows = await this.database.rows<{ n: number; body: string }>(
      `SELECT n, body FROM ${this.database.schema}.end_user WHERE n > $1 ORDER BY n LIMIT $2`,
      [page.cursor === undefined ? 0 : readCursor(page.cursor), limit + 1],
    );
    const users = rows.slice(0, limit);
    return pageOf(
      users.map(({ body }) => endUserFromWire(JSON.parse(body) as JsonObject)),
      rows.length > limit ? String(users.at(-1)?.n) : undefined,
    );
  }

  saveEndUser(user: EndUser, only?: readonly EndUserField[]): Promise<EndUser> {
    const { schema } = this.database;
    const digest = digestOf(user.externalId);
    return this.database.transaction(async (ask) => {
      // The lock also holds back whoever saves the same end user for the first time; there is no row to lock then.
      await ask('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`${schema}:end-user:${digest}`]);
      const merged = mergedEndUser(await this.#endUser(ask, digest), user, only);
      await ask(
        `INSERT INTO ${schema}.end_user (digest, external_id, body) VALUES ($1, $2, $3)
         ON CONFLICT (digest) DO UPDATE SET body = excluded.body`,
        [digest, storedText(merged.externalId), JSON.stringify(endUserToWire(merged))],
      );
      return merged;
    });
  }

  getEndUser(externalId: string): Promise<EndUser | undefined> {
    return this.#endUser((text, values) => this.database.rows(text, values), digestOf(externalId));
  }

  async #endUser(ask: Ask, digest: string): Promise<EndUser | undefined> {
    const [row] = await ask<{ body: string }>(`SELECT body FROM ${this.database.schema}.end_user WHERE digest = $1`, [
      digest,
    ]);
    return row && endUserFromWire(JSON.parse(row.body) as JsonObject);
  }
}
