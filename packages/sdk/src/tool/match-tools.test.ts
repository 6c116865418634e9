import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { AnyTool } from '../core/tool.ts';
import { contentText } from '../core/content.ts';
import { Portia } from '../client.ts';
import { Config } from '../config/config.ts';
import { estimateTokens } from '../model/tokens.ts';
import { PlanBuilder } from '../plan/plan-builder.ts';
import { planningPrompt } from '../plan/prompt.ts';
import { object } from '../testing/script.ts';
import { scriptedModel } from '../testing/scripted-model.ts';
import { ToolRegistry } from './registry.ts';
import { tool } from './tool.ts';

const apps =
  'slack github gitlab jira linear notion asana trello zendesk intercom hubspot salesforce stripe paypal shopify outlook gmail dropbox box airtable mixpanel datadog pagerduty sentry okta'.split(
    ' ',
  );
const nouns = 'message issue customer invoice file folder user channel event report'.split(' ');
const verbs = 'list create'.split(' ');

/** 500 tools as they come from 25 servers: 2 verbs, 10 nouns each. */
const crowd: AnyTool[] = apps.flatMap((app) =>
  nouns.flatMap((noun) =>
    verbs.map((verb) =>
      tool({
        id: `${app}:${verb}_${noun}s`,
        description: `${verb === 'list' ? 'Lists the' : 'Creates new'} ${noun}s in ${app}.`,
        argsSchema: z.object({
          ...(noun === 'invoice' && verb === 'create' ? { customer_id: z.string().describe('Whose it is') } : {}),
          filter: z.string().optional().describe(`Which ${noun}s`),
        }),
        readOnly: verb === 'list',
        run: () => 'done',
      }),
    ),
  ),
);
const registry = new ToolRegistry(crowd);
const query = 'Create an invoice for ACME in Stripe, and post a message about it to the Slack channel #sales';

describe('the choice among hundreds of tools', () => {
  it('finds the tools a query speaks of, best first, and says by which words', () => {
    const [first, ...others] = registry.rankTools('Create an invoice in Stripe');
    expect(first).toMatchObject({ tool: { id: 'stripe:create_invoices' }, terms: ['create', 'invoice', 'stripe'] });
    expect(first?.score).toBeGreaterThan(others[0]?.score ?? 0);
    const shown = registry.matchTools(query).map(({ id }) => id);
    for (const needed of ['stripe:create_invoices', 'slack:create_messages', 'slack:list_channels'])
      expect(shown).toContain(needed);
    expect(shown).toHaveLength(40);
  });

  it('also shows tools that provide the ids another one needs', () => {
    const pair = [
      tool({
        id: 'refund',
        description: 'Pays money back.',
        argsSchema: z.object({ payment_id: z.string() }),
        run: () => 1,
      }),
      tool({ id: 'find_payments', description: 'Looks up what was paid.', run: () => 1 }),
      tool({ id: 'weather', description: 'Sun and rain.', run: () => 1 }),
    ];
    expect(new ToolRegistry(pair).rankTools('refund it').map(({ tool, neededBy }) => [tool.id, neededBy])).toEqual([
      ['refund', undefined],
      ['find_payments', 'refund'],
    ]);
  });

  it('gives the same list every time, in the order of the registry', () => {
    const ids = registry.matchTools(query).map(({ id }) => id);
    expect(new ToolRegistry(crowd).matchTools(query).map(({ id }) => id)).toEqual(ids);
    const places = ids.map((id) => registry.toolIds().indexOf(id));
    expect(places).toEqual([...places].sort((a, b) => a - b));
  });

  it('shows all tools when none has a word in common, when there are few, and when told so', () => {
    expect(registry.matchTools('xylophon qqq')).toHaveLength(500);
    expect(registry.matchTools()).toHaveLength(500);
    expect(new ToolRegistry(crowd.slice(0, 40)).matchTools(query)).toHaveLength(40);
    expect(new ToolRegistry(crowd, { matchLimit: Number.POSITIVE_INFINITY }).matchTools(query)).toHaveLength(500);
  });

  it('keeps named tools in the list whatever the query', () => {
    const always = new ToolRegistry(crowd, { matchLimit: 5, alwaysMatch: ['okta:list_users'] });
    const shown = always.matchTools(query).map(({ id }) => id);
    expect(shown).toHaveLength(5);
    expect(shown).toContain('okta:list_users');
  });

  it('fills up with others where few have a word in common: the one that is meant may say it in other words', () => {
    const few = new ToolRegistry(crowd, { matchLimit: 30 });
    const shown = few.matchTools('okta').map(({ id }) => id);
    expect(shown).toHaveLength(30);
    expect(shown.filter((id) => id.startsWith('okta:'))).toHaveLength(20);
    const oneMore = new ToolRegistry(crowd.slice(0, 41));
    expect(oneMore.matchTools('slack:list_messages')).toHaveLength(40);
  });

  it('refuses a limit that shows nothing', () => {
    expect(() => new ToolRegistry([], { matchLimit: 0 })).toThrowError(/matchLimit 0/);
  });

  it('spares the planner more than four fifths of the tokens of 500 tools', () => {
    const tokens = (tools: readonly AnyTool[]): number =>
      planningPrompt({ query, tools, now: 0 }).reduce(
        (sum, { content }) => sum + estimateTokens(contentText(content)),
        0,
      );
    const [all, chosen] = [tokens(crowd), tokens(registry.matchTools(query))];
    expect(all).toBeGreaterThan(20_000);
    expect(chosen).toBeLessThan(all / 5);
  });

  it('is what the planner gets', async () => {
    const model = scriptedModel([
      object({
        steps: [{ task: 'Create the invoice', inputs: [], tool_id: 'stripe:create_invoices', output: '$invoice' }],
        error: null,
      }),
    ]);
    const portia = new Portia({ config: new Config({ defaultModel: model }), tools: registry });
    await portia.plan(query);
    const prompt = model.requests[0]?.messages.map(({ content }) => contentText(content)).join('\n') ?? '';
    expect(prompt).toContain('"stripe:create_invoices"');
    expect(prompt).not.toContain('okta:list_users');
    await portia.close();
  });
});

describe('an alias', () => {
  const mail = tool({ id: 'mail:send', description: 'Sends.', run: () => 'sent' });
  const aliased = new ToolRegistry([mail]).withAlias('send_mail', 'mail:send');

  it('stands for a tool where it is looked up, and is in no list', () => {
    expect(aliased.getTool('send_mail')).toBe(mail);
    expect([aliased.has('send_mail'), aliased.hasTool('send_mail')]).toEqual([true, true]);
    expect(aliased.toolIds()).toEqual(['mail:send']);
    expect(aliased.size).toBe(1);
  });

  it('survives changes of the registry, and goes with its tool', () => {
    const other = tool({ id: 'other', description: 'Other.', run: () => 1 });
    expect(aliased.withTool(other).has('send_mail')).toBe(true);
    expect(new ToolRegistry([other]).plus(aliased).has('send_mail')).toBe(true);
    expect(new ToolRegistry(aliased).has('send_mail')).toBe(true);
    expect(aliased.withAlias('older', 'send_mail').getTool('older')).toBe(mail);
    expect(aliased.filterTools(() => false).has('send_mail')).toBe(false);
    const real = tool({ id: 'send_mail', description: 'Another.', run: () => 2 });
    expect(aliased.withTool(real).getTool('send_mail')).toBe(real);
  });

  it('cannot hide a tool, or stand for none', () => {
    expect(() => aliased.withAlias('mail:send', 'mail:send')).toThrowError(/registered already/);
    expect(() => aliased.withAlias('x', 'nobody')).toThrowError(/no tool "nobody"/);
  });

  it('lets a stored plan run that names the old id', async () => {
    const model = scriptedModel([]);
    const plan = new PlanBuilder('Send it').step('Send it', 'send_mail').build();
    const portia = new Portia({ config: new Config({ defaultModel: model }), tools: aliased });
    const run = await portia.runPlan(plan);
    expect([run.state, run.outputs.finalOutput?.value]).toEqual(['COMPLETE', 'sent']);
    await portia.close();
  });
});
