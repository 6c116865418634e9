import { type Clarification, checkResponse } from '../core/clarification.ts';
import { PortiaError } from '../core/errors.ts';
import type { ExpiryPolicy, RunError } from '../core/event.ts';
import type { JsonValue } from '../core/json.ts';
import type { DrivenRun } from './runtime.ts';

/** Does what was laid down for clarifications that have expired; gives the error of one that fails the run. */
export function expireClarifications(run: DrivenRun): RunError | undefined {
  const { driver } = run;
  if (driver.state.outstanding === 0) return undefined;
  const now = run.runtime.clock.now();
  for (const { clarification, expiresAt, onExpiry, step } of driver.state.clarifications) {
    if (clarification.resolved || expiresAt === undefined || expiresAt > now) continue;
    const answer = answerFor(clarification, onExpiry);
    if ('problem' in answer) {
      const when = new Date(expiresAt).toISOString();
      return {
        code: 'CLARIFICATION_EXPIRED',
        message: `nobody answered by ${when}${answer.problem}: ${clarification.userGuidance}`,
        step,
      };
    }
    const { response } = answer;
    driver.emit({
      type: 'clarification-resolved',
      id: clarification.id,
      response,
      resolvedBy: null,
      as: null,
      via: 'expiry',
    });
  }
  return undefined;
}

/** Only a question for a yes or a no can be refused, and a default has to be an answer: all else fails the run. */
function answerFor(
  clarification: Clarification,
  policy: ExpiryPolicy,
): { readonly response: JsonValue } | { readonly problem: string } {
  if (policy === 'fail') return { problem: '' };
  if (policy === 'refuse') {
    return clarification.category === 'User Verification'
      ? { response: false }
      : { problem: ', and there is nothing to refuse' };
  }
  try {
    return { response: checkResponse(clarification, policy.default) };
  } catch (error) {
    if (!PortiaError.isInstance(error)) throw error;
    return { problem: `, and the default does not fit (${error.message})` };
  }
}
