import type { MessageContent } from './content.ts';
import type { PortiaErrorCode } from './errors.ts';
import type { JsonObject, JsonValue } from './json.ts';

/** A message of a conversation with a model, as it is stored. */
export type ModelMessage =
  | { readonly role: 'system'; readonly content: string }
  | { readonly role: 'user'; readonly content: MessageContent }
  | {
      readonly role: 'assistant';
      readonly content: string;
      readonly toolCalls?: readonly ModelToolCall[];
      /** What the provider wants back untouched, such as signed reasoning. */
      readonly providerParts?: JsonValue;
    }
  | {
      readonly role: 'tool';
      readonly callId: string;
      readonly toolName: string;
      readonly content: MessageContent;
      readonly isError?: true;
    };

/** A tool call a model asks for. `args` is what it wrote, parsed; text that is not JSON stays a string. */
export interface ModelToolCall {
  readonly id: string;
  readonly name: string;
  readonly args: JsonValue;
}

/** A tool as a model sees it. */
export interface ModelTool {
  /** Letters, digits, `_` and `-`; at most 64 characters. */
  readonly name: string;
  readonly description: string;
  readonly argsSchema: JsonObject;
}

/** One question to a model. */
export interface ModelRequest {
  readonly messages: readonly ModelMessage[];
  readonly tools?: readonly ModelTool[];
  /** `required`: some tool must be called. Default `auto`. */
  readonly toolChoice?: 'auto' | 'required' | 'none';
  /** `false`: at most one call in an answer, where the provider can be told so. */
  readonly parallelToolCalls?: false;
  /** Ask for one JSON value of this schema, by the provider's native way where it has one. */
  readonly schema?: { readonly name: string; readonly jsonSchema: JsonObject };
  readonly maxOutputTokens?: number;
  /** Whose question it is, such as an end user: cached answers are shared within one tenant only. */
  readonly tenant?: string;
  /** No cached answer will do: one that was given before was of no use. */
  readonly fresh?: boolean;
  /** Epoch milliseconds after which no answer is of use: no attempt and no pause goes beyond it. */
  readonly deadline?: number;
  /**
   * Hears the words of the answer as they come; with it, the answer is streamed where the model can. `again` marks the
   * first words of a new attempt: what was heard before them is void. Answers in a schema are not streamed.
   */
  readonly onText?: (text: string, again: boolean) => void;
  /** The W3C trace context of the call, sent as the header `traceparent`. Never part of what answers are cached by. */
  readonly traceparent?: string;
  /** Sent as the header `tracestate`, beside it. */
  readonly tracestate?: string;
  readonly signal?: AbortSignal;
}

/** Tokens of one call; absent where the provider does not say. */
export interface ModelUsage {
  readonly inputTokens?: number;
  readonly outputTokens?: number;
  /** Of the input tokens, those read from the provider's prompt cache. */
  readonly cachedInputTokens?: number;
  /** Of the input tokens, those written to it; some providers charge more for these. */
  readonly cacheWriteInputTokens?: number;
}

/** What a model answered. */
export interface ModelAnswer {
  readonly text: string;
  readonly toolCalls?: readonly ModelToolCall[];
  /** The parsed value when a schema was asked for; absent when the text is not JSON. Not yet validated. */
  readonly object?: JsonValue;
  readonly finishReason: 'stop' | 'length' | 'content-filter' | 'tool-calls' | 'error' | 'other';
  readonly usage?: ModelUsage;
  readonly providerParts?: JsonValue;
  /** It came from a cache: it cost nothing now, and `usage` says so. */
  readonly cached?: true;
  /** Which model answered, where that was not the one asked but another of its list. */
  readonly model?: string;
  /** The models of the list that failed before it, and why. */
  readonly failed?: readonly FailedModel[];
}

/** A model of a list that gave no answer. */
export interface FailedModel {
  readonly model: string;
  readonly code: PortiaErrorCode;
  readonly message: string;
}

/**
 * The door to a language model. `generate` either answers or throws a PortiaError (`MODEL_FAILED`, `MODEL_TIMEOUT`,
 * `MODEL_KEY_MISSING`, `PACKAGE_MISSING`); retries of rate limits and overload are the door's own business.
 */
export interface Model {
  /** `provider/model`, such as `openai/gpt-4.1`. */
  readonly id: string;
  /** Tokens that fit into one request; 100,000 when unknown. */
  readonly contextWindow: number;
  /** Ids of models that may answer in its place. */
  readonly alternatives?: readonly string[];
  generate(request: ModelRequest): Promise<ModelAnswer>;
}
