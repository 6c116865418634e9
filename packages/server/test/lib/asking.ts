/** What a server answered. */
export interface Answered {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever came
  readonly body: any;
  readonly headers: Headers;
}

/** Asks a server; `as` is the key. */
export type Ask = (
  method: string,
  path: string,
  options?: { readonly as?: string | undefined; readonly body?: unknown; readonly headers?: Record<string, string> },
) => Promise<Answered>;

/** Sends JSON and reads JSON: over the network, or to a handler in this process. */
export function asker(base: string, send: (request: Request) => Promise<Response> = fetch): Ask {
  return async (method, path, { as, body, headers = {} } = {}) => {
    const answer = await send(
      new Request(`${base}${path}`, {
        method,
        headers: {
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...(as !== undefined && { authorization: `Api-Key ${as}` }),
          ...headers,
        },
        ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      }),
    );
    const text = await answer.text();
    const isJson = /json/.test(answer.headers.get('content-type') ?? '');
    return { status: answer.status, body: isJson ? JSON.parse(text) : text, headers: answer.headers };
  };
}

/** Asks again and again, until the answer is as wanted. */
export async function until<T>(look: () => Promise<T | undefined | false>, what: string): Promise<T> {
  const deadline = Date.now() + 15_000;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`it did not happen: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
