import type { JsonObject } from '../core/json.ts';
import type { CallState } from '../core/run-state.ts';
import type { AnyTool } from '../core/tool.ts';
import type { Awaitable } from '../storage/storage-backend.ts';
import { afterCall, type Answered, type CallResult, makeCall, next, prepare, type Taken } from './tool-call.ts';
import type { VisitRun } from './visit-run.ts';
import { type Waiting, waiting } from './waiting.ts';

/** A call that is to be made beside others. */
export interface WantedCall {
  readonly tool: AnyTool;
  readonly args: JsonObject;
}

/** The calls of one turn, numbered. */
export interface Turn {
  /** Makes the call at this place. */
  make(index: number): Awaitable<CallResult>;
  /** What the tool was given in the end by the call at this place. */
  argsOf(index: number): JsonObject | undefined;
}

/**
 * Takes up the calls of one turn. They are numbered before the first one begins, and the hook settles the arguments of
 * all of them: while it asks a person about any, or refuses any, none is made. Gives the turn, or why there is none.
 *
 * With `atOnce`, calls of tools without effects are made at once, as many as the config allows; their results stand in the
 * order of the calls, so that the record and a later execution know them whichever was first.
 */
export async function takeUpTurn(
  visit: VisitRun,
  calls: readonly WantedCall[],
  atOnce: boolean,
): Promise<Turn | NoTurn> {
  const taken = await takeUp(visit, calls);
  if (!isTaken(taken)) return taken;
  const numbers = taken.map(({ n }) => n);
  const begin = (index: number): Awaitable<CallResult | Answered> => {
    const { tool, args } = calls[index] as WantedCall;
    return makeCall(visit, tool, args, taken[index]);
  };
  const end = (index: number, known: CallResult | Answered): Awaitable<CallResult> => {
    const { tool, args } = calls[index] as WantedCall;
    const before = visit.called;
    return next(afterCall(visit, tool, args, 1, known), (result) => {
      // A call that carries an answer its tool asked for has a number of its own.
      if (visit.called > before) numbers[index] = visit.called;
      return result;
    });
  };
  const argsOf = (index: number): JsonObject | undefined => visit.stored?.calls[(numbers[index] ?? 0) - 1]?.args;
  if (!atOnce || calls.length < 2 || !calls.every(({ tool }) => tool.readOnly))
    return { make: (index) => next(begin(index), (known) => end(index, known)), argsOf };
  const { config, hooks } = visit.run.runtime;
  const results = await makeAtOnce(calls.length, hooks.inPlanOrder ? 1 : config.maxConcurrency, begin, end);
  return results.includes(waiting) ? waiting : { make: (index) => results[index] as CallResult, argsOf };
}

/** Why no call of a turn is made. */
export type NoTurn = Waiting | Extract<CallResult, { ok: false }>;

async function takeUp(visit: VisitRun, calls: readonly WantedCall[]): Promise<readonly Taken[] | NoTurn> {
  const numbers = calls.map(() => {
    visit.called += 1;
    return visit.called;
  });
  if (calls.length < 2 || !visit.run.runtime.hooks.beforeToolCall) return numbers.map((n) => ({ n }));
  const taken: Taken[] = [];
  let asks = false;
  for (const [index, { tool, args }] of calls.entries()) {
    const n = numbers[index] as number;
    const prepared = visit.stored?.calls[n - 1] ? undefined : await prepare(visit, tool, args, n);
    if (prepared === waiting) asks = true;
    // A hook that lets a call not pass ends the step; arguments that do not fit are the model's to mend.
    else if (prepared && 'ok' in prepared && !prepared.ok && !prepared.soft) return prepared;
    taken.push({ n, prepared });
  }
  if (!asks) return taken;
  for (const [index, { prepared }] of taken.entries())
    if (prepared && prepared !== waiting && 'ready' in prepared)
      putOnRecord(visit, calls[index] as WantedCall, prepared);
  return waiting;
}

/** What the hook has let pass is on record while others of the turn wait, so that it is not asked again. */
function putOnRecord(visit: VisitRun, { tool }: WantedCall, { ready }: { readonly ready: CallState }): void {
  const { call, args } = ready;
  visit.driver.emit({ type: 'tool-call-propose', ...visit.place, call, tool: tool.id, args, cleared: true });
}

function isTaken(taken: readonly Taken[] | NoTurn): taken is readonly Taken[] {
  return Array.isArray(taken);
}

/** What a tool wants after an answer is called when all that are under way have come to rest, one after the other. */
async function makeAtOnce(
  count: number,
  concurrency: number,
  begin: (index: number) => Awaitable<CallResult | Answered>,
  end: (index: number, known: CallResult | Answered) => Awaitable<CallResult>,
): Promise<readonly CallResult[]> {
  const results: CallResult[] = [];
  while (results.length < count && !results.includes(waiting)) {
    const from = results.length;
    const made = await allOf(
      Array.from({ length: Math.min(concurrency, count - from) }, async (_, i) => begin(from + i)),
    );
    for (const [i, known] of made.entries())
      results.push(made.includes(waiting) ? waiting : await end(from + i, known));
  }
  return results;
}

/** Waits for all of them, also when one could not be made: none runs on once the step has come to rest. */
async function allOf<T>(calls: readonly Promise<T>[]): Promise<readonly T[]> {
  const settled = await Promise.allSettled(calls);
  return settled.map((one) => {
    if (one.status === 'rejected') throw one.reason;
    return one.value;
  });
}
