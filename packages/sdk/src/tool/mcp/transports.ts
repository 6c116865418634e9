import { pathToFileURL } from 'node:url';
import type { OAuthClientProvider, Transport } from '@modelcontextprotocol/client';
import { clientPackage, stdioPackage } from './mcp-package.ts';
import { mostBytes, serverFetch } from './server-fetch.ts';
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
    fetch: serverFetch(spec),
    ...(authProvider && { authProvider }),
  };
  const url = new URL(spec.url);
  return spec.transport === 'sse'
    ? new SSEClientTransport(url, options)
    : new StreamableHTTPClientTransport(url, options);
}

/** Whether a connection failed because a message on it was longer than is read. */
export function isTooLong(error: Error): boolean {
  return /exceeded maximum size/.test(error.message);
}

/** Roots as the protocol has them. */
export function rootsOf(roots: readonly string[]): { uri: string }[] {
  return roots.map((root) => ({ uri: root.startsWith('file:') ? root : pathToFileURL(root).href }));
}
