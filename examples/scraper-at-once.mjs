// Eight pages are read at once by one plan. No key: a scripted model stands in for the LLM, a small server of this
// process for the web. Run it with `node examples/scraper-at-once.mjs` after `npm run build`.
//
// One plan object, eight runs of it at the same time: a plan is data, and running it changes nothing in it. Each run
// keeps its own inputs, branches and outputs. Whether a page has publications is asked of a function, not of a model.
import { createServer } from 'node:http';
import { once } from 'node:events';
import { Config, Input, PlanBuilderV2, Portia, StepOutput, ToolHardError } from 'portia-ts';
import { object, scriptedModel } from 'portia-ts/testing';
import { z } from 'zod';

const scientists = ['Ada', 'Blaise', 'Carl', 'Dorothy', 'Emmy', 'Fritz', 'Grace', 'Hedy'];

/** Every other scientist has published something. */
const pages = new Map(
  scientists.map((name, n) => {
    const papers = n % 2 === 0 ? `<section id="publications"><li>${name}'s paper</li></section>` : '';
    return [`/${name.toLowerCase()}`, `<html><h1>${name}</h1>${papers}</html>`];
  }),
);

const publications = /<section id="publications">(.*?)<\/section>/;
const Profile = z.object({ name: z.string(), papers: z.array(z.string()) });

const plan = new PlanBuilderV2('Profile of a scientist')
  .input({ name: 'url', description: 'The page', schema: z.url() })
  .functionStep({
    stepName: 'page',
    args: { url: Input('url') },
    function: fetchPage,
    readOnly: true,
    retry: { maxAttempts: 3 },
  })
  .functionStep({
    stepName: 'text',
    args: { page: StepOutput('page') },
    function: ({ page }) => page.replace(/<[^>]+>/g, ' ').trim(),
    readOnly: true,
  })
  .if({ condition: ({ page }) => publications.test(page), args: { page: StepOutput('page') } })
  .functionStep({
    stepName: 'section',
    args: { page: StepOutput('page') },
    function: ({ page }) => publications.exec(page)?.[1] ?? '',
    readOnly: true,
  })
  .llmStep({
    stepName: 'papers',
    task: 'List the titles of the publications.',
    inputs: [StepOutput('section')],
    outputSchema: z.array(z.string()),
  })
  .endIf()
  .llmStep({
    stepName: 'profile',
    task: 'Write the profile of this scientist.',
    inputs: [StepOutput('text'), StepOutput('papers', { optional: true })],
    outputSchema: Profile,
  })
  .build();

async function fetchPage({ url }, { signal }) {
  const response = await fetch(url, { signal });
  if (!response.ok) throw new ToolHardError(`${url} answered ${response.status}`);
  return response.text();
}

/** What an LLM would say, from the data it is shown. */
const model = scriptedModel(({ schema, messages }) => {
  const shown = messages.at(-1).content;
  const name = scientists.find((one) => shown.includes(one));
  const papers = shown.includes(`${name}'s paper`) ? [`${name}'s paper`] : [];
  return schema.jsonSchema.type === 'array'
    ? object(papers, { delayMs: 50 })
    : object({ name, papers }, { delayMs: 50 });
});

const server = createServer(({ url }, response) => {
  const page = pages.get(url);
  response.writeHead(page ? 200 : 404, { 'content-type': 'text/html' }).end(page);
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');

const portia = new Portia({ config: new Config({ defaultModel: model }), plans: [plan] });
try {
  const web = `http://127.0.0.1:${server.address().port}`;
  const begun = performance.now();
  const runs = await Promise.all(
    [...pages.keys()].map((path) => portia.runPlan(plan, { planRunInputs: { url: web + path } })),
  );
  for (const { state, outputs, executionContext } of runs) {
    const { name, papers } = outputs.finalOutput.value;
    console.log(
      `${state} ${name.padEnd(8)} papers: ${papers.length}, model calls: ${executionContext.totals.modelCalls}`,
    );
  }
  const calls = model.requests.length;
  const seconds = ((performance.now() - begun) / 1_000).toFixed(1);
  console.log(`\n${runs.length} runs of one plan, ${calls} model calls of 50 ms each, in ${seconds} s.`);
  console.log('Go on: docs/running-at-once.md, and docs/nightly-batches.md for thousands of them.');
} finally {
  await portia.close();
  server.close();
}
