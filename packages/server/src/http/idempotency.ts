import { createHash } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import { PortiaError } from 'portia-ts';
import { countedAs } from '../auth/principal.ts';
import { keepAnswersMs } from '../control/control-store.ts';
import type { Sealer } from '../control/sealer.ts';
import type { Row, Sql } from '../control/sql.ts';
import type { Env } from './context.ts';

/** How long a request that was begun may be at work before another one may begin it anew, in milliseconds. */
const leaseMs = 120_000;

interface Place {
  readonly organisation: string;
  readonly principal: string;
  readonly key: string;
}

/**
 * Makes writes with an `Idempotency-Key` happen once: the same request again gets the answer of the first. Answers are
 * kept sealed where the server has a secret key, as the runs are that they tell of.
 */
export function idempotency(sql: Sql, answers: Sealer): MiddlewareHandler<Env> {
  return async (context, next) => {
    const { method, path } = context.req;
    const key = context.req.header('idempotency-key');
    if (key === undefined || method === 'GET' || method === 'HEAD') return next();
    if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
      throw new PortiaError({
        code: 'REQUEST_INVALID',
        message: 'the header Idempotency-Key is not 1 to 255 letters, digits and signs',
      });
    }
    const place = {
      organisation: context.get('tenant').organisation,
      principal: countedAs(context.get('principal')),
      key,
    };
    const print = createHash('sha256')
      .update(`${method} ${path}\n${await context.req.text()}`)
      .digest('base64url');
    const before = await begin(sql, place, print);
    if (before) return again(before, answers);
    await next();
    await end(sql, place, context.res, answers);
  };
}

/** Takes the key; gives the row with the answer of the request that has it. */
async function begin(sql: Sql, place: Place, print: string): Promise<Row | undefined> {
  const now = Date.now();
  const at = [place.organisation, place.principal, place.key];
  // One that is over does not stand in the way, also where it was not removed yet.
  await sql.all(
    `DELETE FROM control.idempotency
     WHERE organisation = ? AND principal = ? AND idempotency_key = ? AND created_at < ?`,
    [...at, now - keepAnswersMs],
  );
  const [taken] = await sql.all(
    `INSERT INTO control.idempotency (organisation, principal, idempotency_key, fingerprint, created_at)
     VALUES (?, ?, ?, ?, ?) ON CONFLICT (organisation, principal, idempotency_key) DO NOTHING RETURNING created_at`,
    [...at, print, now],
  );
  if (taken) return undefined;
  const [row] = await sql.all(
    'SELECT * FROM control.idempotency WHERE organisation = ? AND principal = ? AND idempotency_key = ?',
    at,
  );
  if (!row) return undefined;
  if (row['fingerprint'] !== print)
    throw conflict('the Idempotency-Key was used for another request', 'make a new key');
  if (row['status'] !== null) return row;
  const [renewed] = await sql.all(
    `UPDATE control.idempotency SET created_at = ? WHERE organisation = ? AND principal = ? AND idempotency_key = ?
     AND status IS NULL AND created_at = ? AND created_at < ? RETURNING created_at`,
    [now, ...at, Number(row['created_at']), now - leaseMs],
  );
  if (renewed) return undefined;
  throw conflict('a request with this Idempotency-Key is still at work', 'wait for its answer, then ask again');
}

function again(row: Row, answers: Sealer): Response {
  if (row['body'] === null) {
    throw conflict(
      'this was done already, and its answer is not kept: it held a secret that is shown once, or somebody was erased since',
      'ask for what it made, or make another one with a new key',
    );
  }
  return new Response(answers.open(String(row['body'])), {
    status: Number(row['status']),
    headers: { 'content-type': String(row['content_type']), 'idempotency-replayed': 'true' },
  });
}

/** Keeps the answer. What failed on our side is forgotten, so that it can be asked for again. */
async function end(
  sql: Sql,
  { organisation, principal, key }: Place,
  answer: Response,
  answers: Sealer,
): Promise<void> {
  const at = [organisation, principal, key];
  if (answer.status >= 500 || answer.status === 429) {
    await sql.all(
      'DELETE FROM control.idempotency WHERE organisation = ? AND principal = ? AND idempotency_key = ?',
      at,
    );
    return;
  }
  const isSecret = answer.ok && answer.headers.get('cache-control') === 'no-store';
  await sql.all(
    `UPDATE control.idempotency SET status = ?, content_type = ?, body = ?
     WHERE organisation = ? AND principal = ? AND idempotency_key = ?`,
    [
      answer.status,
      answer.headers.get('content-type') ?? 'application/json',
      isSecret ? null : answers.seal(await answer.clone().text()),
      ...at,
    ],
  );
}

function conflict(message: string, hint: string): PortiaError {
  return new PortiaError({ code: 'IDEMPOTENCY_CONFLICT', message, hint });
}
