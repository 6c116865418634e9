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

/** A webhook for which something is due. */
export interface DueWebhook {
  readonly id: string;
  readonly url: string;
  /** As it is stored. */
  readonly secret: string;
}

/** Up to which event a run is in the outbox, and when that was seen. */
export interface Place {
  readonly seq: number;
  /** Epoch milliseconds, of this server's clock. */
  readonly at: number;
}

/** How long a delivery belongs to the process that has taken it, in milliseconds. */
const leaseMs = 60_000;

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

  /** The webhooks that something is due for. */
  async due(): Promise<readonly DueWebhook[]> {
    const rows = await this.#sql.all(
      `SELECT id, url, secret FROM control.webhooks AS webhook WHERE EXISTS
       (SELECT 1 FROM control.deliveries AS delivery WHERE delivery.webhook_id = webhook.id AND delivery.next_at <= ?)`,
      [Date.now()],
    );
    return rows.map((row) => ({ id: String(row['id']), url: String(row['url']), secret: String(row['secret']) }));
  }

  /** Takes what is due for a webhook; nobody else gets it until the lease is over. */
  async take({ id, url, secret: sealed }: DueWebhook, limit: number): Promise<readonly Delivery[]> {
    const secret = this.#secrets.open(sealed);
    const now = Date.now();
    const taken = await this.#sql.all(
      `UPDATE control.deliveries SET next_at = ?, attempts = attempts + 1 WHERE next_at <= ? AND id IN
       (SELECT id FROM control.deliveries WHERE webhook_id = ? AND next_at <= ? ORDER BY next_at LIMIT ${limit})
       RETURNING id, body, attempts`,
      [now + leaseMs, now, id, now],
    );
    return taken.map((row) => ({
      id: String(row['id']),
      body: String(row['body']),
      attempts: Number(row['attempts']),
      url,
      secret,
    }));
  }

  /** It arrived. Its id stays known, so that it is not put into the outbox again. */
  async delivered(id: string): Promise<void> {
    await this.#sql.all('UPDATE control.deliveries SET next_at = NULL, body = ?, delivered_at = ? WHERE id = ?', [
      '',
      Date.now(),
      id,
    ]);
  }

  /** It did not; it is tried again at `nextAt`, or never. Then, too, only its id stays known. */
  async failed(id: string, nextAt: number | undefined): Promise<void> {
    await (nextAt === undefined
      ? this.#sql.all('UPDATE control.deliveries SET next_at = NULL, body = ? WHERE id = ?', ['', id])
      : this.#sql.all('UPDATE control.deliveries SET next_at = ? WHERE id = ?', [nextAt, id]));
  }

  /** Until when all changes of an organisation's runs are in the outbox. */
  async mark(organisation: string): Promise<number | undefined> {
    const [row] = await this.#sql.all('SELECT at FROM control.webhook_marks WHERE organisation = ?', [organisation]);
    return row && Number(row['at']);
  }

  /** Where the last look at a run ended; `undefined`: it was not looked at, or not lately. */
  async place(organisation: string, run: string): Promise<Place | undefined> {
    const [row] = await this.#sql.all('SELECT seq, at FROM control.webhook_places WHERE organisation = ? AND run = ?', [
      organisation,
      run,
    ]);
    return row && { seq: Number(row['seq']), at: Number(row['at']) };
  }

  async setPlace(organisation: string, run: string, { seq, at }: Place): Promise<void> {
    await this.#sql.all(
      `INSERT INTO control.webhook_places (organisation, run, seq, at) VALUES (?, ?, ?, ?)
       ON CONFLICT (organisation, run) DO UPDATE SET seq = excluded.seq, at = excluded.at`,
      [organisation, run, seq, at],
    );
  }

  async setMark(organisation: string, at: number): Promise<void> {
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
