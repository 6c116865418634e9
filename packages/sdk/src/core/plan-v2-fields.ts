import { PlanBuilderError } from './errors.ts';
import { isPlainObject } from './json.ts';
import type { StepV2 } from './plan-v2-steps.ts';
import { isReference } from './reference.ts';
import { isSchema } from './schema.ts';

type Check = (value: unknown) => boolean;
type Field = readonly [wanted: string, fits: Check];

const isObject: Check = (value) => typeof value === 'object' && value !== null;
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 1;
const isDuration: Check = (value) => Number.isFinite(value) && (value as number) > 0;
const isTemplate: Check = (value) => typeof value === 'string' || (isReference(value) && value.reference === 'text');
const isTool: Check = (value) =>
  (typeof value === 'string' && value !== '') ||
  (isObject(value) && typeof (value as { run?: unknown }).run === 'function');

const isModel: Check = (value) =>
  (typeof value === 'string' && value !== '') ||
  (Array.isArray(value) && value.length > 0 && value.every((name) => typeof name === 'string' && name !== ''));

const text: Field = ['a text', (value) => typeof value === 'string' && value !== ''];
const template: Field = ['a text', isTemplate];
const flag: Field = ['true or false', (value) => typeof value === 'boolean'];
const list: Field = ['a list', Array.isArray];
const object: Field = ['an object', isPlainObject];
const schema: Field = ['a schema (Standard Schema, such as zod)', isSchema];
const count: Field = ['a whole number of 1 or more', isCount];
const duration: Field = ['milliseconds above 0', isDuration];
const tool: Field = ['the id of a tool, or a tool', isTool];
const code: Field = ['a function', (value) => typeof value === 'function'];
const audience: Field = [
  "'endUser', 'operator' or 'role:<name>'",
  (value) => value === 'endUser' || value === 'operator' || (typeof value === 'string' && /^role:./.test(value)),
];
const expiry: Field = [
  "'fail', 'refuse' or { default }",
  (value) => value === 'fail' || value === 'refuse' || (isPlainObject(value) && 'default' in value),
];

const fields: Readonly<Record<string, Field>> = {
  kind: text,
  name: text,
  task: template,
  message: template,
  systemPrompt: text,
  model: ['a text, or a list of texts', isModel],
  version: text,
  inputs: list,
  args: object,
  initial: object,
  inputValues: object,
  outputSchema: schema,
  schema,
  tool,
  tools: ['a list of tool ids or tools', (value) => Array.isArray(value) && value.every(isTool)],
  function: code,
  run: code,
  condition: ['a function or a text', (value) => typeof value === 'function' || isTemplate(value)],
  readOnly: flag,
  idempotent: flag,
  allowAgentClarifications: flag,
  error: flag,
  toolCallLimit: count,
  maxIterations: count,
  concurrency: count,
  timeoutMs: duration,
  expiresIn: duration,
  audience,
  onExpiry: expiry,
  onFailure: ["'finish' or 'abort'", (value) => value === 'finish' || value === 'abort'],
  options: ['a list, or a reference to one', (value) => Array.isArray(value) || isReference(value)],
  over: [
    'a list, or a reference to one',
    (value) => Array.isArray(value) || typeof value === 'string' || isReference(value),
  ],
  ms: [
    'milliseconds, 0 or more, or a reference',
    (value) => isReference(value) || (Number.isFinite(value) && (value as number) >= 0),
  ],
  value: [
    'FirstOf(…) with names of steps',
    (value) => isPlainObject(value) && Array.isArray(value['firstOf']) && value['firstOf'].length > 0,
  ],
  type: [
    "'while', 'do-while' or 'for-each'",
    (value) => value === 'while' || value === 'do-while' || value === 'for-each',
  ],
  plan: [
    'a plan made with PlanBuilderV2',
    (value) => isObject(value) && Array.isArray((value as { steps?: unknown }).steps),
  ],
  retry: ['{ maxAttempts, delayMs, backoff }', isPlainObject],
  approval: ['{ message, audience, expiresIn, when }', isPlainObject],
};

const retryFields: Readonly<Record<string, Field>> = {
  maxAttempts: count,
  delayMs: ['milliseconds, 0 or more', (value) => Number.isFinite(value) && (value as number) >= 0],
  backoff: ['a number of 1 or more', (value) => Number.isFinite(value) && (value as number) >= 1],
};
const approvalFields: Readonly<Record<string, Field>> = {
  message: template,
  audience,
  expiresIn: duration,
  onExpiry: expiry,
  when: code,
};

const does = 'retry? timeoutMs? approval?';
const effects = 'readOnly? idempotent? version?';
const asks = 'expiresIn? onExpiry?';

/** What each kind of step holds beside its kind and name; `?` marks what may be absent. */
const shapes: Readonly<Record<string, string>> = {
  llm: `task inputs outputSchema? systemPrompt? model? ${does}`,
  'invoke-tool': `tool args outputSchema? ${does}`,
  function: `function args outputSchema? ${effects} ${does}`,
  'single-tool-agent': `tool task inputs outputSchema? model? ${does}`,
  'react-agent': `tools task inputs outputSchema? allowAgentClarifications toolCallLimit model? ${does}`,
  'user-verify': `message audience? ${asks}`,
  'user-input': `message options? schema? audience? ${asks}`,
  if: 'condition args version?',
  'else-if': 'condition args version?',
  else: '',
  'end-if': 'value?',
  'end-loop': 'condition? args? version?',
  parallel: 'concurrency? onFailure',
  branch: '',
  'end-parallel': '',
  exit: 'message error',
  'sub-plan': 'plan inputValues',
  'wait-for': `message schema? ${asks}`,
  sleep: 'ms',
  custom: `run args outputSchema? ${effects} ${does}`,
};

const loopShapes = {
  while: 'type condition args initial? maxIterations version?',
  'do-while': 'type condition? args maxIterations version?',
  'for-each': 'type over concurrency onFailure maxIterations',
};

/** The fields of a kind of step; `undefined` for a kind there is not. */
function fieldsOf(step: Readonly<Record<string, unknown>>): readonly string[] | undefined {
  const shape =
    step['kind'] === 'loop' ? (loopShapes[step['type'] as 'while'] ?? loopShapes.while) : shapes[String(step['kind'])];
  return shape === undefined ? undefined : ['kind', 'name', ...shape.split(' ').filter((field) => field !== '')];
}

/**
 * Checks that a step holds what its kind needs, and values that make sense. Where a step may stand and what it may
 * refer to is checked with the whole plan.
 * @throws PlanBuilderError naming the step and the field.
 */
export function checkStep(step: StepV2, index: number): void {
  const record = step as unknown as Readonly<Record<string, unknown>>;
  const where = `step ${index}${typeof record['name'] === 'string' ? ` (${JSON.stringify(record['name'])})` : ''}`;
  const known = fieldsOf(record);
  if (!known) {
    throw new PlanBuilderError(`${where} is of kind ${JSON.stringify(record['kind'])}, which there is not`, {
      hint: `the kinds are ${Object.keys(shapes).join(', ')} and loop`,
    });
  }
  const names = known.map((field) => field.replace('?', ''));
  for (const field of Object.keys(record)) {
    if (names.includes(field)) continue;
    const what = record['kind'] === 'loop' ? `a ${record['type']} loop` : `a step of kind ${record['kind']}`;
    throw new PlanBuilderError(`${where} has ${field}, which ${what} does not have`, {
      hint: `it may have ${names.filter((name) => !['kind', 'name', 'type'].includes(name)).join(', ')}`,
    });
  }
  for (const [position, field] of known.entries())
    checkField(record, names[position] as string, field.endsWith('?'), fields, where);
  checkInside(record['retry'], retryFields, `retry of ${where}`, ['maxAttempts']);
  checkInside(record['approval'], approvalFields, `approval of ${where}`, ['message']);
}

function checkInside(value: unknown, inside: typeof fields, where: string, needed: readonly string[]): void {
  if (!isPlainObject(value)) return;
  for (const field of Object.keys(inside)) checkField(value, field, !needed.includes(field), inside, where);
}

function checkField(
  record: Readonly<Record<string, unknown>>,
  field: string,
  optional: boolean,
  known: typeof fields,
  where: string,
): void {
  const value = record[field];
  if (value === undefined && optional) return;
  const [wanted, fits] = known[field] as Field;
  if (fits(value)) return;
  throw new PlanBuilderError(
    value === undefined ? `${field} of ${where} is missing` : `${field} of ${where} is ${shown(value)}`,
    {
      hint: `give ${wanted}`,
    },
  );
}

/** What a value that is wrong is, in words: safe for any value, also for one that has no text. */
export function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  if (typeof value === 'function') return 'a function';
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}
