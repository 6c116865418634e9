import { ensureError } from '../../core/errors.ts';
import { hashJson } from '../../core/hash.ts';
import { isPlainObject, type JsonValue } from '../../core/json.ts';
import type { Model, ModelAnswer, ModelRequest } from '../../core/model.ts';
import type { Logger } from '../../observe/logger.ts';
import type { ModelCache } from './model-cache.ts';

/** How answers of a model are cached. */
export interface CachedModelOptions {
  readonly cache: ModelCache;
  /** Who shares answers; without it, each tenant of a request has answers of its own. */
  readonly namespace?: string | undefined;
  /** What changes the model's answers beside the request: its address, its settings. */
  readonly settings?: JsonValue;
  readonly logger: Logger;
}

/**
 * The model, asked only for what is not in the cache. An answer is given again for the same model, settings, messages,
 * tools, schema and tenant; a request that belongs to nobody, a failure and half an answer are never kept.
 */
export function cachedModel(model: Model, options: CachedModelOptions): Model {
  const { cache, logger } = options;
  const attempt = async <T>(what: string, work: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await inTime(work());
    } catch (error) {
      // Its address may hold a password, and an error its address: only the name is told.
      logger.warn(`the cache of model answers could not be ${what}`, {
        cache: cache.name,
        error: ensureError(error).name,
      });
      return undefined;
    }
  };
  return {
    id: model.id,
    contextWindow: model.contextWindow,
    ...(model.alternatives && { alternatives: model.alternatives }),
    async generate(request) {
      const key = keyOf(model, request, options);
      if (key === undefined) return model.generate(request);
      const found = request.fresh ? undefined : read(await attempt('read', () => cache.get(key)));
      request.signal?.throwIfAborted();
      if (found) {
        if (found.text !== '' && request.schema === undefined) request.onText?.(found.text, false);
        return found;
      }
      const answer = await model.generate(request);
      if (isWhole(answer, request)) await attempt('written', () => cache.set(key, write(answer)));
      return answer;
    },
  };
}

/** What the keys of an end user's answers begin with. It does not tell who that is. */
export function ownerPrefix(tenant: string): string {
  return `${hashJson(['tenant', tenant])}.`;
}

function keyOf(model: Model, request: ModelRequest, options: CachedModelOptions): string | undefined {
  const { namespace, settings = null } = options;
  const tenant = namespace === undefined ? request.tenant : undefined;
  if (namespace === undefined && tenant === undefined) return undefined;
  try {
    const owner = namespace === undefined ? ownerPrefix(tenant as string) : 'shared.';
    const hash = hashJson({
      v: 2,
      namespace: namespace ?? null,
      model: model.id,
      settings,
      messages: request.messages as unknown as JsonValue,
      tools: (request.tools ?? []) as unknown as JsonValue,
      toolChoice: request.toolChoice ?? null,
      ...(request.parallelToolCalls === false && { parallelToolCalls: false }),
      schema: (request.schema ?? null) as unknown as JsonValue,
      maxOutputTokens: request.maxOutputTokens ?? null,
    });
    return `${owner}${hash}`;
  } catch {
    // Text that has no canonical form, such as half a surrogate pair.
    return undefined;
  }
}

function isWhole(answer: ModelAnswer, { schema }: ModelRequest): boolean {
  if (answer.cached) return false;
  const ended = answer.finishReason === 'stop' || answer.finishReason === 'tool-calls';
  return ended && (schema === undefined || answer.object !== undefined);
}

function write({ failed: _failed, model: _model, ...answer }: ModelAnswer): string {
  return JSON.stringify(answer);
}

/** An answer as it was kept, marked as cached. What it cost was paid before: now it cost nothing. */
function read(text: string | undefined): ModelAnswer | undefined {
  if (text === undefined) return undefined;
  try {
    const answer = JSON.parse(text) as ModelAnswer;
    if (!isPlainObject(answer) || typeof answer.text !== 'string') return undefined;
    const { usage: _paid, ...rest } = answer as ModelAnswer;
    return { ...rest, usage: { inputTokens: 0, outputTokens: 0 }, cached: true };
  } catch {
    return undefined;
  }
}

/** A cache that takes longer than this is slower than no cache. */
const patienceMs = 1_000;

function inTime<T>(work: T | Promise<T>): T | Promise<T> {
  if (!(work instanceof Promise)) return work;
  let timer: NodeJS.Timeout;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('it took too long')), patienceMs);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
