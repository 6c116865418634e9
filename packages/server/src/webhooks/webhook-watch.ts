import { type PlanRunUUID, type RunEvent, type RunSummary, traceContextFor } from 'portia-ts';
import type { ServerLog } from '../server-log.ts';
import { noCommits, type Tenant } from '../tenants.ts';
import type { WebhookEvent, WebhookStore } from './webhook-store.ts';

/** Milliseconds in which changes of a run are gathered, so that a burst of commits is one look. */
const gatherMs = 50;
/** Milliseconds between two marks, and how far before a mark a look at the store begins: clocks differ. */
const markMs = 5_000;
const slackMs = 60_000;
const worthALook: ReadonlySet<string> = new Set(['NEED_CLARIFICATION', 'COMPLETE', 'FAILED']);

/**
 * Puts what happens to an organisation's runs into the outbox. Whatever happened while no process watched is found at the
 * next start: runs that were changed since the mark are looked at again, and what is in the outbox already stays once.
 */
export class WebhookWatch {
  readonly #tenant: Tenant;
  readonly #store: WebhookStore;
  readonly #log: ServerLog;
  readonly #rang: () => void;
  readonly #changed = new Set<PlanRunUUID>();
  readonly #unwatch: () => void;
  readonly #marking: NodeJS.Timeout;
  #timer: NodeJS.Timeout | undefined;
  #work: Promise<void>;
  #caughtUp = false;

  constructor(tenant: Tenant, store: WebhookStore, log: ServerLog, rang: () => void) {
    this.#tenant = tenant;
    this.#store = store;
    this.#log = log;
    this.#rang = rang;
    this.#unwatch = tenant.storage.watch((id, what) => {
      if (what !== 'commit') return;
      this.#changed.add(id);
      this.#timer ??= setTimeout(() => this.#look(), gatherMs);
    });
    this.#marking = setInterval(() => this.#look(), markMs);
    this.#work = this.#catchUp().catch((err: unknown) => this.#warn(err));
  }

  /** Stops watching, after what is at work. What was not looked at is found at the next start. */
  async close(): Promise<void> {
    this.#unwatch();
    clearInterval(this.#marking);
    clearTimeout(this.#timer);
    this.#look();
    await this.#work;
  }

  #look(): void {
    this.#timer = undefined;
    this.#work = this.#work.then(() => this.#lookNow()).catch((err: unknown) => this.#warn(err));
  }

  async #lookNow(): Promise<void> {
    const { organisation } = this.#tenant;
    const at = Date.now();
    const ids = [...this.#changed];
    this.#changed.clear();
    try {
      for (const id of ids) await this.#enqueue(id);
    } catch (error) {
      for (const id of ids) this.#changed.add(id);
      throw error;
    }
    if (this.#caughtUp) await this.#store.setMark(organisation, at);
  }

  async #catchUp(): Promise<void> {
    const { organisation, storage } = this.#tenant;
    const mark = await this.#store.mark(organisation);
    let cursor: string | undefined;
    while (mark !== undefined) {
      const page = await storage.listRuns({ limit: 1_000, cursor });
      for (const { header } of page.items.filter((run) => isNew(run, mark))) await this.#enqueue(header.id);
      cursor = page.cursor;
      if (cursor === undefined) break;
    }
    this.#caughtUp = true;
    await this.#store.setMark(organisation, mark ?? Date.now());
  }

  async #enqueue(id: PlanRunUUID): Promise<void> {
    const { organisation, portia, storage } = this.#tenant;
    const webhooks = await this.#store.list(organisation);
    if (webhooks.length === 0) return;
    // Where it stands, without its journal: that is read only when there may be something to tell.
    const stored = await storage.loadRun(id, noCommits);
    if (!stored || !worthALook.has(stored.status.state)) return;
    const since = (await this.#store.mark(organisation)) ?? 0;
    for (const event of await portia.storage.getEvents(id)) {
      const type = typeOf(event);
      if (type === undefined || event.at < since - slackMs) continue;
      for (const webhook of webhooks) {
        if (!webhook.events.includes(type) || event.at < webhook.createdAt) continue;
        const { endUserId, labels = {}, runKey = null } = stored.header;
        const trace = traceContextFor(stored.header, `webhook.${event.seq}`);
        const data = { organisation, planRunId: id, endUserId, labels, runKey, ...trace, ...particulars(event) };
        await this.#store.enqueue(webhook, `${organisation}/${id}/${event.seq}`, (message) =>
          JSON.stringify({ id: message, type, timestamp: new Date(event.at).toISOString(), data }),
        );
      }
    }
    this.#rang();
  }

  #warn(err: unknown): void {
    this.#log.warn({ organisation: this.#tenant.organisation, err }, 'what happened could not be put into the outbox');
  }
}

function isNew({ status }: RunSummary, mark: number): boolean {
  return status.updatedAt >= mark - slackMs;
}

function typeOf(event: RunEvent): WebhookEvent | undefined {
  if (event.type === 'clarification-raised') return event.type;
  if (event.type !== 'run-end') return undefined;
  return event.state === 'COMPLETE' ? 'run-complete' : 'run-failed';
}

/** What happened, without contents: whoever may read them fetches them with a key. */
function particulars(event: RunEvent): object {
  if (event.type === 'clarification-raised') {
    const { id, category } = event.clarification;
    return { clarificationId: id, category, audience: event.audience, expiresAt: event.expiresAt ?? null };
  }
  return event.type === 'run-end' && event.error ? { code: event.error.code } : {};
}
