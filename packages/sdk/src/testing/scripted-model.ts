import type { JsonValue } from '../core/json.ts';
import type { Model, ModelAnswer, ModelRequest } from '../core/model.ts';
import { systemClock } from '../run/system-clock.ts';
import { modelFailed, type Script, type ScriptedAnswer, scripted, scriptedUsage } from './script.ts';

/** A model that answers from a script and remembers what it was asked. */
export interface ScriptedModel extends Model {
  /** In the order they came, as they were then. */
  readonly requests: readonly ModelRequest[];
}

/**
 * A model without a network: answers from a list, or a function of the request and its number (from 1). A request
 * after the last answer is a `MODEL_FAILED` that shows it.
 *
 * @example
 * const model = scriptedModel([toolCall('weather', { city: 'Rome' }), text('It is sunny.')])
 */
export function scriptedModel(
  script: Script,
  options: { readonly id?: string; readonly contextWindow?: number } = {},
): ScriptedModel {
  const requests: ModelRequest[] = [];
  return {
    id: options.id ?? 'scripted/model',
    contextWindow: options.contextWindow ?? 100_000,
    requests,
    async generate(request) {
      request.signal?.throwIfAborted();
      requests.push({ ...request, messages: [...request.messages] });
      const n = requests.length;
      return give(await scripted(script, request, n), request, n);
    },
  };
}

async function give(answer: ScriptedAnswer, request: ModelRequest, n: number): Promise<ModelAnswer> {
  const { signal } = request;
  switch (answer.kind) {
    case 'answer':
      if (answer.options.delayMs) await systemClock.sleep(answer.options.delayMs, signal);
      signal?.throwIfAborted();
      return toAnswer(answer, request, n);
    case 'error':
      throw answer.error;
    case 'hang':
      return hang(signal);
    case 'status':
      throw modelFailed(`the model answered with status ${answer.status}: ${answer.message}`);
    case 'body':
      throw modelFailed('the model answered with something that cannot be read');
  }
}

function toAnswer(answer: Extract<ScriptedAnswer, { kind: 'answer' }>, request: ModelRequest, n: number): ModelAnswer {
  const toolCalls = answer.toolCalls.map(({ id, name, args }, index) => ({
    id: id ?? `call_${n}_${index + 1}`,
    name,
    args,
  }));
  const value = request.schema && (answer.object ?? parsed(answer.text));
  return {
    text: answer.text,
    ...(toolCalls.length > 0 && { toolCalls }),
    ...(value !== undefined && { object: value }),
    finishReason: answer.options.finishReason ?? (toolCalls.length > 0 ? 'tool-calls' : 'stop'),
    usage: answer.options.usage ?? scriptedUsage,
  };
}

function parsed(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
}

function hang(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
