import type { JsonObject, JsonValue } from '../../core/json.ts';

// The part of the AI SDK's language model specification (versions 2 to 4) that is used here. Our own, so that no
// provider package is needed to compile against this one.

/** Data for one provider, by its name. */
export type ProviderData = Readonly<Record<string, unknown>>;

/** A part of a message, as all versions of the specification have it. */
export type PromptPart =
  | { type: 'text'; text: string; providerOptions?: ProviderData }
  | { type: 'reasoning'; text: string; providerOptions?: ProviderData }
  | { type: 'tool-call'; toolCallId: string; toolName: string; input: JsonValue; providerOptions?: ProviderData }
  | { type: 'file'; mediaType: string; data: FileData; filename?: string; providerOptions?: ProviderData }
  | { type: 'tool-result'; toolCallId: string; toolName: string; output: ResultOutput };

/** The bytes of a file in base64, or where they are; tagged since version 4. */
export type FileData = string | URL | { type: 'data'; data: string } | { type: 'url'; url: URL };

/** What a tool gave. */
export type ResultOutput =
  | { type: 'text' | 'error-text'; value: string }
  /** The parts are named differently in each version. */
  | { type: 'content'; value: ResultPart[] };

/** A part of what a tool gave. */
export type ResultPart =
  | { type: 'text'; text: string }
  | { type: 'image-data' | 'file-data' | 'media'; data: string; mediaType: string; filename?: string }
  | { type: 'image-url' | 'file-url'; url: string; mediaType: string }
  | { type: 'file'; data: FileData; mediaType: string; filename?: string };

/** Addresses a provider fetches itself, by media type. */
export type SupportedUrls = Readonly<Record<string, readonly RegExp[]>>;

/** A message of the prompt. */
export type PromptMessage =
  | { role: 'system'; content: string; providerOptions?: ProviderData }
  | { role: 'user' | 'assistant' | 'tool'; content: PromptPart[]; providerOptions?: ProviderData };

/** What a language model is called with. */
export interface CallOptions {
  prompt: PromptMessage[];
  maxOutputTokens?: number;
  temperature?: number;
  seed?: number;
  responseFormat?: { type: 'json'; schema?: JsonObject; name?: string };
  tools?: { type: 'function'; name: string; description: string; inputSchema: JsonObject }[];
  toolChoice?: { type: 'auto' | 'required' | 'none' };
  abortSignal: AbortSignal;
  headers?: Readonly<Record<string, string>>;
  providerOptions?: ProviderData;
}

/** A piece of what a language model made; which fields are there depends on `type`. */
export interface ContentPart {
  readonly type: string;
  readonly text?: string;
  readonly toolCallId?: string;
  readonly toolName?: string;
  readonly input?: unknown;
  readonly providerExecuted?: boolean | undefined;
  readonly providerMetadata?: ProviderData | undefined;
}

type Count = number | undefined;

/** Tokens: flat in version 2, nested since. */
export interface UsageLike {
  readonly inputTokens?: Count | { readonly total?: Count; readonly cacheRead?: Count; readonly cacheWrite?: Count };
  readonly outputTokens?: Count | { readonly total?: Count };
  readonly cachedInputTokens?: Count;
}

/** What a language model gives back. */
export interface GenerateResult {
  readonly content: readonly ContentPart[];
  /** A word in version 2, with the provider's own word since. */
  readonly finishReason: string | { readonly unified: string; readonly raw?: string | undefined };
  readonly usage?: UsageLike | undefined;
  /** Since version 4, where the structured output is not the text. */
  readonly structuredOutputText?: string | undefined;
}

/** A piece of a streamed answer; which fields are there depends on `type`. */
export interface StreamPart extends ContentPart {
  readonly id?: string;
  readonly delta?: string;
  readonly error?: unknown;
  readonly finishReason?: GenerateResult['finishReason'];
  readonly usage?: UsageLike | undefined;
}

/**
 * A language model of an `@ai-sdk/*` provider package, of the lines that go with `ai` 5, 6 and 7:
 * `openai('gpt-4.1')`, `anthropic('claude-sonnet-4-5')`.
 */
export interface AiSdkLanguageModel {
  readonly specificationVersion: string;
  readonly provider: string;
  readonly modelId: string;
  /** `false` where the model takes no JSON Schema; the schema is then written into the prompt. */
  readonly supportsStructuredOutputs?: boolean | undefined;
  readonly supportedUrls?: PromiseLike<SupportedUrls> | SupportedUrls | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: each version of the specification has its own options
  doGenerate(options: any): PromiseLike<object>;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  doStream?(options: any): PromiseLike<object>;
}
