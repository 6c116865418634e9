import { createHmac } from 'node:crypto';
import { lookup } from 'node:dns';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { readTrace, type TraceContext } from 'portia-ts';
import { isPublicAddress } from 'portia-ts/tools';
import type { ServerLog } from '../server-log.ts';
import type { Delivery, DueWebhook, WebhookStore } from './webhook-store.ts';

/** Milliseconds until the next attempt, by how many there were. Three days in all; then it is given up. */
const waits = [5_000, 30_000, 120_000, 600_000, 3_600_000, 6 * 3_600_000, 24 * 3_600_000, 40 * 3_600_000];
/** For all of one attempt: whoever answers a byte at a time must not hold up what is for others. */
const usualTimeoutMs = 10_000;
const pollMs = 1_000;
/** Messages on their way at once: to one webhook, to one that did not take its last one, and in all. */
const most = { webhook: 8, failing: 1, inAll: 256 } as const;

/**
 * Sends what is in the outbox, each message until it arrives: at least once, with the same id. Nobody waits for a webhook
 * that does not answer but its own messages.
 */
export class WebhookSender {
  readonly #store: WebhookStore;
  readonly #log: ServerLog;
  readonly #allowPrivate: boolean;
  readonly #timeoutMs: number;
  readonly #timer: NodeJS.Timeout;
  #working = false;
  #rang = false;
  #isClosing = false;
  #work: Promise<void> = Promise.resolve();
  readonly #sending = new Set<Promise<void>>();
  /** How many are on their way to a webhook. */
  readonly #underWay = new Map<string, number>();
  readonly #failing = new Set<string>();

  constructor(
    store: WebhookStore,
    log: ServerLog,
    { allowPrivate, timeoutMs = usualTimeoutMs }: { readonly allowPrivate: boolean; readonly timeoutMs?: number },
  ) {
    this.#store = store;
    this.#log = log;
    this.#allowPrivate = allowPrivate;
    this.#timeoutMs = timeoutMs;
    this.#timer = setInterval(() => this.ring(), pollMs);
  }

  /** Something may be due. */
  ring(): void {
    this.#rang = true;
    if (this.#working) return;
    this.#working = true;
    this.#work = this.#takeAll().finally(() => {
      this.#working = false;
      // It may have rung just as the last look ended.
      if (this.#rang && !this.#isClosing) this.ring();
    });
  }

  /** Waits for what is on its way; the rest is sent another time. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#isClosing = true;
    await this.#work;
    await Promise.all(this.#sending);
  }

  async #takeAll(): Promise<void> {
    try {
      while (this.#rang) {
        this.#rang = false;
        const due = await this.#store.due();
        // Those of which little is on its way come first.
        for (const webhook of [...due].sort((a, b) => this.#countOf(a.id) - this.#countOf(b.id))) {
          const room = this.#roomFor(webhook.id);
          if (room > 0) await this.#take(webhook, room);
        }
      }
    } catch (err) {
      this.#log.warn({ err }, 'webhooks could not be sent; they are tried again');
    }
  }

  #countOf(webhook: string): number {
    return this.#underWay.get(webhook) ?? 0;
  }

  #roomFor(webhook: string): number {
    const own = this.#failing.has(webhook) ? most.failing : most.webhook;
    return Math.min(own - this.#countOf(webhook), most.inAll - this.#sending.size);
  }

  async #take(webhook: DueWebhook, limit: number): Promise<void> {
    try {
      for (const delivery of await this.#store.take(webhook, limit)) this.#begin(webhook.id, delivery);
    } catch (err) {
      this.#log.warn({ webhook: webhook.id, err }, 'messages of a webhook could not be taken; they are tried again');
    }
  }

  #begin(webhook: string, delivery: Delivery): void {
    this.#underWay.set(webhook, this.#countOf(webhook) + 1);
    const sending = this.#send(webhook, delivery)
      .catch((err: unknown) => this.#log.warn({ err }, 'it could not be stored how a message of a webhook fared'))
      .finally(() => {
        this.#sending.delete(sending);
        const left = this.#countOf(webhook) - 1;
        if (left > 0) this.#underWay.set(webhook, left);
        else this.#underWay.delete(webhook);
        if (!this.#isClosing) this.ring();
      });
    this.#sending.add(sending);
  }

  async #send(webhook: string, delivery: Delivery): Promise<void> {
    const { id, attempts } = delivery;
    try {
      await post(delivery, this.#allowPrivate, this.#timeoutMs);
      this.#failing.delete(webhook);
      await this.#store.delivered(id);
    } catch (error) {
      this.#failing.add(webhook);
      const wait = waits[attempts - 1];
      await this.#store.failed(id, wait === undefined ? undefined : Date.now() + wait);
      this.#log.warn({ webhookMessage: id, attempts, error: (error as Error).message }, 'a webhook was not taken');
    }
  }
}

/** Sends one message, signed as standardwebhooks.com says. Rejects unless the answer is 2xx. */
function post({ id, url, body, secret }: Delivery, allowPrivate: boolean, timeoutMs: number): Promise<void> {
  const target = new URL(url);
  const at = Math.floor(Date.now() / 1000);
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const signature = createHmac('sha256', key).update(`${id}.${at}.${body}`).digest('base64');
  const host = target.hostname.replace(/^\[|\]$/g, '');
  if (!allowPrivate && isIP(host) && !isPublicAddress(host)) return Promise.reject(privateAddress(host));
  return new Promise((resolve, reject) => {
    const send = target.protocol === 'https:' ? httpsRequest : httpRequest;
    const request = send(
      target,
      {
        method: 'POST',
        signal: AbortSignal.timeout(timeoutMs),
        // A connection that something else in this process has opened was not checked by the look-up.
        agent: false,
        ...(!allowPrivate && { lookup: publicOnly }),
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          'webhook-id': id,
          'webhook-timestamp': String(at),
          'webhook-signature': `v1,${signature}`,
          ...traceOf(body),
        },
      },
      (answer) => {
        // What else it has to say is not read, and not for longer than the attempt may last.
        answer.on('error', () => undefined).resume();
        const { statusCode = 0 } = answer;
        if (statusCode >= 200 && statusCode < 300) resolve();
        else reject(new Error(`it answered ${statusCode}`));
      },
    );
    request.on('error', (error) =>
      reject(error.name === 'AbortError' ? new Error('it did not answer in time') : error),
    );
    request.end(body);
  });
}

/** A message says in itself to which trace it belongs. */
function traceOf(body: string): Partial<TraceContext> {
  const { data } = JSON.parse(body) as { readonly data?: { readonly [name: string]: unknown } };
  return readTrace(data?.['traceparent'], data?.['tracestate']);
}

/** Looks a name up and refuses private addresses, at the moment of the connection: a name may change what it means. */
const publicOnly: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) return callback(error, '', 0);
    const bad = addresses.find(({ address }) => !isPublicAddress(address));
    if (bad) return callback(privateAddress(hostname), '', 0);
    const [first] = addresses;
    if (options.all) return callback(null, addresses);
    callback(null, first?.address ?? '', first?.family);
  });
};

function privateAddress(host: string): Error {
  return new Error(`${host} is a private address; start the server with --private-webhooks to allow that`);
}
