import type { PromptMessage, ProviderData } from './language-model.ts';

// Anthropic's models cache a prompt only up to marked places; the others find the common beginning themselves. Tools
// and the system message come first and are the same from call to call, so the end of the system message is marked.
// A conversation that has grown will probably grow again, so then its end is marked, too. One call alone pays nothing
// extra: what is shorter than about 1,000 tokens is not cached, and marked places that are not read again cost little.
const mark: ProviderData = {
  anthropic: { cacheControl: { type: 'ephemeral' } },
  bedrock: { cachePoint: { type: 'default' } },
};

/** Marks where the beginning of a prompt that stays the same ends, for providers that want to be told. */
export function markCachePoints(provider: string, modelId: string, prompt: PromptMessage[]): void {
  const wanted =
    provider.startsWith('anthropic') ||
    (provider.startsWith('amazon-bedrock') && /anthropic\.claude|amazon\.nova/.test(modelId));
  if (!wanted) return;
  const lastSystem = prompt.findLastIndex(({ role }) => role === 'system');
  const hasGrown = prompt.some(({ role }) => role === 'assistant');
  for (const index of new Set([lastSystem, ...(hasGrown ? [prompt.length - 1] : [])])) {
    const message = prompt[index];
    if (message) prompt[index] = { ...message, providerOptions: mark };
  }
}
