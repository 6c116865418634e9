// Runs a scenario in three ways, which must all end the same: answered inline by a handler, answered and resumed by
// clients that share only the store, and killed at every write and taken up by another client.
import { expect } from 'vitest';
import type { Portia } from '../../src/client.ts';
import type { ClarificationHandler, OnResolution } from '../../src/clarify/clarification-handler.ts';
import type { Clarification } from '../../src/core/clarification.ts';
import type { JsonObject, JsonValue } from '../../src/core/json.ts';
import type { PlanRun } from '../../src/core/plan-run.ts';
import type { ExecutionHooks } from '../../src/run/hooks.ts';
import { memoryStorage } from '../../src/storage/memory/memory-storage.ts';
import type { StorageBackend } from '../../src/storage/storage-backend.ts';
import { crashingStorage } from '../../src/testing/crashing-storage.ts';
import { normalised } from './engine.ts';
import { lookUp, type World } from './outside-world.ts';

/** Something a user does with a plan, in a world. */
export interface Scenario {
  /** A client as any process of the same program makes it. */
  client(storage: StorageBackend, url: string, hooks?: ExecutionHooks): Portia;
  /** Runs the plan, under a run key. */
  begin(portia: Portia): Promise<PlanRun>;
  /** What the person answers. */
  answer(clarification: Clarification): JsonValue;
}

/** How a scenario ended. */
export interface Ended {
  readonly run: PlanRun;
  readonly document: JsonObject;
}

const isOver = ({ state }: PlanRun): boolean => state === 'COMPLETE' || state === 'FAILED';

/** A handler that answers at once what it is asked. */
function answering(answer: (clarification: Clarification) => JsonValue): ClarificationHandler {
  const reply = (clarification: Clarification, resolve: OnResolution): void | Promise<void> =>
    resolve(clarification, answer(clarification));
  return {
    handleAction: reply,
    handleInput: reply,
    handleMultipleChoice: reply,
    handleValueConfirmation: reply,
    handleUserVerification: reply,
    handleCustom: reply,
  };
}

/** Answered where the run is: it never comes back waiting. */
export async function inline(
  scenario: Scenario,
  world: World,
  storage: StorageBackend = memoryStorage(),
): Promise<Ended> {
  const run = await scenario.begin(
    scenario.client(storage, world.url, { clarificationHandler: answering((asked) => scenario.answer(asked)) }),
  );
  expect(isOver(run), run.prettyPrint()).toBe(true);
  return { run, document: normalised(run) };
}

/** Every answer and every resume in a client of its own. */
export async function cold(
  scenario: Scenario,
  world: World,
  storage: StorageBackend = memoryStorage(),
): Promise<Ended> {
  const client = (): Portia => scenario.client(storage, world.url);
  const begun = await scenario.begin(client());
  const run = await goOn(scenario, world, client, begun);
  // What was stored is what was said, to whoever comes last.
  expect((await client().storage.getPlanRun(run.id)).toJSON()).toEqual(run.toJSON());
  return { run, document: normalised(run) };
}

async function goOn(scenario: Scenario, world: World, client: () => Portia, begun: PlanRun): Promise<PlanRun> {
  let run = begun;
  for (let round = 0; !isOver(run); round += 1) {
    if (round > 30) throw new Error(`the run does not come to an end: ${run.prettyPrint()}`);
    for (const clarification of run.getOutstandingClarifications()) {
      const portia = client();
      const response = await answerTo(scenario, world, portia, clarification);
      await portia.resolveClarification({ planRunId: run.id, clarificationId: clarification.id, response });
    }
    run = await client().resume({ planRunId: run.id });
  }
  return run;
}

/** Who is asked about a call that may have happened looks whether it did. */
async function answerTo(
  scenario: Scenario,
  world: World,
  portia: Portia,
  clarification: Clarification,
): Promise<JsonValue> {
  if (clarification.source !== 'Effects ledger') return scenario.answer(clarification);
  const { planRunId } = clarification;
  if (planRunId === null) throw new Error('a clarification of no run');
  const unknown = (await portia.storage.getToolCalls(planRunId)).find(({ status }) => status === 'UNKNOWN');
  const found = unknown && (await lookUp(world.url, unknown.idempotencyKey));
  if (clarification.category === 'Input') return JSON.stringify(found);
  return found === undefined ? 'call again' : 'use a given result';
}

/** Goes on with the one run of a store, whatever became of the process that began it. */
export async function takenUp(scenario: Scenario, world: World, storage: StorageBackend): Promise<Ended> {
  const client = (): Portia => scenario.client(storage, world.url);
  const { items } = await client().storage.listRuns();
  expect(items.length).toBeLessThanOrEqual(1);
  const begun = items[0] ? await client().resume({ planRunId: items[0].header.id }) : await scenario.begin(client());
  const run = await goOn(scenario, world, client, begun);
  return { run, document: normalised(run) };
}

/**
 * Killed at every write and taken up by another client: before and after each write of a run that is answered between
 * resumes, and after each write of one that is answered inline. Gives how often a person was asked what became of a call.
 */
export async function killedEverywhere(
  scenario: Scenario,
  fresh: () => World,
  check: (ended: Ended, world: World, where: string) => void,
): Promise<number> {
  const ways = [
    { way: cold, when: 'before' },
    { way: cold, when: 'after' },
    { way: inline, when: 'after' },
  ] as const;
  let asked = 0;
  for (const { way, when } of ways) {
    const counting = crashingStorage(memoryStorage());
    await way(scenario, fresh(), counting);
    for (let write = 1; write <= counting.writes; write += 1) {
      const where = `${way.name}, ${when} write ${write} of ${counting.writes}`;
      const world = fresh();
      const store = memoryStorage();
      const doomed = crashingStorage(store, { write, when });
      try {
        await way(scenario, world, doomed);
      } catch (error) {
        if (!doomed.crashed) throw error;
      }
      expect(doomed.crashed, where).toBe(true);
      const ended = await takenUp(scenario, world, store);
      check(ended, world, where);
      if (ended.run.outputs.clarifications.some(({ source }) => source === 'Effects ledger')) asked += 1;
    }
  }
  return asked;
}
