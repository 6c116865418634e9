// A shop is an MCP server, and a plan uses it: it finds an order, waits for an approval, and refunds. In the middle of
// the refund the shop asks the customer something, and the same call goes on with the answer. No key and no network: run
// it with `node examples/mcp-shop.mjs` after `npm run build`. Started with `shop`, this file is the server.
import { fileURLToPath } from 'node:url';
import { Config, Input, PlanBuilderV2, Portia, StepOutput, text } from 'portia-ts';
import { McpToolRegistry } from 'portia-ts/mcp';
import { z } from 'zod';

async function shop() {
  const { McpServer } = await import('@modelcontextprotocol/server');
  const { serveStdio } = await import('@modelcontextprotocol/server/stdio');
  serveStdio(() => {
    const server = new McpServer({ name: 'shop', version: '1.0.0' });
    let refunds = 0;
    const orderSchema = z.object({ number: z.string(), cents: z.number() });
    server.registerTool(
      'find-order',
      {
        description: 'Finds an order by its number.',
        inputSchema: z.object({ number: z.string() }),
        outputSchema: orderSchema,
        annotations: { readOnlyHint: true },
      },
      ({ number }) => {
        const order = { number, cents: 4_200 };
        return { content: [{ type: 'text', text: JSON.stringify(order) }], structuredContent: order };
      },
    );
    server.registerTool(
      'refund',
      { description: 'Gives the money of an order back.', inputSchema: orderSchema },
      async ({ number, cents }, context) => {
        const reasons = ['too small', 'broken', 'changed my mind'];
        const { content } = await context.mcpReq.elicitInput({
          message: `Why do you send ${number} back?`,
          requestedSchema: {
            type: 'object',
            properties: { reason: { type: 'string', enum: reasons } },
            required: ['reason'],
          },
        });
        refunds += 1;
        return { content: [{ type: 'text', text: `refund ${refunds}: ${cents} cents (${content?.reason})` }] };
      },
    );
    return server;
  });
}

const plan = new PlanBuilderV2('Send it back')
  .input({ name: 'order', schema: z.string() })
  .invokeToolStep({ stepName: 'order', tool: 'mcp:shop:find_order', args: { number: Input('order') } })
  .invokeToolStep({
    stepName: 'refund',
    tool: 'mcp:shop:refund',
    args: { number: Input('order'), cents: StepOutput('order', { path: 'cents' }) },
    approval: { message: text`Refund ${StepOutput('order', { path: 'cents' })} cents?` },
  })
  .build();

async function main() {
  const tools = await McpToolRegistry.fromStdioConnection({
    serverName: 'shop',
    command: process.execPath,
    args: [fileURLToPath(import.meta.url), 'shop'],
  });
  console.log(`The shop gives: ${tools.toolIds().join(', ')}`);
  const portia = new Portia({ config: new Config({ storageClass: 'MEMORY' }), tools, plans: [plan] });
  let run = await portia.runPlan(plan, { planRunInputs: { order: 'A-7' }, endUser: 'ada' });
  // The operator approves the call; the customer answers the shop in the middle of it.
  const answers = { 'User Verification': true, 'Multiple Choice': 'too small' };
  while (run.state === 'NEED_CLARIFICATION') {
    const [question] = run.getOutstandingClarifications();
    const [line] = question.userGuidance.split('\n');
    console.log(`${question.source}: ${line}`);
    console.log(`  > ${answers[question.category]}`);
    const response = answers[question.category];
    await portia.resolveClarification({ planRun: run, clarification: question, response });
    run = await portia.resume({ planRun: run });
  }
  console.log(`${run.state}: ${run.outputs.finalOutput?.value}`);
  console.log('Go on: docs/mcp.md, and docs/mcp-server.md for the other way round.');
  await portia.close();
}

await (process.argv[2] === 'shop' ? shop() : main());
