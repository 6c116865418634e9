import type { Clock } from '../../core/clock.ts';
import { PortiaError } from '../../core/errors.ts';
import type { Model } from '../../core/model.ts';
import { systemClock } from '../../run/system-clock.ts';
import { withAttempts } from '../attempts.ts';
import { failureReader } from '../model-failure.ts';
import { type CallDefaults, contextWindowOf } from '../providers.ts';
import { toAnswer } from './answer.ts';
import type { AiSdkLanguageModel, GenerateResult } from './language-model.ts';
import { toCallOptions } from './prompt.ts';
import { streamed } from './stream.ts';

/** What {@link fromAiSdk} takes beside the model. */
export interface FromAiSdkOptions {
  /** `provider/model`; made from the model's own names unless given. */
  readonly id?: string;
  /** Tokens that fit into one request; known for the usual models, else 100,000. */
  readonly contextWindow?: number;
  /** Milliseconds for one answer; 120,000 unless given. */
  readonly timeoutMs?: number;
  /** How often a call is made again after a rate limit, overload or lost connection; 3 unless given. */
  readonly retries?: number;
  /** Sent with every request. */
  readonly defaults?: CallDefaults;
  /** Texts that never appear in errors. */
  readonly secrets?: readonly string[];
  /** What to do about a refused key. */
  readonly keyHint?: string;
  readonly clock?: Clock;
}

/**
 * A model of any `@ai-sdk/*` provider package, as this library's own. The package `ai` is not needed.
 *
 * @throws PortiaError `CONFIG_INVALID` for something that is not such a model.
 * @example
 * import { mistral } from '@ai-sdk/mistral'
 * const model = fromAiSdk(mistral('mistral-large-latest'))
 */
export function fromAiSdk(languageModel: AiSdkLanguageModel, options: FromAiSdkOptions = {}): Model {
  check(languageModel);
  const { provider, modelId } = languageModel;
  const id = options.id ?? `${provider.split('.')[0]}/${modelId}`;
  const policy = {
    model: id,
    timeoutMs: options.timeoutMs ?? 120_000,
    retries: options.retries ?? 3,
    clock: options.clock ?? systemClock,
    read: failureReader({ model: id, secrets: options.secrets ?? [], keyHint: options.keyHint }),
  };
  return {
    id,
    contextWindow: options.contextWindow ?? contextWindowOf(modelId),
    async generate(request) {
      const taker = { id, version: languageModel.specificationVersion, urls: await languageModel.supportedUrls };
      const { onText } = request;
      const streams = onText !== undefined && request.schema === undefined && canStream(languageModel);
      let heard = false;
      const result = await withAttempts(policy, request, (signal) => {
        const call = toCallOptions(languageModel, request, options.defaults ?? {}, taker, signal);
        if (!streams) return languageModel.doGenerate(call);
        let again = heard;
        return streamed(languageModel, call, (text) => {
          onText(text, again);
          heard = true;
          again = false;
        });
      });
      return toAnswer(provider, request, result as GenerateResult);
    },
  };
}

function canStream(
  model: AiSdkLanguageModel,
): model is AiSdkLanguageModel & Required<Pick<AiSdkLanguageModel, 'doStream'>> {
  return typeof model.doStream === 'function';
}

function check(languageModel: Partial<AiSdkLanguageModel> | undefined | null): void {
  if (typeof languageModel?.doGenerate === 'function' && /^v[234]$/.test(languageModel.specificationVersion ?? ''))
    return;
  const version = languageModel?.specificationVersion;
  throw new PortiaError({
    code: 'CONFIG_INVALID',
    message: `fromAiSdk was given ${typeof version === 'string' ? `a model of specification ${version}` : 'something that is not an AI SDK language model'}`,
    hint: "give a language model of an @ai-sdk/* package, such as openai('gpt-4.1'); specifications v2 to v4 are known",
  });
}
