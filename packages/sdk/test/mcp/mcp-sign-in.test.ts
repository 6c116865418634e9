import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Portia } from '../../src/client.ts';
import type { PlanRun } from '../../src/core/plan-run.ts';
import { fileSecretStore, McpToolRegistry, type OAuthLoopback, oauthLoopback } from '../../src/mcp/index.ts';
import type { Logger } from '../../src/observe/logger.ts';
import { PlanBuilderV2 } from '../../src/plan/builder-v2.ts';
import { memoryStorage } from '../../src/storage/memory/memory-storage.ts';
import type { StorageBackend } from '../../src/storage/storage-backend.ts';
import { clientOf, codeOf, questionOf } from '../lib/engine.ts';
import { oauthServer, type OAuthServer } from '../lib/oauth-mcp-server.ts';

const plan = new PlanBuilderV2('Whose mail')
  .invokeToolStep({ stepName: 'who', tool: 'mcp:mail:who', args: {} })
  .build();

let server: OAuthServer;
let dir: string;
let loopback: OAuthLoopback;
let registry: McpToolRegistry | undefined;
let portia: Portia;
let storage: StorageBackend;
const lines: string[] = [];
const write = (...parts: unknown[]): void => void lines.push(JSON.stringify(parts));
const logger = new Proxy({}, { get: () => write }) as Logger;
const key = randomBytes(32).toString('base64');

beforeEach(async () => {
  lines.length = 0;
  server = await oauthServer();
  dir = mkdtempSync(join(tmpdir(), 'portia-sign-in-'));
  storage = memoryStorage();
  loopback = await oauthLoopback({ onCallback: async (url) => registry?.handleOAuthCallback(url, { portia }) });
});
afterEach(async () => {
  await loopback.close();
  await registry?.close();
  registry = undefined;
  await server.close();
  rmSync(dir, { recursive: true });
});

const connect = (): Promise<McpToolRegistry> =>
  McpToolRegistry.fromStreamableHttpConnection({
    serverName: 'mail',
    url: server.url,
    secrets: fileSecretStore({ dir, key }),
    oauth: { redirectUrl: loopback.redirectUrl, listAs: 'admin' },
  });

/** What a browser does: it opens the page, and follows where it is sent. */
async function browse(url: string): Promise<number> {
  return (await fetch(url, { redirect: 'follow' })).status;
}

/** The tools have to be listed once by somebody who is signed in. */
async function firstListing(): Promise<void> {
  const error = await connect().then(
    () => undefined,
    (thrown: unknown) => thrown as { code: string; details: { url: string } },
  );
  expect(error).toMatchObject({ code: 'SIGN_IN_REQUIRED', details: { endUserId: 'admin', server: 'mail' } });
  // Any process may take the browser back; here it is one that has not connected to the server.
  const elsewhere = await serverless();
  const response = await fetch(String(error?.details.url), { redirect: 'manual' });
  const back = String(response.headers.get('location'));
  expect(await elsewhere.handleOAuthCallback(back)).toMatchObject({ server: 'mail', endUserId: 'admin' });
  expect(await codeOf(elsewhere.handleOAuthCallback(back))).toBe('SIGN_IN_FAILED');
  registry = await connect();
  portia = clientOf({ tools: [...registry], storage, logger });
}

/** The registry of a process that knows the list of tools from the store. */
const serverless = async (): Promise<McpToolRegistry> => {
  const secrets = fileSecretStore({ dir, key });
  await secrets.set('mcp/mail/tools', '[]');
  try {
    return await McpToolRegistry.fromStreamableHttpConnection({
      serverName: 'mail',
      url: server.url,
      secrets,
      oauth: { redirectUrl: loopback.redirectUrl, listAs: 'nobody' },
    });
  } finally {
    await secrets.delete('mcp/mail/tools');
  }
};

const value = (run: PlanRun): unknown => (run.outputs.finalOutput as { value?: unknown } | null)?.value;
const runFor = (endUser: string): Promise<PlanRun> => portia.runPlan(plan, { endUser });

describe('a server that wants people to sign in', () => {
  it('goes on with what waited when there is a client for it, be it only at the next sign-in', async () => {
    await firstListing();
    const first = await runFor('ada');
    const page = questionOf(first);
    const response = await fetch('actionUrl' in page ? page.actionUrl : '', { redirect: 'manual' });
    const back = String(response.headers.get('location'));
    const early = await registry?.handleOAuthCallback(back, { portia: async () => undefined });
    expect(early).toMatchObject({ endUserId: 'ada', planRunIds: [] });
    server.expire('all');
    const second = await runFor('ada');
    const again = questionOf(second);
    expect(await browse('actionUrl' in again ? again.actionUrl : '')).toBe(200);
    for (const { id } of [first, second])
      await expect.poll(async () => (await portia.storage.getPlanRun(id)).state, { timeout: 10_000 }).toBe('COMPLETE');
  });

  it('pauses the first run with the page, and the callback makes it go on by itself; each end user signs in once', async () => {
    await firstListing();
    const run = await runFor('ada');
    const question = questionOf(run);
    expect(question).toMatchObject({ category: 'Action', source: 'Sign-in to mail' });
    const url = 'actionUrl' in question ? question.actionUrl : '';
    expect(await browse(url)).toBe(200);
    await expect
      .poll(async () => (await portia.storage.getPlanRun(run.id)).state, { timeout: 10_000 })
      .toBe('COMPLETE');
    expect(value(await portia.storage.getPlanRun(run.id))).toBe('person 2');
    const [record] = await portia.storage.getClarifications(run.id);
    expect(record).toMatchObject({ audience: 'endUser' });

    expect(value(await runFor('ada'))).toBe('person 2');
    const other = await runFor('bob');
    expect(other.state).toBe('NEED_CLARIFICATION');
    expect(server.registrations).toBe(1);
    await nothingLeaks([run, other]);
  });

  it('renews what is over without asking, and asks again when that is refused', async () => {
    await firstListing();
    const run = await runFor('ada');
    const question = questionOf(run);
    await browse('actionUrl' in question ? question.actionUrl : '');
    await expect
      .poll(async () => (await portia.storage.getPlanRun(run.id)).state, { timeout: 10_000 })
      .toBe('COMPLETE');
    server.expire('access');
    expect(value(await runFor('ada'))).toBe('person 2');
    expect(server.refreshes).toBe(1);
    server.expire('all');
    const again = await runFor('ada');
    expect(questionOf(again)).toMatchObject({ category: 'Action', source: 'Sign-in to mail' });
    const asked = questionOf(again);
    expect(await browse('actionUrl' in asked ? asked.actionUrl : '')).toBe(200);
    await expect
      .poll(async () => (await portia.storage.getPlanRun(again.id)).state, { timeout: 10_000 })
      .toBe('COMPLETE');
    await nothingLeaks([run, again]);
  });

  it('refuses a callback of nobody, one for somebody else, and one that was not granted', async () => {
    await firstListing();
    const run = await runFor('ada');
    const question = questionOf(run);
    const page = 'actionUrl' in question ? question.actionUrl : '';
    const location = async (): Promise<string> =>
      String((await fetch(page, { redirect: 'manual' })).headers.get('location'));
    const handle = (url: string, endUserId?: string): Promise<unknown> =>
      codeOf((registry as McpToolRegistry).handleOAuthCallback(url, { portia, endUserId }));
    expect(await handle(`${loopback.redirectUrl}?code=x&state=unknown`)).toBe('SIGN_IN_FAILED');
    expect(await handle(`${loopback.redirectUrl}?code=x`)).toBe('SIGN_IN_FAILED');
    expect(await handle(await location(), 'mallory')).toBe('SIGN_IN_FAILED');
    expect((await portia.storage.getPlanRun(run.id)).state).toBe('NEED_CLARIFICATION');
    expect(value(await runFor('ada'))).toBeUndefined();
  });
});

/** No code, token or verifier stands in logs, events, records or, readable, in the store of secrets. */
async function nothingLeaks(runs: readonly PlanRun[]): Promise<void> {
  const told: string[] = [...lines];
  for (const { id } of runs) {
    told.push(JSON.stringify(await portia.storage.getPlanRun(id)));
    told.push(JSON.stringify(await portia.storage.getToolCalls(id)));
    told.push(JSON.stringify(await storage.loadRun(id)));
  }
  for (const name of readdirSync(dir)) told.push(readFileSync(join(dir, name), 'utf8'));
  const all = told.join('\n');
  expect(server.secrets.length).toBeGreaterThan(3);
  for (const secret of server.secrets) expect(all.includes(secret)).toBe(false);
}
