import type { JsonValue } from '../core/json.ts';
import { isInMemory, type Output, textOf } from '../core/output.ts';
import type { Scope } from '../core/program.ts';
import { type Content, type Form, formOf, isReference, type Reference } from '../core/reference.ts';
import type { RunState } from '../core/run-state.ts';
import { type Thread, valueSeen, valuesOf } from '../core/thread.ts';
import type { Awaitable, StorageBackend } from '../storage/storage-backend.ts';
import { fullValue } from './step-inputs.ts';

/** Where references are resolved: as a thread sees the run, from a place in the program. */
export interface Place {
  readonly storage: StorageBackend;
  readonly state: RunState;
  readonly thread: Thread;
  readonly scope: Scope;
  /** The step that refers. */
  readonly step: number;
}

/** A part of a plan where it stands: read, and what it refers to looked up in the program. */
export interface Bound {
  readonly content: Content;
  readonly sources: readonly Source[];
}

/** Where the value of a reference comes from; a name that means no step here has none. */
type Source = { readonly input: string } | { readonly step: number | undefined; readonly full: boolean };

const sourceOf = (scope: Scope, reference: Reference): Source =>
  reference.reference === 'input'
    ? { input: reference.name }
    : { step: stepOf(scope, reference.name), full: reference.full };

/** Parts of plans never change: each is read once. */
const known = new WeakMap<object, Form>();

/** Reads a part of a plan that stands in this scope. */
export function bind(scope: Scope, value: unknown): Bound {
  const isObject = typeof value === 'object' && value !== null;
  const form = (isObject ? known.get(value) : undefined) ?? formOf(value);
  if (isObject) known.set(value, form);
  const { content, references } = form;
  return { content, sources: references.map((reference) => sourceOf(scope, reference)) };
}

/**
 * The value with every reference in it replaced, once: now, where all that is referred to is at hand.
 * @throws PortiaError `REFERENCE_MISSING`.
 */
export function resolve(at: Place, value: unknown): Awaitable<JsonValue | undefined> {
  return fillIn(at, bind(at.scope, value));
}

/** The same for a part that was bound before. */
export function fillIn(at: Place, { content, sources }: Bound): Awaitable<JsonValue | undefined> {
  let later = false;
  const found = sources.map((source) => {
    const one = lookUp(at, source);
    later ||= one instanceof Promise;
    return one;
  });
  return later
    ? Promise.all(found).then((all) => content.fill(all))
    : content.fill(found as readonly (JsonValue | undefined)[]);
}

/** The value as text. */
export async function resolveText(at: Place, value: unknown): Promise<string> {
  return textOf((await resolve(at, value)) ?? null);
}

/** Resolved arguments; those that are optional and missing are left out. */
export function resolveArgs(
  at: Place,
  args: Readonly<Record<string, unknown>>,
): Awaitable<Readonly<Record<string, JsonValue>>> {
  return resolve(at, args) as Awaitable<Readonly<Record<string, JsonValue>>>;
}

function lookUp(at: Place, source: Source): Awaitable<JsonValue | undefined> {
  if ('input' in source) return inputOf(at, source.input);
  const { step, full: all } = source;
  if (step === undefined) return all ? [] : undefined;
  if (all) {
    const values = valuesOf(at.thread, step).map((output) => full(at, output));
    return values.some((value) => value instanceof Promise) ? Promise.all(values) : (values as JsonValue[]);
  }
  const output = valueSeen(at.state.program, at.thread, at.step, step);
  return output && full(at, output);
}

/** The instruction a reference names; negative numbers count from the end. */
export function stepOf(scope: Scope, name: string | number): number | undefined {
  if (typeof name === 'string') return scope.steps.get(name);
  return scope.places.at(name);
}

function full(at: Place, output: Output): JsonValue | Promise<JsonValue> {
  return isInMemory(output) ? fullValue(at.storage, at.state, output) : output.value;
}

function inputOf({ state, thread, scope }: Place, name: string): JsonValue | undefined {
  if (scope.inputsFrom === undefined) return state.header.inputs[name]?.value;
  for (let here: Thread | undefined = thread; here; here = here.parent) {
    const frame = here.frames.findLast((one) => one.kind === 'sub-plan' && one.step === scope.inputsFrom);
    if (frame?.kind === 'sub-plan') return frame.inputs[name];
  }
  return undefined;
}

/** How a reference is told to a model beside its value. */
export function describeReference(
  value: unknown,
  index: number,
): { readonly name: string; readonly description: string } {
  if (!isReference(value) || value.reference === 'text') return { name: `input_${index + 1}`, description: '' };
  const name = value.reference === 'step' ? `${value.name}` : value.name;
  // A name says it all; a number does not.
  const what = value.reference === 'step' && typeof value.name === 'number' ? `Output of step ${value.name}` : '';
  return { name: value.path === '' ? name : `${name}.${value.path}`, description: what };
}
