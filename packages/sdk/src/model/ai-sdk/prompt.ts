import { isPlainObject, type JsonValue } from '../../core/json.ts';
import type { ModelMessage, ModelRequest } from '../../core/model.ts';
import type { CallDefaults, ProviderOptions } from '../providers.ts';
import { addProviderOptions, askForJson } from './ask-for-json.ts';
import { type Taker, toResultOutput, toUserParts } from './content.ts';
import type { AiSdkLanguageModel, CallOptions, PromptMessage, PromptPart, ProviderData } from './language-model.ts';
import { markCachePoints } from './prompt-cache.ts';

type AssistantMessage = Extract<ModelMessage, { role: 'assistant' }>;

/**
 * An assistant's turn as its provider wants it back, beside the message: the order of its parts, and what the
 * provider attached to them. Text that is the whole content, and tool calls, are not repeated.
 */
export interface KeptTurn {
  readonly provider: string;
  readonly parts: readonly KeptPart[];
}

/** A part of a {@link KeptTurn}. */
export interface KeptPart {
  readonly type: 'text' | 'reasoning' | 'tool-call';
  readonly text?: string;
  readonly id?: string;
  readonly data?: JsonValue;
}

/** Our request as the AI SDK's language models take it. */
export function toCallOptions(
  model: AiSdkLanguageModel,
  request: ModelRequest,
  defaults: CallDefaults,
  taker: Taker,
  abortSignal: AbortSignal,
): CallOptions {
  const options: CallOptions = { prompt: toPrompt(model, taker, request.messages), abortSignal };
  const { traceparent, tracestate } = request;
  if (traceparent !== undefined) options.headers = { traceparent, ...(tracestate !== undefined && { tracestate }) };
  const most = request.maxOutputTokens ?? Number.POSITIVE_INFINITY;
  const isShort = most - tokensToThink(defaults.thinking) < leastAnswer;
  const thinking = request.schema || isShort ? undefined : defaults.thinking;
  // A model that thinks refuses a temperature.
  if (defaults.temperature !== undefined && !thinking) options.temperature = defaults.temperature;
  if (defaults.seed !== undefined) options.seed = defaults.seed;
  const oneCall = request.parallelToolCalls === false && request.tools ? defaults.oneCall : undefined;
  for (const more of [defaults.providerOptions, thinking, oneCall]) if (more) addProviderOptions(options, more);
  // The packages ask for what is thought on top of the answer; it costs the same, and the limit is for both.
  if (request.maxOutputTokens !== undefined)
    options.maxOutputTokens = Math.max(1, most - tokensToThink(thinking ?? defaults.providerOptions));
  if (request.tools && request.tools.length > 0) {
    options.tools = request.tools.map(({ name, description, argsSchema }) => ({
      type: 'function',
      name,
      description,
      inputSchema: argsSchema,
    }));
    options.toolChoice = { type: request.toolChoice ?? 'auto' };
  }
  if (request.schema) askForJson(model, options, request.schema, defaults);
  markCachePoints(model.provider, model.modelId, options.prompt);
  return options;
}

/** Tokens below which an answer is not worth thinking about. */
const leastAnswer = 512;

/** How many tokens these options have a model think with at most. */
function tokensToThink(options: ProviderOptions = {}): number {
  const budgets = Object.values(options).flatMap((own) =>
    Object.values(own).map((value) => (isPlainObject(value) ? Number(value['budgetTokens'] ?? 0) : 0)),
  );
  return Math.max(0, ...budgets);
}

function toPrompt(model: AiSdkLanguageModel, taker: Taker, messages: readonly ModelMessage[]): PromptMessage[] {
  const prompt: PromptMessage[] = [];
  for (const message of messages) {
    if (message.role === 'system') prompt.push({ role: 'system', content: message.content });
    else if (message.role === 'user') prompt.push({ role: 'user', content: toUserParts(taker, message.content) });
    else if (message.role === 'tool') pushResult(prompt, taker, message);
    else {
      const content = assistantParts(model, message);
      // Providers refuse a turn without content.
      if (content.length > 0) prompt.push({ role: 'assistant', content });
    }
  }
  return prompt;
}

function pushResult(prompt: PromptMessage[], taker: Taker, message: Extract<ModelMessage, { role: 'tool' }>): void {
  const part: PromptPart = {
    type: 'tool-result',
    toolCallId: message.callId,
    toolName: message.toolName,
    output: toResultOutput(taker, message.content, message.isError === true),
  };
  const last = prompt.at(-1);
  if (last?.role === 'tool') last.content.push(part);
  else prompt.push({ role: 'tool', content: [part] });
}

function assistantParts(model: AiSdkLanguageModel, message: AssistantMessage): PromptPart[] {
  const kept = keptTurn(message.providerParts);
  if (kept?.provider === model.provider) return keptParts(kept, message);
  const parts: PromptPart[] = message.content === '' ? [] : [{ type: 'text', text: message.content }];
  for (const call of message.toolCalls ?? []) parts.push(callPart(call));
  return parts;
}

function keptTurn(value: JsonValue | undefined): KeptTurn | undefined {
  return isPlainObject(value) && Array.isArray(value['parts']) ? (value as unknown as KeptTurn) : undefined;
}

function keptParts(kept: KeptTurn, message: AssistantMessage): PromptPart[] {
  const calls = new Map((message.toolCalls ?? []).map((call) => [call.id, call]));
  const parts: PromptPart[] = [];
  for (const { type, text, id, data } of kept.parts) {
    const options = data === undefined ? {} : { providerOptions: data as ProviderData };
    if (type !== 'tool-call') {
      parts.push({ type, text: text ?? message.content, ...options });
      continue;
    }
    const call = calls.get(id ?? '');
    if (call) parts.push({ ...callPart(call), ...options });
  }
  return parts;
}

function callPart({
  id,
  name,
  args,
}: NonNullable<AssistantMessage['toolCalls']>[number]): PromptPart & { type: 'tool-call' } {
  // Some providers take nothing but an object here; the tool's error tells the model what was wrong with it.
  return {
    type: 'tool-call',
    toolCallId: id,
    toolName: name,
    input: isPlainObject(args) ? args : { unreadable: args },
  };
}
