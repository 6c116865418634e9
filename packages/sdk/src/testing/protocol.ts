import type { JsonObject } from '../core/json.ts';
import type { ModelMessage, ModelRequest, ModelTool } from '../core/model.ts';
import { type ScriptedAnswer, scriptedUsage } from './script.ts';

/** An answer of a script that holds something. */
export type Answer = Extract<ScriptedAnswer, { kind: 'answer' }>;

/** What a request says, in our words. */
export type ProtocolRequest = Pick<ModelRequest, 'messages'> & {
  tools?: readonly ModelTool[];
  schema?: NonNullable<ModelRequest['schema']>;
};

// biome-ignore lint/suspicious/noExplicitAny: request bodies of foreign protocols, read leniently
export type Json = any;

/** How a protocol is read and written. */
export interface Protocol {
  /** What the body of a request says, roughly, in our words. */
  read(body: Json): ProtocolRequest;
  write(answer: Answer, model: string, n: number, body: Json): JsonObject;
  error(status: number, message: string): JsonObject;
  /** The pieces of a streamed answer. */
  stream(answer: Answer, whole: JsonObject, body: Json): readonly ServerSentEvent[];
}

/** One event of a stream. */
export interface ServerSentEvent {
  readonly event?: string;
  readonly data: JsonObject | string;
}

/** The words of some content, whatever form it has. */
export function textOf(content: Json): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return content === null || content === undefined ? '' : JSON.stringify(content);
  return content.map((part: Json) => part?.text ?? (part?.content === undefined ? '' : textOf(part.content))).join('');
}

/** The calls of an assistant's message, left out when there are none. */
export function callsOf(calls: readonly Json[]): Pick<Extract<ModelMessage, { role: 'assistant' }>, 'toolCalls'> {
  return calls.length === 0 ? {} : { toolCalls: calls.map(({ id, name, args }) => ({ id: id ?? '', name, args })) };
}

/** The id of a call: its own, or one that is the same each time. */
export function callId(id: string | undefined, n: number, index: number): string {
  return id ?? `call_${n}_${index + 1}`;
}

/** What an answer costs. */
export function usageOf(answer: Answer): NonNullable<Answer['options']['usage']> {
  return { ...scriptedUsage, ...answer.options.usage };
}

/** Words in the pieces in which a model would send them: each with the space after it. */
export function pieces(text: string): readonly string[] {
  return text.match(/\S+\s*|\s+/g) ?? [];
}
