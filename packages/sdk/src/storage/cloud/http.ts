import { setTimeout as sleep } from 'node:timers/promises';
import { PortiaError, type PortiaErrorCode, portiaErrorCodes } from '../../core/errors.ts';

/** How a server is reached. */
export interface Reach {
  /** Where it is; paths are put behind it. */
  readonly endpoint: string;
  readonly apiKey?: string | undefined;
  /** How long to try again while it cannot be reached, in milliseconds. */
  readonly patienceMs: number;
}

/** A request, as it is sent. */
export interface Sent {
  readonly method?: 'GET' | 'POST' | 'PUT' | undefined;
  readonly json?: unknown;
  readonly form?: FormData | undefined;
}

/** What came back. */
export interface Received {
  readonly status: number;
  readonly text: string;
}

const timeoutMs = 60_000;
const waitMs = { first: 100, most: 3_000 } as const;
const mostRedirects = 3;
/** Answers after which it is worth trying again. */
const passing: ReadonlySet<number> = new Set([408, 425, 429, 502, 503, 504]);

/**
 * Requests to one server, tried again while it is away. The key goes to that server only: an address elsewhere is asked
 * without it, and a redirect to anywhere else is an error.
 */
export class CloudHttp {
  /** For people. */
  readonly host: string;
  readonly #endpoint: string;
  readonly #apiKey: string | undefined;
  readonly #patienceMs: number;
  readonly #over = new AbortController();

  constructor({ endpoint, apiKey, patienceMs }: Reach) {
    this.#endpoint = endpoint.replace(/\/+$/, '');
    this.host = new URL(this.#endpoint).host;
    this.#apiKey = apiKey;
    this.#patienceMs = patienceMs;
  }

  /** Whether an address is on the server that the key is for. */
  #isOwn(address: string): boolean {
    return new URL(address).origin === new URL(this.#endpoint).origin;
  }

  /** Nothing is asked any more. */
  close(): void {
    this.#over.abort();
  }

  /**
   * Sends a request until it is answered. `again`: an earlier attempt may have been carried out; what makes the request
   * may then find that out, and give the answer itself.
   * @throws PortiaError `STORAGE_FAILED` when the server is away for too long.
   */
  async send(path: string, make: (again: boolean) => Promise<Sent | Received>): Promise<Received> {
    const deadline = Date.now() + this.#patienceMs;
    let wait: number = waitMs.first;
    for (let again = false; ; again = true) {
      const made = await make(again);
      if ('text' in made) return made;
      const tried = await this.#attempt(path, made);
      if (!tried.passing || this.#over.signal.aborted) return tried.received ?? this.#fail(tried.why);
      const pause = Math.max(wait * (0.5 + Math.random() / 2), tried.afterMs ?? 0);
      if (Date.now() + pause > deadline) return this.#fail(tried.why, tried.received);
      await sleep(pause);
      wait = Math.min(waitMs.most, wait * 2);
    }
  }

  async #attempt(
    path: string,
    sent: Sent,
  ): Promise<{ received?: Received; passing: boolean; why: string; afterMs?: number | undefined }> {
    if (this.#over.signal.aborted) return { passing: false, why: 'it was closed' };
    let response: Response;
    let text: string;
    try {
      response = await this.#fetch(this.#addressOf(path), sent, 0);
      text = await response.text();
    } catch (error) {
      if (PortiaError.isInstance(error)) throw error;
      return { passing: true, why: reasonOf(error) };
    }
    const { status } = response;
    const afterMs = Number(response.headers.get('retry-after')) * 1_000 || undefined;
    return { received: { status, text }, passing: passing.has(status), why: `it answered ${status}`, afterMs };
  }

  async #fetch(address: string, sent: Sent, redirects: number): Promise<Response> {
    const { method = 'GET', json, form } = sent;
    const headers: Record<string, string> = {};
    if (this.#apiKey !== undefined && this.#isOwn(address)) headers['authorization'] = `Api-Key ${this.#apiKey}`;
    if (!form) headers['content-type'] = 'application/json';
    const body = form ?? (json === undefined ? undefined : JSON.stringify(json));
    const response = await fetch(address, {
      method,
      headers,
      redirect: 'manual',
      signal: AbortSignal.any([this.#over.signal, AbortSignal.timeout(timeoutMs)]),
      ...(body !== undefined && { body }),
    });
    const location = response.headers.get('location');
    if (response.status < 300 || response.status >= 400 || location === null) return response;
    const next = new URL(location, address).href;
    await response.body?.cancel();
    if (!this.#isOwn(next) || redirects >= mostRedirects || (response.status < 307 && method !== 'GET')) {
      throw new PortiaError({
        code: 'STORAGE_FAILED',
        message: `${this.host} sends requests elsewhere (${response.status}), and the key is not taken along`,
        hint: 'set portiaApiEndpoint to the address it leads to, if you trust that',
      });
    }
    return this.#fetch(next, sent, redirects + 1);
  }

  #addressOf(path: string): string {
    return /^https?:\/\//i.test(path) ? path : `${this.#endpoint}${path.startsWith('/') ? '' : '/'}${path}`;
  }

  #fail(why: string, received?: Received): never {
    const told = received && problemIn(received);
    if (told) throw told;
    throw new PortiaError({
      code: 'STORAGE_FAILED',
      message: `the server ${this.host} did not do what was asked: ${why}`,
      hint: 'check that it runs and can be reached; what was not written is tried again',
    });
  }

  /** The error of an answer that is none of those expected. */
  refused(received: Received): PortiaError {
    const { status } = received;
    if (status === 401 || status === 403) {
      return new PortiaError({
        code: 'STORAGE_FAILED',
        message: `the server ${this.host} does not let this key in (${status})`,
        hint: 'check portiaApiKey (PORTIA_API_KEY), and what the key may do',
      });
    }
    return (
      problemIn(received) ??
      new PortiaError({
        code: 'STORAGE_FAILED',
        message: `the server ${this.host} answered ${status}: ${received.text.slice(0, 200)}`,
        hint: status === 413 ? 'the server takes no body as large as this: raise its limit' : 'see its log',
      })
    );
  }
}

/** The error that a problem document tells of, with its own code. */
function problemIn({ text }: Received): PortiaError | undefined {
  try {
    const { code, detail, hint, planRunId } = JSON.parse(text) as Readonly<Record<string, string | undefined>>;
    if (code === undefined || !Object.hasOwn(portiaErrorCodes, code)) return undefined;
    return new PortiaError({ code: code as PortiaErrorCode, message: detail ?? code, hint, planRunId });
  } catch {
    return undefined;
  }
}

/** Why a request did not arrive; what undici says stands in the cause. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as { readonly cause?: { readonly code?: string }; readonly message?: string };
  return cause?.code ?? message ?? String(error);
}
