import { pathToFileURL } from 'node:url';
import type { OAuthClientProvider, Transport } from '@modelcontextprotocol/client';
import { clientPackage, stdioPackage } from './mcp-package.ts';
import type { McpServerSpec } from './server-options.ts';

/** A new way to a server. Nothing is opened before the client connects. */
export async function transportTo(spec: McpServerSpec, authProvider?: OAuthClientProvider): Promise<Transport> {
  if (spec.transport === 'stdio') {
    const { StdioClientTransport, getDefaultEnvironment } = await stdioPackage();
    const { command, args = [], env, cwd, stderr = 'ignore' } = spec;
    return new StdioClientTransport({
      command,
      args: [...args],
      env: { ...getDefaultEnvironment(), ...env },
      ...(cwd !== undefined && { cwd }),
      stderr,
      maxBufferSize: mostBytes,
    });
  }
  const { StreamableHTTPClientTransport, SSEClientTransport } = await clientPackage();
  const options = {
    fetch: fetchLimited,
    ...(spec.headers && { requestInit: { headers: { ...spec.headers } } }),
    ...(authProvider && { authProvider }),
  };
  const url = new URL(spec.url);
  return spec.transport === 'sse'
    ? new SSEClientTransport(url, options)
    : new StreamableHTTPClientTransport(url, options);
}

/** Bytes of one message of a server that are read. */
const mostBytes = 10 * 1024 * 1024;

/** Whether a connection failed because a message on it was longer than is read. */
export function isTooLong(error: Error): boolean {
  return /exceeded maximum size/.test(error.message);
}

/** Like `fetch`; an answer, or an event of a stream, that is too long is not read to its end. */
async function fetchLimited(input: string | URL, init?: RequestInit): Promise<Response> {
  const response = await fetch(input, init);
  if (!response.body) return response;
  const isStream = /^text\/event-stream\b/i.test(response.headers.get('content-type') ?? '');
  let size = 0;
  let line = 0;
  const counted = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      size += chunk.byteLength;
      if (isStream)
        for (const [index, byte] of chunk.entries()) {
          // An empty line ends an event.
          if (byte === 10 && line === 0) size = chunk.byteLength - index - 1;
          if (byte === 10) line = 0;
          else if (byte !== 13) line += 1;
        }
      if (size > mostBytes) controller.error(new Error(`a message exceeded maximum size of ${mostBytes} bytes`));
      else controller.enqueue(chunk);
    },
  });
  const { status, statusText, headers } = response;
  const limited = new Response(response.body.pipeThrough(counted), { status, statusText, headers });
  // Where it came from stays known: redirects are judged by it.
  Object.defineProperties(limited, {
    url: { value: response.url },
    redirected: { value: response.redirected },
    type: { value: response.type },
  });
  return limited;
}

/** Roots as the protocol has them. */
export function rootsOf(roots: readonly string[]): { uri: string }[] {
  return roots.map((root) => ({ uri: root.startsWith('file:') ? root : pathToFileURL(root).href }));
}
