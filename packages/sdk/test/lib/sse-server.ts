// An MCP server of the older HTTP with server-sent events, written out by hand: what it answers to a call is not limited.
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Serves the tool `call`, whose answer is this text, given over the stream as it is. */
export async function sseServer(answer: () => string): Promise<{ readonly url: string; close(): Promise<void> }> {
  let stream: ServerResponse | undefined;
  const tools = [{ name: 'call', inputSchema: { type: 'object' }, annotations: { readOnlyHint: true } }];
  const server = createServer(async (request, response) => {
    if (request.method === 'GET') {
      stream = response.writeHead(200, { 'content-type': 'text/event-stream' });
      stream.write('event: endpoint\ndata: /messages\n\n');
      return;
    }
    let body = '';
    for await (const chunk of request) body += String(chunk);
    response.writeHead(202).end();
    const { id, method, params } = JSON.parse(body) as { id?: number; method: string; params?: object };
    const tell = (result: string): unknown =>
      stream?.write(`event: message\ndata: {"jsonrpc":"2.0","id":${id},"result":${result}}\n\n`);
    if (method === 'initialize') {
      const { protocolVersion } = params as { protocolVersion: string };
      const serverInfo = { name: 'old', version: '1' };
      tell(JSON.stringify({ protocolVersion, capabilities: { tools: {} }, serverInfo }));
    }
    if (method === 'tools/list') tell(JSON.stringify({ tools }));
    if (method === 'tools/call') tell(`{"content":[{"type":"text","text":"${answer()}"}]}`);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/sse`,
    close: () => {
      server.closeAllConnections();
      return new Promise((closed) => server.close(() => closed()));
    },
  };
}
