import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { refunds, type Refunds } from './lib/refunds.ts';
import { overTheWire } from './lib/raw-http.ts';
import { type TestServer, testServer } from './lib/server-for-tests.ts';
import { until } from './lib/asking.ts';

const executablePath = ['/usr/bin/chromium', '/usr/bin/google-chrome', process.env['CHROME_PATH'] ?? ''].find(
  existsSync,
);

let browser: Browser | undefined;
let shop: Refunds;
let server: TestServer;
let wire: Awaited<ReturnType<typeof overTheWire>>;
beforeAll(async () => {
  if (executablePath === undefined) return;
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  browser = await chromium.launch({ executablePath, args });
});
afterAll(() => browser?.close());
beforeEach(async () => {
  shop = refunds();
  server = await testServer(shop);
  wire = await overTheWire(server.send);
});
afterEach(async () => {
  await wire.close();
  await server.close();
});

/** A tab of its own, in which the key was entered. */
async function opened(key: string): Promise<{ readonly page: Page; readonly errors: string[] }> {
  const page = (await (await browser?.newContext())?.newPage()) as Page;
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  await page.goto(`${wire.url}/`);
  await page.getByText('Enter your key to see what waits for you').waitFor();
  expect(await page.getByRole('status').textContent()).toBe('');
  await page.getByLabel('Key').fill(key);
  await page.getByRole('button', { name: 'Show' }).click();
  return { page, errors };
}

it.skipIf(executablePath === undefined)(
  'shows each person what waits for them, and the run goes on with the buttons',
  async () => {
    const client = await server.key('client');
    const body = { plan: 'refund', planRunInputs: { amount: 5 }, endUser: 'carl' };
    const run = await server.ask('POST', '/api/v1/runs', { as: client, body });
    const asked = async (count: number): Promise<unknown> =>
      until(async () => {
        const { body: now } = await server.ask('GET', `/api/v1/runs/${run.body.id}`, { as: client });
        return now.clarifications.length === count;
      }, 'the question');
    await asked(1);

    const carl = await opened(await server.tokenOf('carl'));
    await carl.page.getByText('Why do you want your money back?').waitFor();
    const said = await carl.page.getByRole('article').textContent();
    expect(said).toContain('End usercarlAsked ofthe end user');
    expect(said).not.toContain('Refund a customer');
    await carl.page.getByLabel('Answer').fill('<img src=x onerror=alert(1)>');
    await carl.page.getByRole('button', { name: 'Answer' }).click();
    await carl.page.getByText('Nothing waits for you.').waitFor();
    await asked(2);

    const operator = await opened(await server.key('operator'));
    await operator.page.getByText('an operator', { exact: true }).waitFor();
    expect(await operator.page.getByRole('article').textContent()).toMatch(
      /PlanRefund a customerSteppay, with refundEnd usercarlAsked ofan operatorWaitingless than a minuteOpen untilit is answeredRunprun-/,
    );
    expect(shop.paid).toEqual([]);
    await operator.page.getByRole('button', { name: 'Yes' }).click();
    await operator.page.getByText('Nothing waits for you.').waitFor();
    await until(async () => shop.paid.length > 0, 'the refund');
    expect(shop.paid).toEqual([5]);
    expect([...carl.errors, ...operator.errors]).toEqual([]);

    const stranger = await opened('portia_0000000000000000_wrong');
    await stranger.page.getByText('the key is unknown, expired or revoked').waitFor();
    expect(await stranger.page.getByLabel('Key').isVisible()).toBe(true);
  },
);

it.skipIf(executablePath === undefined)('shows the API to browse', async () => {
  const page = (await (await browser?.newContext())?.newPage()) as Page;
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  await page.goto(`${wire.url}/docs`);
  await page.getByText('/api/v1/runs/{runId}/retry').first().waitFor();
  const headings = (): Promise<string[]> => page.getByRole('heading', { level: 2 }).allTextContents();
  expect((await headings()).at(0)).toBe('Runs');
  expect((await headings()).at(-1)).toBe('Cloud protocol of Portia 0.9');
  await page.getByLabel('Find').fill('webhooks');
  expect(await headings()).toEqual(['Webhooks']);
  expect(errors).toEqual([]);
});
