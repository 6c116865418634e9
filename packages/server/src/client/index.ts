import createClient, { type Client } from 'openapi-fetch';
import type { components, paths } from './api-types.ts';

/** Where the server is, and who asks. */
export interface ServerClientOptions {
  /** `https://portia.example.org`; in a browser `''` means where the page came from. */
  readonly url: string;
  /** A key, or the token of an end user. In a browser only ever a token: whoever has the page has what is in it. */
  readonly key?: string | undefined;
  /** In place of the global `fetch`. */
  readonly fetch?: ((request: Request) => Promise<Response>) | undefined;
}

/** An event of a run as the server sends it. `seq` is absent on notices, which are not stored. */
export interface ServerEvent {
  readonly type: string;
  readonly seq?: number;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly [field: string]: unknown;
}

/** The documents of the API, by name. */
export type Documents = components['schemas'];

/** A client of the API: `GET`, `POST` and so on with the paths, parameters and answers that the server has. */
export interface ServerClient extends Client<paths> {
  /** Follows a run until it ends; goes on after a lost connection where it was. */
  events(
    runId: string,
    options?: { readonly after?: number | undefined; readonly signal?: AbortSignal | undefined },
  ): AsyncGenerator<ServerEvent, void, undefined>;
}

/**
 * A typed client of the server, for browsers and Node. It knows only `fetch`.
 *
 * @example
 * const server = serverClient({ url: 'https://portia.example.org', key: token });
 * const { data, error } = await server.GET('/api/v1/clarifications');
 */
export function serverClient(options: ServerClientOptions): ServerClient {
  const { url, key, fetch: send = (request: Request) => fetch(request) } = options;
  const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const client = createClient<paths>({ baseUrl: url, headers, fetch: send });
  return Object.assign(client, {
    async *events(
      runId: string,
      { after = 0, signal }: { readonly after?: number | undefined; readonly signal?: AbortSignal | undefined } = {},
    ): AsyncGenerator<ServerEvent, void, undefined> {
      let seen = after;
      for (let failures = 0; !signal?.aborted; ) {
        try {
          const answer = await client.GET('/api/v1/runs/{runId}/events', {
            params: { path: { runId }, query: { after: seen } },
            parseAs: 'stream',
            ...(signal && { signal }),
          });
          if (answer.response.status === 204) return;
          if (answer.error)
            throw Object.assign(new Error(answer.error.detail), { final: answer.response.status < 500 });
          for await (const event of eventsIn(answer.data as ReadableStream<Uint8Array>)) {
            failures = 0;
            seen = event.seq ?? seen;
            yield event;
          }
          // The stream ends with the run; asking once more answers 204 if it did.
        } catch (error) {
          if (signal?.aborted) return;
          failures += 1;
          if ((error as { readonly final?: boolean }).final || failures > 10) throw error;
          await new Promise((resolve) => setTimeout(resolve, Math.min(5_000, 100 * 2 ** failures)));
        }
      }
    },
  });
}

async function* eventsIn(stream: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent, void, undefined> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let text = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += decoder.decode(value, { stream: true });
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        const data = block.split('\n').flatMap((line) => (line.startsWith('data: ') ? [line.slice(6)] : []));
        if (data.length > 0) yield JSON.parse(data.join('\n')) as ServerEvent;
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
