/** About how many tokens a text takes: four characters each. For budgets, not for bills. */
export function estimateTokens(text: string): number {
  return Math.ceil(text.length / 4);
}

/**
 * Whether an output is large enough to be kept in agent memory. Counts five characters to the token, rounded down,
 * as Portia 0.9 does: a threshold of 1000 is first exceeded at 5,005 characters.
 */
export function exceedsThreshold(text: string, thresholdTokens: number): boolean {
  return Math.floor(text.length / 5) > thresholdTokens;
}

/** The first `limit` characters of a text, and a note of how many are missing. */
export function cutText(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const end = isHighSurrogate(text, limit - 1) ? limit - 1 : limit;
  return `${text.slice(0, end)}\n[cut here: ${text.length - end} more characters]`;
}

function isHighSurrogate(text: string, index: number): boolean {
  const code = text.charCodeAt(index);
  return code >= 0xd800 && code <= 0xdbff;
}
