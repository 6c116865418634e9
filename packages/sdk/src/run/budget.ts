import { UserVerificationClarification, clarificationToWire } from '../core/clarification.ts';
import {
  activeMs,
  budgetKey,
  type BudgetLimits,
  defaultMaxOutputTokens,
  raiseKey,
  type RunBudget,
} from '../core/budget.ts';
import { PortiaError } from '../core/errors.ts';
import type { Model, ModelAnswer, ModelRequest } from '../core/model.ts';
import { type ModelUsageTotals, type RunState, wholeRun } from '../core/run-state.ts';
import { estimateTokens } from '../model/tokens.ts';
import type { PriceBook } from '../model/prices.ts';
import { Account, type Amounts, type Crossing, nothing, plus } from './account.ts';
import { type Driver, visitField } from './driver.ts';
import type { VisitRun } from './visit-run.ts';

/**
 * Thrown where a call is not made because of a budget. A run whose own budget it is stops, or waits for a person; the
 * budget of a client says nothing about the run, which stays as it is.
 */
export class BudgetBreak extends PortiaError {
  readonly scope: 'run' | 'client' | 'planning';
  /** Whether a person was asked for more. */
  readonly asks: boolean;

  constructor(
    scope: BudgetBreak['scope'],
    crossing: Crossing,
    what: string,
    options: { readonly asks?: boolean; readonly said?: string; readonly planRunId?: string } = {},
  ) {
    const { limit, max, used, asked } = crossing;
    const of = scope === 'client' ? 'this client' : scope === 'run' ? 'this run' : 'this planning';
    super({
      code: 'BUDGET_EXCEEDED',
      message: `the budget of ${of} leaves no room for ${what}: ${limit} is ${max}, ${amount(used)} is used${limit === 'maxDurationMs' ? '' : `, and the call may take ${amount(asked)}`}${options.said ?? ''}`,
      hint: hints[scope],
      planRunId: options.planRunId,
      details: { scope, limit, max, used, asked },
    });
    this.scope = scope;
    this.asks = options.asks ?? false;
  }
}

const hints = {
  run: `retry the run with more: portia.retry({ planRunId, budget: { … } }); what is done is kept`,
  client:
    'the run is as it was, and goes on with resume in a client that has a budget left; this one counts from when it was made',
  planning: 'give portia.plan() a larger budget',
} as const;

/** A number for people: no more digits than millionths. */
function amount(value: number): string {
  return String(Math.round(value * 1e6) / 1e6);
}

/** Whether an error only says that a person was asked for a larger budget. */
export function isBudgetQuestion(thrown: unknown): boolean {
  return thrown instanceof BudgetBreak && thrown.asks;
}

/** What a model call is about to be asked, as far as a budget is concerned. */
type Asked = Pick<ModelRequest, 'messages' | 'tools' | 'schema' | 'maxOutputTokens'>;

/** A model call that may be sent: with at most so many tokens in its answer. */
export interface Allowed {
  readonly maxOutputTokens?: number;
  /** To be called once the answer is on record, or there is none. */
  readonly release: () => void;
}

/** What an answer cost, as its event holds it. */
export interface Bill {
  readonly microUsd?: number;
  readonly estimatedTokens?: number;
}

const free: Allowed = { release: () => {} };

/** Tokens below which an answer is not worth asking for. */
const leastOutput = 512;

/** The budget of a client: what its runs and plannings spend in this process, since it was made. */
export class ClientBudget {
  readonly account: Account;
  #spent: Amounts = nothing;
  readonly #atWork = new Set<() => number>();

  constructor(limits: BudgetLimits) {
    this.account = new Account(
      () => limits,
      () => {
        let { ms } = this.#spent;
        for (const live of this.#atWork) ms += live();
        return { ...this.#spent, ms };
      },
    );
  }

  spend(amounts: Partial<Amounts>): void {
    this.#spent = plus(this.#spent, amounts);
  }

  /** How many runs are at work: the time goes by as fast as there are runs. */
  get pace(): number {
    return Math.max(1, this.#atWork.size);
  }

  /** Counts the time a run is at work. Returns the way to end that. */
  begin(ms: () => number): () => void {
    const before = ms();
    const live = (): number => ms() - before;
    this.#atWork.add(live);
    return () => {
      this.#atWork.delete(live);
      this.spend({ ms: live() });
    };
  }
}

/** What stands between a call and what it is charged to: the budget of its run or planning, and that of the client. */
export class Purse {
  readonly #prices: PriceBook;
  readonly #client: ClientBudget | undefined;
  readonly #own: Account | undefined;
  readonly #budget: () => RunBudget | undefined;

  constructor(
    shared: { readonly prices: PriceBook; readonly clientBudget: ClientBudget | undefined },
    budget: () => RunBudget | undefined,
    spent: () => Amounts,
  ) {
    this.#prices = shared.prices;
    this.#client = shared.clientBudget;
    this.#budget = budget;
    this.#own = new Account(budget, spent);
  }

  /** The purse of a run. */
  static ofRun(shared: ConstructorParameters<typeof Purse>[0], state: RunState, now: () => number): Purse {
    return new Purse(
      shared,
      () => state.budget,
      () => spentOf(state, now()),
    );
  }

  /** Whether anything limits what is spent. */
  get limited(): boolean {
    return this.#client !== undefined || this.#budget() !== undefined;
  }

  /** Milliseconds until the time of a budget may be over; `undefined` when nothing limits it. */
  timeLeft(): number | undefined {
    if (!this.limited) return undefined;
    const own = this.#own?.timeLeft() ?? Number.POSITIVE_INFINITY;
    const client = this.#client ? this.#client.account.timeLeft() / this.#client.pace : Number.POSITIVE_INFINITY;
    const left = Math.min(own, client);
    return Number.isFinite(left) ? Math.max(0, left) : undefined;
  }

  /** Whose time is over, if somebody's is. */
  timeOver(): { readonly crossing: Crossing; readonly scope: 'run' | 'client' } | undefined {
    const own = this.#own?.look({});
    if (own && own !== 'wait') return { crossing: own, scope: 'run' };
    const client = this.#client?.account.look({});
    return client && client !== 'wait' ? { crossing: client, scope: 'client' } : undefined;
  }

  /** Sets aside what a model call may take, as soon as those in flight leave room. @throws {@link BudgetBreak} through `stop`. */
  async beforeModelCall(
    model: Model,
    asked: Asked,
    stop: (crossing: Crossing, scope: 'run' | 'client') => never,
  ): Promise<Allowed> {
    for (;;) {
      if (!this.limited) return free;
      const { claim, maxOutputTokens } = this.#claim(model, asked);
      const own = this.#own?.look(claim);
      if (own && own !== 'wait') stop(own, 'run');
      const client = this.#client?.account.look(claim);
      if (client && client !== 'wait') stop(client, 'client');
      if (!own && !client) {
        const releases = [this.#own?.reserve(claim), this.#client?.account.reserve(claim)];
        return {
          ...(maxOutputTokens !== undefined && { maxOutputTokens }),
          release: () => {
            for (const release of releases) release?.();
          },
        };
      }
      await (own ? this.#own : this.#client?.account)?.settled();
    }
  }

  /** A tool call begins. Returns what ends its reservation. @throws {@link BudgetBreak} through `stop`. */
  beforeToolCall(stop: (crossing: Crossing, scope: 'run' | 'client') => never): () => void {
    const claim = { toolCalls: 1 };
    const own = this.#own?.look(claim);
    const client = this.#client?.account.look(claim);
    if (own) stop(own === 'wait' ? this.#full(this.#own) : own, 'run');
    if (client) stop(client === 'wait' ? this.#full(this.#client?.account) : client, 'client');
    // A call that has begun counts, whatever becomes of it.
    this.#client?.spend(claim);
    return this.#own?.reserve(claim) ?? free.release;
  }

  #full(account: Account | undefined): Crossing {
    const max = account?.limits()?.maxToolCalls ?? 0;
    return { limit: 'maxToolCalls', max, used: max, asked: 1 };
  }

  /** What an answer cost, and counts it against the client's budget. */
  bill(model: Model, asked: Asked, answer: ModelAnswer): Bill {
    if (answer.cached) return {};
    const id = answer.model ?? model.id;
    const { usage } = answer;
    const known = usage?.inputTokens !== undefined && usage.outputTokens !== undefined;
    const counted = known
      ? usage
      : {
          ...usage,
          inputTokens: usage?.inputTokens ?? promptTokens(asked),
          outputTokens: usage?.outputTokens ?? answerTokens(answer),
        };
    const cost = this.#prices.costOf(id, counted);
    const tokens = (counted.inputTokens ?? 0) + (counted.outputTokens ?? 0);
    const microUsd = cost === undefined ? undefined : Math.round(cost);
    this.#client?.spend({ modelCalls: 1, tokens, microUsd: microUsd ?? 0 });
    const estimated = known ? 0 : tokens - (usage?.inputTokens ?? 0) - (usage?.outputTokens ?? 0);
    return {
      ...(microUsd !== undefined && { microUsd }),
      ...(!known && (this.limited || microUsd !== undefined) && { estimatedTokens: estimated }),
    };
  }

  /** What a call may take at most: its prompt as estimated, and the longest answer there is room for. */
  #claim(model: Model, asked: Asked): { readonly claim: Partial<Amounts>; readonly maxOutputTokens?: number } {
    const accounts = [this.#own, this.#client?.account].filter((account) => account !== undefined);
    const limitsOf = (limit: 'maxUsd' | 'maxTokens'): boolean =>
      accounts.some(({ limits }) => limits()?.[limit] !== undefined);
    const inDollars = limitsOf('maxUsd');
    if (!inDollars && !limitsOf('maxTokens')) return { claim: { modelCalls: 1 } };
    const prompt = promptTokens(asked);
    const wanted = Math.min(
      asked.maxOutputTokens ?? Number.POSITIVE_INFINITY,
      this.#budget()?.maxOutputTokens ?? defaultMaxOutputTokens,
    );
    const models = [model.id, ...(model.alternatives ?? [])];
    const costOf = (output: number): number => Math.max(...models.map((id) => this.#costOf(id, prompt, output)));
    let room = Math.min(...accounts.map((account) => account.left('maxTokens'))) - prompt;
    if (inDollars) {
      const left = Math.min(...accounts.map((account) => account.left('maxUsd')));
      const perToken = costOf(1) - costOf(0);
      if (perToken > 0) room = Math.min(room, Math.floor((left - costOf(0)) / perToken));
    }
    // Near the limit the answer is kept short rather than the call refused, as long as it is worth making.
    const output = Math.max(Math.min(wanted, room), Math.min(wanted, leastOutput));
    const microUsd = inDollars ? Math.ceil(costOf(output)) : 0;
    return { claim: { modelCalls: 1, tokens: prompt + output, microUsd }, maxOutputTokens: output };
  }

  #costOf(model: string, inputTokens: number, outputTokens: number): number {
    const cost = this.#prices.costOf(model, { inputTokens, outputTokens });
    if (cost !== undefined)
      return Math.max(
        cost,
        this.#prices.costOf(model, { inputTokens, outputTokens, cacheWriteInputTokens: inputTokens }) ?? 0,
      );
    throw new PortiaError({
      code: 'PRICE_UNKNOWN',
      message: `maxUsd is set, and the price of ${model} is not known: the call is not made`,
      hint: `say what it costs per million tokens, or which model it is: modelPrices: { '${model}': { input: …, output: … } } or 'openai/gpt-4.1' in the Config`,
      details: { model },
    });
  }
}

function spentOf(state: RunState, now: number): Amounts {
  const { totals, planning } = state;
  const spent = { ...ofModels(totals), toolCalls: totals.toolCalls, ms: activeMs(state, now) };
  // A run of a query was planned out of its own budget.
  return planning ? plus(spent, { ...ofModels(planning), ms: planning.modelMs }) : spent;
}

function ofModels(totals: Readonly<ModelUsageTotals>): Pick<Amounts, 'microUsd' | 'tokens' | 'modelCalls'> {
  return {
    microUsd: totals.microUsd,
    tokens: totals.inputTokens + totals.outputTokens + totals.estimatedTokens,
    modelCalls: totals.modelCalls - totals.cachedCalls,
  };
}

/**
 * Tokens of a prompt, leaning high: three bytes to the token, and a few for each message. What it really was settles it
 * once the provider has said so.
 */
function promptTokens({ messages, tools = [], schema }: Asked): number {
  const bytes = Buffer.byteLength(JSON.stringify([messages, tools, schema ?? null]));
  return Math.ceil(bytes / 3) + 4 * (messages.length + tools.length);
}

function answerTokens({ text, toolCalls = [] }: ModelAnswer): number {
  return estimateTokens(text) + estimateTokens(toolCalls.length > 0 ? JSON.stringify(toolCalls) : '');
}

/** Where in a run a call is not made. */
export interface BudgetPlace {
  readonly driver: Driver;
  readonly step: number;
  readonly visit: VisitRun['visit'];
}

/**
 * A call of a run would cross a limit: the run stops with a reason, or an operator is asked, once for all the calls that
 * would, and the run waits. What follows the last step has nobody to wait for it, and stops.
 */
export function breakOff(at: BudgetPlace, crossing: Crossing, scope: 'run' | 'client', what: string): never {
  const { driver, step } = at;
  const planRunId = driver.id;
  if (scope === 'client') {
    // Nothing of this run is to begin here any more; it stays as it is.
    driver.stop();
    throw new BudgetBreak('client', crossing, what, { planRunId });
  }
  if (driver.state.budget?.onBudget !== 'ask' || step === wholeRun)
    throw new BudgetBreak('run', crossing, what, { planRunId });
  const asked = [...driver.state.questions]
    .filter(([key]) => key.startsWith(`${budgetKey}${crossing.limit}:`))
    .flatMap(([, records]) => records);
  const refused = asked.find(({ clarification }) => clarification.resolved && clarification.response !== true);
  if (refused) {
    const by = refused.resolvedBy === null ? '' : ` by ${refused.resolvedBy}`;
    throw new BudgetBreak('run', crossing, what, { planRunId, said: `; more was refused${by}` });
  }
  if (asked.every(({ clarification }) => clarification.resolved)) askForMore(at, crossing, what);
  throw new BudgetBreak('run', crossing, what, { planRunId, asks: true });
}

function askForMore({ driver, step, visit }: BudgetPlace, crossing: Crossing, what: string): void {
  const { limit, max, used, asked } = crossing;
  const { state } = driver;
  // As much again as the run was given at first, and at least enough for this call.
  const by = Math.max(
    state.header.budget?.[limit] ?? max,
    Math.ceil((used + asked - max) * 1e6) / 1e6,
    limit === 'maxDurationMs' ? 1 : 0,
  );
  const n = state.clarifications.filter(({ key }) => key.startsWith(budgetKey)).length;
  const userGuidance =
    `The run has used ${amount(used)} of its ${limit} ${amount(max)}, and ${what} may take ${amount(asked)}. ` +
    `Raise ${limit} by ${amount(by)}, to ${amount(max + by)}?`;
  const {
    plan_run_id: _run,
    step: _step,
    resolved: _resolved,
    response: _response,
    ...clarification
  } = clarificationToWire(UserVerificationClarification({ userGuidance, source: 'Budget' }));
  driver.emit({
    type: 'clarification-raised',
    step,
    ...visitField(visit),
    key: raiseKey(limit, by, n),
    clarification,
    audience: 'operator',
  });
}
