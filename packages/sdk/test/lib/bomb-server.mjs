// An MCP server over stdio whose results are too much: nested too deep, or of very many or very long parts.
import { Server } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';

/** Values by the name of the tool that gives them. */
export const bombs = {
  deep: () => ({ structuredContent: { deep: JSON.parse('['.repeat(2_000) + ']'.repeat(2_000)) } }),
  deep_text: () => ({ content: [{ type: 'text', text: '['.repeat(20_000) }] }),
  wide: () => ({ structuredContent: { wide: Array.from({ length: 500_000 }, (_, n) => n) } }),
  wide_text: () => ({ content: [{ type: 'text', text: 'x'.repeat(5_000_000) }] }),
  blocks: () => ({ content: Array.from({ length: 50_000 }, (_, n) => ({ type: 'text', text: String(n) })) }),
  endless: () => ({ content: [{ type: 'text', text: 'x'.repeat(12_000_000) }] }),
  small: () => ({ content: [{ type: 'text', text: 'still here' }] }),
};

/** A new server, as every session or request has one. */
export function bombServer() {
  const server = new Server({ name: 'bombs', version: '1.0.0' }, { capabilities: { tools: {} } });
  server.setRequestHandler('tools/list', () => ({
    tools: Object.keys(bombs).map((name) => ({
      name,
      description: name,
      inputSchema: { type: 'object' },
      annotations: { readOnlyHint: true },
    })),
  }));
  server.setRequestHandler('tools/call', ({ params }) => ({ content: [], ...bombs[params.name]() }));
  return server;
}

if (process.argv[1] === import.meta.filename) serveStdio(() => bombServer());
