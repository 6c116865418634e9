import type { RunError } from '../core/event.ts';
import type { JsonValue } from '../core/json.ts';
import type { DrivenRun } from './runtime.ts';

/** Does what was laid down for clarifications that have expired; gives the error of one that fails the run. */
export function expireClarifications(run: DrivenRun): RunError | undefined {
  const { driver } = run;
  const now = run.runtime.clock.now();
  if (driver.state.outstanding === 0) return undefined;
  for (const { clarification, expiresAt, onExpiry, step } of driver.state.clarifications) {
    if (clarification.resolved || expiresAt === undefined || expiresAt > now) continue;
    if (onExpiry === 'fail') {
      const when = new Date(expiresAt).toISOString();
      return { code: 'CLARIFICATION_EXPIRED', message: `nobody answered by ${when}: ${clarification.userGuidance}`, step };
    }
    const response: JsonValue = onExpiry === 'refuse' ? false : onExpiry.default;
    driver.emit({ type: 'clarification-resolved', id: clarification.id, response, resolvedBy: null, as: null, via: 'expiry' });
  }
  return undefined;
}
