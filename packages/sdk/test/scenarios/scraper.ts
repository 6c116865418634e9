// A scraper: a page is fetched, publications are read where the page has any, and a profile is made of it.
import { z } from 'zod';
import { Portia } from '../../src/client.ts';
import { Config } from '../../src/config/config.ts';
import { Input, StepOutput } from '../../src/core/reference.ts';
import type { PlanRunUUID } from '../../src/core/ids.ts';
import type { PlanRun } from '../../src/core/plan-run.ts';
import type { ExecutionHooks } from '../../src/run/hooks.ts';
import type { StorageBackend } from '../../src/storage/storage-backend.ts';
import type { PlanV2 } from '../../src/core/plan-v2.ts';
import { PlanBuilderV2 } from '../../src/plan/builder-v2.ts';
import { object } from '../../src/testing/script.ts';
import { type ScriptedModel, scriptedModel } from '../../src/testing/scripted-model.ts';
import { type Pages, read } from '../lib/outside-world.ts';
import type { Scenario } from '../lib/scenario.ts';

const Publications = z.array(z.string());
const Profile = z.object({ name: z.string(), known: z.string() });

/** Pages of scientists: the even ones have publications. */
export const pages: Pages = (path) => {
  const [, number] = /^\/page(\d)$/.exec(path) ?? [];
  if (number === undefined) return undefined;
  const section = Number(number) % 2 === 0 ? `<ul id="papers"><li>paper ${number}</li></ul>` : '';
  return `<h1>scientist ${number}</h1>${section}`;
};

export const scraperPlan: PlanV2 = new PlanBuilderV2('Scrape a scientist')
  .input({ name: 'url', schema: z.string() })
  .functionStep({
    stepName: 'html',
    args: { url: Input('url') },
    readOnly: true,
    function: async ({ url }) => String(await read(url, '')),
  })
  .functionStep({
    stepName: 'words',
    args: { html: StepOutput('html') },
    readOnly: true,
    function: ({ html }) => html.replaceAll(/<[^>]+>/g, ' ').trim(),
  })
  .if({ condition: ({ html }) => html.includes('id="papers"'), args: { html: StepOutput('html') } })
  .functionStep({
    stepName: 'papers',
    args: { html: StepOutput('html') },
    readOnly: true,
    function: ({ html }) => /<ul.*<\/ul>/.exec(html)?.[0] ?? '',
  })
  .llmStep({
    stepName: 'publications',
    task: 'List the publications',
    inputs: [StepOutput('papers')],
    outputSchema: Publications,
  })
  .endIf()
  .llmStep({
    stepName: 'profile',
    task: 'Write a profile',
    inputs: [StepOutput('words'), StepOutput('publications', { optional: true })],
    outputSchema: Profile,
  })
  .build();

export function scraperModel(): ScriptedModel {
  return scriptedModel(({ messages }) => {
    const all = messages.map(({ content }) => content).join('\n');
    const number = /(?:scientist|paper) (\d)/.exec(all)?.[1] ?? '?';
    if (all.includes('List the publications')) return object([`paper ${number}`]);
    return object({
      name: `scientist ${number}`,
      known: all.includes('paper') ? `for paper ${number}` : 'for nothing',
    });
  });
}

export function scraperClient(
  storage: StorageBackend,
  model: ScriptedModel = scraperModel(),
  executionHooks: ExecutionHooks = {},
): Portia {
  return new Portia({
    config: new Config({ storage, models: { default: model } }),
    executionHooks,
    plans: [scraperPlan],
  });
}

/** What a run over page n gives. */
export const profileOf = (n: number): unknown => ({
  name: `scientist ${n}`,
  known: n % 2 === 0 ? `for paper ${n}` : 'for nothing',
});

const numbers = Array.from({ length: 8 }, (_, n) => n);

/** Runs of page 0 to 7, all at once, begun or gone on with. */
export function scrapeEach(portia: Portia, url: string): Promise<PlanRun>[] {
  return numbers.map((n) =>
    portia.runPlan(scraperPlan, { planRunInputs: { url: `${url}/page${n}` }, runKey: `page ${n}` }),
  );
}

/** The same runs, when all are over. */
export function scrapeAll(portia: Portia, url: string): Promise<PlanRun[]> {
  return Promise.all(scrapeEach(portia, url));
}

/** The same runs, not begun. */
export function createAll(portia: Portia, url: string): Promise<PlanRunUUID[]> {
  return Promise.all(
    numbers.map(
      async (n) =>
        (await portia.createPlanRun(scraperPlan, { planRunInputs: { url: `${url}/page${n}` }, runKey: `page ${n}` }))
          .id,
    ),
  );
}

/** One page of it. */
export function scraper(page: number): Scenario {
  const model = scraperModel();
  let where = '';
  return {
    client(storage, url, hooks) {
      where = url;
      return scraperClient(storage, model, hooks);
    },
    begin: (portia) =>
      portia.runPlan(scraperPlan, { planRunInputs: { url: `${where}/page${page}` }, runKey: `page ${page}` }),
    answer: () => null,
  };
}
