import type { InputRequest } from '@modelcontextprotocol/server';
import type { Clarification } from '../core/clarification.ts';
import type { JsonValue } from '../core/json.ts';
import type { ClarificationRecord } from '../core/run-state.ts';
import { serverPackage } from './package.ts';

/** A form with one answer, or a page, for a host that shows questions to the person. */
export async function requestFor(clarification: Clarification): Promise<InputRequest> {
  const { inputRequired } = await serverPackage();
  const { userGuidance: message } = clarification;
  if (clarification.category === 'Action') return inputRequired.elicitUrl({ message, url: clarification.actionUrl });
  const required = ['answer'];
  return inputRequired.elicit({
    message,
    requestedSchema: { type: 'object', properties: { answer: fieldFor(clarification) }, required },
  });
}

type Field = { type: 'boolean'; title: string } | { type: 'string'; title: string; enum?: string[] };

function fieldFor(clarification: Clarification): Field {
  switch (clarification.category) {
    case 'User Verification':
    case 'Value Confirmation':
      return { type: 'boolean', title: 'Yes?' };
    case 'Multiple Choice':
      return { type: 'string', title: 'Your choice', enum: clarification.options.map(shown) };
    default:
      return { type: 'string', title: 'Your answer' };
  }
}

const shown = (option: JsonValue): string => (typeof option === 'string' ? option : JSON.stringify(option));

/** The ways to read what a person gave, the likeliest first; empty when they gave no answer. */
export function responsesIn(clarification: Clarification, given: unknown): readonly JsonValue[] {
  const { action, content } = (given ?? {}) as { readonly action?: unknown; readonly content?: { answer?: JsonValue } };
  if (action !== 'accept') return [];
  // To agree to open a page is not to have done there what was asked: that is told by the person, or by the tool.
  if (clarification.category === 'Action') return [];
  const answer = content?.answer;
  return answer === undefined ? [] : readings(clarification, answer);
}

/** A text may stand for one of the options, or for JSON. */
export function readings(clarification: Clarification, answer: JsonValue): readonly JsonValue[] {
  if (typeof answer !== 'string') return [answer];
  if (clarification.category === 'Multiple Choice') {
    const option = clarification.options.find((known) => shown(known) === answer);
    return [option ?? answer];
  }
  try {
    return [answer, JSON.parse(answer) as JsonValue];
  } catch {
    return [answer];
  }
}

/** Whether a model may pass an answer on in words: a yes or a no is the person's own, given in the host's own window. */
export function isForThePersonAlone({ clarification }: Pick<ClarificationRecord, 'clarification'>): boolean {
  return clarification.category === 'User Verification' || clarification.category === 'Value Confirmation';
}
