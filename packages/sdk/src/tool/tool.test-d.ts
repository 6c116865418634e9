import { expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import { InputClarification } from '../core/clarification.ts';
import type { JsonObject } from '../core/json.ts';
import type { AnyTool, Tool, ToolRunContext } from '../core/tool.ts';
import { tool, ToolBase } from './tool.ts';

it('types the arguments from the output of argsSchema', () => {
  tool({
    id: 'refund',
    description: '',
    argsSchema: z.object({ charge: z.string(), amount: z.number().default(1), at: z.string().transform(Number) }),
    run(args, context) {
      expectTypeOf(args).toEqualTypeOf<{ charge: string; amount: number; at: number }>();
      expectTypeOf(context).toEqualTypeOf<ToolRunContext>();
      return null;
    },
  });
});

it('types the output from what run returns, leaving clarifications out', () => {
  const sync = tool({ id: 'a', description: '', run: () => ({ total: 1 }) });
  expectTypeOf(sync).toEqualTypeOf<Tool<JsonObject, { total: number }>>();
  const asking = tool({
    id: 'b',
    description: '',
    async run(_args, { clarifications }) {
      return clarifications.length > 0
        ? clarifications.length
        : InputClarification({ userGuidance: '?', argumentName: 'x' });
    },
  });
  expectTypeOf(asking).toEqualTypeOf<Tool<JsonObject, number>>();
});

it('types the output from outputSchema, and run and reconcile must give it', () => {
  const outputSchema = z.object({ id: z.string() });
  const made = tool({
    id: 'a',
    description: '',
    outputSchema,
    run: async () => ({ id: 'r1' }),
    reconcile: () => 'not-happened',
  });
  expectTypeOf(made).toEqualTypeOf<Tool<JsonObject, { id: string }>>();
  // @ts-expect-error the id is a string
  tool({ id: 'a', description: '', outputSchema, run: () => ({ id: 1 }) });
  // @ts-expect-error a receipt has the type of the output
  tool({ id: 'a', description: '', outputSchema, run: () => ({ id: '1' }), reconcile: () => ({ id: 1 }) });
});

it('refuses a run that wants arguments no schema describes', () => {
  // @ts-expect-error there is no argsSchema that gives a city
  tool({ id: 'a', description: '', run: (args: { city: string }) => args.city });
  // @ts-expect-error the schema gives a number
  tool({ id: 'a', description: '', argsSchema: z.object({ n: z.number() }), run: (args: { n: string }) => args.n });
});

it('lets classes be tools, with the same types', () => {
  class Mailer extends ToolBase<{ to: string }, string> {
    readonly id = 'mailer';
    readonly description = 'Sends mail.';
    override readonly argsSchema = z.object({ to: z.string() });
    override readonly idempotent = true;
    run({ to }: { to: string }, context: ToolRunContext): string {
      return `${to} ${context.idempotencyKey}`;
    }
  }
  expectTypeOf(new Mailer()).toExtend<Tool<{ to: string }, string>>();
  expectTypeOf(new Mailer()).toExtend<AnyTool>();
});
