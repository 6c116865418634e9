import { isPlainObject, type JsonObject, type JsonValue } from '../../../core/json.ts';
import type { ModelAnswer, ModelRequest } from '../../../core/model.ts';
import { answerInvalid, jsonObjectOf, wordsOf } from '../../../model/json-answer.ts';

/** A value in the form asked for (not yet validated), and its summary. */
export interface ResultWithSummary {
  readonly result: JsonValue;
  readonly summary: string;
}

/** The longest summary asked for, in characters. */
export const summaryLimit = 500;

/**
 * The JSON Schema of `{ result, summary }` around any schema, also one that is not an object. Definitions move to the
 * root, and references into the schema are written anew, so that they still lead where they led.
 */
export function resultSchema(schema: JsonObject): NonNullable<ModelRequest['schema']> {
  const { $schema: _dialect, $defs, definitions, ...result } = rebased(schema, '#/properties/result') as JsonObject;
  return {
    name: 'result_with_summary',
    jsonSchema: {
      type: 'object',
      properties: { result, summary: { type: 'string' } },
      required: ['result', 'summary'],
      additionalProperties: false,
      ...($defs !== undefined && { $defs }),
      ...(definitions !== undefined && { definitions }),
    },
  };
}

/** The schema with its references written anew, for when it no longer stands at the root but at `base`. */
export function rebased(value: JsonValue, base: string): JsonValue {
  if (Array.isArray(value)) return (value as readonly JsonValue[]).map((item) => rebased(item, base));
  if (!isPlainObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value as JsonObject).map(([key, item]) => [
      key,
      key === '$ref' && typeof item === 'string' ? rebasedReference(item, base) : rebased(item, base),
    ]),
  );
}

function rebasedReference(reference: string, base: string): string {
  if (reference !== '#' && !reference.startsWith('#/')) return reference;
  return /^#\/(\$defs|definitions)\//.test(reference) ? reference : `${base}${reference.slice(1)}`;
}

/** Reads `{ result, summary }`. @throws PortiaError `MODEL_ANSWER_INVALID` when either is missing. */
export function parseResultWithSummary(answer: ModelAnswer, who: string): ResultWithSummary {
  const { result, summary } = jsonObjectOf(answer, who);
  if (result === undefined) throw answerInvalid(who, 'no result');
  if (typeof summary !== 'string') throw answerInvalid(who, 'no summary');
  return { result, summary: summary.trim() };
}

/** Reads a summary that is plain text. @throws PortiaError `MODEL_ANSWER_INVALID` when there is none, or half of one. */
export function parseSummary(answer: ModelAnswer, who: string): string {
  return wordsOf(answer, who);
}
