import { defaultEndUserId, EndUser } from '../core/end-user.ts';
import { PortiaError } from '../core/errors.ts';
import { idempotencyKey } from '../core/hash.ts';
import { PlanRunUUID } from '../core/ids.ts';
import type { JsonValue } from '../core/json.ts';
import type { Model } from '../core/model.ts';
import type { ToolRunContext } from '../core/tool.ts';
import { traceparentFor } from '../core/trace.ts';

/** What can be said about the call a tool is tested in. */
export interface ToolContextInit extends Partial<Omit<ToolRunContext, 'model' | 'progress' | 'updateEndUser'>> {
  /** What `context.model()` gives, whatever the name; without it, asking for a model is an error. */
  readonly model?: Model | undefined;
  readonly onProgress?: ((progress: JsonValue) => void) | undefined;
  readonly onUpdateEndUser?: ((additionalData: Readonly<Record<string, string | null>>) => void) | undefined;
}

/** A context to call a tool with outside a run. Each has a run id of its own unless one is given. */
export function toolContext(init: ToolContextInit = {}): ToolRunContext {
  const { model, onProgress, onUpdateEndUser, planRunId = PlanRunUUID.random(), callId = '0.0.1', ...rest } = init;
  return {
    idempotencyKey: idempotencyKey(planRunId, callId),
    traceparent: traceparentFor({ id: planRunId }, callId),
    endUser: EndUser({ externalId: defaultEndUserId }),
    attempt: 1,
    repeatable: false,
    clarifications: [],
    signal: new AbortController().signal,
    ...rest,
    planRunId,
    callId,
    model() {
      if (model) return model;
      throw new PortiaError({
        code: 'MODEL_UNKNOWN',
        message: 'this context has no model',
        hint: 'give one: toolContext({ model: scriptedModel([…]) })',
      });
    },
    progress: (progress) => onProgress?.(progress),
    updateEndUser: (additionalData) => onUpdateEndUser?.(additionalData),
  };
}
