import type { CreateMessageRequestParams, CreateMessageResult } from '@modelcontextprotocol/client';
import { PortiaError } from '../../core/errors.ts';
import type { ModelMessage } from '../../core/model.ts';
import type { Flight } from './flight.ts';
import type { SamplingLimits } from './server-options.ts';

/**
 * Asks the run's model for a server, within its limits. The call goes through the context of the tool call, so it is
 * counted, limited and journaled like any other model call of the run.
 */
export async function answerSampling(
  flight: Flight<never> | Pick<Flight, 'context' | 'samplingCalls'> | undefined,
  params: CreateMessageRequestParams,
  limits: true | SamplingLimits,
): Promise<CreateMessageResult> {
  const { maxCalls = 5, maxTokens = 2_000 } = limits === true ? {} : limits;
  if (!flight) throw refused('it is not clear which call asks');
  if (flight.samplingCalls >= maxCalls) throw refused(`the call has asked the model ${maxCalls} times already`);
  flight.samplingCalls += 1;
  const model = flight.context.model();
  const { text, finishReason } = await model.generate({
    messages: messagesOf(params),
    maxOutputTokens: Math.min(params.maxTokens, maxTokens),
  });
  return {
    role: 'assistant',
    model: model.id,
    content: { type: 'text', text },
    stopReason: finishReason === 'length' ? 'maxTokens' : 'endTurn',
  };
}

function messagesOf({ systemPrompt, messages }: CreateMessageRequestParams): ModelMessage[] {
  const system: ModelMessage[] = systemPrompt === undefined ? [] : [{ role: 'system', content: systemPrompt }];
  return [
    ...system,
    ...messages.map(({ role, content }): ModelMessage => {
      const blocks = Array.isArray(content) ? content : [content];
      return { role, content: blocks.map(textOf).join('\n') };
    }),
  ];
}

function textOf(block: { readonly type: string }): string {
  if (block.type === 'text' && 'text' in block) return String(block.text);
  throw refused(`content of type ${block.type} cannot be put to the model`);
}

function refused(why: string): PortiaError {
  return new PortiaError({ code: 'MCP_FAILED', message: `the server's question to the model was refused: ${why}` });
}
