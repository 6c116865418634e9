import { hostname } from 'node:os';
import { Config } from './config/config.ts';
import type { Clarification } from './core/clarification.ts';
import type { Clock } from './core/clock.ts';
import type { EndUser } from './core/end-user.ts';
import { PortiaError } from './core/errors.ts';
import type { RunEvent, RunNotice } from './core/event.ts';
import { type ClarificationUUID, PlanRunUUID, type PlanUUID } from './core/ids.ts';
import type { JsonObject, JsonValue } from './core/json.ts';
import type { Plan } from './core/plan.ts';
import { type PlanRun, planRunView } from './core/plan-run.ts';
import type { PlanV2 } from './core/plan-v2.ts';
import type { Infer, Schema } from './core/schema.ts';
import type { AnyTool, ReadyResponse } from './core/tool.ts';
import { openModelCache } from './model/cache/open-cache.ts';
import { modelSet } from './model/models.ts';
import { PriceBook } from './model/prices.ts';
import { logEvent } from './observe/log-events.ts';
import { consoleLogger, type Logger, silentLogger } from './observe/logger.ts';
import type { AnyPlanV2 } from './plan/builder-programs.ts';
import type { Stored } from './plan/builder-v2-types.ts';
import { llmToolId } from './plan/compile.ts';
import { type CostEstimate, estimatePlan } from './plan/estimate.ts';
import { makePlan, type PlanOptions } from './plan/make-plan.ts';
import { type Answer, type Resolver, resolveClarification } from './run/answers.ts';
import { cancelRun, type CancelOptions } from './run/cancel.ts';
import { type AnyPlan, createRun, type RunOptions, startRun } from './run/create-run.ts';
import { ClientBudget } from './run/budget.ts';
import { DriverPool } from './run/driver-pool.ts';
import { callOutside, type OutsideCall, type OutsideResult, readyOutside } from './run/call-outside.ts';
import { type EndUserInit, initializeEndUser } from './run/end-users.ts';
import { EventBus } from './run/event-bus.ts';
import { follow, type FollowOptions } from './run/follow.ts';
import type { ExecutionHooks } from './run/hooks.ts';
import { Gate, ToolLimits } from './run/limits.ts';
import { PlanShelf } from './run/plan-shelf.ts';
import { type BatchCounts, type BatchItem, runMany, type RunManyOptions } from './run/run-many.ts';
import { createQueryRun } from './run/plan-first.ts';
import { type ResumeOptions, resumeRun } from './run/resume.ts';
import { advance } from './run/runner.ts';
import type { Runtime } from './run/runtime.ts';
import { failByHandler, type RetryOptions, retryRun } from './run/retry.ts';
import { systemClock } from './run/system-clock.ts';
import { waitForReady, type WaitOptions } from './run/wait-for-ready.ts';
import { work, type WorkCounts, type WorkOptions } from './run/worker.ts';
import { checkAuthorize, type HandlerOptions, loadServer } from './server-package.ts';
import { openStorage } from './storage/open-storage.ts';
import { Storage } from './storage/storage.ts';
import { llmTool } from './tool/library/llm-tool.ts';
import { closeTools } from './tool/close-tools.ts';
import { ToolRegistry } from './tool/registry.ts';

/** What a client is made from. */
export interface PortiaOptions {
  /** `Config.fromDefault()` unless given. */
  readonly config?: Config | undefined;
  /** The tools plans may use: a registry or a list. The LLM tool is always there. */
  readonly tools?: ToolRegistry | Iterable<AnyTool> | undefined;
  /** Builder plans with functions of their own, so that their runs can go on here; old and new versions side by side. */
  readonly plans?: Iterable<AnyPlanV2> | undefined;
  readonly executionHooks?: ExecutionHooks | undefined;
  /** Where log lines go; without it, stderr when the config sets a level, else nowhere. */
  readonly logger?: Logger | undefined;
  /** The time; the system's unless given. */
  readonly clock?: Clock | undefined;
}

/** How a query is planned and run in one go. */
export type QueryOptions<Out extends Schema = Schema> = PlanOptions<Out> & RunOptions<Out>;

/** What identifies an answer: the run and the clarification, each by id or as the object. */
export interface ResolveOptions {
  readonly planRunId?: PlanRunUUID | string | undefined;
  readonly planRun?: { readonly id: PlanRunUUID } | undefined;
  readonly clarificationId?: ClarificationUUID | string | undefined;
  readonly clarification?: Clarification | undefined;
  readonly response: unknown;
  readonly resolvedBy?: Resolver | undefined;
  readonly via?: Answer['via'] | undefined;
}

type RunRef = {
  readonly planRunId?: PlanRunUUID | string | undefined;
  readonly planRun?: { readonly id: PlanRunUUID } | undefined;
};

interface Opened {
  readonly runtime: Runtime;
  readonly plans: PlanShelf;
  readonly storage: Runtime['storage'];
  readonly forget: (externalId: string) => Promise<void>;
}

/**
 * A client: plans queries, runs plans, and lets people answer, from any process that shares its storage. Making one
 * does nothing; storage and models are opened when they are first needed.
 */
export class Portia {
  readonly config: Config;
  readonly tools: ToolRegistry;
  /** What the store holds. */
  readonly storage: Storage;
  readonly #options: PortiaOptions;
  #opened: Promise<Opened> | undefined;

  constructor(options: PortiaOptions = {}) {
    this.#options = options;
    this.config = options.config ?? Config.fromDefault();
    this.tools = options.tools instanceof ToolRegistry ? options.tools : new ToolRegistry(options.tools ?? []);
    this.storage = new Storage(() => this.#open());
  }

  #open(): Promise<Opened> {
    this.#opened ??= this.#openNow();
    return this.#opened;
  }

  async #openNow(): Promise<Opened> {
    const { config } = this;
    const { executionHooks: hooks = {}, clock = systemClock } = this.#options;
    const logger =
      this.#options.logger ??
      (config.defaultLogLevel ? consoleLogger(config.defaultLogLevel, { secrets: config.secrets }) : silentLogger);
    const storage = await openStorage(config);
    const bus = new EventBus();
    if (logger !== silentLogger) bus.listen((id, event) => logEvent(logger, id, event));
    const tools = this.tools.has(llmToolId) ? this.tools : this.tools.withTool(llmTool);
    const drivers = new DriverPool(storage, logger);
    const runtime: Runtime = {
      config,
      storage,
      models: modelSet(config, { clock, cache: await openModelCache(config), logger }),
      tools,
      hooks,
      clock,
      logger,
      bus,
      drivers,
      host: hostname(),
      toolLimits: new ToolLimits(clock),
      stepGate: gateFor(config),
      prices: new PriceBook(config.modelPrices),
      clientBudget: config.budget && new ClientBudget(config.budget),
    };
    const forget = (externalId: string): Promise<void> => runtime.models.forget(externalId);
    return { runtime, plans: new PlanShelf(storage, this.#options.plans), storage, forget };
  }

  /** Makes a plan for a query and stores it. @throws PortiaError `PLANNING_FAILED`, and what the model throws. */
  async plan<Out extends Schema = Schema>(query: string, options: PlanOptions<Out> = {}): Promise<Plan> {
    const { runtime, plans } = await this.#open();
    return makePlan(runtime, plans, query, options);
  }

  /**
   * What a run of a plan is expected to take: from its recorded runs, else from its shape. No model is asked.
   * @throws PortiaError `PLAN_NOT_FOUND`.
   */
  async estimateCost(plan: AnyPlan | PlanUUID): Promise<CostEstimate> {
    const { runtime, plans } = await this.#open();
    return estimatePlan(runtime, plans, plan);
  }

  /** Plans a query and runs the plan. */
  async run<Out extends Schema = Schema>(
    query: string,
    options: QueryOptions<Out> = {},
  ): Promise<PlanRun<ValueOf<Out>>> {
    return this.runPlan<Out>(await this.plan(query, options), options);
  }

  /**
   * Runs a plan until it is finished or waits for a person, and gives the run, failed or not. Throws only for what
   * never became a run.
   * @throws PortiaError `PLAN_NOT_FOUND`, `PLAN_CHANGED`, `PLAN_INVALID`, `INPUT_MISSING`, `INPUT_INVALID`,
   * `RUN_KEY_CONFLICT` when the run key belongs to a run of another plan or end user; `RUN_BUSY` when the run key belongs to a run that is being driven.
   */
  async runPlan<Out>(plan: PlanV2<unknown, unknown, Out>, options?: RunOptions<never>): Promise<PlanRun<Out>>;
  async runPlan<Out extends Schema = Schema>(
    plan: AnyPlan | PlanUUID,
    options?: RunOptions<Out>,
  ): Promise<PlanRun<ValueOf<Out>>>;
  async runPlan(plan: AnyPlan | PlanUUID, options: RunOptions = {}): Promise<PlanRun> {
    const { runtime, plans } = await this.#open();
    return planRunView(await startRun(runtime, plans, plan, options, advance));
  }

  /** Stores a new run without driving it: `resume` begins it. The errors are those of {@link runPlan}. */
  async createPlanRun<Out extends Schema = Schema>(
    plan: AnyPlan | PlanUUID,
    options: RunOptions<Out> = {},
  ): Promise<PlanRun<ValueOf<Out>>> {
    const { runtime, plans } = await this.#open();
    return planRunView(await createRun(runtime, plans, plan, options));
  }

  /** Stores a new run for whichever worker comes first ({@link work}), now or at `startAt`. Answers at once. */
  async start<Out extends Schema = Schema>(
    plan: AnyPlan | PlanUUID,
    options: RunOptions<Out> = {},
  ): Promise<{ readonly planRunId: PlanRunUUID }> {
    const { runtime, plans } = await this.#open();
    const startAt = options.startAt ?? runtime.clock.now();
    const state = await createRun(runtime, plans, plan, { ...options, startAt });
    runtime.bus.ring();
    return { planRunId: state.header.id };
  }

  /**
   * Stores a new run of a query, for whichever worker comes first: it makes the plan, and drives the run by it. Answers at
   * once. What planning fails with, the run does, and a retry plans again. The same run key with the same query is the
   * same run. @throws PortiaError `INPUT_INVALID`, `RUN_KEY_CONFLICT`.
   */
  async startQuery<Out extends Schema = Schema>(
    query: string,
    options: RunOptions<Out> = {},
  ): Promise<{ readonly planRunId: PlanRunUUID }> {
    const { runtime, plans } = await this.#open();
    const startAt = options.startAt ?? runtime.clock.now();
    const state = await createQueryRun(runtime, plans, query, { ...options, startAt });
    runtime.bus.ring();
    return { planRunId: state.header.id };
  }

  /**
   * Goes on with a run from where its record ends, in whatever process. A finished run is given back as it is.
   * @throws PortiaError `PLAN_RUN_NOT_FOUND`; `RUN_BUSY` while another driver is alive; `TOOL_NOT_FOUND` when a tool
   * of the plan is not registered here.
   */
  async resume(options: RunRef & ResumeOptions): Promise<PlanRun> {
    const { runtime, plans } = await this.#open();
    return planRunView(await resumeRun(runtime, plans, runId(options), options));
  }

  /**
   * Answers a clarification, from this or any other process. The run goes on with `resume`, or by itself where a worker
   * or a live driver is. The errors are those of the answer; none changes anything.
   */
  async resolveClarification(options: ResolveOptions): Promise<PlanRun> {
    const { runtime, plans } = await this.#open();
    const { clarification, response, resolvedBy, via } = options;
    const clarificationId = (options.clarificationId ?? clarification?.id) as ClarificationUUID | undefined;
    if (clarificationId === undefined) throw missing('clarification', 'clarificationId');
    const planRunId = runId({
      ...options,
      planRunId: options.planRunId ?? options.planRun?.id ?? clarification?.planRunId ?? undefined,
    });
    return planRunView(
      await resolveClarification(runtime, plans, { planRunId, clarificationId, response, resolvedBy, via }),
    );
  }

  /** Gives up on a clarification: the run fails with `CLARIFICATION_FAILED` and the error's message. */
  async errorClarification(
    options: RunRef & { readonly clarification: Clarification; readonly error: Error },
  ): Promise<PlanRun> {
    const { runtime, plans } = await this.#open();
    const id = runId({
      ...options,
      planRunId: options.planRunId ?? options.planRun?.id ?? options.clarification.planRunId ?? undefined,
    });
    return planRunView(await failByHandler(runtime, plans, id, options.clarification, options.error));
  }

  /** Waits until a run can go on: until its clarifications are answered, here or elsewhere, and its tools are ready. */
  async waitForReady(options: RunRef & WaitOptions): Promise<PlanRun> {
    const { runtime, plans } = await this.#open();
    return planRunView(await waitForReady(runtime, plans, runId(options), options));
  }

  /** Ends a run: FAILED with `RUN_CANCELLED`, after a moment for receipts of calls in flight. */
  async cancel(options: RunRef & CancelOptions): Promise<PlanRun> {
    const { runtime, plans } = await this.#open();
    return planRunView(await cancelRun(runtime, plans, runId(options), options));
  }

  /** A FAILED run goes on from the failed step; outputs and calls that succeeded are kept. */
  async retry(options: RunRef & RetryOptions): Promise<PlanRun> {
    const { runtime, plans } = await this.#open();
    return planRunView(await retryRun(runtime, plans, runId(options), options));
  }

  /** What happened to a run and what happens to it, live; ends with the run. */
  async *events(
    planRunId: PlanRunUUID | string,
    options: FollowOptions = {},
  ): AsyncGenerator<RunEvent | RunNotice, void, undefined> {
    const { runtime } = await this.#open();
    yield* follow(runtime, PlanRunUUID.fromString(planRunId), options);
  }

  /** Drives the runs of the store that are ready, until the signal is aborted. */
  async work(options: WorkOptions = {}): Promise<WorkCounts> {
    const { runtime, plans } = await this.#open();
    return work(runtime, plans, options);
  }

  /** Runs a plan over many items. Given the same items again, it goes on where it stopped. */
  async runMany(
    plan: AnyPlan | PlanUUID,
    items: Iterable<BatchItem> | AsyncIterable<BatchItem>,
    options: RunManyOptions = {},
  ): Promise<BatchCounts> {
    const { runtime, plans } = await this.#open();
    return runMany(
      items,
      async (item, { signal }) => planRunView(await startRun(runtime, plans, plan, { ...item, signal }, advance)),
      options,
    );
  }

  /** The end user a run would get: the default one, one by id, or one given whole, which is saved. */
  async initializeEndUser(endUser?: string | EndUserInit): Promise<EndUser> {
    const { storage } = await this.#open();
    return initializeEndUser(storage, endUser);
  }

  /**
   * Calls a tool once for a run that is driven elsewhere: without ledger and hooks, which are there.
   * @throws PortiaError `TOOL_NOT_FOUND`, and what the tool fails with for good.
   */
  async callTool(id: string, args: JsonObject, call: OutsideCall): Promise<OutsideResult> {
    const { runtime } = await this.#open();
    return callOutside(runtime, this.tools.getTool(id), args, call);
  }

  /** Whether a tool can be called for a run that is driven elsewhere. @throws PortiaError `TOOL_NOT_FOUND`. */
  async isToolReady(id: string, call: OutsideCall): Promise<ReadyResponse> {
    return readyOutside(this.tools.getTool(id), call);
  }

  /**
   * The API of `portia-ts-server` over this client, as a fetch handler for a web app of your own. It drives nothing by
   * itself: call {@link work} beside it.
   * @throws PortiaError `PACKAGE_MISSING` without the package `portia-ts-server`.
   */
  async handler(options: HandlerOptions): Promise<(request: Request) => Promise<Response>> {
    checkAuthorize(options);
    const { createHandler } = await loadServer();
    const { storage } = await this.#open();
    return createHandler(this, storage, options);
  }

  /** Stops driving, waits a moment for receipts of calls in flight, and closes the store. Runs stay resumable. */
  async close(): Promise<void> {
    const opened = await this.#opened;
    this.#opened = undefined;
    await opened?.runtime.drivers.close();
    await closeTools(this.tools);
    if (!opened) return;
    const { runtime, storage } = opened;
    await runtime.models.close();
    await storage.close();
  }
}

/** The type of a run's final value: what the schema gives, as it is stored, or any JSON. */
export type ValueOf<Out extends Schema> = Schema extends Out ? JsonValue : Stored<Infer<Out>>;

function runId({ planRunId, planRun }: RunRef): PlanRunUUID {
  const id = planRunId ?? planRun?.id;
  if (id === undefined) throw missing('planRun', 'planRunId');
  return PlanRunUUID.fromString(id);
}

function gateFor({ maxConcurrencyPerClient }: Config): Gate | undefined {
  return maxConcurrencyPerClient === undefined ? undefined : new Gate(maxConcurrencyPerClient);
}

function missing(object: string, id: string): PortiaError {
  return new PortiaError({ code: 'ID_INVALID', message: `Either ${object} or ${id} must be provided` });
}
