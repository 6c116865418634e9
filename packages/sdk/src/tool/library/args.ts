import type { JsonObject, JsonValue } from '../../core/json.ts';
import { isPlainObject, toJson } from '../../core/json.ts';
import type { Schema } from '../../core/schema.ts';

/** One argument of a bundled tool: what it is for models, and what is wrong with a value (nothing when it fits). */
export interface Field<T> {
  readonly schema: JsonObject;
  readonly optional: boolean;
  readonly fallback?: T | undefined;
  problem(value: unknown): string | undefined;
}

/** The arguments that fields describe; those that may be left out and have no default are optional. */
type ValuesOf<Fields> = {
  readonly [Name in keyof Fields as undefined extends ValueOf<Fields[Name]> ? never : Name]: ValueOf<Fields[Name]>;
} & {
  readonly [Name in keyof Fields as undefined extends ValueOf<Fields[Name]> ? Name : never]?: Exclude<
    ValueOf<Fields[Name]>,
    undefined
  >;
};
type ValueOf<F> = F extends Field<infer T> ? T : never;

const isText = (value: unknown): string | undefined => (typeof value === 'string' ? undefined : 'is not a string');

/** A text that has to be given. */
export function text(description: string): Field<string> {
  return { schema: { type: 'string', description }, optional: false, problem: isText };
}

/** A text that may be left out. */
export function optionalText(description: string): Field<string | undefined> {
  return { schema: { type: 'string', description }, optional: true, problem: isText };
}

/** One of some words, the first of which is the default. */
export function choice<Word extends string>(description: string, words: readonly [Word, ...Word[]]): Field<Word> {
  return {
    schema: { type: 'string', enum: [...words], default: words[0], description },
    optional: true,
    fallback: words[0],
    problem: (value) => ((words as readonly unknown[]).includes(value) ? undefined : `is none of ${words.join(', ')}`),
  };
}

/** Yes or no, with a default. */
export function flag(description: string, fallback = false): Field<boolean> {
  return {
    schema: { type: 'boolean', default: fallback, description },
    optional: true,
    fallback,
    problem: (value) => (typeof value === 'boolean' ? undefined : 'is neither true nor false'),
  };
}

/** A whole number within limits, with a default. */
export function whole(description: string, minimum: number, maximum: number, fallback: number): Field<number> {
  return {
    schema: { type: 'integer', minimum, maximum, default: fallback, description },
    optional: true,
    fallback,
    problem: (value) =>
      Number.isInteger(value) && (value as number) >= minimum && (value as number) <= maximum
        ? undefined
        : `is not a whole number from ${minimum} to ${maximum}`,
  };
}

/** A list of texts that has to be given, with at least one and at most `most`. */
export function texts(description: string, most: number): Field<readonly string[]> {
  return { ...textList(description, 1, most), optional: false };
}

/** A list of texts that may be left out. */
export function optionalTexts(description: string): Field<readonly string[] | undefined> {
  return { ...textList(description, 0, 100), optional: true };
}

function textList(description: string, minItems: number, maxItems: number): Omit<Field<readonly string[]>, 'optional'> {
  return {
    schema: { type: 'array', items: { type: 'string' }, minItems, maxItems, description },
    problem(value) {
      if (!Array.isArray(value) || value.some((item) => typeof item !== 'string')) return 'is not a list of strings';
      return value.length >= minItems && value.length <= maxItems
        ? undefined
        : `has ${value.length} entries, not ${minItems} to ${maxItems}`;
    },
  };
}

/** Any JSON value; may be left out. */
export function anyJson(description: string): Field<JsonValue | undefined> {
  return { schema: { description }, optional: true, problem: () => undefined };
}

/** A list of any JSON values; may be left out. */
export function optionalValues(description: string): Field<readonly JsonValue[] | undefined> {
  return {
    schema: { type: 'array', items: {}, description },
    optional: true,
    problem: (value) => (Array.isArray(value) ? undefined : 'is not a list'),
  };
}

/** An object of any members; may be left out. */
export function optionalObject(description: string): Field<JsonObject | undefined> {
  return {
    schema: { type: 'object', description },
    optional: true,
    problem: (value) => (isPlainObject(value) ? undefined : 'is not an object'),
  };
}

/**
 * A schema of named arguments. The bundled tools use it in the place of zod, whose import takes about 55 ms: a program
 * that only imports the library does not wait for it. `null` counts as left out.
 */
export function argsOf<Fields extends Readonly<Record<string, Field<unknown>>>>(
  fields: Fields,
): Schema<ValuesOf<Fields>> {
  const entries = Object.entries(fields);
  const properties = Object.fromEntries(entries.map(([name, field]) => [name, field.schema]));
  const required = entries.filter(([, field]) => !field.optional).map(([name]) => name);
  const jsonSchema: JsonObject = { type: 'object', properties, required, additionalProperties: false };

  const validate: Schema<ValuesOf<Fields>>['~standard']['validate'] = (value) => {
    if (!isPlainObject(value)) return { issues: [{ message: 'the arguments are not an object' }] };
    const given = { ...value };
    const issues = Object.keys(given)
      .filter((name) => !Object.hasOwn(properties, name))
      .map((name) => ({ message: 'is not an argument of this tool', path: [name] }));
    for (const [name, field] of entries) {
      if (given[name] === undefined || (given[name] === null && field.optional)) {
        delete given[name];
        if (!field.optional) issues.push({ message: 'is missing', path: [name] });
        else if (field.fallback !== undefined) given[name] = field.fallback;
        continue;
      }
      const message = field.problem(given[name]);
      if (message !== undefined) issues.push({ message, path: [name] });
    }
    if (issues.length > 0) return { issues };
    try {
      return { value: toJson(given, 'arguments') as ValuesOf<Fields> };
    } catch (error) {
      return { issues: [{ message: error instanceof Error ? error.message : 'not JSON' }] };
    }
  };
  const give = (): Record<string, unknown> => jsonSchema;
  const standard = { version: 1 as const, vendor: 'portia-ts', validate, jsonSchema: { input: give, output: give } };
  return { '~standard': standard };
}
