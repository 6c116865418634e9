import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { PortiaError } from '../core/errors.ts';
import { type AnyTool, maxToolDescription, type ToolRetry } from '../core/tool.ts';
import { toolContext } from '../testing/tool-context.ts';
import { ToolRegistry } from './registry.ts';
import { describeTool, modelToolName, tool, ToolBase, toolToModelTool } from './tool.ts';

const nothing = { description: 'Does nothing.', run: () => null };

function errorOf(action: () => unknown): Pick<PortiaError, 'code' | 'message'> {
  try {
    action();
  } catch (error) {
    const { code, message } = error as PortiaError;
    return { code, message };
  }
  throw new Error('nothing was thrown');
}

class Mailer extends ToolBase<{ to: string }, string> {
  readonly id = 'send_mail';
  readonly description = 'Sends mail.';
  override readonly argsSchema = z.object({ to: z.string() });
  readonly #sender = 'me';
  run({ to }: { to: string }): string {
    return `${this.#sender} to ${to}`;
  }
}

describe('tool', () => {
  it('gives a tool its id in Title Case as its name, unless it has one', () => {
    expect(tool({ ...nothing, id: 'create_refund' }).name).toBe('Create Refund');
    expect(tool({ ...nothing, id: 'portia:mcp:list-items2' }).name).toBe('Portia Mcp List Items2');
    expect(tool({ ...nothing, id: 'x', name: 'The X' }).name).toBe('The X');
  });

  it('freezes what it makes and runs the function with arguments and context', async () => {
    const add = tool({
      id: 'add',
      description: '',
      argsSchema: z.object({ a: z.number() }),
      run: ({ a }, { callId }) => `${a} ${callId}`,
    });
    expect(Object.isFrozen(add)).toBe(true);
    expect(await add.run({ a: 2 }, toolContext({ callId: '3.0.1' }))).toBe('2 3.0.1');
  });

  it.each([
    ['', 'empty id'],
    ['  ', 'empty id'],
    ['a,b', 'comma'],
  ])('refuses the id %j', (id, why) => {
    expect(errorOf(() => tool({ ...nothing, id }))).toEqual({
      code: 'TOOL_INVALID',
      message: expect.stringContaining(why),
    });
  });

  it('refuses arguments that are not an object, and schemas without JSON Schema', () => {
    const text = z.string() as never;
    expect(errorOf(() => tool({ ...nothing, id: 'a', argsSchema: text }))).toEqual({
      code: 'TOOL_INVALID',
      message: 'tool "a" takes arguments of type "string"',
    });
    const bare = { '~standard': { version: 1 as const, vendor: 'own', validate: (value: unknown) => ({ value }) } };
    expect(errorOf(() => tool({ ...nothing, id: 'a', argsSchema: bare })).message).toContain(
      'tool "a" (own) gives no JSON Schema',
    );
    expect(tool({ ...nothing, id: 'a', argsSchema: bare, argsJsonSchema: { type: 'object' } }).id).toBe('a');
  });

  it('refuses a time-out that is not a time', () => {
    expect(errorOf(() => tool({ ...nothing, id: 'a', timeoutMs: 0 })).message).toBe('tool "a" has timeoutMs 0');
    const retrying = (retry: ToolRetry): string => errorOf(() => tool({ ...nothing, id: 'a', retry })).message;
    expect(retrying({ maxAttempts: 0 })).toBe('tool "a" has retry.maxAttempts 0');
    expect(retrying({ maxAttempts: 2, delayMs: -1 })).toBe('tool "a" has a retry with delayMs -1 and backoff 1');
    expect(retrying({ maxAttempts: 2, backoff: 0.5 })).toBe('tool "a" has a retry with delayMs 0 and backoff 0.5');
    expect(errorOf(() => tool({ ...nothing, id: 'a', maxConcurrency: 0 })).message).toBe(
      'tool "a" has maxConcurrency 0',
    );
    expect(errorOf(() => tool({ ...nothing, id: 'a', perMinute: 1.5 })).message).toBe('tool "a" has perMinute 1.5');
  });

  it('counts text, arguments and result together against the longest description', () => {
    const frame = describeTool(tool({ ...nothing, id: 'a', description: '' })).length;
    const exactly = 'd'.repeat(maxToolDescription - frame);
    expect(describeTool(tool({ ...nothing, id: 'a', description: exactly }))).toHaveLength(maxToolDescription);
    expect(errorOf(() => tool({ ...nothing, id: 'a', description: `${exactly}d` })).message).toContain(
      `${maxToolDescription + 1} characters`,
    );
    const argsSchema = z.object({ text: z.string().describe('t'.repeat(maxToolDescription)) });
    expect(errorOf(() => tool({ ...nothing, id: 'a', argsSchema })).code).toBe('TOOL_INVALID');
  });

  it('describes what the tool takes and gives', () => {
    const mail = tool({
      id: 'mail',
      description: 'Sends it.',
      argsSchema: z.object({ to: z.string() }),
      outputDescription: ['string', 'a receipt'],
      run: () => '',
    });
    expect(describeTool(mail).split('\n')).toEqual([
      'Mail (mail): Sends it.',
      'Arguments: {"type":"object","properties":{"to":{"type":"string"}},"required":["to"]}',
      'Gives: string: a receipt',
    ]);
  });
});

describe('ToolBase', () => {
  it('names a class tool after its id, lets it set another name, and keeps its private fields', async () => {
    class Named extends Mailer {
      override readonly name = 'Postman';
    }
    expect([new Mailer().name, new Named().name]).toEqual(['Send Mail', 'Postman']);
    const [kept] = new ToolRegistry([new Mailer()]).withToolDescription('send_mail', 'Slowly');
    expect(await kept?.run({ to: 'you' }, toolContext())).toBe('me to you');
    expect([kept?.name, kept?.description]).toEqual(['Send Mail', 'Sends mail. Slowly']);
  });

  it('is checked when a registry takes it in', () => {
    class Bad extends Mailer {
      override readonly id = 'a,b' as never;
    }
    expect(errorOf(() => new ToolRegistry([new Bad()])).code).toBe('TOOL_INVALID');
    const broken = { id: 'a', name: 'A', description: 'x' } as unknown as AnyTool;
    expect(errorOf(() => new ToolRegistry([broken])).message).toBe('tool "a" has no run function');
    const mute = { id: 'a', name: 'A', run: () => 1 } as unknown as AnyTool;
    expect(errorOf(() => new ToolRegistry([mute])).message).toBe('tool "a" has no description');
  });
});

describe('toolToModelTool', () => {
  it('gives models a name they accept, the description and the JSON Schema, made once', () => {
    const made = toolToModelTool(new Mailer());
    expect(made).toEqual({
      name: 'send_mail',
      description: 'Sends mail.',
      argsSchema: { type: 'object', properties: { to: { type: 'string' } }, required: ['to'] },
    });
    const mailer = new Mailer();
    expect(toolToModelTool(mailer)).toBe(toolToModelTool(mailer));
    expect(toolToModelTool(tool({ ...nothing, id: 'x' })).argsSchema).toEqual({
      type: 'object',
      properties: {},
      additionalProperties: false,
    });
  });

  it('replaces what models do not accept in a name, and keeps long ids apart', () => {
    expect(modelToolName('portia:mcp:host.com:list items')).toBe('portia_mcp_host_com_list_items');
    const long = 'a'.repeat(70);
    const names = [modelToolName(`${long}1`), modelToolName(`${long}2`), modelToolName('b'.repeat(64))];
    expect(names.map((name) => name.length)).toEqual([64, 64, 64]);
    expect(new Set(names).size).toBe(3);
    for (const name of names) expect(name).toMatch(/^[A-Za-z0-9_-]+$/);
  });
});
