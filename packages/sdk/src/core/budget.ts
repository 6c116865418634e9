import { isApproved } from './clarification.ts';
import { PortiaError } from './errors.ts';
import { isPlainObject, type JsonObject } from './json.ts';
import type { ClarificationRecord, RunState } from './run-state.ts';

/** What may be spent. A limit that is not given does not limit. */
export interface BudgetLimits {
  /** US dollars for model calls. Needs the price of every model that is asked. */
  readonly maxUsd?: number | undefined;
  /** Tokens read and written by models, those of prompt caches included. */
  readonly maxTokens?: number | undefined;
  /** Model calls. Answers from the cache of model answers are none. */
  readonly maxModelCalls?: number | undefined;
  /** Calls handed to a tool, each counted once however often it is repeated. */
  readonly maxToolCalls?: number | undefined;
  /** Milliseconds at work. Waiting for people, sleeping and lying still never count. */
  readonly maxDurationMs?: number | undefined;
}

/** A budget for one run, or for one planning. */
export interface RunBudget extends BudgetLimits {
  /**
   * Tokens one answer may have while `maxUsd` or `maxTokens` is set: what a call reserves beside its prompt, and what
   * the model is told. 4,096 unless given.
   */
  readonly maxOutputTokens?: number | undefined;
  /** At a limit: `stop` fails the run, which can be retried with more; `ask` asks an operator for more. `stop` unless given. */
  readonly onBudget?: 'stop' | 'ask' | undefined;
}

/** The name of a limit. */
export type BudgetLimit = keyof BudgetLimits;

/** The names of all limits. */
export const budgetLimits = ['maxUsd', 'maxTokens', 'maxModelCalls', 'maxToolCalls', 'maxDurationMs'] as const;

/** Tokens one answer may have where the budget does not say. */
export const defaultMaxOutputTokens = 4_096;

const names: ReadonlySet<string> = new Set([...budgetLimits, 'maxOutputTokens', 'onBudget']);

/**
 * A budget as it was given, checked; nothing for one without a limit.
 * @throws PortiaError `CONFIG_INVALID` for a name or a value that means nothing.
 */
export function readBudget(given: unknown, where: string): RunBudget | undefined {
  if (given === undefined || given === null) return undefined;
  if (!isPlainObject(given)) throw invalid(where, 'is not an object');
  const budget: Record<string, number | string> = {};
  for (const [name, value] of Object.entries(given as Readonly<Record<string, unknown>>)) {
    if (!names.has(name)) throw invalid(`${where}.${name}`, 'is no part of a budget');
    if (value === undefined) continue;
    budget[name] = name === 'onBudget' ? readPolicy(value, where) : readLimit(name, value, where);
  }
  return budgetLimits.some((limit) => limit in budget) ? (Object.freeze(budget) as RunBudget) : undefined;
}

function readPolicy(value: unknown, where: string): string {
  if (value === 'stop' || value === 'ask') return value;
  throw invalid(`${where}.onBudget`, 'is neither "stop" nor "ask"');
}

function readLimit(name: string, value: unknown, where: string): number {
  const whole = name !== 'maxUsd';
  const least = name === 'maxOutputTokens' ? 1 : 0;
  if (typeof value === 'number' && value >= least && (whole ? Number.isSafeInteger(value) : Number.isFinite(value)))
    return value;
  throw invalid(`${where}.${name}`, `is not a ${whole ? 'whole ' : ''}number of at least ${least}`);
}

function invalid(where: string, what: string): PortiaError {
  return new PortiaError({
    code: 'CONFIG_INVALID',
    message: `${where} ${what}`,
    hint: `a budget is made of ${[...names].join(', ')}`,
    details: { setting: where },
  });
}

/** One budget over another: what the first does not say, the second does. */
export function mergedBudget(first: RunBudget | undefined, second: RunBudget | undefined): RunBudget | undefined {
  return first && second ? Object.freeze({ ...second, ...first }) : (first ?? second);
}

/** What the key of a question about a budget begins with. */
export const budgetKey = 'budget:';

/** The key of the question whether a limit may be raised by this much. */
export function raiseKey(limit: BudgetLimit, by: number, n: number): string {
  return `${budgetKey}${limit}:${by}:${n}`;
}

/** A person allowed more: called by `apply` alone. Anything but the literal `true` allows nothing. */
export function raiseBudget(state: RunState, { key, clarification }: ClarificationRecord): void {
  if (!key.startsWith(budgetKey) || !isApproved(clarification)) return;
  const [, limit, by] = key.split(':') as [string, BudgetLimit, string];
  const before = state.budget?.[limit] ?? 0;
  // Dollars in whole millionths, so that no sum drifts.
  const after = Math.round((before + Number(by)) * 1e6) / 1e6;
  state.budget = Object.freeze({ ...state.budget, [limit]: after });
}

/** A budget as an event holds it. */
export function budgetToJson(budget: RunBudget): JsonObject {
  return { ...budget } as JsonObject;
}

/** Milliseconds a run was at work by now. */
export function activeMs(state: RunState, now: number): number {
  return state.state === 'IN_PROGRESS' ? state.activeMs + Math.max(0, now - state.activeAt) : state.activeMs;
}
