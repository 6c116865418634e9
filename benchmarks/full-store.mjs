// A store with many runs of every kind in it, and how its answers are timed.
import { randomUUID } from 'node:crypto';

/** When everything in a full store happens. */
export const now = Date.UTC(2026, 0, 1);
export const runId = () => `prun-${randomUUID()}`;

export function planRecord() {
  const id = `plan-${randomUUID()}`;
  const query = 'Which stock price grew faster?';
  return {
    id,
    hash: id,
    query,
    document: {
      id,
      plan_context: { query, tool_ids: ['search_tool'] },
      steps: [{ task: 'Search', inputs: [], tool_id: 'search_tool', output: '$price', condition: null }],
      plan_inputs: [],
    },
    createdAt: now,
  };
}

export const commit = (seq) => ({
  seq,
  at: now + seq,
  events: JSON.stringify([['s', seq, null, { value: 'x'.repeat(100) }]]),
});
export const states = ['NOT_STARTED', 'IN_PROGRESS', 'NEED_CLARIFICATION', 'READY_TO_RESUME'];

/** What happened in a run: it has done its step and ended so, or waits for a person. */
function journal(state, error, [asks]) {
  const done = { type: 'step-end', step: 0, output: { value: 'x'.repeat(100) } };
  const asked = asks && {
    type: 'clarification-raised',
    step: 0,
    key: asks.id,
    clarification: { id: asks.id, category: 'Input', user_guidance: 'Which?', argument_name: 'which', source: null },
    audience: asks.audience,
  };
  const last = asks
    ? { type: 'run-wait' }
    : { type: 'run-end', state, error, finalOutput: error ? undefined : done.output };
  const events = [{ type: 'run-start', epoch: 1, host: 'here', version: '0' }, asked ?? done];
  if (asks || state === 'COMPLETE' || state === 'FAILED') events.push(last);
  return events.map((event, index) => ({ seq: index + 1, at: now + index, events: JSON.stringify([event]) }));
}

/** How many runs each question finds, however many there are: more than a page. */
const found = 60;

/** Fills a store: most runs are complete; some of each kind stand between them. */
export async function fill(storage, size) {
  const groups = Math.floor(size / found);
  const plans = Array.from({ length: groups }, planRecord);
  for (const plan of plans) await storage.savePlan(plan);
  const ids = [];
  let next = 0;
  const fillSome = async () => {
    for (let index = next++; index < size; index = next++) {
      const group = index % groups;
      const header = {
        id: runId(),
        planId: plans[group].id,
        endUserId: `cust_${group}`,
        createdAt: now + index,
        inputs: {},
        labels: { batch: 'nightly', customer: `c_${group}` },
      };
      // Group by group: 1 to 4 are of the unfinished states, 5 and 6 failed for their own reasons; of the others every
      // second one waits for its end user.
      const waits = group >= 6 && group % 2 === 1;
      const state = group < 4 ? states[group] : group < 6 ? 'FAILED' : waits ? 'NEED_CLARIFICATION' : 'COMPLETE';
      const asks =
        group === 2 || waits
          ? [{ id: `clar-${randomUUID()}`, audience: waits ? 'endUser' : 'operator', raisedAt: now + index }]
          : [];
      const error =
        state === 'FAILED' ? { code: group === 4 ? 'APPROVAL_REFUSED' : 'TOOL_FAILED', message: 'no' } : undefined;
      const status = {
        state,
        updatedAt: now + index,
        asks,
        ...(group === 2 && { wakeAt: now }),
        ...(error && { error }),
      };
      ids[index] = header.id;
      await storage.importRun({ header, status, epoch: 1, commits: journal(state, error, asks), commands: [] }, []);
    }
  };
  await Promise.all(Array.from({ length: 8 }, fillSome));
  return { ids, plans };
}

export const at = (sorted, part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
export const sorted = (numbers) => [...numbers].sort((a, b) => a - b);
export const rounded = (value) => Number(value.toPrecision(3));

/** Microseconds of each, the medians of many; they take turns, so that what else the machine does is the same for all. */
export async function medians(works, rounds = 60) {
  for (let round = 0; round < 5; round += 1) for (const work of works) await work();
  const taken = works.map(() => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, work] of works.entries()) {
      const begun = performance.now();
      await work();
      taken[index].push(performance.now() - begun);
    }
  }
  return taken.map((times) => rounded(at(sorted(times), 0.5) * 1000));
}
