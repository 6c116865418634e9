import type { RunEvent, RunNotice } from '../core/event.ts';
import type { PlanRunUUID } from '../core/ids.ts';
import { traceIdOf } from '../core/trace.ts';
import type { Logger } from './logger.ts';

/** Writes what happens to runs into a log: state changes at DEBUG, failures at WARN, texts and progress at TRACE. */
export function logEvent(logger: Logger, planRunId: PlanRunUUID, event: RunEvent | RunNotice): void {
  const { type, at: _at, ...rest } = event;
  switch (type) {
    case 'run-end':
      if (event.state === 'FAILED')
        return logger.warn('run failed', { planRunId, code: event.error?.code, error: event.error?.message });
      return logger.info('run complete', { planRunId });
    case 'run-start':
      return logger.info('run in progress', { planRunId, traceId: event.traceId ?? traceIdOf({ id: planRunId }) });
    case 'run-wait':
      return logger.info('run waits for a person', { planRunId });
    case 'text-delta':
    case 'tool-progress':
      return logger.trace(type, { planRunId, ...rest });
    case 'model-call-end':
      return logger.debug(type, {
        planRunId,
        step: event.step,
        purpose: event.purpose,
        model: event.model,
        ms: event.ms,
        usage: event.answer.usage,
        ...(event.answer.cached && { cached: true }),
        ...(event.answer.failed && { failed: event.answer.failed.map(({ model }) => model) }),
      });
    case 'clarification-resolved':
      // Answers may be personal: who answered what is in the record, not in the log.
      return logger.debug(type, { planRunId, id: event.id, resolvedBy: event.resolvedBy, via: event.via });
    case 'step-start':
    case 'step-end':
      return logger.debug(type, { planRunId, step: event.step });
    default:
      return logger.debug(type, {
        planRunId,
        ...('step' in event && { step: event.step }),
        ...('call' in event && { call: event.call }),
      });
  }
}
