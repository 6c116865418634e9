import { ensureError, PortiaError } from '../core/errors.ts';
import type { FailedModel, Model } from '../core/model.ts';

/**
 * One model out of a list: each is asked in turn until one answers. A failure that is the request's own fault ends it
 * at once, for no other model would take that request either; except one that is too long, which a model with a larger
 * context window may take.
 */
export function firstThatAnswers(models: readonly Model[]): Model {
  const [first] = models;
  if (!first) throw new PortiaError({ code: 'MODEL_UNKNOWN', message: 'the list of models is empty' });
  if (models.length === 1) return first;
  return {
    id: first.id,
    // What fits into every one of them.
    contextWindow: Math.min(...models.map(({ contextWindow }) => contextWindow)),
    alternatives: models.slice(1).map(({ id }) => id),
    async generate(request) {
      const failed: FailedModel[] = [];
      const { onText } = request;
      let heard = false;
      for (const [index, model] of models.entries()) {
        // What was heard of a model that failed is void when the next one begins.
        let again = heard;
        const listening = onText && {
          onText: (text: string, anew: boolean) => {
            onText(text, anew || again);
            heard = true;
            again = false;
          },
        };
        try {
          const answer = await model.generate({ ...request, ...listening });
          return failed.length === 0 ? answer : { ...answer, model: answer.model ?? model.id, failed };
        } catch (thrown) {
          request.signal?.throwIfAborted();
          const rest = models.slice(index + 1);
          if (rest.length === 0 || !mayHelp(thrown, model, rest)) throw told(thrown, failed);
          failed.push(asFailed(model, thrown));
        }
      }
      throw new Error('unreachable: the last model answered or threw');
    },
  };
}

function mayHelp(thrown: unknown, model: Model, rest: readonly Model[]): boolean {
  const fault = PortiaError.isInstance(thrown) ? thrown.details?.['fault'] : undefined;
  if (fault === 'too-long') return rest.some(({ contextWindow }) => contextWindow > model.contextWindow);
  return fault !== 'request';
}

function asFailed({ id }: Model, thrown: unknown): FailedModel {
  const { message } = ensureError(thrown);
  return { model: id, code: PortiaError.isInstance(thrown) ? thrown.code : 'MODEL_FAILED', message };
}

/** The last failure, with those before it. */
function told(thrown: unknown, failed: readonly FailedModel[]): unknown {
  if (failed.length === 0 || !PortiaError.isInstance(thrown)) return thrown;
  return new PortiaError({
    code: thrown.code,
    message: `${thrown.message}; before it: ${failed.map(({ message }) => message).join('; ')}`,
    hint: thrown.hint,
    details: { ...thrown.details, failed },
  });
}
