// A process that refunds over MCP and answers its own approval; its payment server may kill it in the middle.
import { sqliteStorage } from '../../src/storage/sqlite/index.ts';
import { type Marked, mcpRefundPlan, refunding } from './mcp-refund.ts';

const [path = '', server = '', marked = 'unmarked'] = process.argv.slice(2);
const storage = await sqliteStorage(path);
const { portia, registry } = await refunding(storage, JSON.parse(server), marked as Marked);
const run = await portia.runPlan(mcpRefundPlan, { runKey: 'refund' });
const [approval] = run.getOutstandingClarifications();
if (approval) await portia.resolveClarification({ planRun: run, clarification: approval, response: true });
const done = await portia.resume({ planRun: run });
await registry.close();
await portia.close();
process.stdout.write(done.state);
