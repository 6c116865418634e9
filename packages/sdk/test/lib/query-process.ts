// A run of a query in a process of its own, on SQLite: starts it, or finds it by its run key, and drives it to its end.
// With `stay` its tool says that it was called, and never ends.
import { Portia } from '../../src/client.ts';
import { Config } from '../../src/config/config.ts';
import { sqliteStorage } from '../../src/storage/sqlite/index.ts';
import { tool } from '../../src/tool/tool.ts';

const [path = '', openaiBaseUrl = '', what = ''] = process.argv.slice(2);

const weather = tool({
  id: 'weather',
  description: 'Tells the weather',
  readOnly: true,
  async run() {
    if (what !== 'stay') return 'sunny';
    process.stdout.write('called\n');
    return new Promise<string>(() => {});
  },
});

const portia = new Portia({
  config: new Config({
    storage: await sqliteStorage(path),
    openaiApiKey: 'k',
    openaiBaseUrl,
    defaultModel: 'openai/gpt-4.1',
  }),
  tools: [weather],
});
const { planRunId } = await portia.startQuery('How is it?', { runKey: 'once' });
await portia.work({ untilIdle: true });
const { state, outputs } = await portia.storage.getPlanRun(planRunId);
process.stdout.write(`${JSON.stringify({ state, weather: outputs.stepOutputs['$weather'] })}\n`);
await portia.close();
