import { Config, PlanBuilderV2, Portia, tool } from 'portia-ts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type FetchServer, serveFetch } from '../../../sdk/test/lib/fetch-server.ts';
import { until } from '../../test/lib/asking.ts';
import { overTheWire } from '../../test/lib/raw-http.ts';
import { type TestServer, testServer } from '../../test/lib/server-for-tests.ts';

interface Told {
  readonly type: string;
  readonly data: { readonly planRunId: string };
}

let server: TestServer;
let admin: string;
let wire: Awaited<ReturnType<typeof overTheWire>>;
let receiver: FetchServer;
let told: Told[];
let driver: Portia | undefined;

beforeEach(async () => {
  told = [];
  receiver = await serveFetch(async (request) => {
    told.push((await request.json()) as Told);
    return new Response(null);
  });
  server = await testServer({}, { work: false });
  admin = await server.key('admin');
  wire = await overTheWire(server.send);
});
afterEach(async () => {
  await driver?.close();
  await wire.close();
  await server.close();
  await receiver.close();
});

const hook = async (path = 'hook'): Promise<void> => {
  const body = { url: `${receiver.url}/${path}`, events: ['clarification-raised', 'run-complete', 'run-failed'] };
  expect((await server.ask('POST', '/api/v1/webhooks', { as: admin, body })).status).toBe(201);
};
/** Somebody who drives runs elsewhere, with a clock of their own. */
const driving = (now: () => number): Portia => {
  driver = new Portia({
    config: Config.fromDefault({
      storageClass: 'CLOUD',
      portiaApiEndpoint: wire.url,
      portiaApiKey: admin,
      env: {},
    }),
    tools: [tool({ id: 'work', description: 'Works.', argsSchema: z.object({}), run: () => 'done' })],
    clock: {
      now,
      sleep: (ms, signal) =>
        new Promise((resolve, reject) => {
          const timer = setTimeout(resolve, ms);
          signal?.addEventListener('abort', () => {
            clearTimeout(timer);
            reject(signal.reason);
          });
        }),
    },
  });
  return driver;
};
const plain = () => new PlanBuilderV2('Work').invokeToolStep({ tool: 'work', args: {} }).build();
const asking = () =>
  new PlanBuilderV2('Ask')
    .userInput({ stepName: 'why', message: 'Why?' })
    .invokeToolStep({ tool: 'work', args: {} })
    .build();
const types = () => told.map(({ type }) => type);
/** Long enough for a look, and for what it finds to be sent. */
const aMoment = () => new Promise((resolve) => setTimeout(resolve, 400));

describe('a run that is driven elsewhere is told of', () => {
  it.each([
    ['five minutes behind', -300_000],
    ['a day behind', -24 * 3_600_000],
    ['five minutes ahead', 300_000],
  ])('whose driver has a clock that is %s', async (_what, skew) => {
    await hook();
    const run = await driving(() => Date.now() + skew).runPlan(plain(), {});
    expect(run.state).toBe('COMPLETE');
    await until(async () => told.length === 1, 'the end is told');
    expect(told).toMatchObject([{ type: 'run-complete', data: { planRunId: run.id } }]);
  });

  it('when its driver was long away, and writes only now what it kept', async () => {
    await hook();
    let behind = 0;
    const portia = driving(() => Date.now() - behind);
    const waiting = await portia.runPlan(asking(), {});
    await until(async () => told.length === 1, 'the question is told');
    // What happens now has the time of two hours ago.
    behind = 2 * 3_600_000;
    const [clarification] = waiting.getOutstandingClarifications();
    await portia.resolveClarification({ planRunId: waiting.id, clarification: clarification as never, response: 'So' });
    expect((await portia.resume({ planRunId: waiting.id })).state).toBe('COMPLETE');
    await until(async () => told.length === 2, 'the end is told');
    await aMoment();
    expect(types()).toEqual(['clarification-raised', 'run-complete']);
  });
});

describe('a question', () => {
  it('that was asked long ago is told when the rest of its run is done, whatever the time of either', async () => {
    await hook();
    let behind = 0;
    const portia = driving(() => Date.now() - behind);
    const catchUp = () =>
      new Promise((resolve) => {
        setTimeout(() => {
          behind = 0;
          resolve('done');
        }, 300);
      });
    const plan = new PlanBuilderV2('Ask beside work')
      .functionStep({
        stepName: 'begin',
        args: {},
        function: async () => {
          await aMoment();
          behind = 2 * 3_600_000;
          return 'begun';
        },
      })
      .parallel()
      .branch()
      .userInput({ stepName: 'why', message: 'Why?' })
      .branch()
      .functionStep({ stepName: 'work', args: {}, function: catchUp })
      .endParallel()
      .build();
    const run = await portia.runPlan(plan, {});
    expect(run.state).toBe('NEED_CLARIFICATION');
    const events = await portia.storage.getEvents(run.id);
    const asked = events.find(({ type }) => type === 'clarification-raised');
    expect(Date.now() - (asked?.at ?? 0)).toBeGreaterThan(3_600_000);
    expect(Date.now() - (events.at(-1)?.at ?? 0)).toBeLessThan(60_000);
    await until(async () => told.length === 1, 'the question is told');
    expect(types()).toEqual(['clarification-raised']);
  });
});

describe('a webhook that is new', () => {
  it.each([0, -300_000])(
    'is not told what was asked before it was there, nor twice what came then (clock %i)',
    async (skew) => {
      const portia = driving(() => Date.now() + skew);
      const before = await portia.runPlan(asking(), {});
      expect(before.state).toBe('NEED_CLARIFICATION');
      await aMoment();
      await hook();
      await aMoment();
      const [clarification] = before.getOutstandingClarifications();
      await portia.resolveClarification({
        planRunId: before.id,
        clarification: clarification as never,
        response: 'So',
      });
      await portia.resume({ planRunId: before.id });
      await until(async () => told.length > 0, 'the end is told');
      await hook('another');
      await portia.runPlan(plain(), {});
      await until(async () => told.length >= 3, 'both webhooks are told');
      await aMoment();
      expect(types()).toEqual(['run-complete', 'run-complete', 'run-complete']);
    },
  );
});
