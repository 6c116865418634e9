import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { PortiaError } from '../core/errors.ts';
import { type Schema, validate } from '../core/schema.ts';
import { type AnyTool, maxToolDescription } from '../core/tool.ts';
import { toolContext } from '../testing/tool-context.ts';
import { nearest } from '../core/nearest.ts';
import { ToolRegistry } from './registry.ts';
import { tool, toolToModelTool } from './tool.ts';

const make = (id: string, description = `Does ${id}`): AnyTool => tool({ id, description, run: () => id });
const ids = (tools: Iterable<AnyTool>): string[] => [...tools].map(({ id }) => id);

function errorOf(action: () => unknown): PortiaError {
  try {
    action();
  } catch (error) {
    return error as PortiaError;
  }
  throw new Error('nothing was thrown');
}

describe('ToolRegistry', () => {
  const base = new ToolRegistry([make('search_tool'), make('mail')]);

  it('holds tools by id, in order, and says how many', () => {
    expect(ids(base)).toEqual(['search_tool', 'mail']);
    expect(base.toolIds()).toEqual(['search_tool', 'mail']);
    expect(base.size).toBe(2);
    expect([base.has('mail'), base.hasTool('mail'), base.has('male')]).toEqual([true, true, false]);
    expect(base.getTool('mail').id).toBe('mail');
    expect(new ToolRegistry().size).toBe(0);
  });

  it('never changes: every way to change it gives another registry', () => {
    const before = [...base];
    const changed = [
      base.withTool(make('other')),
      base.replaceTool(make('mail', 'new')),
      base.filterTools(() => false),
      base.withToolDescription('mail', 'more'),
      base.withToolOptions('mail', { readOnly: true }),
      base.plus([make('mail', 'new'), make('third')]),
    ];
    expect(changed.map(ids)).toEqual([
      ['search_tool', 'mail', 'other'],
      ['search_tool', 'mail'],
      [],
      ['search_tool', 'mail'],
      ['search_tool', 'mail'],
      ['search_tool', 'mail', 'third'],
    ]);
    expect([...base]).toEqual(before);
    for (const [index, tool] of [...base].entries()) expect(tool).toBe(before[index]);
    expect(base.getTool('mail').description).toBe('Does mail');
    expect(base.getTool('mail').readOnly).toBeUndefined();
  });

  it('refuses a second tool with the same id, unless told to overwrite', () => {
    expect(errorOf(() => base.withTool(make('mail'))).code).toBe('TOOL_DUPLICATE');
    expect(errorOf(() => new ToolRegistry([make('a'), make('a')])).code).toBe('TOOL_DUPLICATE');
    expect(base.withTool(make('mail', 'new'), { overwrite: true }).getTool('mail').description).toBe('new');
  });

  it('says which tools there are and which one was probably meant', () => {
    const error = errorOf(() => base.getTool('serch_tool'));
    expect(error.code).toBe('TOOL_NOT_FOUND');
    expect(error.message).toBe('no tool "serch_tool" is registered');
    expect(error.hint).toBe('did you mean "search_tool"? registered: search_tool, mail');
    expect(error.details).toEqual({ known: ['search_tool', 'mail'], nearest: 'search_tool' });
    expect(errorOf(() => base.getTool('zzzzzz')).hint).toBe('registered: search_tool, mail');
    expect(errorOf(() => new ToolRegistry().getTool('a')).hint).toBe('no tools are registered');
    expect(errorOf(() => base.withToolDescription('mial', 'x')).code).toBe('TOOL_NOT_FOUND');
  });

  it('lets the other set win when two are put together', () => {
    const both = base.plus(new ToolRegistry([make('third'), make('mail', 'new')]));
    expect([...both].map(({ id, description }) => `${id}: ${description}`)).toEqual([
      'search_tool: Does search_tool',
      'mail: new',
      'third: Does third',
    ]);
  });

  it('matches the tools named, else those its own choice picks for the query, else all', () => {
    const choosy = new ToolRegistry(base, { match: (query, tools) => tools.filter(({ id }) => query.includes(id)) });
    expect(ids(base.matchTools('anything'))).toEqual(['search_tool', 'mail']);
    expect(ids(base.matchTools('anything', ['mail']))).toEqual(['mail']);
    expect(ids(choosy.matchTools('send mail'))).toEqual(['mail']);
    expect(ids(choosy.withTool(make('fax')).matchTools('send fax'))).toEqual(['fax']);
    expect(ids(choosy.matchTools('send mail', ['search_tool']))).toEqual(['search_tool']);
    expect(ids(choosy.matchTools())).toEqual(['search_tool', 'mail']);
    expect(errorOf(() => base.matchTools('x', ['male'])).code).toBe('TOOL_NOT_FOUND');
  });

  it('adds to a description after a full stop, or replaces it, and checks its length again', () => {
    const described = (text: string, overwrite?: boolean): string =>
      base.withToolDescription('mail', text, { overwrite }).getTool('mail').description;
    expect(described('Only on Mondays')).toBe('Does mail. Only on Mondays');
    expect(described('Only on Mondays', true)).toBe('Only on Mondays');
    expect(new ToolRegistry([make('a', 'Ends.')]).withToolDescription('a', 'More').getTool('a').description).toBe(
      'Ends. More',
    );
    expect(new ToolRegistry([make('a', '')]).withToolDescription('a', 'More').getTool('a').description).toBe('More');
    expect(errorOf(() => described('x'.repeat(maxToolDescription))).code).toBe('TOOL_INVALID');
  });
});

describe('withToolOptions', () => {
  const charge = tool({
    id: 'charge',
    description: 'Charges a card',
    argsSchema: z.object({ amount: z.number(), idempotency_key: z.string().min(10) }),
    timeoutMs: 5,
    ready: () => ({ ready: false, reason: 'no' }),
    run: (args) => args,
  });

  it('marks a foreign tool and keeps what it says of itself', async () => {
    const registry = new ToolRegistry([charge]).withToolOptions('charge', {
      idempotent: true,
      timeoutMs: 9,
      maxConcurrency: 2,
      perMinute: 3,
      retry: { maxAttempts: 4 },
      reconcile: () => 'not-happened',
    });
    const marked = registry.getTool('charge');
    expect(marked).toMatchObject({
      id: 'charge',
      name: 'Charge',
      description: 'Charges a card',
      idempotent: true,
      timeoutMs: 9,
      maxConcurrency: 2,
      perMinute: 3,
      retry: { maxAttempts: 4 },
    });
    expect(await marked.reconcile?.({}, toolContext())).toBe('not-happened');
    expect(await marked.ready?.({} as never)).toEqual({ ready: false, reason: 'no' });
    expect(charge).toMatchObject({ timeoutMs: 5 });
    expect(charge.idempotent).toBeUndefined();
    const unmarked = registry.withToolOptions('charge', { idempotent: false }).getTool('charge');
    expect([unmarked.idempotent, unmarked.timeoutMs]).toEqual([false, 9]);
  });

  it('puts the idempotency key into an argument that models no longer see', async () => {
    const seen: unknown[] = [];
    const watched = new ToolRegistry([charge])
      .withToolOptions('charge', {
        reconcile(args) {
          seen.push(args);
          return 'unknown';
        },
      })
      .withToolOptions('charge', { idempotencyArg: 'idempotency_key' })
      .getTool('charge');
    expect(toolToModelTool(watched).argsSchema).toMatchObject({
      properties: { amount: { type: 'number' } },
      required: ['amount'],
    });
    expect(JSON.stringify(toolToModelTool(watched).argsSchema)).not.toContain('idempotency_key');
    const checked = await validate(watched.argsSchema as Schema, { amount: 3 });
    expect(checked).toEqual({ ok: true, value: { amount: 3 } });
    expect(await validate(watched.argsSchema as Schema, { amount: 'x' })).toMatchObject({ ok: false });
    expect(await validate(watched.argsSchema as Schema, 'x')).toMatchObject({ ok: false });
    const context = toolContext();
    const whole = { amount: 3, idempotency_key: context.idempotencyKey };
    expect(await watched.run({ amount: 3, idempotency_key: 'forged-by-a-model' }, context)).toEqual(whole);
    await watched.reconcile?.({ amount: 3 }, context);
    expect(seen).toEqual([whole]);
  });

  it('takes asynchronous schemas, and tools with a JSON Schema alone', async () => {
    const slow = z.object({ key: z.string(), n: z.number() }).refine(async () => true);
    const registry = new ToolRegistry([
      tool({ id: 'slow', description: '', argsSchema: slow, run: (args) => args }),
      tool({
        id: 'mcp',
        description: '',
        argsJsonSchema: { type: 'object', properties: { key: { type: 'string' } } },
        run: (args) => args,
      }),
    ]);
    const schema = registry.withToolOptions('slow', { idempotencyArg: 'key' }).getTool('slow').argsSchema;
    expect(await validate(schema as Schema, { n: 1 })).toEqual({ ok: true, value: { n: 1 } });
    const mcp = registry.withToolOptions('mcp', { idempotencyArg: 'key' }).getTool('mcp');
    const context = toolContext();
    expect(await mcp.run({}, context)).toEqual({ key: context.idempotencyKey });
    expect(toolToModelTool(mcp).argsSchema).toEqual({ type: 'object', properties: {} });
  });

  it('refuses an argument that the tool does not have', () => {
    const strict = tool({ id: 'a', description: '', argsSchema: z.strictObject({ n: z.number() }), run: () => 1 });
    const error = errorOf(() => new ToolRegistry([strict]).withToolOptions('a', { idempotencyArg: 'key' }));
    expect([error.code, error.hint]).toEqual(['TOOL_INVALID', 'its arguments are: n']);
  });
});

describe('nearest', () => {
  it('finds a name with a few letters wrong, in any case, and nothing when all are far', () => {
    const known = ['calculator_tool', 'search_tool', 'mail'];
    expect(nearest('Calculater_tool', known)).toBe('calculator_tool');
    expect(nearest('mial', ['mall', 'mial2'])).toBe('mial2');
    expect(nearest('male', known)).toBe('mail');
    expect(nearest('fax', known)).toBeUndefined();
    expect(nearest('x'.repeat(5000), known)).toBeUndefined();
  });
});
