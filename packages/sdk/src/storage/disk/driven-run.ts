import { apply, fold } from '../../core/apply.ts';
import { type Commit, fromCommit } from '../../core/event.ts';
import { planRunView } from '../../core/plan-run.ts';
import type { Program } from '../../core/program.ts';
import { initialState, type PlanRunState, type RunHeader, type RunState } from '../../core/run-state.ts';
import type { DriverRecord, RunStatus } from '../storage-backend.ts';
import type { EpochWriter } from './epoch-writer.ts';
import type { PortiaView } from './portia-view.ts';
import { journalLines, type RunFolder } from './run-folder.ts';

/** The file for Portia 0.9 is written at most this often while the run works. Milliseconds. */
const showEveryMs = 1_000;

/** A run that is driven through this process: its journal is written, and now and then its file for Portia 0.9. */
export class DrivenRun {
  readonly header: RunHeader;
  readonly view: PortiaView;
  driver: DriverRecord;
  status: RunStatus;
  readonly #folder: RunFolder;
  readonly #writer: EpochWriter;
  readonly #program: () => Program;
  readonly #takeOver: (run: DrivenRun) => void;
  /** What the file is written from; folded when it is first needed, and kept up with the journal from then on. */
  #state: RunState | undefined;
  readonly #pending: Commit[] = [];
  #shown: PlanRunState | undefined;
  #shownAt = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(init: {
    readonly header: RunHeader;
    readonly status: RunStatus;
    readonly driver: DriverRecord;
    readonly folder: RunFolder;
    readonly writer: EpochWriter;
    readonly view: PortiaView;
    readonly program: () => Program;
    /** Takes over what somebody else wrote into the file. @throws PortiaError `RUN_FILE_CHANGED`. */
    readonly takeOver: (run: DrivenRun) => void;
  }) {
    this.header = init.header;
    this.status = init.status;
    this.driver = init.driver;
    this.view = init.view;
    this.#folder = init.folder;
    this.#writer = init.writer;
    this.#program = init.program;
    this.#takeOver = init.takeOver;
  }

  get epoch(): number {
    return this.#writer.epoch;
  }

  /** Whether another driver has taken over. */
  isReplaced(): boolean {
    return this.#writer.isReplaced();
  }

  append(commit: Commit, status: RunStatus | undefined): boolean {
    if (!this.#writer.append(journalLines(commit, status))) {
      this.#stopTimer();
      return false;
    }
    if (this.#state) this.#pending.push({ seq: commit.seq, at: commit.at, events: commit.events });
    if (status) this.status = status;
    const paused = status !== undefined && status.state !== 'IN_PROGRESS' && status.state !== this.#shown;
    if (paused || Date.now() - this.#shownAt >= showEveryMs) this.show();
    else this.#timer ??= setTimeout(() => this.show(), showEveryMs).unref();
    return true;
  }

  beat(expiresAt: number): void {
    if (this.#writer.append(`${JSON.stringify({ expiresAt })}\n`)) this.driver = { ...this.driver, expiresAt };
  }

  /** Writes the file for Portia 0.9. */
  show(): void {
    this.#stopTimer();
    this.#shownAt = Date.now();
    if (this.#writer.isReplaced()) return;
    quietly(() => {
      if (this.view.edited()) this.#takeOver(this);
      const state = this.#current();
      this.view.write(planRunView(state).toJSON(), state.seq);
      this.#shown = state.state;
    });
  }

  #current(): RunState {
    if (!this.#state) {
      const { commits } = this.#folder.read(this.header);
      this.#state = stateOf(this.header, this.#program(), commits);
      return this.#state;
    }
    for (const commit of this.#pending.splice(0)) {
      for (const event of fromCommit(commit)) {
        apply(this.#state, event, event.at);
        this.#state.seq = event.seq;
      }
    }
    return this.#state;
  }

  release(): void {
    if (this.#timer) this.show();
    this.#writer.append('{"released":true}\n');
    this.close();
  }

  close(): void {
    if (this.#timer) this.show();
    this.#writer.close();
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

/** The state after these commits; those after event number `until` left out. */
export function stateOf(
  header: RunHeader,
  program: Program,
  commits: readonly Commit[],
  until: number = Number.POSITIVE_INFINITY,
): RunState {
  if (commits.length === 0) return initialState(header, program);
  const events = commits.filter(({ seq }) => seq <= until).flatMap(fromCommit);
  return fold(header, program, events);
}

const warned = new Set<string>();

/**
 * Writing the file for Portia 0.9 must not fail what is already in the journal: a failure is a warning, given once.
 */
export function quietly(show: () => void): void {
  try {
    show();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    if (warned.has(text)) return;
    if (warned.size >= 100) warned.clear();
    warned.add(text);
    process.emitWarning(error instanceof Error ? error : text);
  }
}
