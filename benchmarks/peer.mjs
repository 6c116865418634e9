// Portia for TypeScript as a contender: the same workloads that the other libraries are given, on the built package,
// through its public API only, with the options a user gets who sets nothing but the store.
import { join } from 'node:path';
import { Config, diskStorage, InputClarification, memoryStorage, Plan, Portia, tool } from 'portia-ts';

export const name = 'ours';
export const packages = ['portia-ts'];

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A step that calls a read-only function without arguments: it costs no model call. */
function functionTool(index, run) {
  return tool({ id: `step_${index}`, description: `Gives output ${index}.`, readOnly: true, run });
}

/** Each step takes the output of the one before it, so that they run one after the other. */
function planOf(tools) {
  const output = (index) => `$output_${index}`;
  return new Plan({
    planContext: { query: `a run of ${tools.length} steps`, toolIds: tools.map(({ id }) => id) },
    steps: tools.map(({ id }, index) => ({
      task: `Do step ${index}.`,
      toolId: id,
      inputs: index === 0 ? [] : [{ name: output(index - 1) }],
      output: output(index),
    })),
  });
}

function listOf(n, run) {
  return Array.from({ length: n }, (_, index) => functionTool(index, run(index)));
}

export const giveOutput = (index) => async () => `output-${index}`;

/** W3, in a file of its own: what it needs is not loaded for anything else. */
export const agentVariants = ['steps', 'oneshot', 'fixed-args', 'single'];
export const agent = async (...given) => (await import('./agent.mjs')).agent(...given);

/** How many step outputs a run that came to its end holds. */
export function countOutputs(planRun) {
  if (planRun.state !== 'COMPLETE') throw new Error(`the run is ${planRun.state}: ${planRun.error?.message}`);
  return Object.keys(planRun.outputs.stepOutputs).length;
}

function client(tools, storage, more = {}) {
  return new Portia({ config: new Config({ storage, ...more }), tools });
}

/** A client with its plan, ready to run it again and again. */
function runner(tools, storage) {
  const portia = client(tools, storage);
  const plan = planOf(tools);
  return { run: async () => countOutputs(await portia.runPlan(plan)), close: () => portia.close() };
}

export async function openStore(store, dir) {
  switch (store) {
    case 'memory':
      return memoryStorage();
    case 'disk':
    case 'jsonl':
      return diskStorage(join(dir, 'portia'));
    case 'sqlite':
    case 'sqlite-synced': {
      const { sqliteStorage } = await import('portia-ts/sqlite');
      return sqliteStorage(join(dir, 'portia.db'), store === 'sqlite' ? {} : { durability: 'full' });
    }
    default:
      throw new Error(`no such store: ${store}`);
  }
}

/** W1: n no-op steps. The store is the default one, in memory: there is no way to run without a record. */
export async function linear(n) {
  return runner(listOf(n, giveOutput), memoryStorage());
}

export const stores = ['memory', 'disk', 'jsonl', 'sqlite', 'sqlite-synced'];

/** W2: n no-op steps, each stored before the next begins. */
export async function persisted(n, store, dir) {
  const storage = await openStore(store, dir);
  const { run, close } = runner(listOf(n, giveOutput), storage);
  return { run, close, ...(store === 'memory' && { bytes: () => storage.bytes() }) };
}

/** What a new process finds in the store after W2: how many outputs the newest run has. */
export async function readBack(store, dir) {
  return readBackFrom(client([], await openStore(store, dir)));
}

/** How many outputs the newest run of a client's store has. */
export async function readBackFrom(portia) {
  const { items } = await portia.storage.listRuns({ limit: 1 });
  return countOutputs(await portia.storage.getPlanRun(items[0].header.id));
}

/** W4: n steps that each sleep; may be run a thousand times at once. */
export async function sleeper(n, ms) {
  return runner(
    listOf(n, (index) => nap(index, ms)),
    memoryStorage(),
  );
}

/** A step that does nothing but take its time. */
export function nap(index, ms) {
  return async () => {
    await sleep(ms);
    return `output-${index}`;
  };
}

export const pauseStores = ['memory', 'disk', 'jsonl', 'sqlite'];

/**
 * W5: three steps, the second of which asks a person. The handle is the run's id; whoever goes on with it is a new
 * client that knows nothing but the store.
 */
export async function pause(store, dir) {
  const storage = await openStore(store, dir);
  const ask = ({ answer }) => answer ?? InputClarification({ argumentName: 'answer', userGuidance: 'approve?' });
  const tools = [functionTool(0, giveOutput(0)), functionTool(1, ask), functionTool(2, giveOutput(2))];
  const portia = client(tools, storage);
  const plan = planOf(tools);
  return {
    async suspend() {
      const planRun = await portia.runPlan(plan);
      if (planRun.state !== 'NEED_CLARIFICATION') throw new Error(`the run is ${planRun.state}, not waiting`);
      return planRun.id;
    },
    async resume(planRunId, response) {
      const other = client(tools, storage);
      const [clarification] = (await other.storage.getPlanRun(planRunId)).getOutstandingClarifications();
      await other.resolveClarification({ planRunId, clarification, response });
      return countOutputs(await other.resume({ planRunId }));
    },
    close: () => portia.close(),
    ...(store === 'memory' && { bytes: () => storage.bytes() }),
  };
}
