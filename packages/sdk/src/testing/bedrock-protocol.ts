import type { JsonObject } from '../core/json.ts';
import type { ModelMessage } from '../core/model.ts';
import { bedrockStream } from './protocol-streams.ts';
import { callId, callsOf, type Json, type Protocol, textOf, usageOf } from './protocol.ts';

/** The converse route of Amazon Bedrock. An answer in a schema comes as a call of the tool `json`, as it is asked for. */
export const bedrock: Protocol = {
  read(body) {
    const messages: ModelMessage[] = body.system ? [{ role: 'system', content: textOf(body.system) }] : [];
    for (const { role, content = [] } of body.messages ?? []) messages.push(...messagesOf(role, content));
    const tools = (body.toolConfig?.tools ?? []).flatMap(({ toolSpec }: Json) =>
      toolSpec
        ? [
            {
              name: toolSpec.name,
              description: toolSpec.description ?? '',
              argsSchema: toolSpec.inputSchema?.json ?? {},
            },
          ]
        : [],
    );
    const schema = schemaOf(body, tools);
    return { messages, ...(tools.length > 0 && { tools }), ...(schema && { schema }) };
  },
  write(answer, _model, n, body): JsonObject {
    const usage = usageOf(answer);
    const words = answer.text === '' ? [] : [{ text: answer.text }];
    const calls = answer.toolCalls.map(({ id, name, args }, index) => ({
      toolUse: { toolUseId: callId(id, n, index), name, input: args },
    }));
    const asTool = answer.object !== undefined && forcesJson(body);
    const content = asTool
      ? [{ toolUse: { toolUseId: callId(undefined, n, 0), name: 'json', input: answer.object ?? null } }]
      : [...words, ...calls];
    const reasons: Record<string, string> = { length: 'max_tokens', 'content-filter': 'content_filtered' };
    const usual = asTool || calls.length > 0 ? 'tool_use' : 'end_turn';
    return {
      output: { message: { role: 'assistant', content } },
      stopReason: reasons[answer.options.finishReason ?? ''] ?? usual,
      usage: {
        inputTokens: (usage.inputTokens ?? 0) - (usage.cachedInputTokens ?? 0),
        outputTokens: usage.outputTokens ?? 0,
        totalTokens: (usage.inputTokens ?? 0) + (usage.outputTokens ?? 0),
        ...(usage.cachedInputTokens !== undefined && { cacheReadInputTokens: usage.cachedInputTokens }),
      },
      metrics: { latencyMs: 1 },
    };
  },
  error: (_status, message) => ({ message }),
  stream: bedrockStream,
};

const jsonTool = 'json';

function forcesJson(body: Json): boolean {
  return body.toolConfig?.tools?.some(({ toolSpec }: Json) => toolSpec?.name === jsonTool) ?? false;
}

function schemaOf(body: Json, tools: readonly Json[]): { name: string; jsonSchema: JsonObject } | undefined {
  const own = body.additionalModelRequestFields?.output_config?.format?.schema;
  const forced = tools.find(({ name }) => name === jsonTool)?.argsSchema;
  const jsonSchema = own ?? forced;
  return jsonSchema && { name: jsonTool, jsonSchema };
}

function messagesOf(role: string, content: readonly Json[]): ModelMessage[] {
  const words = content.map(({ text }: Json) => text ?? '').join('');
  if (role === 'assistant') {
    const calls = content.flatMap(({ toolUse }: Json) =>
      toolUse ? [{ id: toolUse.toolUseId, name: toolUse.name, args: toolUse.input }] : [],
    );
    return [{ role, content: words, ...callsOf(calls) }];
  }
  const results = content.flatMap(({ toolResult }: Json): ModelMessage[] =>
    toolResult
      ? [{ role: 'tool', callId: toolResult.toolUseId, toolName: '', content: textOf(toolResult.content) }]
      : [],
  );
  return words === '' ? results : [...results, { role: 'user', content: words }];
}
