import type { PlanRunUUID } from '../../core/ids.ts';
import { openInStored } from '../open-clarifications.ts';
import { commandIdentity, frozenCopy, frozenHeader, frozenOutput } from '../records.ts';
import type { NamedOutput } from '../house.ts';
import { statusWithPlan } from '../plan-now.ts';
import { stateNumber } from '../state-numbers.ts';
import type { StoredRun } from '../storage-backend.ts';
import { storedText } from '../stored-text.ts';
import type { Connection } from './connection.ts';
import { writeOpen } from './clarifications.ts';
import { headerValues, idBytes, labelsOf } from './rows.ts';
import { writePlanNow } from './schema.ts';

const insertRun = `
  INSERT INTO run (id, plan, created_at, updated_at, state, wake_at, error, epoch, end_user, inputs, run_key, labels, more)
  SELECT ?, n, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM plan WHERE id = ? ON CONFLICT DO NOTHING`;

/** Stores a run as it was elsewhere. Its number; `taken` when there is one with its id or run key; undefined without its plan. */
export function importRun(
  connection: Connection,
  run: StoredRun,
  outputs: readonly NamedOutput[],
): number | 'taken' | undefined {
  const header = frozenHeader(run.header);
  const status = frozenCopy(statusWithPlan(run), 'the status');
  const plan = idBytes(header.planId) as Uint8Array;
  return connection.transaction(() => {
    const { changes, lastInsertRowid } = connection.run(insertRun, [
      idBytes(header.id) as Uint8Array,
      header.createdAt,
      status.updatedAt,
      stateNumber(status.state),
      status.wakeAt ?? null,
      status.error === undefined ? null : JSON.stringify(status.error),
      run.epoch ?? 0,
      ...headerValues(header),
      plan,
    ]);
    if (changes === 0) return connection.get('SELECT 1 FROM plan WHERE id = ?', [plan]) ? 'taken' : undefined;
    const number = Number(lastInsertRowid);
    for (const [name, value] of labelsOf(header)) {
      connection.run('INSERT INTO label (name, value, run) VALUES (?, ?, ?)', [
        storedText(name),
        storedText(value),
        number,
      ]);
    }
    writePlanNow(connection, number, status.planId);
    writeOpen(connection, number, openInStored(run));
    for (const { seq, at, events } of run.commits) {
      connection.run('INSERT INTO journal (key, at, events) VALUES (? << 32 | ?, ?, ?)', [
        number,
        seq,
        at - header.createdAt,
        events,
      ]);
    }
    for (const command of run.commands) {
      connection.run('INSERT INTO command (run, identity, body) VALUES (?, ?, ?)', [
        number,
        commandIdentity(command),
        JSON.stringify(command),
      ]);
    }
    for (const { name, output } of outputs) {
      connection.run('INSERT OR REPLACE INTO output (run, name, body) VALUES (?, ?, ?)', [
        idBytes(header.id) as Uint8Array,
        storedText(name),
        JSON.stringify(frozenOutput(output)),
      ]);
    }
    return number;
  });
}

/** Removes runs that are finished; gives how many. */
export function removeRuns(connection: Connection, ids: readonly PlanRunUUID[], before: number): number {
  return connection.transaction(() => {
    const newest = { run: newestOf(connection, 'run'), command: newestOf(connection, 'command') };
    let removed = 0;
    for (const id of ids) {
      const bytes = idBytes(id);
      const run =
        bytes &&
        connection.get<{ n: number; labels: string | null }>(
          `SELECT n, labels FROM run WHERE id = ? AND state >= 4 AND updated_at < ? AND (owner IS NULL OR expires_at < ?)`,
          [bytes, before, before],
        );
      if (!run) continue;
      removeRun(connection, run.n, bytes, run.labels);
      removed += 1;
    }
    keepNumbers(connection, newest);
    return removed;
  });
}

function removeRun(connection: Connection, number: number, id: Uint8Array, labels: string | null): void {
  connection.run('DELETE FROM journal WHERE key BETWEEN ?1 << 32 AND ?1 << 32 | 4294967295', [number]);
  connection.run('DELETE FROM command WHERE run = ?', [number]);
  connection.run('DELETE FROM output WHERE run = ?', [id]);
  for (const [name, value] of Object.entries(JSON.parse(labels ?? '{}') as Record<string, string>)) {
    connection.run('DELETE FROM label WHERE name = ? AND value = ? AND run = ?', [
      storedText(name),
      storedText(value),
      number,
    ]);
  }
  connection.run('DELETE FROM open_clarification WHERE run = ?', [number]);
  connection.run('DELETE FROM unlisted WHERE run = ?', [number]);
  connection.run('DELETE FROM run WHERE n = ?', [number]);
}

function newestOf(connection: Connection, table: 'run' | 'command'): number {
  return connection.get<{ n: number | null }>(`SELECT max(n) AS n FROM ${table}`)?.n ?? 0;
}

/**
 * Numbers are never given twice: other processes know runs by theirs, and marks and cursors are numbers. SQLite would
 * give the newest again once its row is gone, so a row that is nobody's keeps its place until a newer one comes. It has
 * no plan and no run, and is in no list.
 */
function keepNumbers(connection: Connection, before: { readonly run: number; readonly command: number }): void {
  if (newestOf(connection, 'run') < before.run) {
    connection.run(
      `INSERT OR REPLACE INTO run (n, id, plan, created_at, updated_at, state, epoch) VALUES (?, x'', 0, 0, 0, 5, 0)`,
      [before.run],
    );
  }
  if (newestOf(connection, 'command') < before.command) {
    connection.run(`INSERT OR REPLACE INTO command (n, run, identity, body) VALUES (?, 0, '', 'null')`, [
      before.command,
    ]);
  }
}
