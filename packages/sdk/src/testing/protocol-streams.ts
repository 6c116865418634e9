import type { JsonObject } from '../core/json.ts';
import { type Answer, type Json, pieces, type ServerSentEvent } from './protocol.ts';

/** The chunks of OpenAI's chat completions. Where usage is not asked for, it is in the last one, as at Mistral and Groq. */
export function openaiChatStream(answer: Answer, whole: Json, body: Json): readonly ServerSentEvent[] {
  const { id, created, model, usage } = whole;
  const [{ message, finish_reason }] = whole.choices;
  const apart = body.stream_options?.include_usage === true;
  const chunk = (delta: JsonObject, more: JsonObject = {}, beside: JsonObject = {}): ServerSentEvent => ({
    data: {
      id,
      object: 'chat.completion.chunk',
      created,
      model,
      choices: [{ index: 0, delta, finish_reason: null, ...more }],
      ...beside,
    },
  });
  return [
    chunk({ role: 'assistant', content: '' }),
    ...pieces(answer.text).map((content) => chunk({ content })),
    ...(message.tool_calls ?? []).map((call: Json, index: number) => chunk({ tool_calls: [{ index, ...call }] })),
    chunk({}, { finish_reason }, apart ? {} : { usage, x_groq: { id, usage } }),
    ...(apart ? [{ data: { id, object: 'chat.completion.chunk', created, model, choices: [], usage } }] : []),
    { data: '[DONE]' },
  ];
}

/** The events of Anthropic's messages. */
export function anthropicStream(answer: Answer, whole: Json): readonly ServerSentEvent[] {
  const { content, stop_reason, stop_sequence, usage, ...message } = whole;
  const event = (type: string, more: JsonObject = {}): ServerSentEvent => ({ event: type, data: { type, ...more } });
  const blocks = (content as readonly Json[]).flatMap((block, index) => {
    const isText = block.type === 'text';
    const deltas = isText
      ? pieces(answer.text).map((text) => ({ type: 'text_delta', text }))
      : [{ type: 'input_json_delta', partial_json: JSON.stringify(block.input) }];
    return [
      event('content_block_start', {
        index,
        content_block: isText ? { type: 'text', text: '' } : { ...block, input: {} },
      }),
      ...deltas.map((delta) => event('content_block_delta', { index, delta })),
      event('content_block_stop', { index }),
    ];
  });
  return [
    event('message_start', { message: { ...message, content: [], stop_reason: null, stop_sequence: null, usage } }),
    ...blocks,
    event('message_delta', {
      delta: { stop_reason, stop_sequence },
      usage: { output_tokens: usage.output_tokens },
    }),
    event('message_stop'),
  ];
}

/** The events of Google's `streamGenerateContent`. */
export function googleStream(answer: Answer, whole: Json): readonly ServerSentEvent[] {
  const { candidates, usageMetadata, ...rest } = whole;
  const [{ content, finishReason }] = candidates;
  const chunk = (parts: readonly JsonObject[]): JsonObject => ({
    ...rest,
    candidates: [{ index: 0, content: { role: 'model', parts } }],
  });
  const calls = (content.parts as readonly Json[]).filter(({ functionCall }) => functionCall);
  return [
    ...pieces(answer.text).map((text) => ({ data: chunk([{ text }]) })),
    ...(calls.length > 0 ? [{ data: chunk(calls) }] : []),
    {
      data: {
        ...rest,
        candidates: [{ index: 0, content: { role: 'model', parts: [{ text: '' }] }, finishReason }],
        usageMetadata,
      },
    },
  ];
}

/** The events of Amazon Bedrock's converse route. */
export function bedrockStream(answer: Answer, whole: Json): readonly ServerSentEvent[] {
  const event = (type: string, data: JsonObject): ServerSentEvent => ({ event: type, data });
  const blocks = (whole.output.message.content as readonly Json[]).flatMap(({ toolUse }, contentBlockIndex) => {
    const at = { contentBlockIndex };
    const { input, ...start } = toolUse ?? {};
    const deltas = toolUse
      ? [{ toolUse: { input: JSON.stringify(input) } }]
      : pieces(answer.text).map((text) => ({ text }));
    return [
      ...(toolUse ? [event('contentBlockStart', { ...at, start: { toolUse: start } })] : []),
      ...deltas.map((delta) => event('contentBlockDelta', { ...at, delta })),
      event('contentBlockStop', at),
    ];
  });
  return [
    event('messageStart', { role: 'assistant' }),
    ...blocks,
    event('messageStop', { stopReason: whole.stopReason }),
    event('metadata', { usage: whole.usage, metrics: whole.metrics }),
  ];
}

/** The events of OpenAI's responses. */
export function openaiResponsesStream(answer: Answer, whole: Json): readonly ServerSentEvent[] {
  let sequence_number = 0;
  const event = (type: string, more: JsonObject): ServerSentEvent => {
    sequence_number += 1;
    return { event: type, data: { type, sequence_number, ...more } };
  };
  const items = (whole.output as readonly Json[]).flatMap((item, output_index) => {
    const isText = item.type === 'message';
    const words = isText
      ? pieces(answer.text).map((delta) =>
          event('response.output_text.delta', {
            item_id: item.id,
            output_index,
            content_index: 0,
            delta,
            logprobs: [],
          }),
        )
      : [event('response.function_call_arguments.delta', { item_id: item.id, output_index, delta: item.arguments })];
    const begun = isText ? { ...item, content: [] } : { ...item, arguments: '' };
    return [
      event('response.output_item.added', { output_index, item: begun }),
      ...words,
      event('response.output_item.done', { output_index, item }),
    ];
  });
  const ended = whole.status === 'incomplete' ? 'response.incomplete' : 'response.completed';
  const begun = { ...whole, status: 'in_progress', output: [], usage: null };
  return [event('response.created', { response: begun }), ...items, event(ended, { response: whole })];
}
