// The same work as `peer.mjs`, as plans in code: their steps are functions.
import { Config, Input, memoryStorage, PlanBuilderV2, Portia, StepOutput } from 'portia-ts';
import { countOutputs, giveOutput, nap, openStore, readBackFrom } from './peer.mjs';

export const name = 'builder';

/** Each step takes the output of the one before it. */
function planOf(n, run) {
  const builder = new PlanBuilderV2(`a run of ${n} steps`);
  for (let index = 0; index < n; index += 1) {
    const args = index === 0 ? {} : { before: StepOutput(`step_${index - 1}`) };
    builder.functionStep({ stepName: `step_${index}`, readOnly: true, args, function: run(index) });
  }
  return builder.build();
}

function runner(plan, storage) {
  const portia = new Portia({ config: new Config({ storage }), plans: [plan] });
  return { run: async () => countOutputs(await portia.runPlan(plan)), close: () => portia.close() };
}

/** W1: n no-op steps, in the default store. */
export async function linear(n) {
  return runner(planOf(n, giveOutput), memoryStorage());
}

/** W2: n no-op steps, each stored before the next begins. */
export async function persisted(n, store, dir) {
  return runner(planOf(n, giveOutput), await openStore(store, dir));
}

/** What a new process finds in the store after W2: how many outputs the newest run has. */
export async function readBack(store, dir, n) {
  const plan = planOf(n, giveOutput);
  return readBackFrom(new Portia({ config: new Config({ storage: await openStore(store, dir) }), plans: [plan] }));
}

/** W4: n steps that each sleep; may be run a thousand times at once. */
export async function sleeper(n, ms) {
  return runner(
    planOf(n, (index) => nap(index, ms)),
    memoryStorage(),
  );
}

/** A loop over n items, with one step in it; gives how many rounds its steps were seen to have made. */
export async function loop(n) {
  const storage = memoryStorage();
  const plan = new PlanBuilderV2(`a loop of ${n} rounds`)
    .input({ name: 'items' })
    .loop({ stepName: 'item', over: Input('items') })
    .functionStep({
      stepName: 'made',
      readOnly: true,
      args: { item: StepOutput('item') },
      function: ({ item }) => item,
    })
    .endLoop()
    .functionStep({
      stepName: 'count',
      readOnly: true,
      args: { all: StepOutput('made', { full: true }) },
      function: ({ all }) => all.length,
    })
    .build();
  const portia = new Portia({ config: new Config({ storage }), plans: [plan] });
  const planRunInputs = { items: Array.from({ length: n }, (_, index) => `item-${index}`) };
  return {
    run: async () => (await portia.runPlan(plan, { planRunInputs })).outputs.finalOutput?.value,
    bytes: () => storage.bytes(),
  };
}
