// The world outside a run: a server on loopback where effects happen and are counted, and where customers, payments and
// pages are looked up. Processes that die leave behind here what they did.
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { JsonObject, JsonValue } from '../../src/core/json.ts';
import { tool } from '../../src/tool/tool.ts';
import type { AnyTool, ToolRunContext } from '../../src/core/tool.ts';

/** Something that happened. */
interface Effect {
  readonly kind: string;
  readonly key: string;
  readonly body: JsonValue;
  readonly result: JsonValue;
}

/** One world: where it is, and what happened in it. */
export interface World {
  readonly url: string;
  readonly effects: readonly Effect[];
  /** Paths that were read, in order. */
  readonly reads: readonly string[];
  count(kind: string): number;
}

export interface Worlds {
  /** A new world in which nothing has happened. */
  fresh(): World;
  close(): Promise<void>;
}

/** What can be read, by path and query. */
export type Pages = (path: string, query: URLSearchParams) => JsonValue | undefined;

/** Starts a server that holds any number of worlds. */
export async function startWorlds(pages: Pages = () => undefined): Promise<Worlds> {
  const worlds: { readonly effects: Effect[]; readonly reads: string[] }[] = [];
  const server = createServer((request, response) => {
    void answer(request).then((value) => {
      response.writeHead(value === undefined ? 404 : 200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(value ?? null));
    });
  });
  async function answer(request: IncomingMessage): Promise<JsonValue | undefined> {
    const { pathname, search, searchParams } = new URL(request.url ?? '/', 'http://127.0.0.1');
    const [number = '', kind = '', key] = pathname.slice(1).split('/');
    const world = worlds[Number(number)];
    if (!world) return undefined;
    if (request.method === 'POST') {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const body = JSON.parse(Buffer.concat(chunks).toString()) as JsonValue;
      const made = `${kind}_${new Set(world.effects.map((effect) => effect.key)).size + 1}`;
      const known = world.effects.find((effect) => effect.key === request.headers['idempotency-key']);
      const effect = {
        kind,
        key: String(request.headers['idempotency-key']),
        body,
        result: known?.result ?? { id: made },
      };
      world.effects.push(effect);
      return effect.result;
    }
    if (kind === 'effects') return world.effects.find((effect) => effect.key === key)?.result;
    world.reads.push(`${pathname.slice(number.length + 1)}${search}`);
    return pages(pathname.slice(number.length + 1), searchParams);
  }
  // A connection that is closed just when it is used again would be a failure of the test, not of what is tested.
  server.keepAliveTimeout = 600_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    fresh() {
      const made = { effects: [] as Effect[], reads: [] as string[] };
      worlds.push(made);
      const count = (kind: string): number => made.effects.filter((effect) => effect.kind === kind).length;
      return { url: `http://127.0.0.1:${port}/${worlds.length - 1}`, ...made, count };
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** Reads a path of a world. */
export async function read(url: string, path: string): Promise<JsonValue> {
  const response = await fetch(`${url}${path}`);
  if (!response.ok) throw new Error(`${path} gave ${response.status}`);
  return (await response.json()) as JsonValue;
}

/** Makes something happen in a world. */
export async function act(
  url: string,
  kind: string,
  body: JsonValue,
  { idempotencyKey, signal }: Pick<ToolRunContext, 'idempotencyKey' | 'signal'>,
): Promise<JsonObject> {
  const headers = { 'content-type': 'application/json', 'idempotency-key': idempotencyKey };
  const response = await fetch(`${url}/${kind}`, { method: 'POST', body: JSON.stringify(body), headers, signal });
  return (await response.json()) as JsonObject;
}

/** What an earlier call with this key did, if it did anything. */
export async function lookUp(url: string, key: string): Promise<JsonValue | undefined> {
  const response = await fetch(`${url}/effects/${key}`);
  const found = (await response.json()) as JsonValue;
  return response.ok ? found : undefined;
}

/** A tool whose call is one effect in a world; it is not marked, so that nobody may repeat it in silence. */
export function acting<Args extends JsonObject>(
  url: string,
  id: string,
  argsSchema: NonNullable<Parameters<typeof tool<Args, JsonObject>>[0]['argsSchema']>,
): AnyTool {
  return tool<Args, JsonObject>({
    id,
    description: `does what ${id} says`,
    argsSchema,
    run: (args, context) => act(url, id, args, context),
  });
}
