import { activeMs } from './budget.ts';
import { noUsage, type RunState, wholeRun } from './run-state.ts';
import { traceIdOf } from './trace.ts';
import { inDollars, type ModelTotals } from './usage.ts';

/** What a step, or a run, took. */
export interface Usage extends ModelTotals {
  /** Milliseconds. */
  readonly ms: number;
  /** Calls handed to a tool, each counted once however often it was repeated. */
  readonly toolCalls: number;
}

/** What one step took. */
export interface StepContext extends Usage {
  /** Counted from 0; `null` for what belongs to the run as a whole, such as its final summary. */
  readonly step: number | null;
}

/** What the calls of one model took. */
export interface ModelContext extends ModelTotals {
  /** The model that answered, such as `openai/gpt-4.1`. */
  readonly model: string;
}

/**
 * What surrounds a run, for debugging and analysis. Kept beside the Portia document, never inside it. Times are epoch
 * milliseconds; `null` where it has not happened, or is not known.
 */
export interface ExecutionContext {
  readonly createdAt: number | null;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  /** Milliseconds the run was at work, up to its last event; waiting for people is not in it. */
  readonly activeMs: number;
  /** Where its last driver ran. */
  readonly host: string | null;
  /** The release of this library that drove it last. */
  readonly version: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly runKey: string | null;
  /** The trace that its calls belong to, 32 hexadecimal digits: that of whoever started it, or one of its own. */
  readonly traceId: string | null;
  /** By step, in order; steps that took nothing are left out. */
  readonly steps: readonly StepContext[];
  /** By model, in the order they were first asked. */
  readonly models: readonly ModelContext[];
  readonly totals: Usage;
}

/** The context of a run of which nothing is known. */
export const emptyExecutionContext: ExecutionContext = Object.freeze({
  createdAt: null,
  startedAt: null,
  endedAt: null,
  activeMs: 0,
  host: null,
  version: null,
  labels: Object.freeze({}),
  runKey: null,
  traceId: null,
  steps: Object.freeze([]),
  models: Object.freeze([]),
  totals: inDollars(noUsage()),
});

/** The context of a run as its state has it: a frozen copy. */
export function executionContextOf(state: RunState): ExecutionContext {
  const { header } = state;
  const steps = [...state.usage]
    .sort(([a], [b]) => place(a) - place(b))
    .map(([step, usage]) => Object.freeze({ step: step === wholeRun ? null : step, ...inDollars(usage) }));
  const models = [...state.models].map(([model, usage]) => Object.freeze({ model, ...inDollars(usage) }));
  return Object.freeze({
    createdAt: header.createdAt,
    startedAt: state.startedAt ?? null,
    endedAt: state.endedAt ?? null,
    activeMs: activeMs(state, state.updatedAt),
    host: state.host ?? null,
    version: state.version ?? null,
    labels: Object.freeze({ ...header.labels }),
    runKey: header.runKey ?? null,
    traceId: traceIdOf(header),
    steps: Object.freeze(steps),
    models: Object.freeze(models),
    totals: inDollars(state.totals),
  });
}

function place(step: number): number {
  return step === wholeRun ? Number.POSITIVE_INFINITY : step;
}
