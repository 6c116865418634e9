import { type AnyTool, type JsonObject, type JsonValue, PortiaError, type ToolRegistry } from 'portia-ts';
import { argsJsonSchemaOf } from '../../args-json-schema.ts';
import { isObject } from './requests.ts';

/** The tools as `/tools/descriptions-v2/` gives them, and those that cannot be given, with the reason. */
export interface DescribedTools {
  readonly tools: readonly JsonObject[];
  readonly errors: readonly { readonly app_name: string; readonly error: string }[];
}

/** Characters that a client has for a tool, as it writes it for its planner; one that is longer ends the client. */
const mostCharacters = 16_000;
/** Parts of a schema: one that refers to itself over and over has more. */
const mostParts = 5_000;

/**
 * Describes tools. Clients of Portia 0.9 make a Python class of every schema, and one that cannot be made keeps a client
 * from all tools: what a class cannot say of a field is left out of its schema, since a call is checked here anyway, and
 * a tool that no class can be made for is left out, and named.
 */
export function describedTools(registry: ToolRegistry): DescribedTools {
  const tools: JsonObject[] = [];
  const errors: { readonly app_name: string; readonly error: string }[] = [];
  for (const tool of registry) {
    try {
      tools.push(described(tool));
    } catch (error) {
      if (!PortiaError.isInstance(error)) throw error;
      errors.push({ app_name: tool.id, error: error.message });
    }
  }
  return { tools, errors };
}

function described(tool: AnyTool): JsonObject {
  const [type, output] = tool.outputDescription ?? ['str', ''];
  const schema = new SchemaForPython((argsJsonSchemaOf(tool) ?? { type: 'object' }) as JsonObject).schema;
  const characters = [tool.description, type, output, JSON.stringify(schema)].join('').length;
  if (characters > mostCharacters) {
    throw cannot(`its description and its arguments take ${characters} characters, and clients have ${mostCharacters}`);
  }
  return {
    tool_id: tool.id,
    tool_name: tool.name,
    should_summarize: tool.shouldSummarize ?? false,
    description: { overview_description: tool.description, overview: type, output_description: output },
    schema,
  };
}

/** What the names of fields cannot be in a class of Pydantic. */
const reserved = /^(?:_.*|model_config|model_dump.*|model_validate.*|serialize)$/u;
/** Members of a schema that hold data, and no schemas. */
const data: ReadonlySet<string> = new Set(['default', 'enum', 'const', 'examples', 'required']);

/** A schema as a client of Portia 0.9 can read it: without references, and with nothing it has no type for. */
class SchemaForPython {
  readonly schema: JsonObject;
  readonly #root: JsonObject;
  #parts = 0;

  constructor(root: JsonObject) {
    this.#root = root;
    const { $defs, definitions, ...rest } = this.#object(root, []);
    this.schema = { ...rest, type: 'object', properties: rest['properties'] ?? {} };
  }

  /** `inside`: the references that led here. */
  #object(node: JsonObject, inside: readonly string[]): JsonObject {
    this.#parts += 1;
    if (this.#parts > mostParts) throw cannot('the schema of its arguments is too large without its references');
    const { $ref, ...others } = node;
    if (typeof $ref === 'string') {
      const target = inside.includes($ref) ? undefined : this.#target($ref);
      return { ...(target && this.#object(target, [...inside, $ref])), ...this.#members(others, inside) };
    }
    return this.#members(node, inside);
  }

  #members(node: JsonObject, inside: readonly string[]): JsonObject {
    const made: Record<string, JsonValue> = {};
    for (const [key, value] of Object.entries(node)) {
      if (key === '$defs' || key === 'definitions') continue;
      if (key === 'properties' && isObject(value)) made[key] = this.#properties(value, inside);
      else if ((key === 'anyOf' || key === 'oneOf') && Array.isArray(value)) {
        if (value.length > 0) made[key] = value.map((one) => (isObject(one) ? this.#object(one, inside) : {}));
      } else made[key] = data.has(key) ? value : this.#value(value, inside);
    }
    return withoutStrangeEnum(made);
  }

  #value(value: JsonValue, inside: readonly string[]): JsonValue {
    if (Array.isArray(value)) return value.map((one) => this.#value(one, inside));
    return isObject(value) ? this.#object(value, inside) : value;
  }

  #properties(properties: JsonObject, inside: readonly string[]): JsonObject {
    const made: Record<string, JsonValue> = {};
    for (const [name, value] of Object.entries(properties)) {
      if (reserved.test(name)) throw cannot(`its argument ${JSON.stringify(name)} has a name that clients cannot have`);
      made[name] = isObject(value) ? this.#object(value, inside) : {};
    }
    return made;
  }

  #target(reference: string): JsonObject | undefined {
    let at: JsonValue | undefined = this.#root;
    for (const part of reference.replace(/^#\/?/, '').split('/').filter(Boolean)) {
      const name = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');
      at = isObject(at) ? at[name] : undefined;
    }
    return reference.startsWith('#') && isObject(at) ? at : undefined;
  }
}

/** A client makes an enumeration of Python of a list of texts: it cannot of other values, and of names Python keeps for itself. */
function withoutStrangeEnum(schema: JsonObject): JsonObject {
  const { enum: choices, type, ...others } = schema;
  if (type !== 'string' || !Array.isArray(choices)) return schema;
  const fits = choices.every((one) => typeof one === 'string' && !one.startsWith('_'));
  return fits ? schema : { ...others, enum: choices };
}

function cannot(why: string): PortiaError {
  return new PortiaError({
    code: 'TOOL_CALL_INVALID',
    message: `clients of Portia 0.9 cannot be given this tool: ${why}`,
  });
}
