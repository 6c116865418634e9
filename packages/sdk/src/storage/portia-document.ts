import { isPlainObject, type JsonObject, type JsonValue, sameJson } from '../core/json.ts';
import { type PlanRun, planRunFromWire } from '../core/plan-run.ts';
import { sameForPortia } from './disk/edits.ts';
import type { StoredRun } from './storage-backend.ts';

/** The same as written, with the values that come back as strings in the type they had. */
export function withTypes(before: JsonValue, now: JsonValue): JsonValue {
  if (typeof now === 'string') return typeof before !== 'string' && sameForPortia(before, now) ? before : now;
  if (!isPlainObject(before) || !isPlainObject(now)) return now;
  const known = before as JsonObject;
  return Object.fromEntries(
    Object.entries(now as JsonObject).map(([key, value]) => [
      key,
      Object.hasOwn(known, key) && !untyped.has(key) ? withTypes(known[key] as JsonValue, value) : value,
    ]),
  );
}

function questionsIn(document: JsonObject | undefined): readonly JsonObject[] {
  const outputs = document?.['outputs'];
  const questions = isPlainObject(outputs) ? outputs['clarifications'] : undefined;
  return Array.isArray(questions) ? questions.filter((one): one is JsonObject => isPlainObject(one)) : [];
}

function withQuestions(document: JsonObject, change: (question: JsonObject) => JsonObject): JsonObject {
  const questions = questionsIn(document);
  if (questions.length === 0) return document;
  const outputs = document['outputs'] as JsonObject;
  return { ...document, outputs: { ...outputs, clarifications: questions.map(change) } };
}

/** Portia 0.9 loses the options of a choice whose answer is none of them: they are put back. */
export function withOptions(document: JsonObject, before: JsonObject | undefined): JsonObject {
  const known = new Map(questionsIn(before).map(({ id, options }) => [String(id), options]));
  return withQuestions(document, (one) => {
    const options = known.get(String(one['id']));
    const isWhole = one['category'] !== 'Multiple Choice' || one['options'] !== undefined || options === undefined;
    return isWhole ? one : { ...one, options };
  });
}

/** What a question of each category has beside what all have. */
const ownFields: Readonly<Record<string, readonly string[]>> = {
  Action: ['action_url'],
  Input: ['argument_name'],
  'Multiple Choice': ['argument_name', 'options'],
  'Value Confirmation': ['argument_name'],
  Custom: ['name'],
};

/**
 * Reads a document. An answer that is none of the options is taken as its client took it. A question of a class that
 * somebody derived comes without what its category has of its own, which Portia 0.9 loses: it is one of a custom kind.
 */
export function readDocument(document: JsonObject): PlanRun {
  const readable = withQuestions(document, (one) => {
    const category = String(one['category']);
    if (ownFields[category]?.some((field) => one[field] === undefined))
      return { ...one, category: 'Custom', name: category, data: {} };
    if (category !== 'Multiple Choice' || one['resolved'] !== true) return one;
    const { options = [], response = null } = one;
    if (!Array.isArray(options) || options.some((option) => sameJson(option as JsonValue, response))) return one;
    return { ...one, options: [...options, response] };
  });
  return planRunFromWire(readable);
}

/** Fields in which a string is a string. */
const untyped: ReadonlySet<string> = new Set(['clarifications', 'state', 'end_user_id', 'id', 'plan_id', 'summary']);

/** The document with the answers that people gave here since it was written. */
export function withAnswers(document: JsonObject, { commands }: StoredRun): JsonObject {
  const outputs = document['outputs'] as JsonObject | undefined;
  const asked = (outputs?.['clarifications'] ?? []) as JsonObject[];
  const answers = new Map(
    commands.flatMap((one) => (one.type === 'answer' ? [[one.key as string, one.response]] : [])),
  );
  if (!asked.some(({ id, resolved }) => resolved !== true && answers.has(String(id)))) return document;
  const clarifications = asked.map((one) => {
    const response = answers.get(String(one['id']));
    return one['resolved'] === true || response === undefined ? one : { ...one, response, resolved: true };
  });
  const waits = clarifications.some(({ resolved }) => resolved !== true);
  const state = document['state'] === 'NEED_CLARIFICATION' && !waits ? 'READY_TO_RESUME' : document['state'];
  return { ...document, state: state as JsonValue, outputs: { ...outputs, clarifications } };
}
