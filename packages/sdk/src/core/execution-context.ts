import { noUsage, type RunState, type StepUsage, wholeRun } from './run-state.ts';

/** What a step, or a run, took. */
export interface Usage extends Readonly<StepUsage> {}

/** What one step took. */
export interface StepContext extends Usage {
  /** Counted from 0; `null` for what belongs to the run as a whole, such as its final summary. */
  readonly step: number | null;
}

/**
 * What surrounds a run, for debugging and analysis. Kept beside the Portia document, never inside it. Times are epoch
 * milliseconds; `null` where it has not happened, or is not known.
 */
export interface ExecutionContext {
  readonly createdAt: number | null;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  /** Where its last driver ran. */
  readonly host: string | null;
  /** The release of this library that drove it last. */
  readonly version: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly runKey: string | null;
  /** By step, in order; steps that took nothing are left out. */
  readonly steps: readonly StepContext[];
  readonly totals: Usage;
}

/** The context of a run of which nothing is known. */
export const emptyExecutionContext: ExecutionContext = Object.freeze({
  createdAt: null,
  startedAt: null,
  endedAt: null,
  host: null,
  version: null,
  labels: Object.freeze({}),
  runKey: null,
  steps: Object.freeze([]),
  totals: Object.freeze(noUsage()),
});

/** The context of a run as its state has it: a frozen copy. */
export function executionContextOf(state: RunState): ExecutionContext {
  const { header } = state;
  const totals = noUsage();
  const steps = [...state.usage]
    .sort(([a], [b]) => place(a) - place(b))
    .map(([step, usage]) => {
      for (const key of Object.keys(totals) as (keyof StepUsage)[]) totals[key] += usage[key];
      return Object.freeze({ step: step === wholeRun ? null : step, ...usage });
    });
  return Object.freeze({
    createdAt: header.createdAt,
    startedAt: state.startedAt ?? null,
    endedAt: state.endedAt ?? null,
    host: state.host ?? null,
    version: state.version ?? null,
    labels: Object.freeze({ ...header.labels }),
    runKey: header.runKey ?? null,
    steps: Object.freeze(steps),
    totals: Object.freeze(totals),
  });
}

function place(step: number): number {
  return step === wholeRun ? Number.POSITIVE_INFINITY : step;
}
