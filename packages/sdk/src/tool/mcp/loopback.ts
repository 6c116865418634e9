import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A page on this machine that browsers come back to from a sign-in. */
export interface OAuthLoopback {
  /** For `oauth.redirectUrl`. */
  readonly redirectUrl: string;
  close(): Promise<void>;
}

/** How {@link oauthLoopback} listens. */
export interface LoopbackOptions {
  /** Gets the whole URL of each callback; what it throws is shown to the person as a failed sign-in. */
  readonly onCallback: (url: string) => Promise<unknown>;
  /** 0, any free port, unless given. */
  readonly port?: number | undefined;
}

/** Listens on 127.0.0.1 for the browser of somebody who signs in, for command lines and desktops. */
export async function oauthLoopback({ onCallback, port = 0 }: LoopbackOptions): Promise<OAuthLoopback> {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    if (request.method !== 'GET' || url.pathname !== '/callback') {
      response.writeHead(404).end();
      return;
    }
    const say = (status: number, text: string): void => {
      response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(text);
    };
    onCallback(url.href).then(
      () => say(200, 'You are signed in. You can close this window.'),
      () => say(400, 'The sign-in did not work. Please begin it again.'),
    );
  });
  await new Promise<void>((listening, failed) => {
    server.once('error', failed);
    server.listen(port, '127.0.0.1', listening);
  });
  const { port: chosen } = server.address() as AddressInfo;
  return {
    redirectUrl: `http://127.0.0.1:${chosen}/callback`,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}
