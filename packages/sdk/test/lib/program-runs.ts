// Runs random programs in processes that die, with people who answer in any order, and checks what came of it.
import fc from 'fast-check';
import { expect } from 'vitest';
import { Portia } from '../../src/client.ts';
import { Config } from '../../src/config/config.ts';
import type { Clarification } from '../../src/core/clarification.ts';
import { fold } from '../../src/core/apply.ts';
import type { Commit } from '../../src/core/event.ts';
import type { PlanRunUUID } from '../../src/core/ids.ts';
import type { Clock } from '../../src/core/clock.ts';
import type { JsonObject, JsonValue } from '../../src/core/json.ts';
import { type Output, textOf } from '../../src/core/output.ts';
import type { Plan } from '../../src/core/plan.ts';
import type { PlanRun } from '../../src/core/plan-run.ts';
import type { RunState } from '../../src/core/run-state.ts';
import { exceedsThreshold } from '../../src/model/tokens.ts';
import { legacyOf } from '../../src/plan/builder-programs.ts';
import { compile } from '../../src/plan/compile.ts';
import { eventsOf } from '../../src/run/drive.ts';
import type { ExecutionHooks } from '../../src/run/hooks.ts';
import { memoryStorage } from '../../src/storage/memory/memory-storage.ts';
import type { StorageBackend } from '../../src/storage/storage-backend.ts';
import { type CrashPoint, crashingStorage } from '../../src/testing/crashing-storage.ts';
import { normalised } from './engine.ts';
import { type Expected, expectationOf } from './program-expectation.ts';
import { answerTo, askerOf, later, type Process, type Program, programModel } from './programs.ts';

/** Faults that the checker must find. */
export interface Planted {
  /** Tools marked idempotent do it again whenever they are called. */
  readonly duplicates?: boolean;
  /** What a process writes is changed on its way. */
  readonly storage?: (storage: StorageBackend) => StorageBackend;
}

/** What the hook after a run is told. */
const theEnd = 'the end of the run';

/** Where effects happen. */
export class Outside {
  readonly effects: string[] = [];
  readonly byCall: Map<string, JsonValue> = new Map();
  /** How often the ledger asked. */
  asked = 0;
  readonly planted: Planted;
  /** By life of the run: the steps whose end a hook was told of. */
  readonly told: string[][] = [];
  /** By stretch of driving: the steps whose beginning a hook was asked about. */
  readonly begun: string[][] = [];
  /** How many hooks before steps and calls were asked at the same time, at most. */
  mostAsked = 0;
  #asked = 0;

  /** A hook that is asked, and takes a moment. */
  async ask(about: number): Promise<void> {
    this.#asked += 1;
    this.mostAsked = Math.max(this.mostAsked, this.#asked);
    await later(about, () => undefined);
    this.#asked -= 1;
  }

  constructor(planted: Planted = {}) {
    this.planted = planted;
  }

  process(isDead: () => boolean): Process {
    const outside = this;
    return {
      effect(label, call, mark, value) {
        if (isDead()) throw new Error('a dead process does nothing');
        const before = outside.byCall.get(call);
        if (mark === 'idempotent' && before !== undefined && !outside.planted.duplicates) return before;
        outside.effects.push(`${label} ${(value as { readonly v: number }).v}`);
        outside.byCall.set(call, value);
        return value;
      },
    };
  }
}

/** Where processes die, and in which order people answer. */
export interface Story {
  readonly crashes: readonly CrashPoint[];
  readonly picks: readonly number[];
  /** Whether a hook wants to hear of the end of each step. */
  readonly hooked: boolean;
  /** Whether hooks are asked before steps and calls, and whether strictly in the order of the plan. */
  readonly before: 'none' | 'in turn' | 'in plan order';
}

export const stories: fc.Arbitrary<Story> = fc.record({
  crashes: fc.array(
    fc.record({ write: fc.integer({ min: 1, max: 16 }), when: fc.constantFrom('before' as const, 'after' as const) }),
    { maxLength: 3 },
  ),
  picks: fc.array(fc.nat(30), { minLength: 1, maxLength: 6 }),
  hooked: fc.boolean(),
  before: fc.constantFrom('none' as const, 'in turn' as const, 'in plan order' as const),
});

const calm = ({ hooked, before }: Story): Story => ({ crashes: [], picks: [0], hooked, before });
/** What is larger than so many tokens is kept in agent memory. */
const largeFrom = 40;
const config = { models: { default: programModel }, largeOutputThresholdTokens: largeFrom };

interface Outcome {
  readonly run: PlanRun;
  readonly storage: StorageBackend;
  readonly outside: Outside;
  /** How many processes died. */
  readonly died: number;
}

/** Runs a program to its end, each time in a new process where the last one died. */
export async function runProgram(
  program: Program,
  { crashes, picks, hooked, before }: Story,
  planted: Planted = {},
): Promise<Outcome> {
  const outside = new Outside(planted);
  const storage = memoryStorage();
  const people = new People(outside, picks);
  const clock = new Leaps();
  for (let life = 0; ; life += 1) {
    const point = crashes[life];
    const crashing = crashingStorage(planted.storage?.(storage) ?? storage, point);
    const process = outside.process(() => crashing.crashed);
    const plan = program.plan(process);
    const told: string[] = [];
    outside.told.push(told);
    const afterStepExecution: ExecutionHooks['afterStepExecution'] = async (_plan, _run, step) => {
      if (crashing.crashed) throw new Error('a dead process hears nothing');
      await Promise.resolve();
      told.push(step.output);
    };
    const afterPlanRun: ExecutionHooks['afterPlanRun'] = () => {
      if (crashing.crashed) throw new Error('a dead process hears nothing');
      told.push(theEnd);
    };
    const asking: ExecutionHooks = {
      inPlanOrder: before === 'in plan order',
      async beforeStepExecution(_plan, _run, step) {
        outside.begun.at(-1)?.push(step.output);
        await outside.ask(step.output.length);
      },
      beforeToolCall: (_tool, args) => outside.ask(JSON.stringify(args).length),
    };
    const executionHooks = { ...(hooked && { afterStepExecution, afterPlanRun }), ...(before !== 'none' && asking) };
    const open = (): Portia =>
      new Portia({
        config: new Config({ storage: crashing, ...config }),
        tools: [askerOf(process)],
        plans: [plan],
        clock,
        executionHooks,
      });
    try {
      const portia = open();
      const [stored] = (await portia.storage.listRuns()).items;
      outside.begun.push([]);
      let run = stored ? await portia.resume({ planRunId: stored.header.id }) : await portia.runPlan(plan);
      for (let round = 0; run.state !== 'COMPLETE' && run.state !== 'FAILED'; round += 1) {
        if (round > 300) throw new Error(`the run does not come to an end: ${run.prettyPrint()}`);
        const next = people.next() % 2 === 0 ? portia : open();
        // Time may pass while people are asked, and nobody answers just then.
        const asked = run.getOutstandingClarifications().length > 0;
        const passes = !asked || people.next() % 2 === 0;
        if (passes) clock.leap();
        if (!passes || round % 2 === 0 || people.next() % 2 === 0) await people.answer(next, run);
        outside.begun.push([]);
        run = await next.resume({ planRunId: run.id });
        if (run.wakeAt !== undefined && run.wakeAt <= clock.now())
          throw new Error('the run waits for a time that is over');
      }
      return { run, storage, outside, died: life };
    } catch (error) {
      if (!crashing.crashed) throw error;
    }
  }
}

/** Time that passes when somebody waits for it. */
class Leaps implements Clock {
  #now = 1_700_000_000_000;

  now(): number {
    return this.#now;
  }

  async sleep(ms: number): Promise<void> {
    this.#now += ms;
  }

  leap(): void {
    this.#now += 60_000;
  }
}

/** Those who answer, some questions at a time. */
class People {
  readonly #outside: Outside;
  readonly #picks: readonly number[];
  #turn = 0;

  constructor(outside: Outside, picks: readonly number[]) {
    this.#outside = outside;
    this.#picks = picks;
  }

  next(): number {
    this.#turn += 1;
    return (this.#picks[this.#turn % this.#picks.length] ?? 0) + this.#turn * 7 * Math.min(1, this.#picks.length - 1);
  }

  async answer(portia: Portia, run: PlanRun): Promise<void> {
    const open = [...run.getOutstandingClarifications()];
    const count = open.length === 0 ? 0 : 1 + (this.next() % open.length);
    for (let k = 0; k < count; k += 1) {
      const [clarification] = open.splice(this.next() % open.length, 1);
      if (clarification)
        await portia.resolveClarification({
          planRunId: run.id,
          clarification,
          response: await this.#response(portia, run.id, clarification),
        });
    }
  }

  async #response(portia: Portia, id: PlanRunUUID, clarification: Clarification): Promise<JsonValue> {
    if (clarification.source === 'Effects ledger') return this.#lookUp(portia, id, clarification);
    if (clarification.category === 'User Verification') return clarification.userGuidance !== 'no?';
    return answerTo(
      clarification.userGuidance,
      clarification.category === 'Multiple Choice' ? clarification.options : undefined,
    );
  }

  /** Says what really happened. */
  async #lookUp(portia: Portia, id: PlanRunUUID, clarification: Clarification): Promise<JsonValue> {
    const raised = (await portia.storage.getEvents(id)).find(
      (event) => event.type === 'clarification-raised' && event.clarification['id'] === clarification.id,
    );
    if (raised?.type !== 'clarification-raised') throw new Error('a question that nobody asked');
    const happened = this.#outside.byCall.get(raised.key.slice(raised.key.indexOf(':') + 1));
    if (clarification.category === 'Input') return JSON.stringify(happened);
    this.#outside.asked += 1;
    return happened !== undefined ? 'use a given result' : 'call again';
  }
}

/** A store that loses something of the first commit that has it. */
export function losing(what: 'step-end' | 'output'): Planted {
  let done = false;
  const lose = (events: string): string => {
    const packed = JSON.parse(events) as unknown[][];
    const index = packed.findIndex((event) => event[0] === 's' && (what === 'step-end' || (event[3] ?? null) !== null));
    const found = packed[index];
    if (done || !found) return events;
    done = true;
    if (what === 'step-end') packed.splice(index, 1);
    else found[3] = null;
    return JSON.stringify(packed);
  };
  const storage = (store: StorageBackend): StorageBackend =>
    new Proxy(store, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        const method = value as (...args: unknown[]) => unknown;
        if (name !== 'append') return method.bind(target);
        return (id: unknown, epoch: unknown, commit: Commit, ...more: unknown[]) =>
          method.call(target, id, epoch, { ...commit, events: lose(commit.events) }, ...more);
      },
    });
  return { storage };
}

/** Runs a program in peace and in a storm, and compares both with what was worked out beforehand. */
export async function checkProgram(
  program: Program,
  story: Story,
  live: ReadonlyMap<PlanRunUUID, RunState>,
  planted: Planted = {},
): Promise<{ readonly asked: number; readonly died: number }> {
  const expected = expectationOf(program);
  const whole = await runProgram(program, calm(story));
  checkOutcome(program, expected, whole, story);
  const stormy = await runProgram(program, story, planted);
  checkOutcome(program, expected, stormy, story);
  if (!program.racy) expect(essence(stormy.run)).toEqual(essence(whole.run));
  const plan = legacyOf(program.plan(new Outside().process(() => false)));
  await checkRecord(plan, program.racy, whole, live);
  await checkRecord(plan, program.racy, stormy, live);
  return { asked: stormy.outside.asked, died: stormy.died };
}

function checkOutcome({ racy }: Program, expected: Expected, { run, outside, died }: Outcome, story: Story): void {
  expect(run.error?.code).toBe(expected.code);
  expect(run.state).toBe(expected.code === undefined ? 'COMPLETE' : 'FAILED');
  if (expected.code === undefined) expect(run.outputs.finalOutput?.value).toEqual(expected.final);
  expect(outside.mostAsked).toBeLessThanOrEqual(1);
  const effects = [...outside.effects].sort();
  if (racy) {
    const left = [...expected.effects];
    for (const effect of effects) {
      const at = left.indexOf(effect);
      if (at < 0) throw new Error(`${effect} happened too often, or ought not to have happened`);
      left.splice(at, 1);
    }
    return;
  }
  expect(effects).toEqual(expected.effects);
  for (const [name, value] of expected.outputs)
    expect([name, plainValue(run.outputs.stepOutputs[name])]).toEqual([name, kept(value)]);
  expect(run.getOutstandingClarifications()).toEqual([]);
  if (story.hooked) checkTold(expected, outside.told);
  if (story.before !== 'none') checkBegun(expected, outside.begun, died, story.before);
}

/**
 * The hook is asked about each step once, unless a process died before that was written down. Asked in the order of the
 * plan, what is asked in one stretch of driving leaves steps out, but never goes back.
 */
function checkBegun(
  { told, failing }: Expected,
  stretches: readonly (readonly string[])[],
  died: number,
  before: Story['before'],
): void {
  const all = failing === undefined ? told : [...told, failing];
  if (died === 0) expect(stretches.flat().sort()).toEqual([...all].sort());
  if (before !== 'in plan order') return;
  for (const asked of stretches) {
    let at = -1;
    for (const name of asked) {
      at = all.indexOf(name, at + 1);
      if (at < 0) throw new Error(`asked about ${asked.join()}, in the plan ${all.join()}`);
    }
  }
}

/**
 * Hooks hear of the ends of steps in the order of the plan, whatever ended first, and at last of the end of the run. A process that dies may have told
 * what is not on record: the next one begins at or before where it stood, and never after.
 */
function checkTold({ told, failing, final }: Expected, lives: readonly (readonly string[])[]): void {
  const all = [...told, ...(failing === undefined ? [] : [failing]), ...(final === undefined ? [] : [theEnd])];
  let reached = 0;
  for (const heard of lives) {
    let from = reached;
    while (from >= 0 && !heard.every((name, index) => all[from + index] === name)) from -= 1;
    if (from < 0) throw new Error(`told ${heard.join()} after ${reached} of ${all.join()}`);
    reached = Math.max(reached, from + heard.length);
  }
  expect(reached).toBe(all.length);
}

/** What the record shows of a value: of a large one that it is elsewhere. */
const kept = (value: JsonValue): JsonValue | undefined =>
  exceedsThreshold(textOf(value), largeFrom) ? undefined : value;

const plainValue = (output: Output | undefined): JsonValue | undefined =>
  output && 'value' in output ? output.value : undefined;

/** What is the same however often processes died, and in whatever order people answered. */
function essence(run: PlanRun): JsonObject {
  const document = normalised(run);
  const outputs = document['outputs'] as JsonObject;
  const asked = (outputs['clarifications'] as readonly JsonObject[])
    .map(({ id: _id, ...clarification }) => JSON.stringify(clarification))
    .sort();
  return {
    ...document,
    outputs: { ...outputs, clarifications: asked },
    error: (run.error as unknown as JsonObject) ?? null,
  };
}

async function checkRecord(
  plan: Plan,
  racy: boolean,
  { run, storage }: Outcome,
  live: ReadonlyMap<PlanRunUUID, RunState>,
): Promise<void> {
  const stored = await storage.loadRun(run.id);
  if (!stored) throw new Error('the run is not stored');
  const folded = fold(stored.header, compile(plan), eventsOf(stored));
  const last = live.get(run.id);
  expect({ ...folded, program: null }).toEqual({ ...last, program: null });
  expect(folded.visits.size === 0 || folded.state === 'FAILED' || racy).toBe(true);
}
