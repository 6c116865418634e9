import { PortiaError } from '../core/errors.ts';
import { isPlainObject, type JsonObject, toJson } from '../core/json.ts';
import { isSchema, type Schema, withJsonSchema } from '../core/schema.ts';
import type { AnyTool, ToolRunContext } from '../core/tool.ts';
import { type ToolOptions, withOptions } from './foreign.ts';
import { someOf } from './registry.ts';
import { tool } from './tool.ts';

/** A tool of the AI SDK, as its `tool()` and `dynamicTool()` make it; described by its shape, so that any version fits. */
export interface AiSdkTool {
  readonly description?: string | undefined;
  readonly title?: string | undefined;
  readonly inputSchema: unknown;
  // biome-ignore lint/suspicious/noExplicitAny: the arguments are what its own schema gives
  readonly execute?: ((input: any, options: any) => unknown) | undefined;
}

/** What can be said of the tools, by name: marks, limits and how a call that may have happened is looked up. */
export type AiSdkToolOptions = Readonly<Record<string, ToolOptions>>;

interface AiSdkSchema {
  readonly jsonSchema: unknown;
  readonly validate?: (value: unknown) => ValidationLike | PromiseLike<ValidationLike>;
}
type ValidationLike =
  | { readonly success: true; readonly value: unknown }
  | { readonly success: false; readonly error: Error };

/**
 * Tools written for the AI SDK, as tools of a registry; their names become ids. What they stream before their result is
 * shown as progress. They have effects unless `options` marks them: an AI SDK tool does not say.
 *
 * @throws PortiaError `TOOL_INVALID` for options of a tool that is not there, a tool without `execute`, or one with a schema that is neither a Standard Schema
 * nor one of the AI SDK's `jsonSchema()`.
 */
export function fromAiSdkTools(tools: Readonly<Record<string, AiSdkTool>>, options: AiSdkToolOptions = {}): AnyTool[] {
  for (const id of Object.keys(options)) {
    if (!Object.hasOwn(tools, id))
      throw invalid(
        id,
        'options are given for it, and it is not among the tools',
        `there are: ${someOf(Object.keys(tools))}`,
      );
  }
  return Object.entries(tools).map(([id, given]) => {
    if (typeof given.execute !== 'function')
      throw invalid(id, 'it has no execute', 'tools that a client carries out cannot be part of a plan');
    const made = tool({
      id,
      name: given.title,
      description: given.description ?? '',
      argsSchema: schemaOf(id, given.inputSchema),
      run: async (args, context) => lastOf(given.execute?.(args, callOptions(context)), context),
    });
    const more = options[id];
    return more ? withOptions(made, more) : made;
  });
}

function callOptions({ callId, signal, idempotencyKey }: ToolRunContext): object {
  return { toolCallId: callId, messages: [], abortSignal: signal, experimental_context: { idempotencyKey } };
}

/** A stream of results shows each as progress; the last is the result. Who gave up on the call ends the stream. */
async function lastOf(result: unknown, context: ToolRunContext): Promise<unknown> {
  const settled = await result;
  if (typeof settled !== 'object' || settled === null || !(Symbol.asyncIterator in settled)) return settled ?? null;
  let last: unknown = null;
  for await (const part of settled as AsyncIterable<unknown>) {
    last = part ?? null;
    context.signal.throwIfAborted();
    context.progress(toJson(last, 'the progress of a tool'));
  }
  return last;
}

function schemaOf(id: string, given: unknown): Schema<JsonObject> {
  const schema: unknown = typeof given === 'function' && !isSchema(given) ? (given as () => unknown)() : given;
  // The AI SDK's own kind also speaks Standard Schema in some versions, but without JSON Schema.
  if (isAiSdkSchema(schema) && isPlainObject(schema.jsonSchema))
    return standardSchema(schema, schema.jsonSchema as JsonObject);
  if (isSchema(schema)) return schema as Schema<JsonObject>;
  throw invalid(
    id,
    'its inputSchema is of a kind that is not known',
    'give a zod schema, or jsonSchema({ … }) with a plain object',
  );
}

function isAiSdkSchema(schema: unknown): schema is AiSdkSchema {
  return typeof schema === 'object' && schema !== null && 'jsonSchema' in schema;
}

function standardSchema(given: AiSdkSchema, jsonSchema: JsonObject): Schema<JsonObject> {
  const made: Schema<JsonObject> = {
    '~standard': {
      version: 1,
      vendor: 'ai-sdk',
      async validate(value) {
        if (!isPlainObject(value)) return { issues: [{ message: 'the arguments are not an object' }] };
        const result = (await given.validate?.(value)) ?? { success: true as const, value };
        return result.success ? { value: result.value as JsonObject } : { issues: [{ message: result.error.message }] };
      },
    },
  };
  return withJsonSchema(made, jsonSchema);
}

function invalid(id: string, why: string, hint: string): PortiaError {
  return new PortiaError({
    code: 'TOOL_INVALID',
    message: `the AI SDK tool ${JSON.stringify(id)} cannot be used: ${why}`,
    hint,
  });
}
