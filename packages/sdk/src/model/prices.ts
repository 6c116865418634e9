import { PortiaError } from '../core/errors.ts';
import { isPlainObject } from '../core/json.ts';
import type { ModelUsage } from '../core/model.ts';
import { providerNamed } from './model-name.ts';
import { type ModelPrice, priceTable, resellers } from './price-data.ts';

/**
 * Prices by `provider/model`, or `provider/*` for all models of a provider. The name of another model stands for its
 * price: `{ 'azure-openai/my-deployment': 'openai/gpt-4.1' }`.
 */
export type ModelPrices = Readonly<Record<string, ModelPrice | string>>;

/** The prices a client goes by: its own first, then the table. Names with a date or `-latest` match those without. */
export class PriceBook {
  readonly #own: ReadonlyMap<string, ModelPrice | string>;

  constructor(own: ModelPrices = {}) {
    this.#own = new Map(Object.entries(own).map(([name, price]) => [normal(name), price]));
  }

  /** What a model costs; `undefined` when that is not known, never a guess. */
  priceOf(model: string): ModelPrice | undefined {
    const name = normal(model);
    const plain = withoutDate(name);
    const any = `${name.slice(0, name.indexOf('/'))}/*`;
    const own = this.#own.get(name) ?? this.#own.get(plain) ?? this.#own.get(any);
    if (typeof own === 'string') return this.#ofMaker(own);
    return own ?? listPrice(name) ?? resalePrice(name);
  }

  /** A name that stands for another stands for no third. */
  #ofMaker(model: string): ModelPrice | undefined {
    const own = this.#own.get(normal(model));
    return typeof own === 'object' ? own : listPrice(normal(model));
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

function listPrice(name: string): ModelPrice | undefined {
  return priceTable.get(name) ?? priceTable.get(withoutDate(name));
}

/** What somebody who sells the models of others asks for one. */
function resalePrice(name: string): ModelPrice | undefined {
  const slash = name.indexOf('/');
  const sold = name.slice(slash + 1);
  for (const { before, maker, after, dots, surcharge } of resellers[name.slice(0, slash)] ?? []) {
    if (!before.test(sold)) continue;
    const bare = sold.replace(before, '').replace(after ?? /$/, '');
    const price = listPrice(`${maker}/${dots ? bare.replaceAll('.', '-') : bare}`);
    return price && surcharge?.test(bare) ? dearer(price) : price;
  }
  return undefined;
}

function dearer({ input, output, cachedInput, cacheWrite }: ModelPrice): ModelPrice {
  const more = (price: number): number => Math.round(price * 1.1e6) / 1e6;
  return {
    input: more(input),
    output: more(output),
    ...(cachedInput !== undefined && { cachedInput: more(cachedInput) }),
    ...(cacheWrite !== undefined && { cacheWrite: more(cacheWrite) }),
  };
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
    if (typeof price === 'string') {
      if (listPrice(normal(price)) || isPlainObject((given as Readonly<Record<string, unknown>>)[price])) continue;
      throw invalid(`modelPrices[${JSON.stringify(name)}]`, `names ${JSON.stringify(price)}, which has no price here`);
    }
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
