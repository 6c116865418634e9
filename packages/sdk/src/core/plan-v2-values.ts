import { PlanBuilderError, PortiaError } from './errors.ts';
import { isPlainObject, type JsonValue, toJson } from './json.ts';
import { fieldsWithReferences, type StepV2 } from './plan-v2-steps.ts';
import { isReference, textOfParts } from './reference.ts';
import { parseTemplate } from './template.ts';

/** The fields that hold data without references. */
const jsonFields = ['retry', 'onExpiry', 'value'];

/**
 * A frozen copy of a step that shares no data with what it was made from. With `templates`, references written into
 * strings are read.
 * @throws PlanBuilderError for values JSON cannot hold, and for templates that cannot be read.
 */
export function settleStep(step: StepV2, templates: boolean): StepV2 {
  const settled: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(step)) {
    if (value === undefined) continue;
    const where = `step ${JSON.stringify(step.name)}: ${field}`;
    if (fieldsWithReferences.includes(field)) settled[field] = settleField(value, where, templates);
    else if (field === 'approval') settled[field] = settleApproval(value, where, templates);
    else if (jsonFields.includes(field)) settled[field] = asJson(value, where);
    else if (Array.isArray(value)) settled[field] = Object.freeze([...value]);
    else settled[field] = value;
  }
  return Object.freeze(settled) as unknown as StepV2;
}

function settleApproval(value: object, where: string, templates: boolean): object {
  const { message, when, ...rest } = value as { message: unknown; when?: unknown };
  const settled = {
    ...(asJson(rest, where) as object),
    message: settleValue(message, `${where}.message`, templates),
  };
  return Object.freeze(when === undefined ? settled : { ...settled, when });
}

/** A function may only be a whole field; inside a value it is no data. */
function settleField(value: unknown, where: string, templates: boolean): unknown {
  return typeof value === 'function' ? value : settleValue(value, where, templates);
}

function settleValue(value: unknown, where: string, templates: boolean): unknown {
  if (isReference(value)) return value;
  if (typeof value === 'string') return templates ? readTemplate(value, where) : value;
  if (Array.isArray(value)) {
    return Object.freeze(value.map((item: unknown, index) => settleValue(item, `${where}[${index}]`, templates)));
  }
  if (!isPlainObject(value)) return asJson(value, where);
  const settled = {};
  for (const [key, item] of Object.entries(value)) {
    if (item === undefined) continue;
    const copy = settleValue(item, `${where}.${key}`, templates);
    Object.defineProperty(settled, key, { value: copy, enumerable: true });
  }
  return Object.freeze(settled);
}

function readTemplate(source: string, where: string): unknown {
  const parts = explained(() => parseTemplate(source), where);
  return parts.some((part) => typeof part !== 'string') ? textOfParts(parts) : source;
}

/** A value as frozen JSON. @throws PlanBuilderError saying where JSON cannot hold it. */
export function asJson(value: unknown, where: string): JsonValue {
  return explained(() => toJson(value, where), where);
}

function explained<T>(make: () => T, where: string): T {
  try {
    return make();
  } catch (cause) {
    if (!PortiaError.isInstance(cause)) throw cause;
    const message = cause.message.startsWith(where) ? cause.message : `${where}: ${cause.message}`;
    throw new PlanBuilderError(message, { hint: cause.hint, cause });
  }
}
