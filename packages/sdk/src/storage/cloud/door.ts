import { PortiaError, type PortiaErrorCode } from '../../core/errors.ts';
import type { StorageBackend } from '../storage-backend.ts';

/** The version of the protocol, which `GET <base>` tells. */
export const doorVersion = 1;

/** What the door reads of a request. */
type DoorRequest = Pick<Request, 'method' | 'url' | 'text'>;

/**
 * Serves a store over HTTP, for `storageClass: 'CLOUD'`: `GET` on its base says which version it speaks, and
 * `POST <base>/<operation>` does one thing. Answers with `{ "result": … }`, or a problem document with our code. Whoever
 * mounts it decides who may use it, and how large a body may be: this looks at neither.
 *
 * @example
 * app.all('/api/v1/storage/*', (context) => storageDoor(storeOf(context))(context.req.raw));
 */
export function storageDoor(storage: StorageBackend): (request: DoorRequest) => Promise<Response> {
  return async (request) => {
    try {
      // With the first request: whoever only imports the package needs no schemas.
      const [{ operations }, { prettifyError }] = await Promise.all([import('./operations.ts'), import('zod')]);
      const name = /([^/]*)\/?$/.exec(new URL(request.url).pathname)?.[1] ?? '';
      if (request.method === 'GET' && !operations.has(name)) return answer(200, { storage: doorVersion });
      const operation = operations.get(name);
      if (!operation) return problem(404, 'USAGE', `there is no operation ${JSON.stringify(name)}`);
      if (request.method !== 'POST') return problem(405, 'USAGE', `${name} is done by POST`, { allow: 'POST' });
      const given = operation.takes.safeParse(await bodyOf(request));
      if (!given.success)
        return problem(400, 'CONFIG_INVALID', `${name} cannot be done: ${prettifyError(given.error)}`);
      return answer(200, { result: await operation.does(storage, given.data as never) });
    } catch (error) {
      return problemOf(error, storage.name);
    }
  };
}

async function bodyOf(request: DoorRequest): Promise<unknown> {
  try {
    return JSON.parse(await request.text());
  } catch {
    throw new PortiaError({ code: 'CONFIG_INVALID', message: 'the body of the request is not JSON' });
  }
}

function answer(status: number, body: object): Response {
  return new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } });
}

const statuses: { readonly [Code in PortiaErrorCode]?: number } = {
  PLAN_NOT_FOUND: 404,
  PLAN_RUN_NOT_FOUND: 404,
  CONTENT_ERASED: 410,
  PLAN_CHANGED: 409,
  RUN_FILE_CHANGED: 409,
  CONFIG_INVALID: 400,
  ID_INVALID: 400,
  END_USER_INVALID: 400,
  OUTPUT_NOT_JSON: 400,
  STORAGE_CORRUPT: 422,
  STORAGE_FAILED: 503,
};

function problemOf(error: unknown, store: string): Response {
  if (PortiaError.isInstance(error)) {
    const { code, message, hint, planRunId } = error;
    // Its name may be a path of the machine that it is on.
    const said = message.startsWith(`${store} `) ? `the store${message.slice(store.length)}` : message;
    return problem(statuses[code] ?? 500, code, said, {}, { hint, planRunId });
  }
  return problem(500, 'INTERNAL', 'something happened that was not foreseen');
}

/** A problem document (RFC 9457) with our code. */
function problem(
  status: number,
  code: PortiaErrorCode,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
  more: object = {},
): Response {
  const body = JSON.stringify({ type: 'about:blank', title: code, status, code, detail, ...more });
  return new Response(body, { status, headers: { 'content-type': 'application/problem+json', ...headers } });
}
