import { isPlainObject, type JsonValue } from '../../core/json.ts';
import type { ModelAnswer, ModelRequest, ModelToolCall, ModelUsage } from '../../core/model.ts';
import type { ContentPart, GenerateResult, UsageLike } from './language-model.ts';
import type { KeptPart, KeptTurn } from './prompt.ts';
import { schemaFormat } from './schema-format.ts';

/** What an AI SDK language model gave back, as our answer. */
export function toAnswer(provider: string, request: ModelRequest, result: GenerateResult): ModelAnswer {
  const content = result.content.filter(isOurs);
  const text = content.map((part) => (part.type === 'text' ? (part.text ?? '') : '')).join('');
  const toolCalls = content.filter((part) => part.type === 'tool-call').map(toToolCall);
  const value = request.schema && structured(result.structuredOutputText ?? text, request.schema.jsonSchema);
  const usage = toUsage(result.usage);
  const kept = keep(provider, content, text);
  return {
    text,
    ...(toolCalls.length > 0 && { toolCalls }),
    ...(value !== undefined && { object: value }),
    finishReason: toFinishReason(result.finishReason),
    ...(usage && { usage }),
    ...(kept && { providerParts: kept as unknown as JsonValue }),
  };
}

// Tools that the provider runs itself have no part in our conversation.
function isOurs(part: ContentPart): boolean {
  if (part.type === 'tool-call') return part.providerExecuted !== true;
  return part.type === 'text' || part.type === 'reasoning';
}

function toToolCall(part: ContentPart): ModelToolCall {
  return { id: part.toolCallId ?? '', name: part.toolName ?? '', args: toArgs(part.input) };
}

function toArgs(input: unknown): JsonValue {
  if (typeof input !== 'string') return (input ?? {}) as JsonValue;
  if (input.trim() === '') return {};
  const value = parsed(input);
  return value === undefined ? input : value;
}

function structured(text: string, schema: Parameters<typeof schemaFormat>[0]): JsonValue | undefined {
  const value = parsed(text) ?? parsed(/^\s*```(?:json)?\s*\n([\s\S]*?)\n?```\s*$/.exec(text)?.[1] ?? '');
  if (value === undefined || !schemaFormat(schema).wrapped) return value;
  return isPlainObject(value) && Object.keys(value).length === 1 && 'value' in value
    ? (value['value'] as JsonValue)
    : value;
}

function parsed(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
}

const finishReasons = new Set(['stop', 'length', 'content-filter', 'tool-calls', 'error']);

function toFinishReason(reason: GenerateResult['finishReason']): ModelAnswer['finishReason'] {
  const word = typeof reason === 'string' ? reason : reason?.unified;
  // Some packages hand on a provider's word for half an answer without knowing it.
  if (word === 'other' && typeof reason === 'object' && /incomplete|max_tokens|max_output/.test(reason.raw ?? '')) {
    return 'length';
  }
  return finishReasons.has(word) ? (word as ModelAnswer['finishReason']) : 'other';
}

function toUsage(usage: UsageLike | undefined): ModelUsage | undefined {
  if (!usage) return undefined;
  const { inputTokens: input, outputTokens: output } = usage;
  const inputTokens = typeof input === 'object' ? input?.total : input;
  const outputTokens = typeof output === 'object' ? output?.total : output;
  const cachedInputTokens = typeof input === 'object' ? input?.cacheRead : usage.cachedInputTokens;
  const cacheWriteInputTokens = typeof input === 'object' ? input?.cacheWrite : undefined;
  return {
    ...(inputTokens != null && { inputTokens }),
    ...(outputTokens != null && { outputTokens }),
    ...(cachedInputTokens != null && { cachedInputTokens }),
    // Providers that charge nothing extra for it say 0, or nothing.
    ...(cacheWriteInputTokens && { cacheWriteInputTokens }),
  };
}

/** The turn as it has to be sent back, when that is more than its text and tool calls. */
function keep(provider: string, content: readonly ContentPart[], text: string): KeptTurn | undefined {
  if (!content.some((part) => part.type === 'reasoning' || part.providerMetadata)) return undefined;
  const parts = content.map((part): KeptPart => {
    const own =
      part.type === 'tool-call'
        ? { id: part.toolCallId ?? '' }
        : part.type === 'text' && part.text === text
          ? {}
          : { text: part.text ?? '' };
    return {
      type: part.type as KeptPart['type'],
      ...own,
      ...(part.providerMetadata && { data: plain(part.providerMetadata) }),
    };
  });
  return { provider, parts };
}

// Metadata is JSON by its specification; what is not in it (undefined members) must not reach the record.
function plain(metadata: object): JsonValue {
  return JSON.parse(JSON.stringify(metadata)) as JsonValue;
}
