import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { defaultEndUserId, type EndUser } from '../../core/end-user.ts';
import { ToolHardError } from '../../core/errors.ts';
import { importBeforeEffects } from '../../model/import-optional.ts';
import { type GuardedProxy, startGuardedProxy } from './guarded-proxy.ts';
import type { NetworkRules } from './private-network.ts';

/** Which browser is used, and whose sessions it keeps. */
export interface BrowserOptions extends NetworkRules {
  /** The Chromium or Chrome to start; `PORTIA_BROWSER_LOCAL_CHROME_EXEC` of the environment unless given. */
  readonly executablePath?: string | undefined;
  /** More arguments for it; `PORTIA_BROWSER_LOCAL_EXTRA_CHROMIUM_ARGS` of the environment unless given. */
  readonly args?: readonly string[] | undefined;
  /** Whether no window is shown; true unless given. */
  readonly headless?: boolean | undefined;
  /** A folder for what sites remember, one folder below it for each end user. Without it nothing is kept. */
  readonly profiles?: string | undefined;
  /**
   * A browser elsewhere, by its CDP address, in place of one that is started here. A function gives each end user a
   * browser of their own, whose sign-ins last as long as it does. One address for all is used as it stands while runs
   * name no end user; a named one gets a context of their own in it for each call, of which nothing is kept. What the
   * browser may reach is its own matter: the rules for hosts hold only for the pages it is sent to.
   */
  readonly cdpUrl?: string | ((endUser: EndUser) => string | Promise<string>) | undefined;
  /**
   * The address a person opens to log in, given the site's own; that one unless given. It has to lead into the browser that
   * the tool uses, such as the live view of a remote one: signing in elsewhere helps nobody.
   */
  readonly loginUrl?: ((siteUrl: string, endUser: EndUser) => string) | undefined;
}

/** The parts of a Playwright page that are used. */
export interface BrowserPage {
  goto(url: string, options: { readonly waitUntil: 'domcontentloaded'; readonly timeout: number }): Promise<unknown>;
  goBack(options: { readonly timeout: number }): Promise<unknown>;
  url(): string;
  title(): Promise<string>;
  evaluate<T>(script: string): Promise<T>;
  waitForTimeout(ms: number): Promise<void>;
  waitForLoadState(state: 'domcontentloaded', options: { readonly timeout: number }): Promise<void>;
  close(): Promise<void>;
  locator(selector: string): {
    click(options: { readonly timeout: number }): Promise<void>;
    fill(text: string, options: { readonly timeout: number }): Promise<void>;
    press(key: string, options: { readonly timeout: number }): Promise<void>;
    selectOption(value: { readonly label: string }, options: { readonly timeout: number }): Promise<unknown>;
  };
}

interface Context {
  newPage(): Promise<BrowserPage>;
  pages(): readonly BrowserPage[];
  close(): Promise<void>;
}

interface Chromium {
  launch(options: object): Promise<{ newContext(options: object): Promise<Context>; close(): Promise<void> }>;
  launchPersistentContext(folder: string, options: object): Promise<Context>;
  connectOverCDP(
    url: string,
  ): Promise<{ contexts(): readonly Context[]; newContext(): Promise<Context>; close(): Promise<void> }>;
}

/** A page to work with, and how to leave it. */
export interface BrowserSession {
  readonly page: BrowserPage;
  /** `keepPage`: a person goes on with the page of a remote browser. */
  close(options?: { readonly keepPage?: boolean }): Promise<void>;
}

/** Opens a page for an end user. @throws ToolHardError when there is no browser, or no package for it. */
export async function openBrowser(options: BrowserOptions, endUser: EndUser): Promise<BrowserSession> {
  const module = await importBeforeEffects('the browser tool', 'playwright-core');
  const { chromium } = (module['chromium'] ? module : module['default']) as { chromium: Chromium };
  const { cdpUrl } = options;
  if (typeof cdpUrl === 'string') return connect(chromium, cdpUrl, endUser.externalId !== defaultEndUserId);
  if (cdpUrl !== undefined) return connect(chromium, await cdpUrl(endUser), false);
  const executablePath = options.executablePath ?? process.env['PORTIA_BROWSER_LOCAL_CHROME_EXEC'];
  if (!executablePath)
    throw new ToolHardError('no browser is configured', {
      hint: 'set PORTIA_BROWSER_LOCAL_CHROME_EXEC to the path of Chromium or Chrome, or give the tool cdpUrl',
    });
  const proxy = await startGuardedProxy(options);
  try {
    return await start(chromium, options, endUser, executablePath, proxy);
  } catch (error) {
    await proxy.close();
    if (error instanceof ToolHardError) throw error;
    throw new ToolHardError('the browser could not be started', { cause: error, hint: `check ${executablePath}` });
  }
}

/** `apart`: others use the same browser, and must not meet this one's sessions. */
async function connect(chromium: Chromium, url: string, apart: boolean): Promise<BrowserSession> {
  let browser: Awaited<ReturnType<Chromium['connectOverCDP']>>;
  try {
    browser = await chromium.connectOverCDP(url);
  } catch {
    // The address may hold a key.
    throw new ToolHardError('the remote browser could not be reached');
  }
  const existing = apart ? undefined : browser.contexts()[0];
  const context = existing ?? (await browser.newContext());
  const page = await context.newPage();
  return {
    page,
    async close({ keepPage = false } = {}) {
      // A context that was made here would only go some time after the connection, with somebody's page in it.
      if (!existing) await context.close();
      else if (!keepPage) await page.close();
      await browser.close();
    },
  };
}

/**
 * The folder below `profiles` in which the browser tool keeps what sites remember of an end user. Whoever signs in with a
 * browser of that folder (`chromium --user-data-dir=…`) is signed in for the tool.
 */
export function browserProfile(profiles: string, endUserId: string): string {
  return join(profiles, createHash('sha256').update(endUserId).digest('hex').slice(0, 32));
}

async function start(
  chromium: Chromium,
  options: BrowserOptions,
  endUser: EndUser,
  executablePath: string,
  proxy: GuardedProxy,
): Promise<BrowserSession> {
  const extra =
    options.args ?? (process.env['PORTIA_BROWSER_LOCAL_EXTRA_CHROMIUM_ARGS'] ?? '').split(/\s+/).filter(Boolean);
  const settings = {
    executablePath,
    headless: options.headless ?? true,
    args: [
      '--disable-quic',
      // Calls between browsers would go past the proxy.
      '--force-webrtc-ip-handling-policy=disable_non_proxied_udp',
      ...extra,
    ],
    // Loopback, too, goes through the proxy, which refuses it.
    proxy: { server: proxy.url, bypass: '<-loopback>' },
    acceptDownloads: false,
    serviceWorkers: 'block',
  };
  if (options.profiles !== undefined) {
    const folder = browserProfile(options.profiles, endUser.externalId);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const context = await chromium.launchPersistentContext(folder, settings);
    const close = (): Promise<void> => context.close().finally(() => proxy.close());
    return { page: context.pages()[0] ?? (await context.newPage()), close };
  }
  const { acceptDownloads, serviceWorkers, ...launching } = settings;
  const browser = await chromium.launch(launching);
  const context = await browser.newContext({ acceptDownloads, serviceWorkers });
  return { page: await context.newPage(), close: () => browser.close().finally(() => proxy.close()) };
}
