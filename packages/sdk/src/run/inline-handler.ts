import { type ClarificationHandler, handleClarification } from '../clarify/clarification-handler.ts';
import { type Clarification, checkResponse } from '../core/clarification.ts';
import { ensureError, PortiaError } from '../core/errors.ts';
import type { RunError } from '../core/event.ts';
import { sameJson } from '../core/json.ts';
import { checkOpen, resolveClarification } from './answers.ts';
import { expireClarifications } from './expiry.ts';
import { type AskedTool, checkReadiness } from './readiness.ts';
import { knownPlan } from './plan-shelf.ts';
import type { DrivenRun } from './runtime.ts';
import { isDriverTrouble } from './step.ts';

/** Milliseconds between looks at whether somebody else has answered, or time has. */
const lookMs = 100;
/** Milliseconds between looks at whether tools have become ready. */
const readinessMs = 2_000;
/** Milliseconds to wait for answers that a handler has promised; then the run is left waiting. */
const patienceMs = 11 * 60_000;

/**
 * Lets the handler of this process ask what is outstanding, and waits for answers it has not given yet. Gives the
 * error of a handler that gave up. What the handler does not handle stays outstanding.
 */
export async function handleInline(run: DrivenRun, tools: readonly AskedTool[]): Promise<RunError | undefined> {
  const handler = run.runtime.hooks.clarificationHandler;
  if (!handler) return undefined;
  const { driver } = run;
  const desk = new Desk(run);
  let promised = false;
  for (const { clarification } of [...driver.state.clarifications]) {
    if (clarification.resolved || driver.ending || desk.failed) continue;
    if (await desk.ask(handler, clarification)) promised = true;
  }
  const begun = performance.now();
  let looked = begun;
  while (
    promised &&
    driver.state.outstanding > 0 &&
    !desk.failed &&
    !driver.ending &&
    performance.now() - begun < patienceMs
  ) {
    await desk.pause(lookMs);
    const expired = expireClarifications(run);
    if (expired) return expired;
    if (performance.now() - looked < readinessMs) continue;
    looked = performance.now();
    await checkReadiness(run, tools);
  }
  return desk.failed;
}

/** Takes the answers of a handler. */
class Desk {
  failed: RunError | undefined;
  readonly #run: DrivenRun;
  #wake: (() => void) | undefined;

  constructor(run: DrivenRun) {
    this.#run = run;
  }

  /** Passes a question on; `false` when the handler has no method for its kind. A handler that throws has given up. */
  async ask(handler: ClarificationHandler, clarification: Clarification): Promise<boolean> {
    const onResolution = (asked: Clarification, response: unknown): Promise<void> => {
      const taken = this.#answer(asked, response);
      // Whoever waits for it hears of a refusal; whoever does not must not bring the process down.
      taken.catch((error: Error) => {
        const { logger } = this.#run.runtime;
        logger.debug('an answer of the clarification handler was refused', {
          planRunId: this.#run.driver.id,
          error: error.message,
        });
      });
      return taken;
    };
    try {
      return await handleClarification(handler, clarification, onResolution, (asked, error) =>
        this.#giveUp(asked, error),
      );
    } catch (thrown) {
      if (isDriverTrouble(thrown)) throw thrown;
      this.#giveUp(clarification, ensureError(thrown));
      return true;
    }
  }

  async #answer(clarification: Clarification, response: unknown): Promise<void> {
    const { driver, runtime, plan } = this.#run;
    const planRunId = driver.id;
    if (runtime.drivers.get(planRunId) !== driver) {
      const answer = { planRunId, clarificationId: clarification.id, response, via: 'handler' as const };
      await resolveClarification(runtime, knownPlan(plan), answer);
      return;
    }
    const checked = checkResponse(clarification, response);
    const record = driver.state.clarifications.find((known) => known.clarification.id === clarification.id);
    if (record && !record.clarification.resolved) await checkOpen(runtime, driver.state, record, checked);
    const command = await runtime.storage.putCommand(planRunId, {
      type: 'answer',
      key: clarification.id,
      at: runtime.clock.now(),
      response: checked,
      resolvedBy: null,
      as: null,
      via: 'handler',
    });
    if (command.type === 'answer' && !sameJson(command.response, checked)) {
      throw new PortiaError({
        code: 'CLARIFICATION_ALREADY_RESOLVED',
        message: `clarification ${clarification.id} was answered by somebody else meanwhile`,
        planRunId,
      });
    }
    driver.deliver(command);
    this.#wake?.();
  }

  #giveUp(clarification: Clarification, error: Error): void {
    this.failed = {
      code: 'CLARIFICATION_FAILED',
      message: error.message,
      ...(clarification.step !== null && { step: clarification.step }),
    };
    this.#wake?.();
  }

  /** Waits until the handler says something, or the time has passed. */
  async pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
