import { createHash, randomBytes } from 'node:crypto';
import { PortiaError } from 'portia-ts';
import { Sealer } from '../control/sealer.ts';
import type { Row, Sql } from '../control/sql.ts';

/** What a webhook may be told of. */
export const webhookEvents = ['clarification-raised', 'run-complete', 'run-failed'] as const;
export type WebhookEvent = (typeof webhookEvents)[number];

/** An address that is told. Times are epoch milliseconds. */
export interface Webhook {
  readonly id: string;
  readonly organisation: string;
  readonly url: string;
  readonly events: readonly WebhookEvent[];
  readonly createdAt: number;
}

/** Something to be told, until it is. */
export interface Delivery {
  /** The same at every attempt, also after a crash. */
  readonly id: string;
  readonly url: string;
  readonly body: string;
  readonly secret: string;
  /** This one included. */
  readonly attempts: number;
}

/** How long a delivery belongs to the process that has taken it, in milliseconds. */
const leaseMs = 60_000;

/** How long it is known that a message arrived, in milliseconds. */
const keepMs = 7 * 24 * 3_600_000;

/** Webhooks and their outbox, in the control store. Signing secrets are sealed when the server has a secret key. */
export class WebhookStore {
  readonly #sql: Sql;
  readonly #secrets: Sealer;

  constructor(sql: Sql, secretKey: string | undefined) {
    this.#sql = sql;
    this.#secrets = new Sealer(secretKey, 'webhooks');
  }

  /** Adds one. The secret its messages are signed with is given here and never again. */
  async add(init: Pick<Webhook, 'organisation' | 'url' | 'events'>): Promise<{ webhook: Webhook; secret: string }> {
    const webhook: Webhook = { ...init, id: `wh_${randomBytes(9).toString('base64url')}`, createdAt: Date.now() };
    const secret = `whsec_${randomBytes(24).toString('base64')}`;
    await this.#sql.all(
      'INSERT INTO control.webhooks (id, organisation, url, events, secret, created_at) VALUES (?, ?, ?, ?, ?, ?)',
      [
        webhook.id,
        webhook.organisation,
        webhook.url,
        JSON.stringify(webhook.events),
        this.#secrets.seal(secret),
        webhook.createdAt,
      ],
    );
    return { webhook, secret };
  }

  async list(organisation: string): Promise<readonly Webhook[]> {
    const rows = await this.#sql.all('SELECT * FROM control.webhooks WHERE organisation = ? ORDER BY created_at, id', [
      organisation,
    ]);
    return rows.map(webhookOf);
  }

  /** Removes one, and what it was still to be told. @throws PortiaError `NOT_FOUND`. */
  async remove(organisation: string, id: string): Promise<void> {
    const removed = await this.#sql.all('DELETE FROM control.webhooks WHERE organisation = ? AND id = ? RETURNING id', [
      organisation,
      id,
    ]);
    if (removed.length === 0) throw new PortiaError({ code: 'NOT_FOUND', message: 'there is no such webhook' });
    await this.#sql.all('DELETE FROM control.deliveries WHERE webhook_id = ?', [id]);
  }

  /** Seals what messages are signed with by the first key of the server. */
  async rotate(): Promise<{ readonly rotated: number; readonly current: number; readonly left: number }> {
    const rows = await this.#sql.all('SELECT id, secret FROM control.webhooks');
    let rotated = 0;
    for (const row of rows) {
      const before = String(row['secret']);
      if (this.#secrets.isCurrent(before)) continue;
      rotated += 1;
      await this.#sql.all('UPDATE control.webhooks SET secret = ? WHERE id = ? AND secret = ?', [
        this.#secrets.seal(this.#secrets.open(before)),
        String(row['id']),
        before,
      ]);
    }
    return { rotated, current: rows.length - rotated, left: 0 };
  }

  /** Puts a message into the outbox, once for each webhook and place in a run. */
  async enqueue(webhook: Webhook, place: string, body: (id: string) => string): Promise<void> {
    const hash = createHash('sha256').update(`${webhook.id}\n${place}`).digest('base64url').slice(0, 24);
    const id = `msg_${hash}`;
    await this.#sql.all(
      `INSERT INTO control.deliveries (id, webhook_id, body, created_at, next_at, attempts)
       VALUES (?, ?, ?, ?, ?, 0) ON CONFLICT (id) DO NOTHING`,
      [id, webhook.id, body(id), Date.now(), Date.now()],
    );
  }

  /** Takes what is due; nobody else gets it until the lease is over. */
  async take(limit: number): Promise<readonly Delivery[]> {
    const now = Date.now();
    const taken = await this.#sql.all(
      `UPDATE control.deliveries SET next_at = ?, attempts = attempts + 1 WHERE next_at <= ? AND id IN
       (SELECT id FROM control.deliveries WHERE next_at <= ? ORDER BY next_at LIMIT ${limit})
       RETURNING id, webhook_id, body, attempts`,
      [now + leaseMs, now, now],
    );
    const deliveries: Delivery[] = [];
    for (const row of taken) {
      const [webhook] = await this.#sql.all('SELECT url, secret FROM control.webhooks WHERE id = ?', [
        String(row['webhook_id']),
      ]);
      if (!webhook) continue;
      deliveries.push({
        id: String(row['id']),
        body: String(row['body']),
        attempts: Number(row['attempts']),
        url: String(webhook['url']),
        secret: this.#secrets.open(String(webhook['secret'])),
      });
    }
    return deliveries;
  }

  /** It arrived. Its id stays known, so that it is not put into the outbox again. */
  async delivered(id: string): Promise<void> {
    await this.#sql.all('UPDATE control.deliveries SET next_at = NULL, body = ?, delivered_at = ? WHERE id = ?', [
      '',
      Date.now(),
      id,
    ]);
  }

  /** It did not; it is tried again at `nextAt`, or never. */
  async failed(id: string, nextAt: number | undefined): Promise<void> {
    await this.#sql.all('UPDATE control.deliveries SET next_at = ? WHERE id = ?', [nextAt ?? null, id]);
  }

  /** Until when all changes of an organisation's runs are in the outbox. */
  async mark(organisation: string): Promise<number | undefined> {
    const [row] = await this.#sql.all('SELECT at FROM control.webhook_marks WHERE organisation = ?', [organisation]);
    return row && Number(row['at']);
  }

  async setMark(organisation: string, at: number): Promise<void> {
    await this.#sql.all('DELETE FROM control.deliveries WHERE delivered_at < ?', [at - keepMs]);
    await this.#sql.all(
      `INSERT INTO control.webhook_marks (organisation, at) VALUES (?, ?)
       ON CONFLICT (organisation) DO UPDATE SET at = excluded.at`,
      [organisation, at],
    );
  }
}

function webhookOf(row: Row): Webhook {
  return {
    id: String(row['id']),
    organisation: String(row['organisation']),
    url: String(row['url']),
    events: JSON.parse(String(row['events'])) as WebhookEvent[],
    createdAt: Number(row['created_at']),
  };
}
