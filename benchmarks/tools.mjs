// What a planner is shown of many tools: how long the choice takes, and what the prompt costs, next to showing all.
//   node benchmarks/tools.mjs        a table in Markdown, as docs/registries.md has it
//   node benchmarks/tools.mjs --json
import { Config, Portia, tool, ToolRegistry } from 'portia-ts';
import { object, scriptedModel } from 'portia-ts/testing';
import { z } from 'zod';

const apps =
  'slack github gitlab jira linear notion asana trello zendesk intercom hubspot salesforce stripe paypal shopify outlook gmail dropbox box airtable mixpanel datadog pagerduty sentry okta'.split(
    ' ',
  );
const nouns = 'message issue customer invoice file folder user channel event report'.split(' ');
const verbs = ['list', 'create'];

/** Tools as they come from servers of 20 tools each: the first `count` of them. */
function crowd(count) {
  const all = apps.flatMap((app) =>
    nouns.flatMap((noun) =>
      verbs.map((verb) =>
        tool({
          id: `${app}:${verb}_${noun}s`,
          description: `${verb === 'list' ? 'Lists the' : 'Creates new'} ${noun}s in ${app}.`,
          argsSchema: z.object({
            ...(verb === 'create' ? { name: z.string().describe(`What the ${noun} is called`) } : {}),
            filter: z.string().optional().describe(`Which ${noun}s`),
          }),
          readOnly: verb === 'list',
          run: () => 'done',
        }),
      ),
    ),
  );
  // Those that the query needs are among the last of 500: that they come first is no reason to be found.
  const needed = all.filter(({ id }) => wanted.includes(id));
  const others = all.filter(({ id }) => !wanted.includes(id));
  return [...others.slice(0, count - needed.length), ...needed];
}

const wanted = ['stripe:create_invoices', 'slack:create_messages', 'slack:list_channels'];
const query = 'Create an invoice for ACME in Stripe, and post a message about it to the Slack channel #sales';

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
function milliseconds(work, times = 15) {
  return median(
    Array.from({ length: times }, () => {
      const begun = performance.now();
      work();
      return performance.now() - begun;
    }),
  );
}

/** The prompt a planner gets, in tokens of about four characters. */
async function promptTokens(tools, options) {
  const plan = { steps: [{ task: 'x', inputs: [], tool_id: wanted[0], output: '$x' }], error: null };
  const model = scriptedModel([object(plan)]);
  const portia = new Portia({ config: new Config({ defaultModel: model }), tools: new ToolRegistry(tools, options) });
  await portia.plan(query);
  await portia.close();
  return Math.round(JSON.stringify(model.requests[0].messages).length / 4);
}

const rows = [];
for (const count of [40, 100, 250, 500]) {
  const tools = crowd(count);
  const registry = new ToolRegistry(tools);
  registry.matchTools(query);
  const shown = registry.matchTools(query).map(({ id }) => id);
  rows.push({
    tools: count,
    shown: shown.length,
    found: wanted.filter((id) => shown.includes(id)).length,
    first_ms: milliseconds(() => new ToolRegistry(tools).matchTools(query)),
    next_ms: milliseconds(() => registry.matchTools(query)),
    tokens: await promptTokens(tools, {}),
    tokens_of_all: await promptTokens(tools, { matchLimit: Number.POSITIVE_INFINITY }),
  });
}

if (process.argv.includes('--json')) console.log(JSON.stringify(rows));
else {
  console.log('| tools | shown | the 3 needed | first choice | later ones | prompt | prompt with all |');
  console.log('|---|---|---|---|---|---|---|');
  for (const row of rows) {
    const ms = (value) => `${Number(value.toPrecision(2))} ms`;
    const tokens = (value) => `${Number(value.toPrecision(2)).toLocaleString('en')} tokens`;
    console.log(
      `| ${row.tools} | ${row.shown} | ${row.found} found | ${ms(row.first_ms)} | ${ms(row.next_ms)} | ${tokens(row.tokens)} | ${tokens(row.tokens_of_all)} |`,
    );
  }
}
