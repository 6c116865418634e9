import { PortiaError } from '../core/errors.ts';
import { isPlainObject, type JsonObject } from '../core/json.ts';
import type { Schema } from '../core/schema.ts';
import type { AnyTool, Tool, ToolRetry } from '../core/tool.ts';
import { argsJsonSchemaOf } from './tool.ts';

/** What can be said about a tool that somebody else wrote. */
export interface ToolOptions {
  readonly readOnly?: boolean | undefined;
  readonly idempotent?: boolean | undefined;
  /** Milliseconds an attempt may take. */
  readonly timeoutMs?: number | undefined;
  /** How a failed call is made again where that is safe. */
  readonly retry?: ToolRetry | undefined;
  /** Calls at once, over all runs of a client. */
  readonly maxConcurrency?: number | undefined;
  /** Calls in any minute, over all runs of a client. */
  readonly perMinute?: number | undefined;
  readonly reconcile?: NonNullable<Tool<JsonObject, unknown>['reconcile']> | undefined;
  /**
   * The argument that carries the idempotency key to the other side. Models no longer see it and need not give it;
   * every attempt of a call sends the same key.
   */
  readonly idempotencyArg?: string | undefined;
}

/** A copy of a tool with other fields; its functions still run on the original, so classes keep their `this`. */
export function derive(tool: AnyTool, changes: Partial<AnyTool>): AnyTool {
  const { ready, reconcile, close, formOf } = tool;
  const copy: AnyTool = {
    ...tool,
    id: tool.id,
    name: tool.name,
    description: tool.description,
    argsSchema: tool.argsSchema,
    argsJsonSchema: tool.argsJsonSchema,
    outputDescription: tool.outputDescription,
    outputSchema: tool.outputSchema,
    readOnly: tool.readOnly,
    idempotent: tool.idempotent,
    destructive: tool.destructive,
    shouldSummarize: tool.shouldSummarize,
    timeoutMs: tool.timeoutMs,
    retry: tool.retry,
    maxConcurrency: tool.maxConcurrency,
    perMinute: tool.perMinute,
    ...(ready && { ready: (context) => ready.call(tool, context) }),
    ...(reconcile && { reconcile: (args, context) => reconcile.call(tool, args, context) }),
    ...(formOf && { formOf: (question) => formOf.call(tool, question) }),
    ...(close && { close: () => close.call(tool) }),
    run: (args, context) => tool.run(args, context),
    ...changes,
  };
  return Object.freeze(copy);
}

/** A copy of a tool with the options; absent options keep what the tool says. */
export function withOptions(tool: AnyTool, options: ToolOptions): AnyTool {
  const { readOnly, idempotent, timeoutMs, retry, maxConcurrency, perMinute, reconcile, idempotencyArg } = options;
  const marked = derive(tool, {
    ...(readOnly !== undefined && { readOnly }),
    ...(idempotent !== undefined && { idempotent }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(retry !== undefined && { retry }),
    ...(maxConcurrency !== undefined && { maxConcurrency }),
    ...(perMinute !== undefined && { perMinute }),
    ...(reconcile && { reconcile }),
  });
  return idempotencyArg === undefined ? marked : withIdempotencyArg(marked, idempotencyArg);
}

function withIdempotencyArg(tool: AnyTool, name: string): AnyTool {
  const jsonSchema = argsJsonSchemaOf(tool);
  const properties = isPlainObject(jsonSchema['properties']) ? (jsonSchema['properties'] as JsonObject) : {};
  if (!Object.hasOwn(properties, name) && jsonSchema['additionalProperties'] === false) {
    throw new PortiaError({
      code: 'TOOL_INVALID',
      message: `tool "${tool.id}" has no argument "${name}" to carry the idempotency key`,
      hint: `its arguments are: ${Object.keys(properties).join(', ') || 'none'}`,
    });
  }
  const { reconcile } = tool;
  return derive(tool, {
    argsJsonSchema: withoutProperty(jsonSchema, properties, name),
    ...(tool.argsSchema && { argsSchema: withoutArg(tool.argsSchema as Schema, name) }),
    run: (args, context) => tool.run({ ...args, [name]: context.idempotencyKey }, context),
    ...(reconcile && {
      reconcile: (args, context) => reconcile.call(tool, { ...args, [name]: context.idempotencyKey }, context),
    }),
  });
}

function withoutProperty(jsonSchema: JsonObject, properties: JsonObject, name: string): JsonObject {
  const { [name]: _hidden, ...others } = properties;
  const { required } = jsonSchema;
  const still = Array.isArray(required) ? required.filter((item) => item !== name) : undefined;
  return { ...jsonSchema, properties: others, ...(still && { required: still }) };
}

/** The schema without one argument: it is checked with a stand-in in its place, which is taken out again. */
function withoutArg(schema: Schema, name: string): Schema {
  const strip = (value: unknown): unknown => {
    if (!isPlainObject(value)) return value;
    const { [name]: _standIn, ...rest } = value;
    return rest;
  };
  const { vendor, validate } = schema['~standard'];
  return {
    '~standard': {
      version: 1,
      vendor,
      validate(value, options) {
        const whole = isPlainObject(value) ? { ...value, [name]: 'A'.repeat(43) } : value;
        const result = validate(whole, options);
        const done = (given: Awaited<typeof result>): typeof given =>
          given.issues ? given : { value: strip(given.value) };
        return result instanceof Promise ? result.then(done) : done(result);
      },
    },
  };
}
