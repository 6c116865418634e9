import { PortiaError } from '../core/errors.ts';
import { isPlainObject, type JsonObject, type JsonValue } from '../core/json.ts';
import type { ModelMessage } from '../core/model.ts';
import type { AnyTool } from '../core/tool.ts';
import type { ExecutionHooks } from './hooks.ts';

/** What is redacted, and where. */
export interface RedactOptions {
  /** What stands in the place of what was found; `[redacted]` unless given. */
  readonly replacement?: string | undefined;
  /** What tools give and the texts of their errors, before they are stored. True unless given. */
  readonly toolOutputs?: boolean | undefined;
  /** Words sent to models, before they are sent and stored. True unless given. */
  readonly modelMessages?: boolean | undefined;
  /** Words of models, before they are stored. False unless given. */
  readonly modelAnswers?: boolean | undefined;
  /**
   * Arguments of tool calls, as models write them and as plans give them, before they are stored, approved and passed:
   * the tool gets them redacted too. False unless given.
   */
  readonly toolArguments?: boolean | undefined;
  /** Inputs of runs, before they are stored: nobody sees them whole. False unless given. */
  readonly runInputs?: boolean | undefined;
}

/**
 * Hooks that take out what the patterns find: account numbers, tokens, addresses. It is gone for good: from the record,
 * from prompts, from what people see.
 */
export function redactPatterns(patterns: RegExp | readonly RegExp[], options: RedactOptions = {}): ExecutionHooks {
  const { replacement = '[redacted]', toolOutputs = true, modelMessages = true } = options;
  const { modelAnswers = false, toolArguments = false, runInputs = false } = options;
  const list = (Array.isArray(patterns) ? patterns : [patterns]) as readonly RegExp[];
  const all = list.map(({ source, flags }) => new RegExp(source, flags.includes('g') ? flags : `${flags}g`));
  const text = (words: string): string =>
    all.reduce((left, pattern) => left.replace(pattern, () => replacement), words);
  const value = (given: JsonValue): JsonValue => {
    if (typeof given === 'string') return text(given);
    if (Array.isArray(given)) return (given as readonly JsonValue[]).map(value);
    if (!isPlainObject(given))
      return typeof given === 'number' && text(String(given)) !== String(given) ? replacement : given;
    return Object.fromEntries(Object.entries(given as JsonObject).map(([key, item]) => [text(key), value(item)]));
  };
  return {
    ...(toolOutputs && { toolOutput: (_tool: AnyTool, output: JsonValue) => value(output) }),
    ...(modelMessages && {
      beforeModelCall(call) {
        call.messages = call.messages.map((message) => withWords(message, text));
      },
    }),
    ...((modelAnswers || toolArguments) && {
      afterModelCall(answer) {
        if (modelAnswers) answer.text = text(answer.text);
        if (modelAnswers && answer.object !== undefined) answer.object = value(answer.object);
        if (toolArguments && answer.toolCalls)
          answer.toolCalls = answer.toolCalls.map((call) => ({ ...call, args: value(call.args) }));
      },
    }),
    ...(toolArguments && {
      beforeToolCall(_tool, args) {
        Object.assign(args, value(args));
      },
    }),
    ...(runInputs && { runInput: (_name: string, input: JsonValue) => value(input) }),
  };
}

function withWords(message: ModelMessage, text: (words: string) => string): ModelMessage {
  const { content } = message;
  if (typeof content === 'string') return { ...message, content: text(content) };
  const parts = content.map((part) => (part.type === 'text' ? { ...part, text: text(part.text) } : part));
  return { ...message, content: parts } as ModelMessage;
}

/** Which tools may be called for an end user: by their id, or as a function says. */
export type AllowedTools =
  | Readonly<Record<string, readonly string[]>>
  | ((endUserId: string) => readonly string[] | Promise<readonly string[]>);

/**
 * A hook that lets each end user have called only what they are allowed. Whoever is not named is allowed nothing. A
 * call that is not allowed fails its step with `TOOL_NOT_ALLOWED`, and an agent cannot get round it.
 */
export function allowTools(allowed: AllowedTools): ExecutionHooks {
  return {
    async beforeToolCall(tool, _args, { endUserId }) {
      const ids = typeof allowed === 'function' ? await allowed(endUserId) : listOf(allowed, endUserId);
      if (ids.includes(tool.id)) return;
      throw new PortiaError({
        code: 'TOOL_NOT_ALLOWED',
        message: `${tool.id} may not be called for the end user ${JSON.stringify(endUserId)}`,
        hint: 'add it to what allowTools() is given, or plan without it',
      });
    },
  };
}

function listOf(allowed: Readonly<Record<string, readonly string[]>>, endUserId: string): readonly string[] {
  return Object.hasOwn(allowed, endUserId) ? (allowed[endUserId] ?? []) : [];
}
