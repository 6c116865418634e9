import type { Audience, Clarification } from '../core/clarification.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { PlanV2 } from '../core/plan-v2.ts';
import type { RetryPolicy, Template } from '../core/plan-v2-steps.ts';
import type { Checked, Problems, Resolved, UnknownStep } from '../core/reference-types.ts';
import type { Infer, Schema } from '../core/schema.ts';
import type { AnyTool } from '../core/tool.ts';

/** No arguments. */
export type NoArgs = Readonly<Record<never, unknown>>;

/** A step or input of that name exists already. */
export interface NameTaken<Name> {
  readonly '~nameTaken': Name;
}

/** A name that is not taken, neither where the step stands nor in a branch beside it. */
export type NewName<Name, Steps, Frame> = Name extends keyof Steps | TakenIn<Frame> ? NameTaken<Name> : Name;
/** The name of an input that is not taken. */
export type NewInput<Name, Inputs> = Name extends keyof Inputs ? NameTaken<Name> : Name;

/** The steps with one more. A step without a name, or with one that is known only at run time, adds nothing. */
export type With<Steps, Name extends string, Value> = [Name] extends [never]
  ? Steps
  : string extends Name
    ? Steps
    : Steps & { readonly [Key in Name]: Value };

/** The type of what a schema gives, as it is stored, or another where there is none. */
export type Made<S extends Schema, Otherwise> = [S] extends [never] ? Otherwise : Stored<Infer<S>>;
/** What a schema accepts. */
export type Accepted<S> =
  S extends Schema<infer Output, infer Input> ? (unknown extends Input ? Output : Input) : unknown;

/** What a function gives in the end: the questions it asks on the way are not its output. */
export type Answered<Result> = 0 extends 1 & Result
  ? Result
  : Result extends Clarification | readonly Clarification[]
    ? Result extends readonly never[]
      ? Result
      : never
    : Result;

/** A value as it is stored, and so as later steps see it: `undefined` becomes `null`, dates become text. */
export type Stored<Value> = 0 extends 1 & Value
  ? Value
  : [Value] extends [JsonValue]
    ? Value
    : Same<Value, Json<Value>>;
// A type that is JSON already keeps its name.
type Same<Value, AsJson> = [Value] extends [AsJson] ? ([AsJson] extends [Value] ? Value : AsJson) : AsJson;
type Json<Value> = Value extends string | number | boolean | null
  ? Value
  : Value extends undefined | void
    ? null
    : Value extends { toJSON(): infer Written }
      ? Json<Written>
      : Value extends (...args: never) => unknown
        ? never
        : Value extends readonly unknown[]
          ? { [Key in keyof Value]: Json<Value[Key]> }
          : Value extends object
            ? { [Key in keyof Value]: JsonOrAbsent<Value[Key]> }
            : JsonValue;
// What is undefined is left out of objects.
type JsonOrAbsent<Value> = Value extends undefined ? Value : Json<Value>;

/** What a step with effects or model calls may say. */
export interface Settings<Message, Steps, Inputs, When = never> {
  readonly retry?: RetryPolicy | undefined;
  /** Milliseconds for one attempt; waiting for people does not count. */
  readonly timeoutMs?: number | undefined;
  /** Asks before the step does anything. */
  readonly approval?: Approval<Message, Steps, Inputs, When> | undefined;
}

/** An approval before a step does anything. */
export interface Approval<Message, Steps, Inputs, When> extends Expiry<boolean, 'refuse'> {
  readonly message: Message & Checked<Message, Steps, Inputs>;
  /** `operator` unless given. */
  readonly audience?: Audience | undefined;
  /** Asks only when this is true of the step's arguments; pure. */
  readonly when?: ((args: When) => boolean | Promise<boolean>) | undefined;
}

/**
 * When a question stops waiting, and what happens then. `Answer` is what it takes for one; `No` is `'refuse'` where a yes
 * or a no is asked for, and `never` where there is nothing to refuse.
 */
export interface Expiry<Answer, No extends 'refuse' = never> {
  /** Milliseconds; for ever unless given. */
  readonly expiresIn?: number | undefined;
  /** `fail` unless given. */
  readonly onExpiry?: 'fail' | No | { readonly default: Answer } | undefined;
}

/** What a question takes for an answer: one of its options, and what its schema accepts. */
export type AnswerTo<Option, S> = [S] extends [never]
  ? Option
  : JsonValue extends Option
    ? Accepted<S>
    : Option & Accepted<S>;

/** What a step says about its effects. */
export interface EffectOptions {
  /** It has no effect outside and may be repeated freely. */
  readonly readOnly?: boolean | undefined;
  /** Called again with the same `context.idempotencyKey`, it has the same effect. */
  readonly idempotent?: boolean | undefined;
  /** Part of the plan's id: change it when runs of the old function must not go on with the new one. */
  readonly version?: string | undefined;
}

/** What steps that ask a model say. */
export interface TaskOptions<Name, Task, Data, S extends Schema, Message, Steps, Inputs, Frame>
  extends Settings<Message, Steps, Inputs> {
  readonly stepName?: NewName<Name, Steps, Frame> | undefined;
  readonly task: Task & Checked<Task, Steps, Inputs>;
  /** What the model is told beside the task: values and references. */
  readonly inputs?: (Data & Checked<Data, Steps, Inputs>) | undefined;
  readonly outputSchema?: S | undefined;
  /** `provider/model`, or a list of which the first that answers is used; the client's model for this unless given. */
  readonly model?: string | readonly string[] | undefined;
}

/** What steps with code of the plan's own say. */
export interface CodeOptions<Name, Given, S extends Schema, Message, Steps, Inputs, Frame>
  extends EffectOptions,
    Settings<Message, Steps, Inputs, Resolved<NoInfer<Given>, Steps, Inputs>> {
  readonly stepName?: NewName<Name, Steps, Frame> | undefined;
  readonly args?: (Given & Checked<Given, Steps, Inputs>) | undefined;
  readonly outputSchema?: S | undefined;
}

/** The arguments a tool is given: what its schema accepts. */
export type ToolArgs<T> = T extends { readonly argsSchema?: Schema<infer Output, infer Input> | undefined }
  ? unknown extends Input
    ? Output
    : Input
  : JsonObject;
/** What a tool gives. */
export type ToolOutput<T> = T extends { readonly outputSchema?: Schema<infer Out> | undefined }
  ? unknown extends Out
    ? JsonValue
    : Stored<Out>
  : JsonValue;

/** The argument has another type than the tool wants. */
export interface WrongArgument<Gives, Wants> {
  readonly '~gives': Gives;
  readonly '~wants': Wants;
}
/** There is no argument of that name; `Known` are. */
export interface UnknownArgument<Name, Known> {
  readonly '~unknownArgument': Name;
  readonly '~known': Known;
}

type Extra<Given, Wanted> = string extends keyof Wanted ? never : Exclude<keyof Given, keyof Wanted>;
type Needed<Wanted> = {
  [Key in keyof Wanted]-?: Record<never, never> extends Pick<Wanted, Key> ? never : Key;
}[keyof Wanted];

/** Accepts arguments that, once their references are filled in, are what is wanted. Wrong references are told by themselves. */
export type Fits<Given, Steps, Inputs, Wanted> = {
  ok: unknown;
  wrong: Differences<Resolved<Given, Steps, Inputs>, Wanted>;
}[0 extends 1 & Wanted
  ? 'ok'
  : [Problems<Given, Steps, Inputs>] extends [never]
    ? Verdict<Resolved<Given, Steps, Inputs>, Wanted>
    : 'ok'];
type Verdict<Value, Wanted> = [Extra<Value, Wanted>] extends [never]
  ? [Value] extends [Wanted]
    ? 'ok'
    : 'wrong'
  : 'wrong';
type Differences<Value, Wanted> = { readonly [Key in Needed<Wanted>]: unknown } & {
  readonly [Key in keyof Value]: Key extends keyof Wanted
    ? [Value[Key]] extends [Wanted[Key]]
      ? unknown
      : WrongArgument<Value[Key], Wanted[Key]>
    : UnknownArgument<Key, keyof Wanted>;
};

/** What a tool, given by id or itself, is called with. */
export type ToolCall<T, Given, Steps, Inputs> = T extends AnyTool ? Fits<Given, Steps, Inputs, ToolArgs<T>> : unknown;

/** A tool that needs arguments is given some. */
export type ArgsGiven<T> = T extends AnyTool
  ? Record<never, never> extends ToolArgs<T>
    ? unknown
    : { readonly args: unknown }
  : unknown;

/** The items of a list; a single string counts as a list of one. */
export type ItemOf<List> = List extends string
  ? string
  : List extends readonly (infer Item)[]
    ? Item
    : JsonValue extends List
      ? JsonValue
      : NotAList<List>;
/** What may be a time to sleep for; of a value whose type is not known, the run finds out. */
export type Numeric<Value> = JsonValue extends Value ? unknown : [Value] extends [number] ? unknown : NotANumber<Value>;
/** Only numbers are times. */
export interface NotANumber<Value> {
  readonly '~notANumber': Value;
}
/** What may be chosen from. */
export type Listed<Value> = JsonValue extends Value
  ? unknown
  : [Value] extends [readonly unknown[]]
    ? unknown
    : NotAList<Value>;
/** Only lists can be gone over. */
export interface NotAList<Value> {
  readonly '~notAList': Value;
}

/** The parts of a plan's type. */
export type StepsOf<P> = P extends PlanV2<infer Steps, unknown, unknown> ? Steps : unknown;
/** The inputs of a plan, by name. */
export type InputsOf<P> = P extends PlanV2<unknown, infer Inputs, unknown> ? Inputs : unknown;
/** The final output of a plan. */
export type OutputOf<P> = P extends PlanV2<unknown, unknown, infer Out> ? Out : JsonValue;

/** Literal types as the types of what they are. */
export type Widened<Value> = Value extends string
  ? string
  : Value extends number
    ? number
    : Value extends boolean
      ? boolean
      : Value;

/** A condition as the builder takes it: a pure function of the arguments, or a sentence that a model judges. */
export type ConditionFor<Sentence extends Template, Values, Steps, Inputs> =
  | ((args: Values) => boolean | Promise<boolean>)
  | (Sentence & Checked<Sentence, Steps, Inputs>);

/** Names that later steps cannot take though they cannot refer to them. */
export type TakenIn<Frame> = Frame extends { readonly taken: infer Names } ? Names : never;

/** Outside every block. */
export interface TopFrame {
  readonly taken: never;
}

/** Inside an if: what was known before it, and what the branches that are over made and knew. */
export interface IfFrame<
  Before,
  Outer,
  LastBefore,
  Lasts,
  Made,
  States extends readonly unknown[],
  HasElse extends boolean,
  Taken,
  Up,
> {
  readonly before: Before;
  readonly outer: Outer;
  readonly lastBefore: LastBefore;
  readonly lasts: Lasts;
  readonly made: Made;
  readonly states: States;
  readonly hasElse: HasElse;
  readonly taken: Taken;
  readonly up: Up;
}

/** Inside a parallel block: what was known before it, and what the branches that are over have made. */
export interface ParallelFrame<Before, Outer, Made, Taken, Up> {
  readonly before: Before;
  readonly outer: Outer;
  readonly made: Made;
  readonly taken: Taken;
  readonly up: Up;
}

/** What was made inside a block that may not have run: it may be missing afterwards. */
export type Perhaps<Own> = unknown extends Own ? unknown : { readonly [Key in keyof Own]: Own[Key] | undefined };

/** The first of some steps that has run, whichever branch was taken. */
export type FirstValue<Names, Clauses extends readonly unknown[]> = Clauses extends readonly [
  infer First,
  ...infer Rest,
]
  ? ValueIn<First, Names & keyof First> | FirstValue<Names, Rest>
  : never;
type ValueIn<Clause, Names extends keyof Clause> = [
  { [Name in Names]: undefined extends Clause[Name] ? never : Name }[Names],
] extends [never]
  ? Clause[Names] | undefined
  : Exclude<Clause[Names], undefined>;

/** The names that no state knows. */
type UnknownNames<Names, States extends readonly unknown[]> = States extends readonly [infer First, ...infer Rest]
  ? UnknownNames<Exclude<Names, keyof First>, Rest>
  : Names;
type KnownNames<States extends readonly unknown[]> = States extends readonly [infer First, ...infer Rest]
  ? keyof First | KnownNames<Rest>
  : never;
/** Accepts the names of steps that some state knows. */
export type Mergeable<Names, States extends readonly unknown[]> = {
  ok: unknown;
  wrong: UnknownStep<UnknownNames<Names, States>, KnownNames<States>>;
}[[UnknownNames<Names, States>] extends [never] ? 'ok' : 'wrong'];
