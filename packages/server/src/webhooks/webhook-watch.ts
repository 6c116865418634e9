import { type PlanRunUUID, PortiaError, type RunEvent, type RunSummary, traceContextFor } from 'portia-ts';
import type { ServerLog } from '../server-log.ts';
import { noCommits, type Tenant } from '../tenants.ts';
import type { Place, Webhook, WebhookEvent, WebhookStore } from './webhook-store.ts';

/** Milliseconds in which changes of a run are gathered, so that a burst of commits is one look. */
const gatherMs = 50;
/** Milliseconds between two marks, and how far before a mark a look at the store begins: clocks of drivers differ. */
const markMs = 5_000;
const slackMs = 3_600_000;
const worthALook: ReadonlySet<string> = new Set(['NEED_CLARIFICATION', 'COMPLETE', 'FAILED']);

/** Runs that cannot be read, now or later: the others are told of. */
const unreadable: ReadonlySet<string> = new Set(['CONTENT_ERASED', 'STORAGE_CORRUPT']);

/**
 * Puts what happens to an organisation's runs into the outbox. Whatever happened while no process watched is found at the
 * next start: runs that were changed since the mark are looked at again, and what is in the outbox already stays once.
 *
 * What is new in a run is known by its place in the journal, from the first look on: the times of events are those of the
 * clock of whoever drives the run, and may come late.
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
    let failed: unknown;
    for (const id of ids) {
      await this.#lookAt(id, true).catch((error: unknown) => {
        this.#changed.add(id);
        failed = error;
      });
    }
    if (failed !== undefined) throw failed;
    if (this.#caughtUp) await this.#store.setMark(organisation, at);
  }

  async #catchUp(): Promise<void> {
    const { organisation, storage } = this.#tenant;
    const mark = await this.#store.mark(organisation);
    let cursor: string | undefined;
    while (mark !== undefined) {
      const page = await storage.listRuns({ limit: 1_000, cursor });
      for (const { header } of page.items.filter((run) => isNew(run, mark))) await this.#lookAt(header.id, false);
      cursor = page.cursor;
      if (cursor === undefined) break;
    }
    this.#caughtUp = true;
    await this.#store.setMark(organisation, mark ?? Date.now());
  }

  /** `wasJustTaken`: this process has just heard of its last commit. */
  async #lookAt(id: PlanRunUUID, wasJustTaken: boolean): Promise<void> {
    const { organisation, storage } = this.#tenant;
    const webhooks = await this.#store.list(organisation);
    if (webhooks.length === 0) return;
    try {
      // Where it stands, without its journal: that is read only when there may be something to tell.
      const stored = await storage.loadRun(id, noCommits);
      if (stored) await this.#tell(stored, webhooks, wasJustTaken);
    } catch (error) {
      if (!PortiaError.isInstance(error) || !unreadable.has(error.code)) throw error;
      this.#warn(error);
    }
  }

  async #tell({ header, status }: RunSummary, webhooks: readonly Webhook[], wasJustTaken: boolean): Promise<void> {
    const { organisation, portia } = this.#tenant;
    const at = Date.now();
    const mayTell = worthALook.has(status.state);
    const place = await this.#store.place(organisation, header.id);
    if (place !== undefined && !mayTell) return;
    const events = await portia.storage.getEvents(header.id, place?.seq);
    const last = events.at(-1);
    if (last === undefined) return;
    const isOld = await this.#oldness(place, wasJustTaken ? last.at : undefined);
    const isNews = (event: RunEvent): boolean =>
      typeOf(event) !== undefined && webhooks.some((webhook) => !isOld(event, webhook));
    const news = events.filter(isNews);
    if (!mayTell) {
      await this.#store.setPlace(organisation, header.id, { seq: (news[0]?.seq ?? last.seq + 1) - 1, at });
      return;
    }
    for (const event of news) {
      for (const webhook of webhooks) if (!isOld(event, webhook)) await this.#enqueue(header, event, webhook);
    }
    await this.#store.setPlace(organisation, header.id, { seq: last.seq, at });
    this.#rang();
  }

  /**
   * Which events after the last look are from before a webhook. All that came after a look later than it are not; of the
   * others, time has to tell. If the last one has come just now, `justNow`, its time says how much the driver's clock is
   * behind, or how late it was. Of a run that is looked at for the first time, all from before the mark are old.
   */
  async #oldness(
    place: Place | undefined,
    justNow: number | undefined,
  ): Promise<(event: RunEvent, webhook: Webhook) => boolean> {
    const mark = place ? 0 : ((await this.#store.mark(this.#tenant.organisation)) ?? 0);
    const behind = justNow === undefined ? 0 : Math.max(0, Date.now() - justNow);
    return ({ at }, { createdAt }) => {
      if (place && place.at >= createdAt) return false;
      return at + behind < Math.max(mark - slackMs, createdAt);
    };
  }

  async #enqueue(header: RunSummary['header'], event: RunEvent, webhook: Webhook): Promise<void> {
    const type = typeOf(event);
    if (type === undefined || !webhook.events.includes(type)) return;
    const { organisation } = this.#tenant;
    const { id, endUserId, labels = {}, runKey = null } = header;
    const trace = traceContextFor(header, `webhook.${event.seq}`);
    const data = { organisation, planRunId: id, endUserId, labels, runKey, ...trace, ...particulars(event) };
    await this.#store.enqueue(webhook, `${organisation}/${id}/${event.seq}`, (message) =>
      JSON.stringify({ id: message, type, timestamp: new Date(event.at).toISOString(), data }),
    );
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
