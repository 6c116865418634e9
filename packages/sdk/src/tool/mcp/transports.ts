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
    });
  }
  const { StreamableHTTPClientTransport, SSEClientTransport } = await clientPackage();
  const options = {
    ...(spec.headers && { requestInit: { headers: { ...spec.headers } } }),
    ...(authProvider && { authProvider }),
  };
  const url = new URL(spec.url);
  return spec.transport === 'sse'
    ? new SSEClientTransport(url, options)
    : new StreamableHTTPClientTransport(url, options);
}

/** Roots as the protocol has them. */
export function rootsOf(roots: readonly string[]): { uri: string }[] {
  return roots.map((root) => ({ uri: root.startsWith('file:') ? root : pathToFileURL(root).href }));
}
