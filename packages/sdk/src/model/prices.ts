import { PortiaError } from '../core/errors.ts';
import { isPlainObject } from '../core/json.ts';
import type { ModelUsage } from '../core/model.ts';
import { providerNamed } from './model-name.ts';
import { type ModelPrice, priceTable } from './price-data.ts';

/** Prices by `provider/model`, or `provider/*` for all models of a provider. */
export type ModelPrices = Readonly<Record<string, ModelPrice>>;

/** The prices a client goes by: its own first, then the table. Names with a date or `-latest` match those without. */
export class PriceBook {
  readonly #own: ReadonlyMap<string, ModelPrice>;

  constructor(own: ModelPrices = {}) {
    this.#own = new Map(Object.entries(own).map(([name, price]) => [normal(name), price]));
  }

  /** What a model costs; `undefined` when that is not known, never a guess. */
  priceOf(model: string): ModelPrice | undefined {
    const name = normal(model);
    const plain = withoutDate(name);
    const any = `${name.slice(0, name.indexOf('/'))}/*`;
    const own = this.#own.get(name) ?? this.#own.get(plain) ?? this.#own.get(any);
    return own ?? priceTable.get(name) ?? priceTable.get(plain);
  }

  /** What this usage costs, in millionths of a US dollar, not rounded; `undefined` when the price is not known. */
  costOf(model: string, usage: ModelUsage): number | undefined {
    const price = this.priceOf(model);
    if (!price) return undefined;
    const { inputTokens = 0, outputTokens = 0, cachedInputTokens = 0, cacheWriteInputTokens = 0 } = usage;
    const fresh = Math.max(0, inputTokens - cachedInputTokens - cacheWriteInputTokens);
    return (
      fresh * price.input +
      cachedInputTokens * (price.cachedInput ?? price.input) +
      cacheWriteInputTokens * (price.cacheWrite ?? price.input) +
      outputTokens * price.output
    );
  }
}

function normal(model: string): string {
  const name = model.trim().toLowerCase();
  const slash = name.indexOf('/');
  const provider = name.slice(0, Math.max(0, slash));
  return slash < 0 ? name : `${providerNamed(provider) ?? provider}${name.slice(slash)}`;
}

/** `-2024-08-06`, `-20250929`, `-2411`, `-001` and `-latest` name a version of a model, which costs what it costs. */
function withoutDate(name: string): string {
  return name.replace(/-(?:20\d\d-?[01]\d-?[0-3]\d|2[0-9][01]\d|00\d|latest)$/, '');
}

/** Prices as they were given, checked. @throws PortiaError `CONFIG_INVALID` */
export function readPrices(given: unknown): ModelPrices {
  if (given === undefined || given === null) return {};
  if (!isPlainObject(given)) throw invalid('modelPrices', 'is not an object');
  for (const [name, price] of Object.entries(given as Readonly<Record<string, unknown>>)) {
    if (name.indexOf('/') < 1) throw invalid(`modelPrices[${JSON.stringify(name)}]`, 'is not named provider/model');
    if (!isPlainObject(price)) throw invalid(`modelPrices[${JSON.stringify(name)}]`, 'is not an object');
    for (const key of ['input', 'output', 'cachedInput', 'cacheWrite']) {
      const value = (price as Readonly<Record<string, unknown>>)[key];
      const optional = key !== 'input' && key !== 'output';
      if (optional && value === undefined) continue;
      if (typeof value !== 'number' || !Number.isFinite(value) || value < 0)
        throw invalid(`modelPrices[${JSON.stringify(name)}].${key}`, 'is not a number of at least 0');
    }
  }
  return Object.freeze(structuredClone(given)) as ModelPrices;
}

function invalid(where: string, what: string): PortiaError {
  return new PortiaError({
    code: 'CONFIG_INVALID',
    message: `${where} ${what}`,
    hint: "give US dollars per million tokens: modelPrices: { 'ollama/llama3.1': { input: 0, output: 0 } }",
    details: { setting: where },
  });
}
