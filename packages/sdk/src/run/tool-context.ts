import type { Clarification } from '../core/clarification.ts';
import { type EndUser, EndUser as makeEndUser } from '../core/end-user.ts';
import { idempotencyKey } from '../core/hash.ts';
import type { PlanRunUUID } from '../core/ids.ts';
import { type JsonValue, toJson } from '../core/json.ts';
import type { Model } from '../core/model.ts';
import type { AnyTool, ToolRunContext } from '../core/tool.ts';
import { traceparentFor } from '../core/trace.ts';
import { askModel, conversation } from './model-call.ts';
import type { VisitRun } from './visit-run.ts';

/** Whether a call of the tool may be made again in doubt. */
export function isRepeatable({ readOnly, idempotent }: AnyTool): boolean {
  return readOnly === true || idempotent === true;
}

/** What a tool is told. Everything that costs something is made when the tool asks for it. */
export class CallContext implements ToolRunContext {
  readonly callId: string;
  readonly repeatable: boolean;
  readonly #visit: VisitRun;
  readonly #n: number;
  readonly #attempt: number;
  #controller: AbortController | undefined;
  /** Ends what its signal listens to. */
  #unlisten: (() => void) | undefined;
  #timedOut = false;
  #key: string | undefined;
  #asked = 0;
  #changes: Record<string, string | null> | undefined;

  constructor(visit: VisitRun, tool: AnyTool, callId: string, n: number, attempt = 1) {
    this.#visit = visit;
    this.repeatable = isRepeatable(tool);
    this.callId = callId;
    this.#n = n;
    this.#attempt = attempt;
  }

  get planRunId(): PlanRunUUID {
    return this.#visit.driver.id;
  }

  get idempotencyKey(): string {
    this.#key ??= idempotencyKey(this.planRunId, this.callId);
    return this.#key;
  }

  get traceparent(): string {
    return traceparentFor(this.#visit.driver.state.header, this.callId);
  }

  get tracestate(): string | undefined {
    return this.#visit.driver.state.header.tracestate;
  }

  get attempt(): number {
    return Math.max(this.#attempt, this.#visit.stored?.calls[this.#n - 1]?.attempts ?? 1);
  }

  get endUser(): EndUser {
    const { endUser } = this.#visit.run;
    if (!this.#changes) return endUser;
    return makeEndUser({ ...endUser, additionalData: { ...endUser.additionalData, ...this.#changes } });
  }

  get clarifications(): readonly Clarification[] {
    return this.#visit.clarifications();
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      const controller = new AbortController();
      this.#controller = controller;
      const { driver } = this.#visit;
      if (this.#timedOut) controller.abort(new Error('the tool call timed out'));
      else if (driver.ending) controller.abort(driver.signal.reason);
      else this.#listen(controller);
    }
    return this.#controller.signal;
  }

  #listen(controller: AbortController): void {
    const { driver, abort } = this.#visit;
    const ofRun = driver.whenEnding(() => controller.abort(driver.signal.reason));
    const ofBlock = (): void => controller.abort(abort?.reason);
    if (abort?.aborted) ofBlock();
    else abort?.addEventListener('abort', ofBlock);
    this.#unlisten = () => {
      ofRun();
      abort?.removeEventListener('abort', ofBlock);
    };
  }

  /** The call is over: the run and its block outlive it, and are not to hold on to it. */
  close(): void {
    this.#unlisten?.();
  }

  model(name?: string | readonly string[]): Model {
    const model = this.#visit.run.runtime.models.get(name ?? 'default');
    const { driver, step, visit } = this.#visit;
    return {
      id: model.id,
      contextWindow: model.contextWindow,
      generate: ({ messages, signal, ...request }) => {
        this.#asked += 1;
        const until = signal ? AbortSignal.any([this.signal, signal]) : this.signal;
        const slot = `${this.#n}.m${this.#asked}`;
        return askModel({ driver, step, visit, slot, purpose: 'tool' }, model, conversation(messages), request, until);
      },
    };
  }

  progress(progress: JsonValue): void {
    const { driver, step } = this.#visit;
    driver.notice((at) => ({ at, type: 'tool-progress', step, call: this.callId, progress: toJson(progress) }));
  }

  updateEndUser(additionalData: Readonly<Record<string, string | null>>): void {
    this.#changes = { ...this.#changes, ...additionalData };
  }

  /** The call took too long. */
  timeOut(): void {
    this.#timedOut = true;
    this.#controller?.abort(new Error('the tool call timed out'));
  }

  /** Whether there is something for {@link saveEndUser} to save. */
  get changedEndUser(): boolean {
    return this.#changes !== undefined;
  }

  /** Saves what the tool changed about the end user; a failure to do so is logged and changes nothing else. */
  async saveEndUser(): Promise<void> {
    if (!this.#changes) return;
    const { run } = this.#visit;
    const { externalId } = run.endUser;
    try {
      // Only what the tool set: all else may have been changed elsewhere meanwhile.
      const changes = makeEndUser({ externalId, additionalData: this.#changes });
      run.endUser = await run.runtime.storage.saveEndUser(changes, []);
    } catch (error) {
      run.runtime.logger.warn('the end user could not be saved after a tool call', {
        planRunId: this.planRunId,
        toolCallId: this.callId,
        error: error instanceof Error ? error.message : String(error),
      });
    }
  }
}
