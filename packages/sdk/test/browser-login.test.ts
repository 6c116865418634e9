import { execFile } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Portia } from '../src/client.ts';
import type { PlanRun } from '../src/core/plan-run.ts';
import { memoryStorage } from '../src/storage/memory/memory-storage.ts';
import { sqliteStorage } from '../src/storage/sqlite/index.ts';
import { object } from '../src/testing/script.ts';
import { scriptedModel } from '../src/testing/scripted-model.ts';
import { toolContext } from '../src/testing/tool-context.ts';
import { testTool } from '../src/testing/tool-contract.ts';
import { browserProfile } from '../src/tool/library/browser-session.ts';
import { createBrowserTool } from '../src/tool/library/browser-tool.ts';
import {
  chromiumArgs,
  executablePath,
  lookingModel,
  ordersPlan,
  ordersTool,
  remoteClient,
  type Shop,
  startChromium,
  startShop,
} from './lib/browser-login.ts';
import { clientOf, questionOf } from './lib/engine.ts';

vi.setConfig({ testTimeout: 90_000, hookTimeout: 60_000 });

const lib = join(import.meta.dirname, 'lib');
const run = promisify(execFile);
let dir: string;
let shop: Shop;
const stops: (() => Promise<void>)[] = [];
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'portia-login-'));
  shop = await startShop();
});
afterAll(async () => {
  for (const stop of stops) await stop();
  shop.close();
  await rm(dir, { recursive: true, force: true, maxRetries: 20 });
});

async function chromiumOf(name: string): Promise<string> {
  const { cdpUrl, stop } = await startChromium(join(dir, name));
  stops.push(stop);
  return cdpUrl;
}

async function signIn(page: Page, name: string): Promise<void> {
  await page.fill('[name=name]', name);
  await page.fill('[name=password]', `secret of ${name}`);
  await page.click('button');
  await page.waitForSelector('h1:has-text("Orders")');
}

/** The person opens the live view: what is in it is the page the tool left them. */
async function signInThere(cdpUrl: string, name: string): Promise<void> {
  const browser = await chromium.connectOverCDP(cdpUrl);
  const page = browser
    .contexts()
    .flatMap((context: BrowserContext) => context.pages())
    .find((one: Page) => one.url() === shop.url);
  if (!page) throw new Error('the page to sign in at was not left open');
  await signIn(page, name);
  await browser.close();
}

async function answered(portia: Portia, asked: PlanRun, resolvedBy: string): Promise<PlanRun> {
  await portia.resolveClarification({ planRun: asked, clarification: questionOf(asked), response: 'done', resolvedBy });
  return portia.resume({ planRun: asked });
}

describe.skipIf(!executablePath)('a run that waits for somebody to sign in, in Chromium', () => {
  it('goes on in another process, over a remote browser; another end user has to sign in, too', async () => {
    const browsers = { ada: await chromiumOf('ada'), bob: await chromiumOf('bob') };
    const path = join(dir, 'runs.db');
    const portia = remoteClient(shop, browsers, await sqliteStorage(path));
    const asked = await portia.runPlan(ordersPlan, { endUser: 'ada' });
    expect(questionOf(asked)).toMatchObject({
      category: 'Action',
      source: 'Browser tool',
      actionUrl: `https://live.example/ada?at=${encodeURIComponent(shop.url)}`,
      userGuidance: `Please sign in at ${shop.host}: with your account`,
    });
    await signInThere(browsers.ada, 'ada');
    await portia.resolveClarification({
      planRun: asked,
      clarification: questionOf(asked),
      response: 'done',
      resolvedBy: 'ada',
    });
    const script = ['--import', join(lib, 'typescript-loader.mjs'), join(lib, 'browser-login-process.ts')];
    const { url, host } = shop;
    const given = [path, asked.id, JSON.stringify({ url, host }), JSON.stringify(browsers)];
    const { stdout } = await run(process.execPath, [...script, ...given]);
    expect(JSON.parse(stdout)).toEqual(['COMPLETE', { who: 'ada', open: 3 }]);

    const second = await portia.runPlan(ordersPlan, { endUser: 'ada' });
    expect([second.state, second.outputs.clarifications]).toEqual(['COMPLETE', []]);
    const other = await portia.runPlan(ordersPlan, { endUser: 'bob' });
    expect(questionOf(other)).toMatchObject({ actionUrl: expect.stringContaining('https://live.example/bob?at=') });
    await portia.close();
  });

  it('is asked again when nobody did, and goes on once they did', async () => {
    const browsers = { eve: await chromiumOf('eve') };
    const portia = remoteClient(shop, browsers, memoryStorage());
    const asked = await portia.runPlan(ordersPlan, { endUser: 'eve' });
    const again = await answered(portia, asked, 'eve');
    expect(questionOf(again).id).not.toBe(questionOf(asked).id);
    await signInThere(browsers.eve, 'eve');
    const done = await answered(portia, again, 'eve');
    expect(done.outputs.finalOutput?.value).toEqual({ who: 'eve', open: 3 });
    await portia.close();
  });

  it('never meets the sessions of another in a browser they share, and leaves no page behind', async () => {
    const cdpUrl = await chromiumOf('shared');
    const owner = await chromium.connectOverCDP(cdpUrl);
    const [own] = owner.contexts();
    const page = await own?.newPage();
    if (!own || !page) throw new Error('the browser has no context of its own');
    await page.goto(shop.url);
    await signIn(page, 'owner');
    const portia = clientOf({ tools: [ordersTool(shop, { cdpUrl })], model: lookingModel() });
    const nobody = await portia.runPlan(ordersPlan);
    expect(nobody.outputs.finalOutput?.value).toEqual({ who: 'owner', open: 5 });
    const ada = await portia.runPlan(ordersPlan, { endUser: 'ada' });
    expect(questionOf(ada)).toMatchObject({ category: 'Action', actionUrl: shop.url });
    // Another connection hears a moment later of pages that were closed.
    const left = (): string[] => own.pages().flatMap((one: Page) => (one === page ? [] : [one.url()]));
    await expect.poll(() => left().filter((url) => url === shop.url), { timeout: 5_000 }).toEqual([]);
    await owner.close();
    await portia.close();
  });

  it('goes on with the profile of a browser on this machine, in which the person signed in', async () => {
    const profiles = join(dir, 'profiles');
    const options = { executablePath, args: chromiumArgs, profiles };
    const portia = clientOf({ tools: [ordersTool(shop, options)], model: lookingModel() });
    const asked = await portia.runPlan(ordersPlan, { endUser: 'ada' });
    const theirs = await chromium.launchPersistentContext(browserProfile(profiles, 'ada'), {
      executablePath: String(executablePath),
      args: [...chromiumArgs],
    });
    const page = await theirs.newPage();
    await page.goto(String((questionOf(asked) as { readonly actionUrl?: string }).actionUrl));
    await signIn(page, 'ada');
    await theirs.close();
    const done = await answered(portia, asked, 'ada');
    expect(done.outputs.finalOutput?.value).toEqual({ who: 'ada', open: 3 });
    expect(questionOf(await portia.runPlan(ordersPlan, { endUser: 'bob' })).category).toBe('Action');
    await portia.close();
  });
});

if (executablePath) {
  const site = await startShop();
  const profile = mkdtempSync(join(tmpdir(), 'portia-contract-'));
  const { cdpUrl, stop } = await startChromium(profile);
  afterAll(async () => {
    await stop();
    site.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 20 });
  });
  // A task that is done, and one that ends with the question to sign in.
  for (const output of ['looked at', undefined]) {
    const none = { element: null, text: null, url: null, submit: null, guidance: null };
    const answer = output === undefined ? { action: 'login', output: null } : { action: 'done', output };
    const model = scriptedModel(() => object({ ...none, ...answer }));
    testTool(
      createBrowserTool({ cdpUrl, allowPrivateHosts: [site.host] }),
      {
        valid: [{ url: site.url, task: 'Look at it' }],
        invalid: [{}, { url: 7, task: 'x' }, { url: site.url }],
        context: ({ signal }) => toolContext({ signal, model }),
      },
      { describe, it, expect },
    );
  }
}
