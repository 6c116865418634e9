import type { RunBudget } from '../core/budget.ts';
import type { Audience } from '../core/clarification.ts';
import { PlanBuilderError } from '../core/errors.ts';
import type { JsonValue } from '../core/json.ts';
import { BlockReader } from '../core/plan-v2-blocks.ts';
import { checkStep } from '../core/plan-v2-fields.ts';
import {
  type Args,
  defaultMaxIterations,
  defaultToolCallLimit,
  type FirstOf,
  type OnFailure,
  type StepV2,
  type Template,
} from '../core/plan-v2-steps.ts';
import { defaultLabel, type PlanInputV2, PlanV2 } from '../core/plan-v2.ts';
import type { Reference } from '../core/reference.ts';
import type { Checked, Resolved } from '../core/reference-types.ts';
import type { Schema } from '../core/schema.ts';
import type { AnyTool, ToolRunContext } from '../core/tool.ts';
import type { AfterIf, AfterParallel, BeforeOf, Next, NextBranch, NextClause, StatesIn } from './builder-v2-blocks.ts';
import type { AfterLoop, InLoop, LoopOption, LoopOptions } from './builder-v2-loops.ts';
import { checkDefault, checkExpiry, checkModel, checkOptions, loopStep, subPlanOf } from './builder-v2-steps.ts';
import type {
  Accepted,
  Answered,
  AnswerTo,
  ArgsGiven,
  CodeOptions,
  ConditionFor,
  Expiry,
  Fits,
  IfFrame,
  InputsOf,
  ItemOf,
  Listed,
  Made,
  Mergeable,
  NewInput,
  NewName,
  NoArgs,
  Numeric,
  OutputOf,
  ParallelFrame,
  Settings,
  Stored,
  TaskOptions,
  ToolCall,
  ToolOutput,
  TakenIn,
  TopFrame,
  With,
} from './builder-v2-types.ts';

type AnyPlan = PlanV2<unknown, unknown, unknown>;

/**
 * Builds a plan in code: steps with functions, tools and models, branches, loops, and steps that run at once.
 * Every method but {@link build} changes the builder and returns it, with what is known by then in its type: what a
 * reference gives is typed, and a reference to nothing does not compile. What the compiler cannot see (plain strings,
 * indexes, JavaScript) is checked by `build()`.
 *
 * A step is called `step_<index>` unless it is given a `stepName`; control steps count as steps.
 */
export class PlanBuilderV2<
  Steps = unknown,
  Inputs = unknown,
  Last = null,
  Exits = never,
  Final = never,
  Frame = TopFrame,
  Own = unknown,
> {
  /** Only a type: what is known at this point. */
  declare readonly '~known'?:
    | { steps: Steps; inputs: Inputs; last: Last; exits: Exits; final: Final; frame: Frame; own: Own }
    | undefined;
  readonly #label: string;
  readonly #steps: StepV2[] = [];
  readonly #inputs: PlanInputV2[] = [];
  readonly #blocks = new BlockReader();
  #final: { readonly outputSchema?: Schema | undefined; readonly summarize?: boolean | undefined } = {};

  readonly #budget: RunBudget | undefined;

  /** `budget`: what each run of the plan may spend, where the run does not say. */
  constructor(label: string = defaultLabel, options: { readonly budget?: RunBudget | undefined } = {}) {
    this.#label = label;
    this.#budget = options.budget;
  }

  /**
   * Something the plan is given when it is run.
   * @throws PlanBuilderError when the name is taken, or the default value does not fit the schema.
   */
  input<const Name extends string, S extends Schema = never, Default = never>(options: {
    readonly name: NewInput<Name, Inputs>;
    readonly description?: string | undefined;
    readonly schema?: S | undefined;
    /** Used when the run gives no value. */
    readonly defaultValue?: (Default & ([S] extends [never] ? unknown : Accepted<S>)) | undefined;
  }): PlanBuilderV2<
    Steps,
    With<Inputs, Name, Made<S, [Default] extends [never] ? JsonValue : Default>>,
    Last,
    Exits,
    Final,
    Frame,
    Own
  > {
    checkOptions('input', options);
    const input = options as unknown as PlanInputV2;
    if (this.#inputs.some(({ name }) => name === input.name)) {
      throw new PlanBuilderError(`the plan has an input ${JSON.stringify(input.name)} already`, {
        hint: 'give this one another name',
      });
    }
    checkDefault(input);
    this.#inputs.push(input);
    return this as never;
  }

  /** One model call, without tools. Gives text, or what `outputSchema` says. */
  llmStep<
    const Name extends string = never,
    Task extends Template = string,
    const Data extends readonly unknown[] = readonly [],
    S extends Schema = never,
    Message extends Template = string,
  >(
    options: TaskOptions<Name, Task, Data, S, Message, Steps, Inputs, Frame> & {
      readonly systemPrompt?: string | undefined;
    },
  ): Next<Steps, Inputs, Exits, Final, Frame, Own, Name, Made<S, string>> {
    return this.#step('llm', options, { inputs: [] });
  }

  /** One call of a tool, given by its id or itself. No model is asked. */
  invokeToolStep<
    const Name extends string = never,
    const T extends string | AnyTool = string,
    const Given extends Args = NoArgs,
    S extends Schema = never,
    Message extends Template = string,
  >(
    options: {
      readonly stepName?: NewName<Name, Steps, Frame> | undefined;
      readonly tool: T;
      readonly args?: (Given & Checked<Given, Steps, Inputs> & ToolCall<T, Given, Steps, Inputs>) | undefined;
      readonly outputSchema?: S | undefined;
    } & ArgsGiven<T> &
      Settings<Message, Steps, Inputs, Resolved<NoInfer<Given>, Steps, Inputs>>,
  ): Next<Steps, Inputs, Exits, Final, Frame, Own, Name, Made<S, ToolOutput<T>>> {
    return this.#step('invoke-tool', options, { args: {} });
  }

  /**
   * One call of a function. It has effects, as tools have, unless it is `readOnly` or `idempotent`. It may return
   * clarifications: it is called again when they are answered.
   */
  functionStep<
    const Name extends string = never,
    const Given extends Args = NoArgs,
    Result = unknown,
    S extends Schema = never,
    Message extends Template = string,
  >(
    options: CodeOptions<Name, Given, S, Message, Steps, Inputs, Frame> & {
      readonly function: (
        args: Resolved<NoInfer<Given>, Steps, Inputs>,
        context: ToolRunContext,
      ) => Result | Promise<Result>;
    },
  ): Next<Steps, Inputs, Exits, Final, Frame, Own, Name, Made<S, Stored<Answered<Result>>>> {
    return this.#step('function', options, { args: {} });
  }

  /** A step of your own making: `run` may call models and tools itself. */
  addStep<
    const Name extends string = never,
    const Given extends Args = NoArgs,
    Result = unknown,
    S extends Schema = never,
    Message extends Template = string,
  >(
    options: CodeOptions<Name, Given, S, Message, Steps, Inputs, Frame> & {
      readonly run: (
        args: Resolved<NoInfer<Given>, Steps, Inputs>,
        context: ToolRunContext,
      ) => Result | Promise<Result>;
    },
  ): Next<Steps, Inputs, Exits, Final, Frame, Own, Name, Made<S, Stored<Answered<Result>>>> {
    return this.#step('custom', options, { args: {} });
  }

  /** An agent that calls one tool once, choosing the arguments itself. */
  singleToolAgentStep<
    const Name extends string = never,
    const T extends string | AnyTool = string,
    Task extends Template = string,
    const Data extends readonly unknown[] = readonly [],
    S extends Schema = never,
    Message extends Template = string,
  >(
    options: TaskOptions<Name, Task, Data, S, Message, Steps, Inputs, Frame> & {
      readonly tool: T;
    },
  ): Next<Steps, Inputs, Exits, Final, Frame, Own, Name, Made<S, ToolOutput<T>>> {
    return this.#step('single-tool-agent', options, { inputs: [] });
  }

  /** An agent that thinks and calls tools until its task is done. Gives text, or what `outputSchema` says. */
  reactAgentStep<
    const Name extends string = never,
    Task extends Template = string,
    const Data extends readonly unknown[] = readonly [],
    S extends Schema = never,
    Message extends Template = string,
  >(
    options: TaskOptions<Name, Task, Data, S, Message, Steps, Inputs, Frame> & {
      readonly tools?: readonly (string | AnyTool)[] | undefined;
      /** Whether the agent may ask people; false unless given. */
      readonly allowAgentClarifications?: boolean | undefined;
      /** How many tools it may call; 25 unless given. */
      readonly toolCallLimit?: number | undefined;
    },
  ): Next<Steps, Inputs, Exits, Final, Frame, Own, Name, Made<S, string>> {
    const defaults = { inputs: [], tools: [], allowAgentClarifications: false, toolCallLimit: defaultToolCallLimit };
    return this.#step('react-agent', options, defaults);
  }

  /** Asks a person to confirm. Gives `true`; anything but `true` as an answer fails the run. */
  userVerify<const Name extends string = never, Message extends Template = string>(
    options: {
      readonly stepName?: NewName<Name, Steps, Frame> | undefined;
      readonly message: Message & Checked<Message, Steps, Inputs>;
      /** Who may answer; `endUser` unless given. */
      readonly audience?: Audience | undefined;
    } & Expiry<boolean, 'refuse'>,
  ): Next<Steps, Inputs, Exits, Final, Frame, Own, Name, true> {
    return this.#step('user-verify', options, {});
  }

  /** Asks a person for a value: one of `options`, what `schema` says, or anything. */
  userInput<
    const Name extends string = never,
    Message extends Template = string,
    const Options extends readonly unknown[] | Reference = never,
    S extends Schema = never,
  >(
    options: {
      readonly stepName?: NewName<Name, Steps, Frame> | undefined;
      readonly message: Message & Checked<Message, Steps, Inputs>;
      readonly options?:
        | (Options & Checked<Options, Steps, Inputs> & Listed<Resolved<Options, Steps, Inputs>>)
        | undefined;
      readonly schema?: S | undefined;
      /** Who may answer; `endUser` unless given. */
      readonly audience?: Audience | undefined;
    } & Expiry<AnswerTo<Answer<NoInfer<Options>, Steps, Inputs>, NoInfer<S>>>,
  ): Next<Steps, Inputs, Exits, Final, Frame, Own, Name, Made<S, Answer<Options, Steps, Inputs>>> {
    return this.#step('user-input', options, {});
  }

  /** Opens an if: its steps run when the condition holds. Close it with {@link endIf}. */
  if<const Given extends Args = NoArgs, Sentence extends Template = string>(options: {
    readonly condition: ConditionFor<Sentence, Resolved<NoInfer<Given>, Steps, Inputs>, Steps, Inputs>;
    readonly args?: (Given & Checked<Given, Steps, Inputs>) | undefined;
    readonly version?: string | undefined;
  }): PlanBuilderV2<
    Steps,
    Inputs,
    Last,
    Exits,
    Final,
    IfFrame<Steps, Own, Last, never, unknown, [], false, TakenIn<Frame>, Frame>,
    unknown
  > {
    return this.#step('if', options, { args: {} });
  }

  /** The next branch of an if, when no branch before it was taken. @throws PlanBuilderError when no if is open, or it has an else. */
  elseIf<const Given extends Args = NoArgs, Sentence extends Template = string>(options: {
    readonly condition: ConditionFor<
      Sentence,
      Resolved<NoInfer<Given>, BeforeOf<Frame>, Inputs>,
      BeforeOf<Frame>,
      Inputs
    >;
    readonly args?: (Given & Checked<Given, BeforeOf<Frame>, Inputs>) | undefined;
    readonly version?: string | undefined;
  }): NextClause<Steps, Inputs, Last, Exits, Final, Frame, Own, false> {
    return this.#step('else-if', options, { args: {} });
  }

  /** The branch of an if that is taken when no other is. @throws PlanBuilderError when no if is open, or it has an else. */
  else(): NextClause<Steps, Inputs, Last, Exits, Final, Frame, Own, true> {
    return this.#step('else', {}, {});
  }

  /**
   * Closes an if. What was made inside may be missing afterwards, and is typed so; with `value` the branches are merged
   * into one output: `.endIf({ stepName: 'answer', value: FirstOf('long', 'short') })`.
   * @throws PlanBuilderError when the innermost open block is no if.
   */
  endIf<const Name extends string = never, const Merged extends string = never>(options?: {
    readonly stepName?: NewName<Name, Steps, Frame> | undefined;
    readonly value: FirstOf<Merged> & Mergeable<Merged, StatesIn<Steps, Frame>>;
  }): AfterIf<Steps, Inputs, Last, Exits, Final, Frame, Own, Name, Merged> {
    return this.#step('end-if', options ?? {}, {});
  }

  /**
   * Opens a loop with one of `while`, `doWhile` and `over`; or with none of them, and `endLoop({ while, args })` at its
   * end. Inside a loop over a list, the loop's own name is the item. Of a `while`, arguments that refer into the body
   * need an `initial` value for the first time round.
   * @throws PlanBuilderError for more than one of them, and for limits that make no sense.
   */
  loop<
    const Name extends string = never,
    const Given extends Args = NoArgs,
    const Initial extends Args = NoArgs,
    const List = never,
    Sentence extends Template = string,
    Until extends Template = string,
    Key extends LoopOption = never,
  >(
    options?: LoopOptions<Name, Given, Initial, List, Sentence, Until, Key, Steps, Inputs, Frame> & {
      readonly [Given in Key]: unknown;
    },
  ): InLoop<Steps, Inputs, Last, Exits, Final, Frame, Own, Name, Given, Initial, List, Until, Key> {
    return this.#push(loopStep(this.#name(options?.stepName), (options ?? {}) as never, defaultMaxIterations));
  }

  /**
   * Closes a loop. A loop that was opened without a condition has it here, where it can refer to what the body made.
   * @throws PlanBuilderError when the innermost open block is no loop, or has no condition or two.
   */
  endLoop<
    const Name extends string = never,
    const Given extends Args = NoArgs,
    Sentence extends Template = string,
  >(options?: {
    readonly stepName?: NewName<Name, Steps, Frame> | undefined;
    /** The body runs again when this holds. */
    readonly while?: ConditionFor<Sentence, Resolved<NoInfer<Given>, Steps, Inputs>, Steps, Inputs> | undefined;
    readonly args?: (Given & Checked<Given, Steps, Inputs>) | undefined;
    readonly version?: string | undefined;
  }): AfterLoop<Steps, Inputs, Last, Exits, Final, Frame, Own, Name> {
    const { while: condition, ...rest } = options ?? {};
    return this.#step('end-loop', { condition, ...rest }, condition === undefined ? {} : { args: {} });
  }

  /** Opens a block whose branches run at once. Begin each with {@link branch}; close it with {@link endParallel}. */
  parallel(
    options: {
      /** How many branches may run at once; unless given, as many as the client's `maxConcurrency` allows. */
      readonly concurrency?: number | undefined;
      /** Whether the others that are running `finish` (unless given) or `abort` when one fails. */
      readonly onFailure?: OnFailure | undefined;
    } = {},
  ): PlanBuilderV2<
    Steps,
    Inputs,
    Last,
    Exits,
    Final,
    ParallelFrame<Steps, Own, unknown, TakenIn<Frame>, Frame>,
    unknown
  > {
    return this.#step('parallel', options, { onFailure: 'finish' });
  }

  /** Begins a branch of a parallel block. @throws PlanBuilderError when the innermost open block is not parallel. */
  branch(): NextBranch<Inputs, Last, Exits, Final, Frame, Own> {
    return this.#step('branch', {}, {});
  }

  /** Closes a parallel block; its branches have all run then. @throws PlanBuilderError when the innermost open block is not parallel. */
  endParallel(): AfterParallel<Inputs, Last, Exits, Final, Frame, Own> {
    return this.#step('end-parallel', {}, {});
  }

  /**
   * Runs another plan as one step. Its inputs become inputs of this plan, a value in `inputValues` their default; except those
   * that `inputValues` binds to references, or gives a value although this plan has an input of that name.
   * @throws PlanBuilderError when an input of it without a value has the name of one here, or `inputValues` names an
   * input it has not.
   */
  addSubPlan<
    const Name extends string = never,
    P extends AnyPlan = AnyPlan,
    const Values extends Args = NoArgs,
  >(options: {
    readonly stepName?: NewName<Name, Steps, Frame> | undefined;
    readonly plan: P | readonly StepV2[];
    readonly inputValues?:
      | (Values & Checked<Values, Steps, Inputs> & Fits<Values, Steps, Inputs, Partial<InputsOf<P>>>)
      | undefined;
  }): Next<Steps, Inputs & Omit<InputsOf<P>, keyof Values>, Exits, Final, Frame, Own, Name, OutputOf<P>> {
    checkOptions('addSubPlan', options);
    const { plan, inputValues, inputs } = subPlanOf(options as never, this.#inputs);
    this.#step('sub-plan', { stepName: options.stepName, plan, inputValues }, {});
    this.#inputs.push(...inputs);
    return this as never;
  }

  /** Waits for a machine: a callback or webhook. Gives what it sends, as `schema` says. */
  waitFor<const Name extends string = never, Message extends Template = string, S extends Schema = never>(
    options: {
      readonly stepName?: NewName<Name, Steps, Frame> | undefined;
      /** What is waited for, in words. */
      readonly message: Message & Checked<Message, Steps, Inputs>;
      readonly schema?: S | undefined;
    } & Expiry<AnswerTo<JsonValue, NoInfer<S>>>,
  ): Next<Steps, Inputs, Exits, Final, Frame, Own, Name, Made<S, JsonValue>> {
    return this.#step('wait-for', options, {});
  }

  /** Lets time pass. */
  sleep<const Name extends string = never, const Ms extends number | Reference = number>(options: {
    readonly stepName?: NewName<Name, Steps, Frame> | undefined;
    /** Milliseconds, or a reference to them. */
    readonly ms: Ms & Checked<Ms, Steps, Inputs> & Numeric<Resolved<Ms, Steps, Inputs>>;
  }): this {
    return this.#step('sleep', options, {});
  }

  /** Ends the run: complete with the message as its final output, or failed when `error` is true. */
  exit<const Name extends string = never, Message extends Template = string, const IsError extends boolean = false>(
    options: {
      readonly stepName?: NewName<Name, Steps, Frame> | undefined;
      readonly message?: (Message & Checked<Message, Steps, Inputs>) | undefined;
      readonly error?: IsError | undefined;
    } = {},
  ): PlanBuilderV2<Steps, Inputs, Last, Exits | (IsError extends true ? never : string), Final, Frame, Own> {
    return this.#step('exit', options, { message: '', error: false });
  }

  /** What the run gives in the end: the last output, made to fit `outputSchema`, with a summary if `summarize` is true. */
  finalOutput<S extends Schema = never>(options: {
    readonly outputSchema?: S | undefined;
    readonly summarize?: boolean | undefined;
  }): PlanBuilderV2<Steps, Inputs, Last, Exits, Made<S, never>, Frame, Own> {
    checkOptions('finalOutput', options);
    this.#final = options;
    return this as never;
  }

  /**
   * The plan, which nothing changes any more.
   * @throws PlanBuilderError for open blocks, names used twice, references to nothing, values that are no JSON, and
   * schemas that give no JSON Schema.
   */
  build(): PlanV2<Steps, Inputs, ([Final] extends [never] ? Last : Final) | Exits> {
    const { outputSchema, summarize } = this.#final;
    return new PlanV2({
      label: this.#label,
      budget: this.#budget,
      steps: this.#steps,
      planInputs: this.#inputs,
      finalOutputSchema: outputSchema,
      summarize,
      templates: true,
    }) as never;
  }

  #name(given: unknown): string {
    return (given ?? `step_${this.#steps.length}`) as string;
  }

  /** Adds a step made of the options as they were given; what is wrong with them is found before it is added. */
  #step(kind: StepV2['kind'], options: object, defaults: object): never {
    checkOptions(`a step of kind ${kind}`, options);
    const { stepName, ...rest } = options as { readonly stepName?: unknown };
    const given = Object.entries(rest).filter(([, value]) => value !== undefined);
    checkModel(this.#name(stepName), rest);
    return this.#push({
      kind,
      name: this.#name(stepName),
      ...defaults,
      ...Object.fromEntries(given),
    } as unknown as StepV2);
  }

  #push(step: StepV2): never {
    checkStep(step, this.#steps.length);
    checkExpiry(step);
    this.#blocks.add(step);
    this.#steps.push(step);
    return this as never;
  }
}

type Answer<Options, Steps, Inputs> = [Options] extends [never] ? JsonValue : ItemOf<Resolved<Options, Steps, Inputs>>;
