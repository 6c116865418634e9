// A shop whose orders are shown to who is signed in, and a plan that looks at them in a browser elsewhere.
import { randomUUID } from 'node:crypto';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Portia } from '../../src/client.ts';
import { contentText } from '../../src/core/content.ts';
import type { AnyTool } from '../../src/core/tool.ts';
import type { PlanV2 } from '../../src/core/plan-v2.ts';
import { PlanBuilderV2 } from '../../src/plan/builder-v2.ts';
import type { StorageBackend } from '../../src/storage/storage-backend.ts';
import { object } from '../../src/testing/script.ts';
import { type ScriptedModel, scriptedModel } from '../../src/testing/scripted-model.ts';
import type { BrowserOptions } from '../../src/tool/library/browser-session.ts';
import { createBrowserTool } from '../../src/tool/library/browser-tool.ts';
import { clientOf } from './engine.ts';

export const executablePath: string | undefined = [
  process.env['PORTIA_BROWSER_LOCAL_CHROME_EXEC'],
  '/usr/bin/chromium',
  '/usr/bin/google-chrome',
].find((path) => path !== undefined && existsSync(path));

export const chromiumArgs: readonly string[] = process.getuid?.() === 0 ? ['--no-sandbox'] : [];

/** The shop: whoever knows the password of a name gets a session. */
export interface Shop {
  readonly url: string;
  readonly host: string;
  close(): void;
}

export async function startShop(): Promise<Shop> {
  const sessions = new Map<string, string>();
  const server = createServer(async (request, response) => {
    response.setHeader('content-type', 'text/html');
    if (request.method === 'POST' && request.url === '/login') {
      const form = new URLSearchParams(await bodyOf(request));
      if (form.get('password') === `secret of ${form.get('name')}`) {
        const id = randomUUID();
        sessions.set(id, String(form.get('name')));
        response.setHeader('set-cookie', `sid=${id}; HttpOnly; SameSite=Lax; Max-Age=1000`);
      }
      return void response.writeHead(303, { location: '/orders' }).end();
    }
    const who = sessions.get(/sid=([\w-]+)/.exec(request.headers.cookie ?? '')?.[1] ?? '');
    response.end(
      who
        ? `<h1>Orders of ${who}</h1><p>Open: ${who.length}</p>`
        : '<h1>Please sign in</h1><form method="post" action="/login"><input name="name"><input type="password" name="password"><button>Sign in</button></form>',
    );
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = (): void => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://${host}/orders`, host, close };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  return body;
}

/** A Chromium of its own process, as a service for remote browsers would have it; its address for CDP. */
export async function startChromium(folder: string): Promise<{ readonly cdpUrl: string; stop(): Promise<void> }> {
  const args = [...chromiumArgs, '--headless=new', '--remote-debugging-port=0', '--no-first-run'];
  const child: ChildProcess = spawn(String(executablePath), [...args, `--user-data-dir=${folder}`, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  const cdpUrl = await new Promise<string>((resolve, reject) => {
    let said = '';
    child.stderr?.on('data', (chunk) => {
      said += String(chunk);
      const [, url] = /DevTools listening on (ws:\S+)/.exec(said) ?? [];
      if (url) resolve(url);
    });
    child.once('exit', () => reject(new Error(`Chromium ended: ${said}`)));
  });
  const stop = async (): Promise<void> => {
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await gone;
    // Its helpers outlive it for a moment, and still write to the folder.
    while (!endGroup(Number(child.pid))) await sleep(50);
  };
  return { cdpUrl, stop };
}

/** Kills what is left of a group of processes; true when nothing is. */
function endGroup(pid: number): boolean {
  try {
    process.kill(-pid, 'SIGKILL');
    return false;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    return true;
  }
}

/** What a model would say of the page it is shown. */
export function lookingModel(): ScriptedModel {
  return scriptedModel(({ messages }) => {
    const page = contentText(messages.at(-1)?.content);
    const [, who, open] = /Orders of (\w+)\s+Open: (\d+)/.exec(page) ?? [];
    const none = { element: null, text: null, url: null, submit: null, output: null, guidance: null };
    return who
      ? object({ ...none, action: 'done', output: { who, open: Number(open) } })
      : object({ ...none, action: 'login', guidance: 'with your account' });
  });
}

export function ordersTool(shop: Pick<Shop, 'url' | 'host'>, options: BrowserOptions): AnyTool {
  return createBrowserTool({
    url: shop.url,
    allowPrivateHosts: [shop.host],
    outputSchema: z.object({ who: z.string(), open: z.number() }),
    ...options,
  });
}

export const ordersPlan: PlanV2 = new PlanBuilderV2('How many orders are open?')
  .invokeToolStep({ stepName: 'look', tool: 'browser_tool_for_url_127_0_0_1', args: { task: 'Count the open orders' } })
  .build();

/** A client whose end users have a browser each, at these addresses. */
export function remoteClient(
  shop: Pick<Shop, 'url' | 'host'>,
  browsers: Readonly<Record<string, string>>,
  storage: StorageBackend,
): Portia {
  const tool = ordersTool(shop, {
    cdpUrl: ({ externalId }) => String(browsers[externalId]),
    loginUrl: (siteUrl, { externalId }) => `https://live.example/${externalId}?at=${encodeURIComponent(siteUrl)}`,
  });
  return clientOf({ tools: [tool], model: lookingModel(), storage });
}
