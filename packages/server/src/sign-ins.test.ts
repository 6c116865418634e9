import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { scriptedModelServer, type ScriptedModelServer, text, toolCall } from 'portia-ts/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { oauthServer, type OAuthServer } from '../../sdk/test/lib/oauth-mcp-server.ts';
import { type Ask, asker, until } from '../test/lib/asking.ts';
import { sqliteSql } from './control/sql.ts';
import { SqlSecrets } from './control/sql-secrets.ts';
import { manageKeys } from './manage-keys.ts';
import { type RunningServer, serve } from './serve.ts';

const key = randomBytes(32).toString('base64');
let mail: OAuthServer;
let model: ScriptedModelServer;
let folder: string;
let server: RunningServer;
let ask: Ask;

const settings = () => ({ storage: `sqlite:${join(folder, 'portia.db')}`, secretKey: key, encryptRuns: true, env: {} });
const keyOf = async (organisation: string): Promise<string> => {
  const [made] = await manageKeys(settings(), { do: 'create', organisation, name: 'test', scopes: ['admin'] });
  return made?.key ?? '';
};
const startServer = async (): Promise<void> => {
  server = await serve({ port: 0, folder, logLevel: 'silent', settings: settings() });
  ask = asker(server.url);
};

beforeEach(async () => {
  mail = await oauthServer();
  model = await scriptedModelServer(({ tools }) => (tools?.[0] ? toolCall(tools[0].name, {}) : text('done')));
  folder = mkdtempSync(join(tmpdir(), 'portia-server-sign-in-'));
  writeFileSync(
    join(folder, 'portia.config.mjs'),
    `export default async ({ mcp }) => ({
       tools: [...(await mcp({ serverName: 'mail', url: '${mail.url}', oauth: { listAs: 'admin' } }))],
       config: { openaiApiKey: 'k', openaiBaseUrl: '${model.baseUrl}', defaultModel: 'openai/gpt-4.1' },
     });`,
  );
});
afterEach(async () => {
  await server.close();
  await mail.close();
  await model.close();
  rmSync(folder, { recursive: true });
});

/** What a browser does: it opens the page, and follows where it is sent. */
const browse = async (url: string): Promise<number> => (await fetch(url, { redirect: 'follow' })).status;

/** The page where whoever lists the tools of an organisation signs in: it stands in the log, and in the secrets. */
async function listingPage(organisation: string): Promise<string> {
  const sql = await sqliteSql(join(folder, 'control.db'));
  try {
    const secrets = new SqlSecrets(sql, key).of(organisation);
    const [name] = await secrets.list('mcp/mail/flow/');
    return JSON.parse((await secrets.get(String(name))) ?? '{}').url;
  } finally {
    await sql.close();
  }
}

async function planned(as: string): Promise<string> {
  const document = {
    plan_context: { query: 'Whose mail', tool_ids: ['mcp:mail:who'] },
    steps: [{ task: 'Say who', inputs: [], tool_id: 'mcp:mail:who', output: '$who' }],
  };
  return (await ask('POST', '/api/v1/plans', { as, body: { document } })).body.id;
}
const start = async (as: string, planId: string, endUser: string): Promise<string> =>
  (await ask('POST', '/api/v1/runs', { as, body: { planId, endUser } })).body.id;
const page = (as: string, runId: string): Promise<string> =>
  until(async () => {
    const { body } = await ask('GET', `/api/v1/runs/${runId}`, { as });
    return body.clarifications.find((one: { resolved: boolean }) => !one.resolved)?.actionUrl as string | undefined;
  }, 'the question to sign in');
const who = (as: string, runId: string): Promise<string> =>
  until(async () => {
    const { body } = await ask('GET', `/api/v1/runs/${runId}`, { as });
    if (body.state === 'FAILED') throw new Error(JSON.stringify(body.error));
    return body.state === 'COMPLETE' && (body.stepOutputs.$who.value as string);
  }, 'the run is complete');

describe('an MCP server of a server that wants people to sign in', () => {
  it('asks each person once, in each organisation, and the run goes on when the browser comes back', async () => {
    const as = await keyOf('default');
    await startServer();
    expect(await ask('GET', '/api/v1/tools', { as })).toMatchObject({
      status: 503,
      body: { code: 'SIGN_IN_REQUIRED' },
    });
    expect((await ask('GET', '/ready')).status).toBe(503);
    expect(JSON.stringify((await ask('GET', '/api/v1/tools', { as })).body)).not.toContain(mail.url.slice(0, -4));
    expect(await browse(await listingPage('default'))).toBe(200);
    expect((await ask('GET', '/ready')).status).toBe(200);

    const planId = await planned(as);
    const run = await start(as, planId, 'ada');
    expect(await browse(await page(as, run))).toBe(200);
    const ada = await who(as, run);
    expect(ada).toBe('person 2');
    expect(await who(as, await start(as, planId, 'ada'))).toBe(ada);
    const [record] = (await ask('GET', `/api/v1/runs/${run}/clarifications`, { as })).body.items;
    expect(record).toMatchObject({ audience: 'endUser', resolvedBy: 'ada' });

    // The same id elsewhere is somebody else.
    const other = await keyOf('acme');
    expect((await ask('GET', '/api/v1/tools', { as: other })).status).toBe(503);
    expect(await browse(await listingPage('acme'))).toBe(200);
    const run2 = await start(other, await planned(other), 'ada');
    expect(await browse(await page(other, run2))).toBe(200);
    expect(await who(other, run2)).toBe('person 4');

    await server.close();
    const stored = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
      .join('');
    expect(mail.secrets.length).toBeGreaterThan(8);
    for (const secret of mail.secrets) expect(stored.includes(secret)).toBe(false);
    await startServer();
    expect(await who(as, await start(as, planId, 'ada'))).toBe(ada);
  });

  it('is signed in to anew by somebody who was erased, and by nobody else', async () => {
    const as = await keyOf('default');
    await startServer();
    expect(await browse(await listingPage('default'))).toBe(200);
    const planId = await planned(as);
    for (const person of ['ada', 'bob']) {
      const run = await start(as, planId, person);
      expect(await browse(await page(as, run))).toBe(200);
      await who(as, run);
    }
    expect((await ask('DELETE', '/api/v1/end-users/ada', { as })).status).toBe(200);
    expect(await who(as, await start(as, planId, 'bob'))).toBe('person 3');
    const again = await start(as, planId, 'ada');
    expect(await browse(await page(as, again))).toBe(200);
    expect(await who(as, again)).toBe('person 4');
  });

  it('takes no browser back that brings nothing of ours', async () => {
    await startServer();
    for (const path of ['default', 'nobody', 'Default', '..%2fdefault', '%00'])
      for (const query of ['', '?state=x', '?state=x&code=y', '?error=access_denied']) {
        const answer = await ask('GET', `/sign-in/${path}/callback${query}`);
        expect([400, 404]).toContain(answer.status);
        expect(JSON.stringify(answer.body)).not.toContain('at ');
      }
    const back = (await fetch(await listingPage('default'), { redirect: 'manual' })).headers.get('location') ?? '';
    const elsewhere = back.replace('/sign-in/default/', '/sign-in/acme/');
    await keyOf('acme');
    expect(await browse(elsewhere)).toBe(400);
    expect(await browse(back)).toBe(200);
    expect(await browse(back)).toBe(400);
  });
});
