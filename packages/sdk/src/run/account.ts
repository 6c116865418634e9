import { type BudgetLimit, type BudgetLimits, budgetLimits } from '../core/budget.ts';

/** What was spent, or is about to be. `microUsd` in millionths of a US dollar, `ms` at work. */
export interface Amounts {
  readonly microUsd: number;
  readonly tokens: number;
  readonly modelCalls: number;
  readonly toolCalls: number;
  readonly ms: number;
}

/** Which limit a call would cross, with what is used and what the call asks for; in the unit of the limit. */
export interface Crossing {
  readonly limit: BudgetLimit;
  readonly max: number;
  readonly used: number;
  readonly asked: number;
}

/** Where each limit is counted, and how many of that make one of its unit. */
const counters = {
  maxUsd: ['microUsd', 1e6],
  maxTokens: ['tokens', 1],
  maxModelCalls: ['modelCalls', 1],
  maxToolCalls: ['toolCalls', 1],
  maxDurationMs: ['ms', 1],
} as const satisfies Record<BudgetLimit, readonly [keyof Amounts, number]>;

const countedKeys = ['microUsd', 'tokens', 'modelCalls', 'toolCalls', 'ms'] as const;

/** Nothing. */
export const nothing: Amounts = { microUsd: 0, tokens: 0, modelCalls: 0, toolCalls: 0, ms: 0 };

/** The sum of two amounts. */
export function plus(a: Amounts, b: Partial<Amounts>): Amounts {
  const sum: Record<string, number> = {};
  for (const key of countedKeys) sum[key] = a[key] + (b[key] ?? 0);
  return sum as unknown as Amounts;
}

/**
 * One budget and what goes against it in this process: calls reserve what they may take before they are sent, and give
 * back what they did not take once it is known.
 */
export class Account {
  readonly limits: () => BudgetLimits | undefined;
  readonly spent: () => Amounts;
  #reserved: Amounts = nothing;
  #settled: (() => void)[] = [];

  constructor(limits: () => BudgetLimits | undefined, spent: () => Amounts) {
    this.limits = limits;
    this.spent = spent;
  }

  /** The limit a call would cross whatever becomes of those in flight; `wait` when only those leave no room for it. */
  look(claim: Partial<Amounts>): Crossing | 'wait' | undefined {
    const limits = this.limits();
    if (!limits) return undefined;
    const spent = this.spent();
    let waits = false;
    for (const limit of budgetLimits) {
      const max = limits[limit];
      if (max === undefined) continue;
      const [counter, unit] = counters[limit];
      const asked = claim[counter] ?? 0;
      const most = Math.round(max * unit);
      // Time goes by itself: once it is over, nothing begins any more.
      const over = limit === 'maxDurationMs' ? spent.ms >= most : asked > 0 && spent[counter] + asked > most;
      if (over) return { limit, max, used: spent[counter] / unit, asked: asked / unit };
      waits ||= asked > 0 && spent[counter] + this.#reserved[counter] + asked > most;
    }
    return waits ? 'wait' : undefined;
  }

  /** What is left under a limit, not counting calls in flight; infinite where there is none. In the counter's unit. */
  left(limit: 'maxUsd' | 'maxTokens'): number {
    const max = this.limits()?.[limit];
    if (max === undefined) return Number.POSITIVE_INFINITY;
    const [counter, unit] = counters[limit];
    return Math.max(0, Math.round(max * unit) - this.spent()[counter]);
  }

  /** Milliseconds that are left at work; infinite where they are not limited. */
  timeLeft(): number {
    const max = this.limits()?.maxDurationMs;
    return max === undefined ? Number.POSITIVE_INFINITY : max - this.spent().ms;
  }

  /** Sets an amount aside. Returns the way to give it back, to be called when what was really taken is on record. */
  reserve(claim: Partial<Amounts>): () => void {
    this.#reserved = plus(this.#reserved, claim);
    let open = true;
    return () => {
      if (!open) return;
      open = false;
      this.#reserved = plus(this.#reserved, negative(claim));
      const settled = this.#settled;
      this.#settled = [];
      for (const tell of settled) tell();
    };
  }

  /** Resolves when a reservation was given back. */
  settled(): Promise<void> {
    return new Promise((resolve) => this.#settled.push(resolve));
  }
}

function negative(claim: Partial<Amounts>): Partial<Amounts> {
  return Object.fromEntries(Object.entries(claim).map(([key, value]) => [key, -(value as number)]));
}
