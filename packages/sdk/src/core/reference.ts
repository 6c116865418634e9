import { PlanBuilderError, PortiaError } from './errors.ts';
import { isPlainObject, type JsonValue, toJson } from './json.ts';
import { textOf } from './output.ts';

const brand: unique symbol = Symbol.for('portia-ts.reference') as never;

/** Refers to what a step made: of a step that ran more than once, what it made last, or everything (`full`). */
export interface StepReference<
  Name extends string | number = string | number,
  Path extends string = string,
  Full extends boolean = boolean,
  Optional extends boolean = boolean,
> {
  readonly reference: 'step';
  /** The step's name, or its index; negative ones count from the end. */
  readonly name: Name;
  /** Dotted: `results.0.user`; empty for the whole value. */
  readonly path: Path;
  readonly full: Full;
  /** Whether a missing value is fine: it is `undefined` then. */
  readonly optional: Optional;
  /** The template Portia 0.9 writes into texts. */
  toString(): string;
}

/** Refers to a value the run is given. */
export interface InputReference<Name extends string = string, Path extends string = string> {
  readonly reference: 'input';
  readonly name: Name;
  readonly path: Path;
  toString(): string;
}

/** Refers to something that is known only when the plan runs. */
export type Reference = StepReference | InputReference;

/** A text with references in it, made by {@link text}. */
export interface Text<Ref extends Reference = Reference> {
  readonly reference: 'text';
  readonly parts: readonly (string | Ref)[];
  toString(): string;
}

class StepReferenceData implements StepReference {
  readonly reference = 'step' as const;
  readonly name: string | number;
  readonly path: string;
  readonly full: boolean;
  readonly optional: boolean;

  constructor(
    name: string | number,
    options: { path?: string | undefined; full?: boolean | undefined; optional?: boolean | undefined },
  ) {
    this.name = name;
    this.path = options.path ?? '';
    this.full = options.full ?? false;
    this.optional = options.optional ?? false;
    Object.defineProperty(this, brand, { value: true });
    Object.freeze(this);
  }

  toString(): string {
    const words = [typeof this.name === 'number' ? String(this.name) : quoted(this.name)];
    if (this.path !== '') words.push(`path=${quoted(this.path)}`);
    if (this.full) words.push('full=True');
    if (this.optional) words.push('optional=True');
    return `{{ StepOutput(${words.join(', ')}) }}`;
  }
}

class InputReferenceData implements InputReference {
  readonly reference = 'input' as const;
  readonly name: string;
  readonly path: string;

  constructor(name: string, path: string) {
    this.name = name;
    this.path = path;
    Object.defineProperty(this, brand, { value: true });
    Object.freeze(this);
  }

  toString(): string {
    return `{{ Input(${quoted(this.name)}${this.path === '' ? '' : `, path=${quoted(this.path)}`}) }}`;
  }
}

class TextData implements Text {
  readonly reference = 'text' as const;
  readonly parts: readonly (string | Reference)[];

  constructor(parts: readonly (string | Reference)[]) {
    this.parts = Object.freeze([...parts]);
    Object.defineProperty(this, brand, { value: true });
    Object.freeze(this);
  }

  toString(): string {
    return this.parts.join('');
  }
}

function quoted(words: string): string {
  return `'${words.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('{', '\\x7b').replaceAll('}', '\\x7d').replaceAll('\n', '\\n')}'`;
}

/** Refers to what the step of this name (or index) makes. */
export function StepOutput<
  const Name extends string | number,
  const Path extends string = '',
  const Full extends boolean = false,
  const Optional extends boolean = false,
>(
  name: Name,
  options: { readonly path?: Path; readonly full?: Full; readonly optional?: Optional } = {},
): StepReference<Name, Path, Full, Optional> {
  checkFields('StepOutput', options, ['path', 'full', 'optional']);
  return new StepReferenceData(name, options) as unknown as StepReference<Name, Path, Full, Optional>;
}

/** Refers to the plan input of this name. */
export function Input<const Name extends string, const Path extends string = ''>(
  name: Name,
  options: { readonly path?: Path } = {},
): InputReference<Name, Path> {
  checkFields('Input', options, ['path']);
  return new InputReferenceData(name, options.path ?? '') as unknown as InputReference<Name, Path>;
}

/** @throws PlanBuilderError for options that TypeScript does not let through. */
function checkFields(of: string, options: { readonly path?: unknown }, known: readonly string[]): void {
  const given = isPlainObject(options) ? Object.keys(options) : [JSON.stringify(options)];
  const wrong = given.find((name) => !known.includes(name));
  if (wrong !== undefined)
    throw new PlanBuilderError(`${of} takes no ${wrong}`, { hint: `its options are ${known.join(', ')}` });
  if (options.path !== undefined && typeof options.path !== 'string')
    throw new PlanBuilderError(`the path of ${of} is ${JSON.stringify(options.path)}`, {
      hint: "give keys and list indexes as a text, such as 'items.0.name'",
    });
}

/** What may stand in a {@link text}: references, other texts, and values that are known when the plan is built. */
export type TextPart = Reference | Text | string | number | boolean;

type ReferencesOf<Part> = Part extends Text<infer Ref> ? Ref : Part extends Reference ? Part : never;

/** A text with references that are filled in once, when the step runs: ``text`Buy for ${StepOutput('total')}?` ``. */
export function text<const Parts extends readonly TextPart[]>(
  strings: TemplateStringsArray,
  ...inserted: Parts
): Text<ReferencesOf<Parts[number]>> {
  const parts: (string | Reference)[] = [];
  for (const [index, words] of strings.entries()) {
    parts.push(words);
    if (index >= inserted.length) continue;
    const part: unknown = inserted[index];
    if (!isReference(part)) parts.push(String(part));
    else if (part.reference === 'text') parts.push(...part.parts);
    else parts.push(part);
  }
  return textOfParts(parts) as unknown as Text<ReferencesOf<Parts[number]>>;
}

/** A text of parts that stand one after the other. */
export function textOfParts(parts: readonly (string | Reference)[]): Text {
  const joined: (string | Reference)[] = [];
  for (const part of parts) {
    const before = joined.at(-1);
    if (typeof part === 'string' && typeof before === 'string') joined[joined.length - 1] = before + part;
    else if (part !== '') joined.push(part);
  }
  return new TextData(joined);
}

/** Whether a value is a reference or a text with references. Data that only looks like one is not. */
export function isReference(value: unknown): value is Reference | Text {
  return typeof value === 'object' && value !== null && brand in value;
}

/** A part of a plan, read once: what it refers to, and how it reads with that filled in. */
export interface Form {
  /** At any depth, in the order they stand. */
  readonly references: readonly Reference[];
  readonly content: Content;
}

/** A value with blanks for references. Small objects rather than functions: a long plan has many, and uses them often. */
export interface Content {
  /**
   * The value with every reference in it replaced by what it stands for: once, whatever that looks like. `found` has
   * what there is, in the order of the references. What it gives is frozen, and made anew each time.
   * @throws PortiaError `REFERENCE_MISSING` naming the step or input that has no value, unless the reference is optional.
   */
  fill(found: Found): JsonValue | undefined;
}

type Found = readonly (JsonValue | undefined)[];

/** Reads a value with references at any depth. */
export function formOf(value: unknown): Form {
  const references: Reference[] = [];
  return { references, content: readContent(value, references) };
}

/** All references in a value, at any depth, in the order they stand. */
export function referencesIn(value: unknown): readonly Reference[] {
  return formOf(value).references;
}

function readContent(value: unknown, references: Reference[]): Content {
  if (isReference(value)) {
    if (value.reference !== 'text') return new Blank(value, references.push(value) - 1);
    return new TextForm(value.parts.map((part) => (typeof part === 'string' ? part : readContent(part, references))));
  }
  if (Array.isArray(value)) return new ListForm(value.map((item) => readContent(item, references)));
  if (!isPlainObject(value)) return new Constant(value);
  const keys = Object.keys(value);
  return new ObjectForm(
    keys,
    keys.map((key) => readContent(value[key], references)),
  );
}

class Constant implements Content {
  readonly #value: unknown;

  constructor(value: unknown) {
    this.#value = value;
  }

  fill(): JsonValue | undefined {
    return this.#value === undefined ? undefined : toJson(this.#value, 'argument');
  }
}

class Blank implements Content {
  readonly #reference: Reference;
  readonly #place: number;
  readonly #isWhole: boolean;

  constructor(reference: Reference, place: number) {
    this.#reference = reference;
    this.#place = place;
    this.#isWhole = reference.path === '';
  }

  fill(found: Found): JsonValue | undefined {
    const value = found[this.#place];
    return this.#isWhole && value !== undefined ? value : valueFor(this.#reference, value);
  }
}

class TextForm implements Content {
  readonly #parts: readonly (string | Content)[];

  constructor(parts: readonly (string | Content)[]) {
    this.#parts = parts;
  }

  fill(found: Found): string {
    return this.#parts.map((part) => (typeof part === 'string' ? part : textOf(part.fill(found) ?? null))).join('');
  }
}

class ListForm implements Content {
  readonly #items: readonly Content[];

  constructor(items: readonly Content[]) {
    this.#items = items;
  }

  fill(found: Found): readonly JsonValue[] {
    return Object.freeze(this.#items.map((item) => item.fill(found) ?? null));
  }
}

class ObjectForm implements Content {
  readonly #keys: readonly string[];
  readonly #parts: readonly Content[];

  constructor(keys: readonly string[], parts: readonly Content[]) {
    this.#keys = keys;
    this.#parts = parts;
  }

  fill(found: Found): Readonly<Record<string, JsonValue>> {
    const filled: Record<string, JsonValue> = {};
    for (let place = 0; place < this.#keys.length; place += 1) {
      const key = this.#keys[place] as string;
      const value = (this.#parts[place] as Content).fill(found);
      if (value === undefined) continue;
      // This one name would set the prototype.
      if (key === '__proto__')
        Object.defineProperty(filled, key, { value, enumerable: true, writable: true, configurable: true });
      else filled[key] = value;
    }
    return Object.freeze(filled);
  }
}

function valueFor(reference: Reference, found: JsonValue | undefined): JsonValue | undefined {
  const value = found === undefined ? undefined : follow(found, reference);
  if (value !== undefined || (reference.reference === 'step' && reference.optional)) return value;
  const what =
    reference.reference === 'step'
      ? `step ${JSON.stringify(reference.name)} has made`
      : `input ${JSON.stringify(reference.name)} has`;
  throw new PortiaError({
    code: 'REFERENCE_MISSING',
    message: found === undefined ? `${what} no value yet` : `${what} nothing at ${JSON.stringify(reference.path)}`,
    hint: 'mark the reference as { optional: true } where a value may be missing',
    details: { reference: reference.toString() },
  });
}

/** What stands at the path of a reference. */
function follow(value: JsonValue, reference: Reference): JsonValue | undefined {
  const { path } = reference;
  if (reference.reference === 'step' && reference.full && Array.isArray(value)) {
    return value.map((item: JsonValue) => at(item, path) ?? null);
  }
  return at(value, path);
}

/** The part of a value at a dotted path of keys and list indexes; `undefined` when there is none. */
export function at(value: JsonValue, path: string): JsonValue | undefined {
  let here: JsonValue | undefined = value;
  for (const key of path.split('.')) {
    if (Array.isArray(here)) here = /^\d+$/.test(key) ? (here[Number(key)] as JsonValue | undefined) : undefined;
    else if (isPlainObject(here)) here = Object.hasOwn(here, key) ? (here[key] as JsonValue) : undefined;
    else return undefined;
  }
  return here;
}
