import { handleClarification } from '../clarify/clarification-handler.ts';
import { type Clarification, checkResponse } from '../core/clarification.ts';
import { PortiaError } from '../core/errors.ts';
import type { RunError } from '../core/event.ts';
import { sameJson } from '../core/json.ts';
import type { AnyTool } from '../core/tool.ts';
import { checkReadiness } from './readiness.ts';
import type { DrivenRun } from './runtime.ts';
import { checkSpecialAnswer } from './special-answer.ts';

/** Milliseconds between looks at whether tools have become ready. */
const readinessMs = 2_000;
/** Milliseconds to wait for answers that a handler has promised; then the run is left waiting. */
const patienceMs = 11 * 60_000;

/**
 * Lets the handler of this process ask what is outstanding, and waits for answers it has not given yet. Gives the
 * error of a handler that gave up. What the handler does not handle stays outstanding.
 */
export async function handleInline(run: DrivenRun, tools: ReadonlyMap<string, AnyTool>): Promise<RunError | undefined> {
  const handler = run.runtime.hooks.clarificationHandler;
  if (!handler) return undefined;
  const desk = new Desk(run);
  let promised = false;
  for (const { clarification } of [...run.driver.state.clarifications]) {
    if (clarification.resolved || run.driver.ending || desk.failed) continue;
    const taken = await handleClarification(handler, clarification, (asked, response) => desk.answer(asked, response), desk.giveUp);
    promised ||= taken;
  }
  const until = performance.now() + patienceMs;
  while (promised && run.driver.state.outstanding > 0 && !desk.failed && !run.driver.ending && performance.now() < until) {
    await desk.pause(readinessMs);
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

  async answer(clarification: Clarification, response: unknown): Promise<void> {
    const { driver, runtime } = this.#run;
    const checked = checkResponse(clarification, response);
    const record = driver.state.clarifications.find((known) => known.clarification.id === clarification.id);
    if (record) await checkSpecialAnswer(runtime.tools, driver.state, record, checked);
    const command = await runtime.storage.putCommand(driver.id, {
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
        planRunId: driver.id,
      });
    }
    driver.deliver(command);
    this.#wake?.();
  }

  giveUp = (clarification: Clarification, error: Error): void => {
    this.failed = {
      code: 'CLARIFICATION_FAILED',
      message: error.message,
      ...(clarification.step !== null && { step: clarification.step }),
    };
    this.#wake?.();
  };

  /** Waits until an answer arrives, or the time has passed. */
  async pause(ms: number): Promise<void> {
    const { driver } = this.#run;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      const forget = driver.whenEnding(resolve);
      this.#wake = () => {
        clearTimeout(timer);
        forget();
        resolve();
      };
    });
  }
}
