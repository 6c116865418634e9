import { PortiaError } from '../core/errors.ts';
import type { ModelAnswer, ModelMessage, ModelRequest } from '../core/model.ts';

/**
 * Asks, and reads the answer. One that cannot be used is given back to the model once, with what is wrong with it.
 *
 * @throws what `read` throws at the second answer, or at once when a second one would be no better.
 */
export async function withRepair<T>(
  ask: (request: Pick<ModelRequest, 'messages' | 'fresh'>) => Promise<ModelAnswer>,
  messages: readonly ModelMessage[],
  read: (answer: ModelAnswer) => T | Promise<T>,
): Promise<T> {
  const answer = await ask({ messages });
  try {
    return await read(answer);
  } catch (error) {
    if (!isRepairable(error)) throw error;
    return read(await ask({ messages: [...messages, messageOf(answer), complaintAbout(error)], fresh: true }));
  }
}

/** The turn of a conversation that an answer is. */
export function messageOf({ text, toolCalls, providerParts }: ModelAnswer): ModelMessage {
  return {
    role: 'assistant',
    content: text,
    ...(toolCalls && { toolCalls }),
    ...(providerParts !== undefined && { providerParts }),
  };
}

/** Whether an answer was wrong in a way that the model can put right. */
export function isRepairable(error: unknown): error is PortiaError {
  return PortiaError.isInstance(error) && (error.code === 'MODEL_ANSWER_INVALID' || error.code === 'OUTPUT_INVALID');
}

/** What a model is told about an answer that cannot be used. */
export function complaintAbout(error: PortiaError): ModelMessage {
  return {
    role: 'user',
    content: `That answer cannot be used: ${error.message}. Answer again, in the form asked for.`,
  };
}
