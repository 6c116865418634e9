import type { ModelAnswer } from '../../core/model.ts';
import { whyNot } from '../../model/json-answer.ts';
import type { Conversation } from '../model-call.ts';

/**
 * Tells a model that none of its calls was made, when its answer was cut off: what is missing of a call does not always
 * show (providers hand on `{}` for arguments that had only begun), so one that looks whole may not be.
 */
export function refuseCutCalls(talk: Conversation, answer: ModelAnswer): boolean {
  const why = whyNot(answer);
  const calls = answer.toolCalls ?? [];
  if (why === '' || calls.length === 0) return false;
  for (const { id, name } of calls) {
    const content = `Not called: your answer is not whole${why}. Answer again, in fewer words.`;
    talk.messages.push({ role: 'tool', callId: id, toolName: name, content, isError: true });
  }
  return true;
}
