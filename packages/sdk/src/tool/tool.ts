import { PortiaError } from '../core/errors.ts';
import { hashText } from '../core/hash.ts';
import { isPlainObject, type JsonObject, type JsonValue } from '../core/json.ts';
import type { ModelTool } from '../core/model.ts';
import { jsonSchemaOf, type Schema } from '../core/schema.ts';
import { withoutTags } from '../model/data-block.ts';
import {
  type AnyTool,
  maxToolDescription,
  type ReadyResponse,
  type Reconciled,
  type Tool,
  type ToolReadyContext,
  type ToolResult,
  type ToolRetry,
  type ToolRunContext,
} from '../core/tool.ts';

/** What {@link tool} makes a tool from. */
export interface ToolInit<Args, Out, Input = unknown> {
  /** Unique in a registry; not empty, no commas. */
  readonly id: string;
  /** For people; the id in Title Case unless given. */
  readonly name?: string | undefined;
  /** What it does and when to use it: the planner and the agents choose by this. */
  readonly description: string;
  /** Any Standard Schema of an object; absent: the tool takes no arguments, or those of `argsJsonSchema` unchecked. */
  readonly argsSchema?: Schema<Args, Input> | undefined;
  /** The JSON Schema of the arguments, where `argsSchema` is absent or cannot give it. */
  readonly argsJsonSchema?: JsonObject | undefined;
  readonly outputSchema?: Schema<Out> | undefined;
  readonly outputDescription?: readonly [type: string, description: string] | undefined;
  /** It has no effect outside; it may be repeated freely and run beside other such tools. */
  readonly readOnly?: boolean | undefined;
  /** The same idempotency key has the same effect; it is called again after a crash. */
  readonly idempotent?: boolean | undefined;
  readonly shouldSummarize?: boolean | undefined;
  /** Milliseconds an attempt may take; 60,000 unless given. */
  readonly timeoutMs?: number | undefined;
  /** How a failed call is made again where that is safe. */
  readonly retry?: ToolRetry | undefined;
  /** Calls at once, over all runs of a client. Not limited unless given. */
  readonly maxConcurrency?: number | undefined;
  /** Calls in any minute, over all runs of a client. Not limited unless given. */
  readonly perMinute?: number | undefined;
  readonly ready?: ((context: ToolReadyContext) => ReadyResponse | Promise<ReadyResponse>) | undefined;
  readonly reconcile?:
    | ((args: NoInfer<Args>, context: ToolRunContext) => Reconciled<NoInfer<Out>> | Promise<Reconciled<NoInfer<Out>>>)
    | undefined;
  readonly run: (args: NoInfer<Args>, context: ToolRunContext) => ToolResult<Out> | Promise<ToolResult<Out>>;
}

/**
 * Makes a tool from a function. `args` has the type `argsSchema` gives; the tool's output has the type of
 * `outputSchema`, or else of what `run` returns. A tool with effects is better given `reconcile`, so that a crash in
 * the middle of a call needs no person to look.
 *
 * @throws PortiaError `TOOL_INVALID` for an empty id, an id with a comma, arguments that are not an object, a schema
 * without JSON Schema, or a rendered description longer than 16,384 characters.
 */
export function tool<Args = JsonObject, Out = unknown, Input = unknown>(
  init: ToolInit<Args, Out, Input>,
): Tool<Args, Out, Input> {
  const made = { ...init, name: init.name ?? titleCase(init.id) } as Tool<Args, Out, Input>;
  checkTool(made);
  return Object.freeze(made);
}

/**
 * The class form of a tool: `class Mailer extends ToolBase<{ to: string }, string> { id = 'mailer'; … }`. The name is
 * the id in Title Case unless the class sets one. It is checked when a registry takes it in.
 */
export abstract class ToolBase<Args = JsonObject, Out = unknown> implements Tool<Args, Out> {
  abstract readonly id: string;
  abstract readonly description: string;
  declare readonly name: string;
  declare readonly argsSchema?: Schema<Args> | undefined;
  declare readonly argsJsonSchema?: JsonObject | undefined;
  declare readonly outputDescription?: readonly [type: string, description: string] | undefined;
  declare readonly outputSchema?: Schema<Out> | undefined;
  declare readonly readOnly?: boolean | undefined;
  declare readonly idempotent?: boolean | undefined;
  declare readonly shouldSummarize?: boolean | undefined;
  declare readonly timeoutMs?: number | undefined;
  declare readonly retry?: ToolRetry | undefined;
  declare readonly maxConcurrency?: number | undefined;
  declare readonly perMinute?: number | undefined;

  constructor() {
    // Not a getter of the class: TypeScript would forbid subclasses to set the name as a field.
    const get = (): string => titleCase(this.id);
    Object.defineProperty(this, 'name', { get, configurable: true, enumerable: true });
  }

  ready?(context: ToolReadyContext): ReadyResponse | Promise<ReadyResponse>;
  reconcile?(args: Args, context: ToolRunContext): Reconciled<Out> | Promise<Reconciled<Out>>;
  abstract run(args: Args, context: ToolRunContext): ToolResult<Out> | Promise<ToolResult<Out>>;
}

function titleCase(id: string): string {
  const words = String(id)
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '');
  return words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join(' ');
}

/** Checks what {@link tool} promises, of a tool however it was made. @throws PortiaError `TOOL_INVALID` saying which. */
export function checkTool(candidate: AnyTool): void {
  const { id } = candidate;
  if (typeof id !== 'string' || id.trim() === '')
    throw invalid('a tool has an empty id', 'give it an id such as "send_mail"');
  const where = `tool "${id}"`;
  if (id.includes(',')) throw invalid(`${where} has a comma in its id`, 'lists of tool ids are separated by commas');
  if (typeof candidate.run !== 'function') throw invalid(`${where} has no run function`);
  if (typeof candidate.description !== 'string') throw invalid(`${where} has no description`);
  const { type } = argsJsonSchemaOf(candidate);
  if (type !== undefined && type !== 'object') {
    throw invalid(
      `${where} takes arguments of type ${JSON.stringify(type)}`,
      'make the arguments an object, such as z.object({ … })',
    );
  }
  const { timeoutMs } = candidate;
  if (timeoutMs !== undefined && !(timeoutMs > 0))
    throw invalid(`${where} has timeoutMs ${timeoutMs}`, 'give milliseconds above 0');
  checkRetry(candidate.retry, where);
  for (const limit of ['maxConcurrency', 'perMinute'] as const) {
    const value = candidate[limit];
    if (value !== undefined && !(Number.isInteger(value) && value > 0))
      throw invalid(`${where} has ${limit} ${value}`, 'give a whole number above 0');
  }
  const { length } = describeTool(candidate);
  if (length > maxToolDescription) {
    throw invalid(
      `${where} has a description of ${length} characters (text, arguments and result together); at most ${maxToolDescription} are allowed`,
      'shorten the description or the descriptions in its schema',
    );
  }
}

function checkRetry(retry: ToolRetry | undefined, where: string): void {
  if (retry === undefined) return;
  const { maxAttempts, delayMs = 0, backoff = 1 } = retry;
  if (!(Number.isInteger(maxAttempts) && maxAttempts > 0))
    throw invalid(`${where} has retry.maxAttempts ${maxAttempts}`, 'give the attempts in all: a whole number above 0');
  if (!(delayMs >= 0) || !(backoff >= 1))
    throw invalid(
      `${where} has a retry with delayMs ${delayMs} and backoff ${backoff}`,
      'give milliseconds from 0, and a backoff from 1',
    );
}

function invalid(message: string, hint?: string): PortiaError {
  return new PortiaError({ code: 'TOOL_INVALID', message, hint });
}

const noArgs: JsonObject = { type: 'object', properties: {}, additionalProperties: false };

/**
 * The JSON Schema of a tool's arguments; made once per schema.
 * @throws PortiaError `TOOL_INVALID` when the schema's library cannot give one and none stands beside.
 */
export function argsJsonSchemaOf(tool: AnyTool): JsonObject {
  if (tool.argsJsonSchema) return tool.argsJsonSchema;
  return tool.argsSchema ? jsonSchemaOf(tool.argsSchema, `the arguments of tool "${tool.id}"`) : noArgs;
}

/** A tool in words, as a planner reads it: what it is and does, what it takes, what it gives. */
export function describeTool(tool: AnyTool): string {
  const lines = [
    `${tool.name} (${tool.id}): ${tool.description}`,
    `Arguments: ${JSON.stringify(argsJsonSchemaOf(tool))}`,
  ];
  if (tool.outputDescription) {
    const [type, description] = tool.outputDescription;
    lines.push(description === '' ? `Gives: ${type}` : `Gives: ${type}: ${description}`);
  }
  return lines.join('\n');
}

const longestModelName = 64;

/**
 * A tool's id as models accept it: letters, digits, `_` and `-`, at most 64 characters. A longer one is cut and ends
 * in a piece of its hash, so that ids with a long common beginning stay apart.
 */
export function modelToolName(id: string): string {
  const safe = id.replace(/[^A-Za-z0-9_-]/g, '_');
  return safe.length <= longestModelName ? safe : `${safe.slice(0, longestModelName - 9)}_${hashText(id).slice(0, 8)}`;
}

/** What people read in a schema, without the tags of our prompts: a tool's author may be anybody. */
function schemaWithoutTags(schema: JsonObject): JsonObject {
  if (!mayHoldTags(JSON.stringify(schema))) return schema;
  const clean = (value: JsonValue): JsonValue => {
    if (Array.isArray(value)) return (value as readonly JsonValue[]).map(clean);
    if (!isPlainObject(value)) return value;
    return Object.fromEntries(
      Object.entries(value as JsonObject).map(([key, member]) => [
        key,
        wordKeys.has(key) && typeof member === 'string' ? withoutTags(member) : clean(member),
      ]),
    );
  };
  return clean(schema) as JsonObject;
}

const wordKeys: ReadonlySet<string> = new Set(['description', 'title', '$comment']);

function mayHoldTags(text: string): boolean {
  return withoutTags(text) !== text;
}

const modelTools = new WeakMap<AnyTool, ModelTool>();

/** A tool as a model sees it; the same object every time. */
export function toolToModelTool(tool: AnyTool): ModelTool {
  let made = modelTools.get(tool);
  if (!made) {
    made = Object.freeze({
      name: modelToolName(tool.id),
      description: withoutTags(tool.description),
      argsSchema: schemaWithoutTags(argsJsonSchemaOf(tool)),
    });
    modelTools.set(tool, made);
  }
  return made;
}
