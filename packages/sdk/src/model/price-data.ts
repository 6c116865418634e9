/** What a model costs, in US dollars per million tokens. */
export interface ModelPrice {
  readonly input: number;
  readonly output: number;
  /** Input read from the provider's prompt cache; the price of input unless given. */
  readonly cachedInput?: number | undefined;
  /** Input written to that cache; the price of input unless given. */
  readonly cacheWrite?: number | undefined;
}

/**
 * When the prices here were last compared with what the providers publish. Prices change: `modelPrices` in the Config
 * goes before all of them.
 */
export const pricesTakenOn = '2025-11-30';

type Row = readonly [input: number, cachedInput: number | undefined, output: number, cacheWrite?: number];

// The providers' public list prices for standard requests, by the names of their APIs: openai.com/api/pricing,
// anthropic.com/pricing, ai.google.dev/pricing (prompts up to 200,000 tokens), mistral.ai/pricing, docs.x.ai/docs/models,
// groq.com/pricing. Discounts, batches, priority and long-context surcharges are not in them. What is not here has no
// known price; a guess would be worse.
const rows: Readonly<Record<string, Row>> = {
  'openai/gpt-5.1': [1.25, 0.125, 10],
  'openai/gpt-5': [1.25, 0.125, 10],
  'openai/gpt-5-mini': [0.25, 0.025, 2],
  'openai/gpt-5-nano': [0.05, 0.005, 0.4],
  'openai/gpt-4.1': [2, 0.5, 8],
  'openai/gpt-4.1-mini': [0.4, 0.1, 1.6],
  'openai/gpt-4.1-nano': [0.1, 0.025, 0.4],
  'openai/gpt-4o': [2.5, 1.25, 10],
  'openai/gpt-4o-mini': [0.15, 0.075, 0.6],
  'openai/o3': [2, 0.5, 8],
  'openai/o3-mini': [1.1, 0.55, 4.4],
  'openai/o4-mini': [1.1, 0.275, 4.4],
  'openai/o1': [15, 7.5, 60],
  'anthropic/claude-opus-4-5': [5, 0.5, 25, 6.25],
  'anthropic/claude-opus-4-1': [15, 1.5, 75, 18.75],
  'anthropic/claude-opus-4': [15, 1.5, 75, 18.75],
  'anthropic/claude-sonnet-4-5': [3, 0.3, 15, 3.75],
  'anthropic/claude-sonnet-4': [3, 0.3, 15, 3.75],
  'anthropic/claude-3-7-sonnet': [3, 0.3, 15, 3.75],
  'anthropic/claude-3-5-sonnet': [3, 0.3, 15, 3.75],
  'anthropic/claude-haiku-4-5': [1, 0.1, 5, 1.25],
  'anthropic/claude-3-5-haiku': [0.8, 0.08, 4, 1],
  'anthropic/claude-3-haiku': [0.25, 0.03, 1.25, 0.3],
  'google/gemini-2.5-pro': [1.25, 0.125, 10],
  'google/gemini-2.5-flash': [0.3, 0.03, 2.5],
  'google/gemini-2.5-flash-lite': [0.1, 0.01, 0.4],
  'google/gemini-2.0-flash': [0.1, 0.025, 0.4],
  'google/gemini-2.0-flash-lite': [0.075, undefined, 0.3],
  'mistralai/mistral-large': [2, undefined, 6],
  'mistralai/mistral-medium': [0.4, undefined, 2],
  'mistralai/mistral-small': [0.1, undefined, 0.3],
  'grok/grok-4': [3, 0.75, 15],
  'grok/grok-3': [3, 0.75, 15],
  'grok/grok-3-mini': [0.3, 0.075, 0.5],
  'groq/llama-3.3-70b-versatile': [0.59, undefined, 0.79],
  'groq/llama-3.1-8b-instant': [0.05, undefined, 0.08],
};

/** Whose models a reseller has under another name, and what it asks beside the price of whoever makes them. */
export interface Reseller {
  /** What comes before the name, as a pattern. */
  readonly before: RegExp;
  /** Whose prices count, in this table's names. */
  readonly maker: string;
  /** What comes after the name and says nothing of the price. */
  readonly after?: RegExp;
  /** Names have `4.5` where the maker has `4-5`. */
  readonly dots?: true;
  /** Ten percent more for models of this name or later ones of its kind. */
  readonly surcharge?: RegExp;
}

// Bedrock asks Anthropic's prices, and since Claude 4.5 a tenth more for what stays in a region. OpenRouter asks what the
// makers ask. Variants (`:free`, `:thinking`) and models that several others serve have prices of their own.
/** Models that others sell, by provider. Deployments of Azure have names of one's own: `modelPrices` says which they are. */
export const resellers: Readonly<Record<string, readonly Reseller[]>> = {
  amazon: [
    { before: /^global\.anthropic\./, maker: 'anthropic', after: /-v\d+(?::\d+)?$/ },
    {
      before: /^(?:[a-z-]+\.)?anthropic\./,
      maker: 'anthropic',
      after: /-v\d+(?::\d+)?$/,
      surcharge: /^claude-(?:opus|sonnet|haiku)-(?:4-[5-9]|[5-9])/,
    },
  ],
  openrouter: [
    { before: /^openai\//, maker: 'openai' },
    { before: /^anthropic\//, maker: 'anthropic', dots: true },
    { before: /^google\//, maker: 'google' },
    { before: /^x-ai\//, maker: 'grok' },
    { before: /^mistralai\//, maker: 'mistralai' },
  ],
};

/** What models cost, by `provider/model` without date. */
export const priceTable: ReadonlyMap<string, ModelPrice> = new Map(
  Object.entries(rows).map(([name, [input, cachedInput, output, cacheWrite]]) => [
    name,
    { input, output, cachedInput, cacheWrite },
  ]),
);
