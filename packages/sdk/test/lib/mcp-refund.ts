// A refund over an MCP payment server, with an approval: the program, as every process of it makes it.
import { z } from 'zod';
import { Portia } from '../../src/client.ts';
import { Config } from '../../src/config/config.ts';
import type { PlanV2 } from '../../src/core/plan-v2.ts';
import { StepOutput, text } from '../../src/core/reference.ts';
import { McpToolRegistry } from '../../src/mcp/index.ts';
import { PlanBuilderV2 } from '../../src/plan/builder-v2.ts';
import type { StorageBackend } from '../../src/storage/storage-backend.ts';
import type { StdioServer } from '../../src/tool/mcp/server-options.ts';
import type { ToolRegistry } from '../../src/tool/registry.ts';

export const mcpRefundPlan: PlanV2 = new PlanBuilderV2('Refund over MCP')
  .invokeToolStep({
    stepName: 'customers',
    tool: 'mcp:payments:list_customers',
    args: { email: 'ada@example.com' },
    outputSchema: z.array(z.object({ id: z.string() })),
  })
  .invokeToolStep({
    stepName: 'payments',
    tool: 'mcp:payments:list_payment_intents',
    args: { customer: StepOutput('customers', { path: '0.id' }) },
    outputSchema: z.array(z.object({ id: z.string(), amount: z.number() })),
  })
  .invokeToolStep({
    stepName: 'refund',
    tool: 'mcp:payments:create_refund',
    args: {
      payment_intent: StepOutput('payments', { path: '0.id' }),
      amount: StepOutput('payments', { path: '0.amount' }),
    },
    approval: { message: text`Refund ${StepOutput('payments', { path: '0.amount' })}?` },
  })
  .build();

/** How the refund tool may be repeated: not at all, or with a key the server knows again. */
export type Marked = 'unmarked' | 'keyed';

/** A client on a store and a server; closing both is the caller's. */
export async function refunding(
  storage: StorageBackend,
  server: StdioServer,
  marked: Marked,
): Promise<{ readonly portia: Portia; readonly registry: McpToolRegistry }> {
  const registry = await McpToolRegistry.fromStdioConnection(server);
  const tools: ToolRegistry =
    marked === 'unmarked'
      ? registry
      : registry.withToolOptions('mcp:payments:create_refund', { idempotent: true, idempotencyArg: 'key' });
  const portia = new Portia({ config: new Config({ storage }), tools, plans: [mcpRefundPlan] });
  return { portia, registry };
}
