import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { ensureError } from '../../core/errors.ts';
import { guardedLookup } from './guarded-lookup.ts';
import { type NetworkRules, webAddress } from './private-network.ts';

/** A proxy of this process that a browser goes through. */
export interface GuardedProxy {
  /** `http://127.0.0.1:port` */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Starts a proxy on the loopback interface that connects only to hosts the rules allow. What a page does, by a
 * redirect, a script or a name that changes, ends here: a browser has no other way out.
 */
export async function startGuardedProxy(rules: NetworkRules): Promise<GuardedProxy> {
  const sockets = new Set<Duplex>();
  const server = createServer((asked, answer) => forward(rules, asked, answer));
  server.on('connection', (socket: Socket) => keep(sockets, socket));
  server.on('connect', (asked: IncomingMessage, socket: Duplex) => tunnel(rules, sockets, asked, socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      for (const socket of sockets) socket.destroy();
      await closed(server);
    },
  };
}

async function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  server.close();
  if (server.listening) await once(server, 'close');
}

function keep(sockets: Set<Duplex>, socket: Duplex): void {
  sockets.add(socket);
  socket.on('close', () => sockets.delete(socket));
  socket.on('error', () => socket.destroy());
}

/** A request in the clear. */
function forward(rules: NetworkRules, asked: IncomingMessage, answer: ServerResponse): void {
  const refuse = (error: unknown): void => {
    if (!answer.headersSent) answer.writeHead(403, { 'content-type': 'text/plain' });
    answer.end(ensureError(error).message);
  };
  try {
    const url = webAddress(asked.url ?? '', rules);
    const { 'proxy-connection': _hop, 'proxy-authorization': _key, ...headers } = asked.headers;
    const onward = request(
      url,
      { method: asked.method, headers, agent: false, lookup: guardedLookup(url, rules) },
      (got) => {
        answer.writeHead(got.statusCode ?? 502, got.headers);
        got.pipe(answer);
      },
    );
    onward.on('error', refuse);
    answer.on('close', () => onward.destroy());
    asked.pipe(onward);
  } catch (error) {
    refuse(error);
  }
}

/** A connection that is encrypted from end to end. */
function tunnel(rules: NetworkRules, sockets: Set<Duplex>, asked: IncomingMessage, socket: Duplex): void {
  try {
    const url = webAddress(`https://${asked.url ?? ''}`, rules);
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const onward = connect({ host, port: Number(url.port || 443), lookup: guardedLookup(url, rules) }, () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      onward.pipe(socket);
      socket.pipe(onward);
    });
    keep(sockets, onward);
    onward.on('error', () => socket.destroy());
    onward.on('close', () => socket.destroy());
    socket.on('close', () => onward.destroy());
  } catch {
    socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
  }
}
