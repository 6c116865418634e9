import { type EndUser, endUserFromWire, endUserToWire } from '../../core/end-user.ts';
import type { PlanRunUUID, PlanUUID } from '../../core/ids.ts';
import type { JsonObject } from '../../core/json.ts';
import { LocalDataValue, serializeValue } from '../../core/output.ts';
import type { PlanRunState } from '../../core/run-state.ts';
import type { PortiaRun } from '../disk/portia-run.ts';
import type { PlanRecord } from '../storage-backend.ts';
import type { CloudHttp, Received, Sent } from './http.ts';
import { receivedPlan, receivedRun, sentPlan } from './portia-documents.ts';

/** One page of runs, as a Portia cloud gives it. */
export interface RunPage {
  readonly runs: readonly PortiaRun[];
  readonly page: number;
  readonly pages: number;
  /** Of all pages. */
  readonly count: number;
}

/** The storage requests of Portia 0.9, `/api/v0`. Every path ends in a slash. */
export class PortiaApi {
  readonly #http: CloudHttp;

  constructor(http: CloudHttp) {
    this.#http = http;
  }

  /** @throws PortiaError for an answer that is neither 2xx nor, with `orMissing`, 404. */
  async #ask(path: string, sent: Sent = {}, orMissing = false): Promise<Received | undefined> {
    const received = await this.#http.send(`/api/v0${path}`, async () => sent);
    if (received.status >= 200 && received.status < 300) return received;
    if (orMissing && received.status === 404) return undefined;
    throw this.#http.refused(received);
  }

  async #get(path: string, orMissing = false): Promise<unknown> {
    const received = await this.#ask(path, {}, orMissing);
    if (!received) return undefined;
    try {
      return JSON.parse(received.text);
    } catch {
      throw this.#http.refused(received);
    }
  }

  async getPlan(id: PlanUUID): Promise<PlanRecord | undefined> {
    const json = await this.#get(`/plans/${id}/`, true);
    return json === undefined ? undefined : receivedPlan(json);
  }

  async putPlan(plan: PlanRecord): Promise<void> {
    await this.#ask('/plans/', { method: 'POST', json: sentPlan(plan) });
  }

  /** Plans of exactly this query; what is only similar is left out. */
  async findPlans(query: string, limit: number): Promise<readonly PlanRecord[]> {
    const sent: Sent = { method: 'POST', json: { query, threshold: 1, limit } };
    const received = await this.#ask('/plans/embeddings/search/', sent, true);
    const found: unknown = received ? JSON.parse(received.text) : [];
    return Array.isArray(found) ? found.map(receivedPlan).filter((plan) => plan.query === query) : [];
  }

  async getRun(id: PlanRunUUID): Promise<PortiaRun | undefined> {
    const json = await this.#get(`/plan-runs/${id}/`, true);
    return json === undefined ? undefined : receivedRun(json);
  }

  async putRun(id: PlanRunUUID, document: JsonObject): Promise<void> {
    await this.#ask(`/plan-runs/${id}/`, { method: 'PUT', json: document });
  }

  /** Pages are counted from 1. `unreadable` is told of runs that cannot be read. */
  async listRuns(
    page: number,
    state: PlanRunState | undefined,
    unreadable: (id: string, error: unknown) => void,
  ): Promise<RunPage> {
    const query = `page=${page}${state === undefined ? '' : `&run_state=${state}`}`;
    const json = (await this.#get(`/plan-runs/?${query}`)) as {
      readonly results?: readonly unknown[];
      readonly total_pages?: number;
      readonly count?: number;
    };
    const runs: PortiaRun[] = [];
    for (const item of json.results ?? []) {
      try {
        runs.push(receivedRun(item));
      } catch (error) {
        unreadable(String((item as { readonly id?: unknown } | null)?.id), error);
      }
    }
    return { runs, page, pages: json.total_pages ?? 1, count: json.count ?? 0 };
  }

  async putOutput(id: PlanRunUUID, name: string, { value, summary }: LocalDataValue): Promise<void> {
    const form = new FormData();
    form.append('summary', summary ?? '');
    form.append(
      'value',
      new Blob([serializeValue({ value } as never)], { type: 'application/octet-stream' }),
      'output',
    );
    await this.#ask(`/agent-memory/plan-runs/${id}/outputs/${segment(name)}/`, { method: 'PUT', form });
  }

  /** In two steps: where the value is, then the value. The key goes to no other host. */
  async getOutput(id: PlanRunUUID, name: string): Promise<LocalDataValue | undefined> {
    const json = await this.#get(`/agent-memory/plan-runs/${id}/outputs/${segment(name)}/`, true);
    const { summary, url } = (json ?? {}) as { readonly summary?: string | null; readonly url?: string };
    if (url === undefined) return undefined;
    const received = await this.#http.send(url, async () => ({}));
    if (received.status < 200 || received.status >= 300) throw this.#http.refused(received);
    return LocalDataValue(received.text, summary || null);
  }

  async putEndUser(user: EndUser): Promise<EndUser> {
    const received = await this.#ask(`/end-user/${segment(user.externalId)}/`, {
      method: 'PUT',
      json: endUserToWire(user),
    });
    return endUserFromWire(JSON.parse((received as Received).text) as JsonObject);
  }

  async getEndUser(externalId: string): Promise<EndUser | undefined> {
    const json = await this.#get(`/end-user/${segment(externalId)}/`, true);
    return json === undefined ? undefined : endUserFromWire(json as JsonObject);
  }
}

/** A name in a path: all is escaped but the characters that Portia's own client sends as they are. */
function segment(name: string): string {
  return encodeURIComponent(name.toWellFormed()).replaceAll('%3A', ':').replaceAll('%24', '$');
}
