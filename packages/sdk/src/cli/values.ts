import { readFile } from 'node:fs/promises';
import type { QueryOptions } from '../client.ts';
import { type RunBudget, readBudget } from '../core/budget.ts';
import { ensureError, PortiaError } from '../core/errors.ts';
import { type JsonValue, sameJson } from '../core/json.ts';
import type { Clarification } from '../core/clarification.ts';
import type { Plan } from '../core/plan.ts';
import { nearest } from '../core/nearest.ts';
import { type Input, usageError } from './input.ts';

/** A value as it was typed: JSON where it is JSON, else the text itself. */
function typedValue(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return text;
  }
}

/**
 * What a typed answer means for a clarification: an option by its text or as JSON, `yes` and `no` where that is asked,
 * else JSON or text. Whether it fits is checked when it is given.
 */
export function typedAnswer(clarification: Clarification, text: string): JsonValue {
  const value = typedValue(text);
  if (clarification.category === 'Multiple Choice') {
    const { options } = clarification;
    return options.find((option) => option === text) ?? options.find((option) => sameJson(option, value)) ?? value;
  }
  const asksYes =
    clarification.category === 'User Verification' ||
    clarification.category === 'Value Confirmation' ||
    clarification.category === 'Action';
  if (asksYes && /^(yes|no)$/i.test(text)) return text.toLowerCase() === 'yes';
  return value;
}

/** How a run is made, from the options of the command line. */
export function runOptionsOf(
  input: Input,
  plan: Plan,
): Pick<QueryOptions, 'planRunInputs' | 'endUser' | 'labels' | 'runKey' | 'budget'> {
  const labels = input.pairs('label');
  return {
    planRunInputs: planInputsOf(input, plan),
    endUser: input.text('end-user-id'),
    runKey: input.text('run-key'),
    budget: budgetOf(input),
    ...(labels.size > 0 && { labels: Object.fromEntries(labels) }),
  };
}

/** What a run may spend, from `--budget maxUsd=0.5`. @throws PortiaError `USAGE`. */
export function budgetOf(input: Input): RunBudget | undefined {
  const given = input.pairs('budget');
  if (given.size === 0) return undefined;
  try {
    return readBudget(Object.fromEntries([...given].map(([name, value]) => [name, typedValue(value)])), '--budget');
  } catch (error) {
    if (!PortiaError.isInstance(error)) throw error;
    throw usageError(error.message, error.hint);
  }
}

/** Values by the plan's own names: a `$` that shells would eat may be left out. @throws PortiaError `USAGE`. */
function planInputsOf(input: Input, plan: Plan): Record<string, JsonValue> {
  const known = plan.planInputs.map(({ name }) => name);
  const values: Record<string, JsonValue> = {};
  for (const [typed, text] of input.pairs('input')) {
    const name = [typed, `$${typed}`].find((candidate) => known.includes(candidate));
    if (name === undefined) {
      const near = nearest(typed, known);
      throw usageError(
        `the plan has no input ${JSON.stringify(typed)}`,
        near ? `did you mean ${near}?` : known.length > 0 ? `it has ${known.join(', ')}` : 'it takes none',
      );
    }
    values[name] = typedValue(text);
  }
  return values;
}

/** Reads a JSON file that was named on the command line. @throws PortiaError `USAGE`. */
export async function readJsonFile(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw usageError(`${path} cannot be read as JSON: ${ensureError(error).message}`);
  }
}
