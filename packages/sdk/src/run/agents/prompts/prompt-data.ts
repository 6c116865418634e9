import { defaultEndUserId, type EndUser } from '../../../core/end-user.ts';
import type { JsonValue } from '../../../core/json.ts';
import { textOf } from '../../../core/output.ts';
import { type BlockTag, dataBlock } from '../../../model/data-block.ts';
import { cutText, estimateTokens } from '../../../model/tokens.ts';

/** A named value as text, for a prompt. */
export interface PromptValue {
  readonly name: string;
  readonly text: string;
  /** What it is, as the plan says. */
  readonly description?: string | undefined;
  /** What stands for it where the value itself does not fit. */
  readonly summary?: string | null | undefined;
  /** Set when `text` is no longer the value but its summary. */
  readonly summarized?: true | undefined;
}

/** What a person answered to a question of this step. */
export interface PromptAnswer {
  readonly argumentName: string;
  readonly question: string;
  readonly response: JsonValue;
}

/** Longest part of an earlier output that a prompt shows as context, in characters. */
export const earlierLimit = 10_000;

const windowShare = 0.9;

/**
 * Values that fit into a model's window: while all of them together take 90 % of it or more, the largest one is
 * replaced by its summary, else its description. Gives the same array when nothing had to go.
 */
export function fitInputs<Value extends PromptValue>(
  inputs: readonly Value[],
  contextWindow: number,
): readonly Value[] {
  const budget = contextWindow * windowShare;
  let total = inputs.reduce((sum, { text }) => sum + estimateTokens(text), 0);
  if (total < budget) return inputs;
  const fitted = [...inputs];
  const bySize = [...inputs.entries()].sort(([, a], [, b]) => b.text.length - a.text.length);
  for (const [index, value] of bySize) {
    if (total < budget) break;
    const instead = value.summary || value.description || `a large value of ${value.text.length} characters`;
    if (instead.length >= value.text.length) continue;
    total -= estimateTokens(value.text) - estimateTokens(instead);
    fitted[index] = { ...value, text: instead, summarized: true };
  }
  return fitted;
}

const earlierShare = 0.25;
const unknownWindow = 100_000;

/**
 * The newest of the earlier outputs, each cut to {@link earlierLimit}, that take at most a quarter of the window
 * (of 100,000 tokens, when it is not given).
 */
export function fitEarlier(earlier: readonly PromptValue[], contextWindow: number | undefined): readonly PromptValue[] {
  let left = (contextWindow ?? unknownWindow) * earlierShare;
  const kept: PromptValue[] = [];
  for (const value of [...earlier].reverse()) {
    const text = cutText(value.text, earlierLimit);
    left -= estimateTokens(text);
    if (left < 0) break;
    kept.unshift({ ...value, text });
  }
  return kept;
}

/** Values as blocks under one tag, fitted to the window where it is given. */
export function valueBlocks(tag: BlockTag, values: readonly PromptValue[], contextWindow?: number): string[] {
  const fitting = contextWindow === undefined ? values : fitInputs(values, contextWindow);
  return fitting.map(({ name, text, description, summarized }) =>
    dataBlock(tag, text, { name, ...(description && { description }), ...(summarized && { shown: 'summary' }) }),
  );
}

/** People's answers as blocks. */
export function answerBlocks(answers: readonly PromptAnswer[]): string[] {
  return answers.map(({ argumentName, question, response }) =>
    dataBlock('person_answer', textOf(response), { argument: argumentName, question }),
  );
}

/** An answer by itself, where the question stands beside it. */
export function answerBlock(response: JsonValue): string {
  return dataBlock('person_answer', textOf(response));
}

/** Longest result of a tool that a model is shown in a conversation, in characters. */
const longestResult = 50_000;

/**
 * What a tool gave, or said of its failure, as a block; cut where it is very long. Which tool it was, the message that
 * holds it says.
 */
export function toolBlock(text: string): string {
  const isLong = text.length > longestResult;
  const shown = isLong ? `${text.slice(0, longestResult)} … [cut: ${text.length} characters in all]` : text;
  return dataBlock('tool_output', shown);
}

/** What is known of the end user, as a block; nothing for a default one of whom nothing is known. */
export function endUserBlock(user: EndUser): string {
  const fields = { id: user.externalId, name: user.name, email: user.email, phone: user.phoneNumber };
  const known = Object.entries({ ...user.additionalData, ...fields }).filter(
    ([, value]) => value !== null && value !== '',
  );
  if (user.externalId === defaultEndUserId && known.length === 1) return '';
  return dataBlock('end_user', JSON.stringify(Object.fromEntries(known)));
}

/** The parts of a prompt, those that are there. */
export function lines(...parts: readonly (string | readonly string[] | false | undefined)[]): string {
  return parts.flatMap((part) => (part === false || part === undefined || part === '' ? [] : part)).join('\n');
}
