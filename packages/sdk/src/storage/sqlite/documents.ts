import { type EndUser, type EndUserField, endUserFromWire, endUserToWire } from '../../core/end-user.ts';
import { PlanRunUUID, type PlanUUID } from '../../core/ids.ts';
import type { JsonObject } from '../../core/json.ts';
import type { LocalDataValue } from '../../core/output.ts';
import { frozenOutput, frozenPlan, mergedEndUser, planChanged } from '../records.ts';
import { pageLimit, pageOf, readCursor } from '../run-query.ts';
import type { EndUserStore, OutputStore, Page, PlanRecord, PlanStore } from '../storage-backend.ts';
import type { Connection, SqlValue } from './connection.ts';
import { storedText, textFrom } from '../stored-text.ts';
import { idBytes, type PlanRow, planOf } from './rows.ts';

/** Plans, large outputs and end users in SQLite. */
export class SqliteDocuments implements PlanStore, OutputStore, EndUserStore {
  protected readonly connection: Connection;

  constructor(connection: Connection) {
    this.connection = connection;
  }

  savePlan(given: PlanRecord): void {
    const plan = frozenPlan(given);
    const id = idBytes(plan.id) as Uint8Array;
    const { changes } = this.connection.run(
      `INSERT INTO plan (id, hash, query, document, beside, created_at) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
      [
        id,
        plan.hash,
        storedText(plan.query),
        JSON.stringify(plan.document),
        plan.beside === undefined ? null : JSON.stringify(plan.beside),
        plan.createdAt,
      ],
    );
    if (changes > 0) return;
    const stored = this.connection.get<{ hash: string }>('SELECT hash FROM plan WHERE id = ?', [id]);
    if (stored?.hash !== plan.hash) throw planChanged(plan.id);
  }

  getPlan(id: PlanUUID): PlanRecord | undefined {
    const bytes = idBytes(id);
    const row = bytes && this.connection.get<PlanRow>('SELECT * FROM plan WHERE id = ?', [bytes]);
    return row && planOf(row);
  }

  listPlans(filter: { readonly query?: string; readonly limit?: number; readonly cursor?: string }): Page<PlanRecord> {
    const limit = pageLimit(filter.limit);
    const conditions: string[] = [];
    const values: SqlValue[] = [];
    if (filter.query !== undefined) {
      conditions.push('query = ?');
      values.push(storedText(filter.query));
    }
    if (filter.cursor !== undefined) {
      conditions.push('n < ?');
      values.push(readCursor(filter.cursor));
    }
    const where = conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : '';
    const rows = this.connection.all<PlanRow>(`SELECT * FROM plan ${where} ORDER BY n DESC LIMIT ?`, [
      ...values,
      limit + 1,
    ]);
    const page = rows.slice(0, limit);
    return pageOf(page.map(planOf), rows.length > limit ? String(page.at(-1)?.n) : undefined);
  }

  saveOutput(id: PlanRunUUID, name: string, output: LocalDataValue): void {
    const run = idBytes(id) ?? idBytes(PlanRunUUID.fromString(id));
    this.connection.run(
      `INSERT INTO output (run, name, body) VALUES (?, ?, ?) ON CONFLICT (run, name) DO UPDATE SET body = excluded.body`,
      [run as Uint8Array, storedText(name), JSON.stringify(frozenOutput(output))],
    );
  }

  getOutput(id: PlanRunUUID, name: string): LocalDataValue | undefined {
    const run = idBytes(id);
    const row =
      run &&
      this.connection.get<{ body: string }>('SELECT body FROM output WHERE run = ? AND name = ?', [
        run,
        storedText(name),
      ]);
    return row && frozenOutput(JSON.parse(row.body) as LocalDataValue);
  }

  listOutputs(id: PlanRunUUID): readonly string[] {
    const run = idBytes(id);
    const rows = run ? this.connection.all<{ name: string }>('SELECT name FROM output WHERE run = ?', [run]) : [];
    return rows.map(({ name }) => textFrom(name));
  }

  listEndUsers(page: { readonly limit?: number | undefined; readonly cursor?: string | undefined }): Page<EndUser> {
    const limit = pageLimit(page.limit);
    const rows = this.connection.all<{ n: number; body: string }>(
      'SELECT n, body FROM end_user WHERE n > ? ORDER BY n LIMIT ?',
      [page.cursor === undefined ? 0 : readCursor(page.cursor), limit + 1],
    );
    const users = rows.slice(0, limit);
    return pageOf(
      users.map(({ body }) => endUserFromWire(JSON.parse(body) as JsonObject)),
      rows.length > limit ? String(users.at(-1)?.n) : undefined,
    );
  }

  saveEndUser(user: EndUser, only?: readonly EndUserField[]): EndUser {
    return this.connection.transaction(() => {
      const merged = mergedEndUser(this.getEndUser(user.externalId), user, only);
      this.connection.run(
        `INSERT INTO end_user (external_id, body) VALUES (?, ?) ON CONFLICT (external_id) DO UPDATE SET body = excluded.body`,
        [storedText(merged.externalId), JSON.stringify(endUserToWire(merged))],
      );
      return merged;
    });
  }

  getEndUser(externalId: string): EndUser | undefined {
    const row = this.connection.get<{ body: string }>('SELECT body FROM end_user WHERE external_id = ?', [
      storedText(externalId),
    ]);
    return row && endUserFromWire(JSON.parse(row.body) as JsonObject);
  }
}
