import { describe, expect, it } from 'vitest';
import { Config } from '../config/config.ts';
import { PriceBook } from './prices.ts';
import { priceTable, pricesTakenOn } from './price-data.ts';

describe('the price of a model', () => {
  const book = new PriceBook();

  it.each([
    ['openai/gpt-4o-2024-08-06', 'openai/gpt-4o'],
    ['openai/gpt-4.1-mini-2025-04-14', 'openai/gpt-4.1-mini'],
    ['anthropic/claude-sonnet-4-5-20250929', 'anthropic/claude-sonnet-4-5'],
    ['anthropic/claude-3-5-haiku-latest', 'anthropic/claude-3-5-haiku'],
    ['google/gemini-2.0-flash-001', 'google/gemini-2.0-flash'],
    ['mistral/mistral-small-2506', 'mistralai/mistral-small'],
    ['xai/Grok-4', 'grok/grok-4'],
  ])('of %s is that of %s', (dated, plain) => {
    expect(priceTable.has(plain)).toBe(true);
    expect(book.priceOf(dated)).toBe(priceTable.get(plain));
  });

  it.each([
    ['amazon/global.anthropic.claude-sonnet-4-5-20250929-v1:0', 'anthropic/claude-sonnet-4-5'],
    ['bedrock/eu.anthropic.claude-3-haiku-20240307-v1:0', 'anthropic/claude-3-haiku'],
    ['amazon/anthropic.claude-sonnet-4-20250514-v1:0', 'anthropic/claude-sonnet-4'],
    ['openrouter/anthropic/claude-sonnet-4.5', 'anthropic/claude-sonnet-4-5'],
    ['openrouter/openai/gpt-4.1-mini', 'openai/gpt-4.1-mini'],
    ['openrouter/google/gemini-2.5-flash', 'google/gemini-2.5-flash'],
    ['openrouter/x-ai/grok-4', 'grok/grok-4'],
    ['mistralai/mistral-large-latest', 'mistralai/mistral-large'],
  ])('of %s is what its maker asks: %s', (sold, made) => {
    expect(priceTable.has(made)).toBe(true);
    expect(book.priceOf(sold)).toEqual(priceTable.get(made));
  });

  it('of what stays in a region of Bedrock is a tenth more', () => {
    expect(book.priceOf('amazon/eu.anthropic.claude-sonnet-4-5-20250929-v1:0')).toEqual({
      input: 3.3,
      output: 16.5,
      cachedInput: 0.33,
      cacheWrite: 4.125,
    });
  });

  it('is that of another model where you say so', () => {
    const own = new PriceBook({
      'azure/my-deployment': 'openai/gpt-4.1',
      'custom/mine': 'custom/rented',
      'custom/rented': { input: 1, output: 2 },
    });
    expect(own.priceOf('azure-openai/my-deployment')).toEqual(priceTable.get('openai/gpt-4.1'));
    expect(own.priceOf('custom/mine')).toEqual({ input: 1, output: 2 });
    // The name of a deployment says nothing.
    expect(own.priceOf('azure-openai/gpt-4.1')).toBeUndefined();
    for (const name of [
      'openrouter/openai/gpt-4.1:free',
      'openrouter/moonshotai/kimi-k2',
      'amazon/amazon.nova-pro-v1:0',
    ])
      expect(own.priceOf(name)).toBeUndefined();
  });

  it.each(['openai/gpt-4o-audio-preview', 'openai/gpt-4', 'ollama/llama3.1', 'gpt-4o', 'none', 'openai/gpt-4.1-9999'])(
    'of %s is not known, and so is what it costs',
    (name) => {
      expect(book.priceOf(name)).toBeUndefined();
      expect(book.costOf(name, { inputTokens: 1 })).toBeUndefined();
    },
  );

  it('is your own where you say so, by name, by name without date, or by provider', () => {
    const own = new PriceBook({
      'openai/gpt-4o': { input: 1, output: 2 },
      'ollama/*': { input: 0, output: 0 },
      'mistral/mistral-small': { input: 9, output: 9 },
    });
    expect(own.priceOf('openai/gpt-4o-2024-08-06')).toEqual({ input: 1, output: 2 });
    expect(own.costOf('ollama/llama3.1', { inputTokens: 5, outputTokens: 5 })).toBe(0);
    expect(own.priceOf('mistralai/mistral-small')).toEqual({ input: 9, output: 9 });
    expect(own.priceOf('openai/gpt-4.1')).toBe(priceTable.get('openai/gpt-4.1'));
  });

  it('counts what was read from and written to the cache of the provider apart', () => {
    const usage = { inputTokens: 1_000, cachedInputTokens: 600, cacheWriteInputTokens: 100, outputTokens: 10 };
    expect(book.costOf('anthropic/claude-haiku-4-5', usage)).toBeCloseTo(300 + 60 + 125 + 50, 6);
    expect(book.costOf('mistralai/mistral-small', usage)).toBeCloseTo(100 + 3, 6);
  });

  it('is dated and plausible', () => {
    expect(pricesTakenOn).toMatch(/^20\d\d-\d\d-\d\d$/);
    for (const [name, { input, output, cachedInput = 0 }] of priceTable) {
      expect([name, output >= input, cachedInput <= input, input > 0]).toEqual([name, true, true, true]);
    }
  });

  it.each([
    [5, 'modelPrices is not an object'],
    [{ 'gpt-4o': { input: 1, output: 1 } }, 'is not named provider/model'],
    [{ 'a/b': 3 }, 'modelPrices["a/b"] is not an object'],
    [{ 'a/b': 'c/d' }, 'modelPrices["a/b"] names "c/d", which has no price here'],
    [{ 'a/b': { input: 1 } }, 'modelPrices["a/b"].output is not a number'],
    [{ 'a/b': { input: 1, output: 1, cachedInput: -1 } }, 'modelPrices["a/b"].cachedInput is not a number'],
  ])('given as %j is refused', (modelPrices, message) => {
    expect(() => new Config({ modelPrices: modelPrices as never })).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining(message) }),
    );
  });
});
