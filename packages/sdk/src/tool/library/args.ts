import type { JsonObject, JsonValue } from '../../core/json.ts';
import { isPlainObject, toJson } from '../../core/json.ts';
import type { Schema } from '../../core/schema.ts';

/** The arguments of a bundled tool: named texts, and where `json` says so any JSON value that may be left out. */
type ArgsOf<Texts extends string, Json extends string> = { readonly [Key in Texts]: string } & {
  readonly [Key in Json]?: JsonValue;
};

/**
 * A schema of named texts. The bundled tools use it in the place of zod, whose import takes about 55 ms: a program
 * that only imports the library does not wait for it.
 */
export function textArgs<Texts extends string, Json extends string = never>(
  texts: Readonly<Record<Texts, string>>,
  json: Readonly<Record<Json, string>> = {} as Readonly<Record<Json, string>>,
): Schema<ArgsOf<Texts, Json>> {
  const textNames = Object.keys(texts) as Texts[];
  const jsonNames = Object.keys(json) as Json[];
  const properties: Record<string, JsonValue> = {};
  for (const name of textNames) properties[name] = { type: 'string', description: texts[name] };
  for (const name of jsonNames) properties[name] = { description: json[name] };
  const jsonSchema: JsonObject = { type: 'object', properties, required: textNames, additionalProperties: false };

  const validate: Schema<ArgsOf<Texts, Json>>['~standard']['validate'] = (value) => {
    if (!isPlainObject(value)) return { issues: [{ message: 'the arguments are not an object' }] };
    const issues = textNames
      .filter((name) => typeof value[name] !== 'string')
      .map((name) => ({ message: value[name] === undefined ? 'is missing' : 'is not a string', path: [name] }));
    for (const name of Object.keys(value)) {
      if (!Object.hasOwn(properties, name))
        issues.push({ message: 'is not an argument of this tool', path: [name as Texts] });
    }
    if (issues.length > 0) return { issues };
    try {
      return { value: toJson(value, 'arguments') as ArgsOf<Texts, Json> };
    } catch (error) {
      return { issues: [{ message: error instanceof Error ? error.message : 'not JSON' }] };
    }
  };
  const give = (): Record<string, unknown> => jsonSchema;
  const standard = { version: 1 as const, vendor: 'portia-ts', validate, jsonSchema: { input: give, output: give } };
  return { '~standard': standard };
}
