import { isPlainObject, type JsonObject, type JsonValue } from '../core/json.ts';
import type { ModelAnswer, ModelRequest } from '../core/model.ts';
import type { StepInit, VariableInit } from '../core/plan.ts';
import { jsonOf, whyNot } from '../model/json-answer.ts';
import { llmToolId } from './compile.ts';

const text = { type: 'string' };
const textOrNull = { type: ['string', 'null'] };

/** The JSON Schema of what the planning agent answers. Every key is required, as strict providers want it. */
export const draftSchema: NonNullable<ModelRequest['schema']> = {
  name: 'plan',
  jsonSchema: record({
    steps: {
      type: 'array',
      items: record({
        task: text,
        inputs: { type: 'array', items: record({ name: text, description: text }) },
        tool_id: textOrNull,
        output: text,
        condition: textOrNull,
      }),
    },
    error: textOrNull,
  }),
};

function record(properties: JsonObject): JsonObject {
  return { type: 'object', properties, required: Object.keys(properties), additionalProperties: false };
}

/** A planning agent's answer, read: steps, its own word that it cannot plan, or what is wrong with the form. */
export type PlanDraft =
  | { readonly kind: 'steps'; readonly steps: readonly StepInit[] }
  | { readonly kind: 'refusal'; readonly reason: string }
  | { readonly kind: 'malformed'; readonly problems: readonly string[] };

/** Reads a planning agent's answer. Keys that may be null may be missing; unknown keys are refused. */
export function readDraft(answer: ModelAnswer): PlanDraft {
  const value = jsonOf(answer);
  if (!isPlainObject(value))
    return { kind: 'malformed', problems: [`the answer is not a JSON object${whyNot(answer)}`] };
  const problems: string[] = [];
  const reader = new Reader(value as JsonObject, 'the answer', problems);
  const reason = reader.optionalText('error')?.trim() ?? '';
  const steps = reader.list('steps').map((step, index) => readStep(step, `steps[${index}]`, problems));
  reader.refuseOthers(['steps', 'error']);
  if (reason !== '' && !/^(none|null)$/i.test(reason)) return { kind: 'refusal', reason };
  if (steps.length === 0 && problems.length === 0) problems.push('there are no steps, and no error that says why');
  return problems.length > 0 ? { kind: 'malformed', problems } : { kind: 'steps', steps };
}

function readStep(value: JsonValue, where: string, problems: string[]): StepInit {
  const reader = new Reader(value, where, problems);
  const step = {
    task: reader.text('task'),
    inputs: reader
      .list('inputs', 'optional')
      .map((input, index) => readInput(input, `${where}.inputs[${index}]`, problems)),
    toolId: reader.optionalText('tool_id') || llmToolId,
    output: reader.text('output'),
    condition: reader.optionalText('condition')?.trim() || null,
  };
  reader.refuseOthers(['task', 'inputs', 'tool_id', 'output', 'condition']);
  return step;
}

function readInput(value: JsonValue, where: string, problems: string[]): VariableInit {
  const reader = new Reader(value, where, problems);
  const input = { name: reader.text('name'), description: reader.optionalText('description') ?? '' };
  reader.refuseOthers(['name', 'description']);
  return input;
}

/** Reads the keys of one object and notes what is wrong with them. */
class Reader {
  readonly #value: JsonObject;
  readonly #where: string;
  readonly #problems: string[];

  constructor(value: JsonValue, where: string, problems: string[]) {
    if (!isPlainObject(value)) problems.push(`${where} is not an object`);
    this.#value = isPlainObject(value) ? (value as JsonObject) : {};
    this.#where = where;
    this.#problems = isPlainObject(value) ? problems : [];
  }

  text(key: string): string {
    const value = this.#value[key];
    if (typeof value === 'string' && value.trim() !== '') return value;
    this.#problems.push(`${this.#where}.${key} must be a string that is not empty`);
    return '';
  }

  optionalText(key: string): string | null {
    const value = this.#value[key] ?? null;
    if (value === null || typeof value === 'string') return value;
    this.#problems.push(`${this.#where}.${key} must be a string or null`);
    return null;
  }

  list(key: string, need: 'required' | 'optional' = 'required'): readonly JsonValue[] {
    const value = this.#value[key] ?? null;
    if (Array.isArray(value)) return value;
    if (value !== null || need === 'required') this.#problems.push(`${this.#where}.${key} must be a list`);
    return [];
  }

  refuseOthers(known: readonly string[]): void {
    const others = Object.keys(this.#value).filter((key) => !known.includes(key));
    if (others.length > 0) this.#problems.push(`${this.#where} has keys it may not have: ${others.join(', ')}`);
  }
}
