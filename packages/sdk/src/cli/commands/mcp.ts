import { defaultEndUserId } from '../../core/end-user.ts';
import { isPlainObject } from '../../core/json.ts';
import type { AnyPlanV2 } from '../../plan/builder-programs.ts';
import type { AnyPlan } from '../../run/create-run.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { type Input, usageError } from '../input.ts';
import { withClient } from '../open-client.ts';
import { defaultExportOf } from '../own-module.ts';
import { modelOptions, storeOptions, toolOptions } from '../options.ts';

/** Serves plans to the MCP host that started this process. */
export const mcpCommand: Command = {
  name: 'mcp',
  summary: 'serve plans to an MCP host over standard input and output',
  words: [0, 0],
  options: {
    plans: { type: 'text', value: 'MODULE', help: 'a module whose default export is plans by name' },
    queries: { type: 'flag', help: 'also plan and run queries in words' },
    'end-user-id': { type: 'text', value: 'ID', help: 'on whose behalf' },
    ...toolOptions,
    ...modelOptions,
    ...storeOptions,
  },
  async run(context) {
    const { input, interrupt } = context;
    const plans = await plansOf(input);
    const queries = input.flag('queries');
    if (Object.keys(plans).length === 0 && !queries) {
      throw usageError('there is nothing to serve', 'give plans with --plans MODULE, or allow --queries');
    }
    interrupt.arm();
    const registered = Object.values(plans).filter((plan): plan is AnyPlanV2 => 'label' in plan);
    return withClient(
      context,
      async (portia) => {
        const { portiaMcpServer } = await import('../../mcp-server/portia-mcp-server.ts');
        const endUser = input.text('end-user-id') ?? defaultEndUserId;
        const server = await portiaMcpServer(portia, { plans, queries, endUser });
        try {
          await server.serveStdio({ signal: interrupt.signal });
        } finally {
          await server.close();
        }
        return exitCodes.complete;
      },
      { plans: registered },
    );
  },
};

async function plansOf(input: Input): Promise<Readonly<Record<string, AnyPlan>>> {
  const path = input.text('plans');
  if (path === undefined) return {};
  const plans = await defaultExportOf('plans', path, 'give a module: export default { name: plan }');
  if (isPlainObject(plans)) return plans as Record<string, AnyPlan>;
  throw usageError(`--plans ${path}: the default export is not plans by name`, 'export default { refund, report }');
}
