// An MCP server over stdio that lists five tools and three resources on pages of two, and says which process it is.
import { Server } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';

const names = ['one', 'two', 'three', 'four', 'five'];
const tools = names.map((name) => ({
  name,
  description: `says which process it is, as ${name}`,
  inputSchema: { type: 'object' },
  annotations: { readOnlyHint: true },
}));
const resources = names.slice(0, 3).map((name) => ({ name, uri: `test://${name}` }));

function page(all, cursor = '0') {
  const from = Number(cursor);
  return { items: all.slice(from, from + 2), ...(from + 2 < all.length && { nextCursor: String(from + 2) }) };
}

function pagedServer() {
  const server = new Server({ name: 'paged', version: '1.0.0' }, { capabilities: { tools: {}, resources: {} } });
  server.setRequestHandler('tools/list', ({ params }) => {
    const { items, ...more } = page(tools, params?.cursor);
    return { tools: items, ...more };
  });
  server.setRequestHandler('resources/list', ({ params }) => {
    const { items, ...more } = page(resources, params?.cursor);
    return { resources: items, ...more };
  });
  server.setRequestHandler('tools/call', ({ params }) => ({
    content: [{ type: 'text', text: `${params.name} ${process.pid}` }],
  }));
  return server;
}

serveStdio(() => pagedServer());
