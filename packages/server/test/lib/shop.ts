import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Writes the config module of a shop whose effects happen in a world outside. */
export function writeShop(folder: string, worldUrl: string): void {
  writeFileSync(join(folder, 'portia.config.mjs'), config(worldUrl));
}

/** A shop: `charge` may be repeated with the same key, `mail` may not. */
const config = (url: string): string => `
import { clarifyOnToolCalls, Input, PlanBuilderV2, tool } from 'portia-ts';
import { defineConfig } from 'portia-ts-server';
import { z } from 'zod';

const post = (kind) => async (args, { idempotencyKey }) => {
  const answer = await fetch('${url}/' + kind, {
    method: 'POST',
    headers: { 'idempotency-key': idempotencyKey },
    body: JSON.stringify(args),
  });
  await new Promise((resolve) => setTimeout(resolve, 30));
  return answer.json();
};
const argsSchema = z.object({ order: z.number() });
const order = { name: 'order', schema: z.number() };
export default defineConfig({
  tools: [
    tool({ id: 'charge', description: 'Charges.', argsSchema, idempotent: true, run: post('charge') }),
    tool({ id: 'mail', description: 'Mails.', argsSchema, run: post('mail') }),
    tool({ id: 'refund', description: 'Pays back.', argsSchema, idempotent: true, run: post('refund') }),
  ],
  executionHooks: { beforeToolCall: clarifyOnToolCalls('refund') },
  plans: {
    order: new PlanBuilderV2('Charge, then mail, then charge again')
      .input(order)
      .invokeToolStep({ tool: 'charge', args: { order: Input('order') } })
      .invokeToolStep({ tool: 'mail', args: { order: Input('order') } })
      .invokeToolStep({ tool: 'charge', args: { order: Input('order') } })
      .build(),
    refund: new PlanBuilderV2('Ask why, then pay back')
      .input(order)
      .userInput({ message: 'Why?' })
      .invokeToolStep({ tool: 'refund', args: { order: Input('order') } })
      .build(),
  },
});
`;
