import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Portia } from '../../client.ts';
import type { PlanRunUUID } from '../../core/ids.ts';
import type { ClarificationRecord } from '../../core/run-state.ts';
import { unknownCallOptions } from '../../run/ledger.ts';
import { systemClock } from '../../run/system-clock.ts';
import { TerminalPerson } from '../asking.ts';
import type { Context } from '../command.ts';
import { localUser } from '../local-user.ts';
import { type ToldError, writeError } from '../output.ts';
import { openRecords } from '../questions-of.ts';
import { takeoverLines } from '../view/ledger-table.ts';
import type { LiveView } from '../view/live-view.ts';
import type { Progress } from '../view/progress.ts';
import type { FollowedRun } from './followed-run.ts';
import { answerFile, type Stage } from './stage.ts';
import { WorkerProcess } from './worker-process.ts';

/** What the director works with. */
export interface Cast {
  readonly context: Context;
  readonly stage: Stage;
  readonly portia: Portia;
  readonly planRunId: PlanRunUUID;
  readonly view: LiveView;
  readonly progress: Progress;
  readonly followed: FollowedRun;
  /** Starts the arguments of a worker. */
  readonly workerArgs: readonly string[];
}

/** Why the play ended: the run did, a person is needed, or the worker gave up. */
export type Ending = 'ended' | 'open' | 'failed';

/**
 * Leads the demo: a worker process drives the run; it is killed inside its write; another one takes over, and a person
 * decides about the call nobody can know about.
 */
export class Director {
  readonly #cast: Cast;
  #worker: WorkerProcess | undefined;
  /** Whether the next wait follows a crash, so that it is said what is reused and what is unknown. */
  #crashed = false;
  /** How many events were seen when a person was asked last. */
  #decidedAt = 0;

  constructor(cast: Cast, crashed: boolean) {
    this.#cast = cast;
    this.#crashed = crashed;
  }

  get #paint(): Context['io']['err']['paint'] {
    return this.#cast.context.io.err.paint;
  }

  /** Plays it to its end. Rejects when it is interrupted; then {@link close} is due. */
  async play(crash: boolean): Promise<Ending> {
    let kills = crash;
    this.#begin(kills, 'drives the run');
    for (;;) {
      const said = await this.#unlessStopped((this.#worker as WorkerProcess).next());
      switch (said.type) {
        case 'inside':
          if (!kills) break;
          kills = false;
          await this.#killInside(said.callId);
          this.#begin(false, 'takes the run over');
          break;
        case 'waiting':
          if (!(await this.#decide())) return 'open';
          this.#worker?.goOn();
          break;
        case 'ended':
          await this.#unlessStopped(this.#cast.followed.end());
          if (kills) this.#say(this.#paint.dim('  no file was written, so there was no write to be killed in'));
          return 'ended';
        case 'failed':
          return this.#fail(said.error);
        case 'gone':
          return this.#fail({ code: 'INTERNAL', message: `the worker ended before its run did: ${said.how}` });
      }
    }
  }

  #fail(error: ToldError): Ending {
    this.#cast.view.stop();
    writeError(this.#cast.context.io.err, error, this.#cast.context.json);
    return 'failed';
  }

  /** Lets go of the worker; its run stays as it is on record. */
  async close(): Promise<void> {
    await this.#worker?.stop();
  }

  #begin(hold: boolean, does: string): void {
    this.#worker = new WorkerProcess([...this.#cast.workerArgs, ...(hold ? ['--hold'] : [])]);
    this.#say(`${this.#paint.cyan('▸')} worker ${this.#worker.pid} ${does}`);
  }

  #say(...lines: readonly string[]): void {
    this.#cast.view.print(...lines);
  }

  /** Kills the worker inside its write: the intent is on record, and the tool is at work. */
  async #killInside(callId: string): Promise<void> {
    const { followed, progress, planRunId, portia } = this.#cast;
    await this.#unlessStopped(
      followed.until((event) => event.type === 'tool-call-start' && event.seq !== undefined && event.call === callId),
    );
    await this.#pause(1_200);
    const worker = this.#worker;
    await worker?.kill();
    this.#worker = undefined;
    progress.halt();
    this.#crashed = true;
    const call = (await portia.storage.getToolCalls(planRunId)).find((known) => known.callId === callId);
    this.#say(
      `${this.#paint.red('✗')} worker ${worker?.pid} was killed (SIGKILL) inside call ${callId} of ${call?.toolId}`,
      this.#paint.dim('  its intent is on record, a receipt is not: nobody can know whether it happened'),
    );
    await this.#pause(1_500);
  }

  /** The run waits for a person. Gives whether everything is answered. */
  async #decide(): Promise<boolean> {
    const { followed, planRunId, portia } = this.#cast;
    await this.#unlessStopped(followed.until((event) => event.type === 'run-wait', this.#decidedAt));
    this.#decidedAt = followed.count;
    if (this.#crashed) {
      this.#crashed = false;
      await this.#tellLedger();
      await this.#pause(1_500);
    }
    for (const record of await openRecords(portia, planRunId)) if (!(await this.#answer(record))) return false;
    return true;
  }

  async #tellLedger(): Promise<void> {
    const { planRunId, portia, stage } = this.#cast;
    const events = await portia.storage.getEvents(planRunId);
    const calls = await portia.storage.getToolCalls(planRunId);
    const path = join(stage.dir, answerFile);
    this.#say(
      ...takeoverLines(events, calls, this.#paint),
      this.#paint.dim(`  looked: ${path} is ${existsSync(path) ? '' : 'not '}there`),
    );
  }

  async #answer({ clarification }: Readonly<ClarificationRecord>): Promise<boolean> {
    const { context, planRunId, portia, stage, view } = this.#cast;
    const give = async (response: unknown, id: string): Promise<void> => {
      await portia.resolveClarification({
        planRunId,
        clarificationId: clarification.id,
        response,
        resolvedBy: { id, as: 'operator' },
        via: 'cli',
      });
    };
    if (context.io.canAsk) {
      const person = new TerminalPerson(() => {});
      person.view = view;
      try {
        return await this.#unlessStopped(
          person.ask(
            clarification,
            (_asked, response) => give(response, localUser()),
            async (asked, error) => {
              await portia.errorClarification({ planRunId, clarification: asked, error });
            },
          ),
        );
      } finally {
        person.close();
      }
    }
    const isUnknownCall = clarification.category === 'Multiple Choice' && clarification.argumentName === 'unknown_call';
    if (!isUnknownCall) return false;
    const seconds = stage.fast ? 0.2 : 3;
    this.#say(
      `${this.#paint.yellow('?')} call again, use a given result, or stop?`,
      this.#paint.dim(`  there is no terminal to ask at: answering "${unknownCallOptions.callAgain}" in ${seconds} s`),
    );
    await this.#unlessStopped(systemClock.sleep(seconds * 1_000));
    await give(unknownCallOptions.callAgain, 'demo');
    return true;
  }

  /** Time to read what was said. */
  #pause(ms: number): Promise<void> {
    return this.#unlessStopped(systemClock.sleep(this.#cast.stage.fast ? 20 : ms));
  }

  /** Waits, unless ctrl-C comes first. */
  #unlessStopped<T>(work: Promise<T>): Promise<T> {
    const { signal } = this.#cast.context.interrupt;
    return new Promise((resolve, reject) => {
      const stop = (): void => reject(signal.reason);
      if (signal.aborted) return stop();
      signal.addEventListener('abort', stop, { once: true });
      work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
    });
  }
}
