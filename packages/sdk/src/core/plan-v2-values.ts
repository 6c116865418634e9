import { PlanBuilderError, PortiaError } from './errors.ts';
import { isPlainObject, toJson } from './json.ts';
import { fieldsWithReferences, type StepV2 } from './plan-v2-steps.ts';
import { isReference, textOfParts } from './reference.ts';
import { parseTemplate } from './template.ts';

/**
 * A frozen copy of a step that shares no data with what it was made from. With `templates`, references written into
 * strings are read.
 * @throws PlanBuilderError for values JSON cannot hold, and for templates that cannot be read.
 */
export function settleStep(step: StepV2, templates: boolean): StepV2 {
  const settled: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(step)) {
    if (value === undefined) continue;
    const where = `${field} of step ${JSON.stringify(step.name)}`;
    if (fieldsWithReferences.includes(field)) settled[field] = settleValue(value, where, templates);
    else if (field === 'approval') settled[field] = settleApproval(value, where, templates);
    else if (Array.isArray(value)) settled[field] = Object.freeze([...value]);
    else if (isPlainObject(value) && field !== 'tool') settled[field] = asJson(value, where);
    else settled[field] = value;
  }
  return Object.freeze(settled) as unknown as StepV2;
}

function settleApproval(value: object, where: string, templates: boolean): object {
  const { message, when, ...rest } = value as { message: unknown; when?: unknown };
  const settled = {
    ...(asJson(rest, where) as object),
    message: settleValue(message, `message in the ${where}`, templates),
  };
  return Object.freeze(when === undefined ? settled : { ...settled, when });
}

function settleValue(value: unknown, where: string, templates: boolean): unknown {
  if (typeof value === 'function' || isReference(value)) return value;
  if (typeof value === 'string') return templates ? readTemplate(value, where) : value;
  if (Array.isArray(value))
    return Object.freeze(value.map((item: unknown, index) => settleValue(item, `${where}[${index}]`, templates)));
  if (!isPlainObject(value)) return asJson(value, where);
  const settled = {};
  for (const [key, item] of Object.entries(value)) {
    if (item === undefined) continue;
    // A function may only be a whole field; inside a value it is no data.
    const copy =
      typeof item === 'function' ? asJson(item, `${where}.${key}`) : settleValue(item, `${where}.${key}`, templates);
    Object.defineProperty(settled, key, { value: copy, enumerable: true });
  }
  return Object.freeze(settled);
}

function readTemplate(source: string, where: string): unknown {
  const parts = explained(() => parseTemplate(source), where);
  return parts.some((part) => typeof part !== 'string') ? textOfParts(parts) : source;
}

function asJson(value: unknown, where: string): unknown {
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
