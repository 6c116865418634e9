import type { JsonObject, JsonValue } from '../core/json.ts';
import type { ModelMessage } from '../core/model.ts';
import { bedrock } from './bedrock-protocol.ts';
import { callId, callsOf, type Json, type Protocol, textOf, usageOf } from './protocol.ts';
import { anthropicStream, googleStream, openaiChatStream, openaiResponsesStream } from './protocol-streams.ts';

/** The protocols a scripted server speaks. */
export type ModelProtocol = 'openai-chat' | 'openai-responses' | 'anthropic' | 'google' | 'bedrock';

/** The protocol of a request path, by its end. */
export function protocolOf(path: string): ModelProtocol | undefined {
  if (path.endsWith('/chat/completions')) return 'openai-chat';
  if (path.endsWith('/responses')) return 'openai-responses';
  if (path.endsWith('/messages')) return 'anthropic';
  if (/\/converse(?:-stream)?$/.test(path)) return 'bedrock';
  return /:(?:stream)?[gG]enerateContent$/.test(path) ? 'google' : undefined;
}

const parsed = (text: string): JsonValue => {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return text;
  }
};

const argsText = (args: JsonValue): string => (typeof args === 'string' ? args : JSON.stringify(args));

const openaiError = (status: number, message: string): JsonObject => ({
  error: { message, type: status === 429 ? 'rate_limit_exceeded' : 'server_error', param: null, code: null },
});

const openaiChat: Protocol = {
  read(body) {
    const format = body.response_format?.json_schema;
    return {
      messages: (body.messages ?? []).map((message: Json): ModelMessage => {
        if (message.role === 'tool')
          return { role: 'tool', callId: message.tool_call_id, toolName: '', content: textOf(message.content) };
        if (message.role !== 'assistant')
          return { role: message.role === 'user' ? 'user' : 'system', content: textOf(message.content) };
        const calls = (message.tool_calls ?? []).map((call: Json) => ({
          id: call.id,
          name: call.function.name,
          args: parsed(call.function.arguments),
        }));
        return { role: 'assistant', content: textOf(message.content), ...callsOf(calls) };
      }),
      ...(body.tools && {
        tools: body.tools.map(({ function: tool }: Json) => ({
          name: tool.name,
          description: tool.description ?? '',
          argsSchema: tool.parameters ?? {},
        })),
      }),
      ...(format && { schema: { name: format.name, jsonSchema: format.schema } }),
    };
  },
  write(answer, model, n) {
    const usage = usageOf(answer);
    const calls = answer.toolCalls.map(({ id, name, args }, index) => ({
      id: callId(id, n, index),
      type: 'function',
      function: { name, arguments: argsText(args) },
    }));
    const reasons: Record<string, string> = {
      'tool-calls': 'tool_calls',
      'content-filter': 'content_filter',
      length: 'length',
    };
    return {
      id: `chatcmpl-${n}`,
      object: 'chat.completion',
      created: 1_700_000_000,
      model,
      choices: [
        {
          index: 0,
          message: {
            role: 'assistant',
            content: answer.text === '' ? null : answer.text,
            ...(calls.length > 0 && { tool_calls: calls }),
          },
          finish_reason: reasons[answer.options.finishReason ?? (calls.length > 0 ? 'tool-calls' : 'stop')] ?? 'stop',
        },
      ],
      usage: {
        prompt_tokens: usage.inputTokens ?? 0,
        completion_tokens: usage.outputTokens ?? 0,
        total_tokens: (usage.inputTokens ?? 0) + (usage.outputTokens ?? 0),
        ...(usage.cachedInputTokens !== undefined && {
          prompt_tokens_details: { cached_tokens: usage.cachedInputTokens },
        }),
      },
    };
  },
  error: openaiError,
  stream: openaiChatStream,
};

const openaiResponses: Protocol = {
  read(body) {
    const input = typeof body.input === 'string' ? [{ role: 'user', content: body.input }] : (body.input ?? []);
    const format = body.text?.format;
    const instructions: ModelMessage[] = body.instructions ? [{ role: 'system', content: body.instructions }] : [];
    return {
      messages: instructions.concat(
        input.map((item: Json): ModelMessage => {
          if (item.type === 'function_call_output')
            return { role: 'tool', callId: item.call_id, toolName: '', content: textOf(item.output) };
          if (item.type === 'function_call')
            return {
              role: 'assistant',
              content: '',
              ...callsOf([{ id: item.call_id, name: item.name, args: parsed(item.arguments) }]),
            };
          const role = item.role === 'assistant' ? 'assistant' : item.role === 'user' ? 'user' : 'system';
          return { role, content: textOf(item.content) };
        }),
      ),
      ...(body.tools && {
        tools: body.tools.map((tool: Json) => ({
          name: tool.name,
          description: tool.description ?? '',
          argsSchema: tool.parameters ?? {},
        })),
      }),
      ...(format?.type === 'json_schema' && { schema: { name: format.name, jsonSchema: format.schema } }),
    };
  },
  write(answer, model, n) {
    const usage = usageOf(answer);
    const words =
      answer.text === ''
        ? []
        : [
            {
              type: 'message',
              id: `msg_${n}`,
              status: 'completed',
              role: 'assistant',
              content: [{ type: 'output_text', text: answer.text, annotations: [] }],
            },
          ];
    const calls = answer.toolCalls.map(({ id, name, args }, index) => ({
      type: 'function_call',
      id: `fc_${n}_${index + 1}`,
      call_id: callId(id, n, index),
      name,
      arguments: argsText(args),
      status: 'completed',
    }));
    const { finishReason } = answer.options;
    const cut =
      finishReason === 'length' || finishReason === 'content-filter'
        ? { reason: finishReason === 'length' ? 'max_output_tokens' : 'content_filter' }
        : null;
    return {
      id: `resp_${n}`,
      object: 'response',
      created_at: 1_700_000_000,
      status: cut ? 'incomplete' : 'completed',
      model,
      output: [...words, ...calls],
      incomplete_details: cut,
      error: null,
      usage: {
        input_tokens: usage.inputTokens ?? 0,
        input_tokens_details: { cached_tokens: usage.cachedInputTokens ?? 0 },
        output_tokens: usage.outputTokens ?? 0,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: (usage.inputTokens ?? 0) + (usage.outputTokens ?? 0),
      },
    };
  },
  error: openaiError,
  stream: openaiResponsesStream,
};

const anthropic: Protocol = {
  read(body) {
    const messages: ModelMessage[] = body.system ? [{ role: 'system', content: textOf(body.system) }] : [];
    for (const { role, content } of body.messages ?? []) {
      const parts = Array.isArray(content) ? content : [{ type: 'text', text: content }];
      const words = parts
        .filter((part: Json) => part.type === 'text')
        .map((part: Json) => part.text)
        .join('');
      for (const part of parts) {
        if (part.type !== 'tool_result') continue;
        messages.push({
          role: 'tool',
          callId: part.tool_use_id,
          toolName: '',
          content: textOf(part.content),
          ...(part.is_error && { isError: true }),
        });
      }
      const calls = parts
        .filter((part: Json) => part.type === 'tool_use')
        .map((part: Json) => ({ id: part.id, name: part.name, args: part.input }));
      if (role === 'assistant') messages.push({ role, content: words, ...callsOf(calls) });
      else if (words !== '') messages.push({ role: 'user', content: words });
    }
    const format = body.output_config?.format ?? body.output_format;
    const schema = format?.schema ?? body.tools?.find(isAnswerTool)?.input_schema;
    const tools = body.tools?.filter((tool: Json) => !isAnswerTool(tool));
    return {
      messages,
      ...(tools?.length > 0 && {
        tools: tools.map((tool: Json) => ({
          name: tool.name,
          description: tool.description ?? '',
          argsSchema: tool.input_schema ?? {},
        })),
      }),
      ...(schema && { schema: { name: 'answer', jsonSchema: schema } }),
    };
  },
  write(answer, model, n, body) {
    const usage = usageOf(answer);
    const cached = usage.cachedInputTokens ?? 0;
    // Models without structured output are given a tool to answer with.
    const byTool = answer.object !== undefined && body.tools?.some(isAnswerTool);
    const calls = byTool ? [{ name: 'json', args: answer.object }] : answer.toolCalls;
    const words = answer.text === '' || byTool ? [] : [{ type: 'text', text: answer.text }];
    const reasons: Record<string, string> = {
      'tool-calls': 'tool_use',
      length: 'max_tokens',
      'content-filter': 'refusal',
    };
    return {
      id: `msg_${n}`,
      type: 'message',
      role: 'assistant',
      model,
      content: [
        ...words,
        ...calls.map((call, index) => ({
          type: 'tool_use',
          id: callId('id' in call ? call.id : undefined, n, index),
          name: call.name,
          input: call.args ?? {},
        })),
      ],
      stop_reason: reasons[answer.options.finishReason ?? (calls.length > 0 ? 'tool-calls' : 'stop')] ?? 'end_turn',
      stop_sequence: null,
      usage: {
        input_tokens: (usage.inputTokens ?? 0) - cached,
        output_tokens: usage.outputTokens ?? 0,
        cache_creation_input_tokens: 0,
        cache_read_input_tokens: cached,
      },
    };
  },
  error: (status, message) => ({
    type: 'error',
    error: { type: status === 429 ? 'rate_limit_error' : status === 529 ? 'overloaded_error' : 'api_error', message },
  }),
  stream: anthropicStream,
};

// The name the AI SDK gives to the tool that a structured answer is asked with.
const isAnswerTool = (tool: Json): boolean => tool.name === 'json';

const google: Protocol = {
  read(body) {
    const messages: ModelMessage[] = body.systemInstruction
      ? [{ role: 'system', content: textOf(body.systemInstruction.parts) }]
      : [];
    for (const { role, parts = [] } of body.contents ?? []) {
      for (const { functionResponse } of parts) {
        if (functionResponse)
          messages.push({
            role: 'tool',
            callId: functionResponse.id ?? '',
            toolName: functionResponse.name,
            content: textOf(functionResponse.response?.content ?? functionResponse.response),
          });
      }
      const words = parts.map((part: Json) => part.text ?? '').join('');
      const calls = parts.filter((part: Json) => part.functionCall).map(({ functionCall }: Json) => functionCall);
      if (role === 'model') messages.push({ role: 'assistant', content: words, ...callsOf(calls) });
      else if (words !== '') messages.push({ role: 'user', content: words });
    }
    const declared = (body.tools ?? []).flatMap((tool: Json) => tool.functionDeclarations ?? []);
    const config = body.generationConfig;
    const schema = config?.responseSchema ?? config?.responseJsonSchema;
    return {
      messages,
      ...(declared.length > 0 && {
        tools: declared.map((tool: Json) => ({
          name: tool.name,
          description: tool.description ?? '',
          argsSchema: tool.parameters ?? tool.parametersJsonSchema ?? {},
        })),
      }),
      ...(schema && { schema: { name: 'answer', jsonSchema: schema } }),
    };
  },
  write(answer, model, n) {
    const usage = usageOf(answer);
    const words = answer.text === '' ? [] : [{ text: answer.text }];
    const reasons: Record<string, string> = { length: 'MAX_TOKENS', 'content-filter': 'SAFETY' };
    return {
      candidates: [
        {
          index: 0,
          content: {
            role: 'model',
            parts: [...words, ...answer.toolCalls.map(({ name, args }) => ({ functionCall: { name, args } }))],
          },
          finishReason: reasons[answer.options.finishReason ?? 'stop'] ?? 'STOP',
        },
      ],
      usageMetadata: {
        promptTokenCount: usage.inputTokens ?? 0,
        candidatesTokenCount: usage.outputTokens ?? 0,
        totalTokenCount: (usage.inputTokens ?? 0) + (usage.outputTokens ?? 0),
        ...(usage.cachedInputTokens !== undefined && { cachedContentTokenCount: usage.cachedInputTokens }),
      },
      modelVersion: model,
      responseId: `response-${n}`,
    };
  },
  error: (code, message) => ({ error: { code, message, status: code === 429 ? 'RESOURCE_EXHAUSTED' : 'INTERNAL' } }),
  stream: googleStream,
};

/** How each protocol is read and written. */
export const protocols: Readonly<Record<ModelProtocol, Protocol>> = {
  'openai-chat': openaiChat,
  'openai-responses': openaiResponses,
  anthropic,
  google,
  bedrock,
};
