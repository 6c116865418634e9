import { PortiaError } from '../core/errors.ts';
import { isPlainObject, type JsonObject, type JsonValue } from '../core/json.ts';
import type { ModelAnswer } from '../core/model.ts';

/**
 * The JSON value a model answered with; `undefined` when there is none. JSON in a code fence, or with a sentence
 * before and after it, is found too. Of an answer that was cut off only an object or a list that is whole counts: `12`
 * may be the beginning of `1234`.
 */
export function jsonOf(answer: ModelAnswer): JsonValue | undefined {
  const text = answer.text.trim();
  if (whyNot(answer) !== '') {
    const whole = answer.object ?? parsed(text);
    return typeof whole === 'object' && whole !== null ? whole : undefined;
  }
  if (answer.object !== undefined) return answer.object;
  const begin = text.indexOf('{');
  return parsed(text) ?? (begin < 0 ? undefined : parsed(text.slice(begin, text.lastIndexOf('}') + 1)));
}

function parsed(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
}

/** The JSON object a model answered with. @throws PortiaError `MODEL_ANSWER_INVALID` when it is anything else. */
export function jsonObjectOf(answer: ModelAnswer, who: string): JsonObject {
  const value = jsonOf(answer);
  if (!isPlainObject(value)) throw answerInvalid(who, `no JSON object${whyNot(answer)}`);
  return value as JsonObject;
}

/**
 * The words of a whole answer.
 * @throws PortiaError `MODEL_ANSWER_INVALID` when there are none, or when the answer was cut off: half of one is none.
 */
export function wordsOf(answer: ModelAnswer, who: string): string {
  const text = answer.text.trim();
  const why = whyNot(answer);
  if (text === '' || why !== '') throw answerInvalid(who, text === '' ? `no text${why}` : `half an answer${why}`);
  return text;
}

/** Why an answer that holds nothing usable may be so, in words to be added to a message; often nothing. */
export function whyNot(answer: ModelAnswer): string {
  if (answer.finishReason === 'length') return ' (it was cut off at its output limit)';
  if (answer.finishReason === 'content-filter') return " (the provider's content filter stopped it)";
  return '';
}

/** The error for an answer that does not fit what was asked for. */
export function answerInvalid(who: string, found: string): PortiaError {
  return new PortiaError({
    code: 'MODEL_ANSWER_INVALID',
    message: `${who} got ${found} from the model`,
    hint: 'use a model that is good at structured output, or try again',
  });
}
