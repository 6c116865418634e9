import { contentText } from '../core/content.ts';
import { ensureError, PortiaError } from '../core/errors.ts';
import type { JsonValue } from '../core/json.ts';
import type { ModelAnswer, ModelRequest, ModelUsage } from '../core/model.ts';

/** What a scripted answer may say beside its content. */
export interface AnswerOptions {
  /** 10 input and 5 output tokens unless given. */
  readonly usage?: ModelUsage;
  readonly finishReason?: ModelAnswer['finishReason'];
  /** Milliseconds before it answers. */
  readonly delayMs?: number;
}

/** One answer of a script; make it with the functions here. */
export type ScriptedAnswer =
  | {
      readonly kind: 'answer';
      readonly text: string;
      readonly toolCalls: readonly { readonly name: string; readonly args: JsonValue; readonly id?: string }[];
      readonly object?: JsonValue;
      readonly options: AnswerOptions;
    }
  | { readonly kind: 'error'; readonly error: Error }
  | { readonly kind: 'hang' }
  | { readonly kind: 'status'; readonly status: number; readonly message: string; readonly retryAfterSeconds?: number }
  | { readonly kind: 'body'; readonly how: 'not-json' | 'truncated' };

type Content = Extract<ScriptedAnswer, { kind: 'answer' }>;

/** An answer in words. */
export function text(words: string, options: AnswerOptions = {}): Content {
  return { kind: 'answer', text: words, toolCalls: [], options };
}

/** An answer that calls a tool. A string as `args` is what the model wrote although it is not JSON. */
export function toolCall(
  name: string,
  args: JsonValue = {},
  options: AnswerOptions & { readonly id?: string } = {},
): Content {
  const { id, ...rest } = options;
  return { kind: 'answer', text: '', toolCalls: [{ name, args, ...(id !== undefined && { id }) }], options: rest };
}

/** One answer out of several: their words, and all their tool calls in one turn. */
export function together(...answers: readonly Content[]): Content {
  return {
    kind: 'answer',
    text: answers.map((answer) => answer.text).join(''),
    toolCalls: answers.flatMap((answer) => answer.toolCalls),
    options: Object.assign({}, ...answers.map((answer) => answer.options)) as AnswerOptions,
  };
}

/** A structured answer. */
export function object(value: JsonValue, options: AnswerOptions = {}): Content {
  return { kind: 'answer', text: JSON.stringify(value), toolCalls: [], object: value, options };
}

/** A failure. A text is a `MODEL_FAILED`; a server drops the connection. */
export function fails(error: unknown): ScriptedAnswer {
  return { kind: 'error', error: typeof error === 'string' ? modelFailed(error) : ensureError(error) };
}

/** No answer, ever: until the request is aborted or the server closes. */
export function hangs(): ScriptedAnswer {
  return { kind: 'hang' };
}

/** A refusal with an HTTP status, such as 429 or 500. */
export function status(
  code: number,
  options: { readonly message?: string; readonly retryAfterSeconds?: number } = {},
): ScriptedAnswer {
  const { message = `status ${code}`, ...rest } = options;
  return { kind: 'status', status: code, message, ...rest };
}

/** A body that is not JSON. */
export function invalidJson(): ScriptedAnswer {
  return { kind: 'body', how: 'not-json' };
}

/** A body that breaks off in the middle, with its connection. */
export function truncated(): ScriptedAnswer {
  return { kind: 'body', how: 'truncated' };
}

/** Answers in order, or a function of the request and its number (from 1). A plain text is an answer in words. */
export type Script<Request = ModelRequest> =
  | readonly (ScriptedAnswer | string)[]
  | ((request: Request, n: number) => ScriptedAnswer | string | Promise<ScriptedAnswer | string>);

/** The answer to the n-th request (from 1). @throws PortiaError `MODEL_FAILED` when the script has no more. */
export async function scripted<Request extends Pick<ModelRequest, 'messages'>>(
  script: Script<Request>,
  request: Request,
  n: number,
): Promise<ScriptedAnswer> {
  const answer = typeof script === 'function' ? await script(request, n) : script[n - 1];
  if (answer === undefined) {
    const has =
      typeof script === 'function' ? 'nothing for it' : `only ${script.length} answer${script.length === 1 ? '' : 's'}`;
    throw modelFailed(
      `request ${n} came and the script has ${has}; it said: ${lastWords(request)}`,
      'add an answer to the script',
    );
  }
  return typeof answer === 'string' ? text(answer) : answer;
}

function lastWords({ messages }: Pick<ModelRequest, 'messages'>): string {
  const last = messages.at(-1);
  return last ? `[${last.role}] ${contentText(last.content).slice(-300)}` : 'nothing';
}

/** The error of a scripted model. */
export function modelFailed(message: string, hint?: string): PortiaError {
  return new PortiaError({ code: 'MODEL_FAILED', message, hint });
}

/** What a scripted answer costs unless it says so. */
export const scriptedUsage: ModelUsage = { inputTokens: 10, outputTokens: 5 };
