import type { ElicitRequestFormParams, ElicitRequestURLParams, ElicitResult } from '@modelcontextprotocol/client';
import {
  ActionClarification,
  type Clarification,
  InputClarification,
  isDecline,
  MultipleChoiceClarification,
} from '../../core/clarification.ts';
import { PortiaError } from '../../core/errors.ts';
import { hashJson } from '../../core/hash.ts';
import { isPlainObject, type JsonObject, type JsonValue, toJson } from '../../core/json.ts';

/** What a server asks a person: a form, or to visit a web address. */
export type Question =
  | { readonly kind: 'form'; readonly key: string; readonly message: string; readonly schema: JsonObject }
  | { readonly kind: 'url'; readonly key: string; readonly message: string; readonly url: string };

/** Fields of one form that a person is asked for. */
const mostFields = 50;

/** The answer to any field that declines the form, as `isDecline` knows it. */
const decline: JsonObject = { decline: true };

/** A question as the server puts it. Its key depends on the question alone, so the same one is known again. */
export function questionOf(params: ElicitRequestFormParams | ElicitRequestURLParams): Question {
  const { message } = params;
  if (params.mode === 'url') {
    return { kind: 'url', key: hashJson({ url: params.url }).slice(0, 10), message, url: params.url };
  }
  const schema = toJson(params.requestedSchema, 'requestedSchema') as JsonObject;
  return { kind: 'form', key: hashJson({ message, schema }).slice(0, 10), message, schema };
}

/** Said where it is no option to choose. */
const howToDecline = `(${JSON.stringify(decline)} declines to answer)`;

const prefix = 'mcp:';

/** The argument a field's answer stands in. */
function argumentOf(key: string, field: string): string {
  return `${prefix}${key}:${field}`;
}

/** The field and the question an argument answers; `undefined` for the tool's own arguments. */
export function answeredBy(argument: string): { readonly key: string; readonly field: string } | undefined {
  const match = /^mcp:([\w-]{10}):(.*)$/su.exec(argument);
  return match ? { key: match[1] as string, field: match[2] as string } : undefined;
}

/**
 * The question as clarifications: one for each field of a form, an Action for a web address. `problem` says why an
 * earlier answer did not fit. @throws PortiaError `CLARIFICATION_INVALID` for what people cannot be asked.
 */
export function clarificationsFor(server: string, question: Question, problem?: string): Clarification[] {
  const source = `MCP server ${server}`;
  if (question.kind === 'url') {
    const { url, message } = question;
    return [ActionClarification({ userGuidance: message, actionUrl: url, requireConfirmation: true, source })];
  }
  const { key, message, schema } = question;
  const intro = problem === undefined ? message : `${message}\n(The answer before did not fit: ${problem})`;
  const fields = Object.entries(fieldsOf(schema));
  if (fields.length > mostFields) {
    throw new PortiaError({
      code: 'CLARIFICATION_INVALID',
      message: `${source} asks for ${fields.length} fields at once; people are asked for ${mostFields} at most`,
    });
  }
  if (fields.length === 0) {
    const options = ['accept', decline];
    return [MultipleChoiceClarification({ userGuidance: intro, argumentName: argumentOf(key, ''), options, source })];
  }
  const required = requiredOf(schema);
  return fields.map(([name, field]) => {
    const optional = !required.includes(name);
    const argumentName = argumentOf(key, name);
    const options = choicesOf(field);
    const userGuidance = `${intro}\n${guidance(name, field, optional, options !== undefined)}`;
    if (!options) return InputClarification({ userGuidance: `${userGuidance}\n${howToDecline}`, argumentName, source });
    const all = [...options, ...(optional ? [null] : []), decline];
    return MultipleChoiceClarification({ userGuidance, argumentName, options: all, source });
  });
}

function fieldsOf(schema: JsonObject): Readonly<Record<string, JsonObject>> {
  const { properties } = schema;
  return isPlainObject(properties) ? (properties as Record<string, JsonObject>) : {};
}

function requiredOf({ required }: JsonObject): readonly string[] {
  return Array.isArray(required) ? required.filter((name): name is string => typeof name === 'string') : [];
}

/** The values to choose from, where a field has them. */
function choicesOf(field: JsonObject): readonly JsonValue[] | undefined {
  if (field['type'] === 'boolean') return [true, false];
  if (Array.isArray(field['enum'])) return field['enum'] as readonly JsonValue[];
  const { oneOf } = field;
  if (!Array.isArray(oneOf)) return undefined;
  return oneOf.flatMap((option) => (isPlainObject(option) && 'const' in option ? [option['const'] as JsonValue] : []));
}

function guidance(name: string, field: JsonObject, optional: boolean, choice: boolean): string {
  const { title, description } = field;
  const said = [title, description].filter((text): text is string => typeof text === 'string' && text !== '');
  const parts = [said.length > 0 ? `${name}: ${said.join(': ')}` : name];
  if (field['type'] === 'array')
    parts.push(`(a list, such as ["a", "b"], of: ${JSON.stringify(field['items'] ?? {})})`);
  if (Array.isArray(field['oneOf'])) parts.push(`(${field['oneOf'].map(titled).join('; ')})`);
  if (field['default'] !== undefined) parts.push(`(unless you say otherwise: ${JSON.stringify(field['default'])})`);
  if (optional && !choice) parts.push('(may be left empty)');
  return parts.join(' ');
}

function titled(option: JsonValue): string {
  const { const: value, title } = option as JsonObject;
  return `${JSON.stringify(value)}${typeof title === 'string' ? ` is ${title}` : ''}`;
}

/** What the answers to the fields of a form say to the server, not yet checked against its schema. */
export function formAnswer(
  question: Extract<Question, { kind: 'form' }>,
  answers: Readonly<Record<string, JsonValue>>,
): ElicitResult {
  if (Object.values(answers).some(isDecline)) return { action: 'decline' };
  const content: Record<string, string | number | boolean | string[]> = {};
  for (const [name, field] of Object.entries(fieldsOf(question.schema))) {
    const value = typed(answers[name] ?? null, field);
    const given = value === null || value === '' ? field['default'] : value;
    if (given !== undefined && given !== null) content[name] = given as string;
  }
  return { action: 'accept', content };
}

/** People often answer in text: the value in the type the field wants, where it can be read as that. */
function typed(value: JsonValue, { type }: JsonObject): JsonValue {
  if (typeof value !== 'string') return type === 'string' && typeof value === 'number' ? String(value) : value;
  const text = value.trim();
  if ((type === 'number' || type === 'integer') && text !== '' && Number.isFinite(Number(text))) return Number(text);
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  if (type !== 'array' || text === '') return value;
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return text.split(',').map((item) => item.trim());
  }
}
