import type { Args, OnFailure, Template } from '../core/plan-v2-steps.ts';
import type { JsonValue } from '../core/json.ts';
import type { Checked, Problems, Resolved } from '../core/reference-types.ts';
import type { PlanBuilderV2 } from './builder-v2.ts';
import type { NotOpen } from './builder-v2-blocks.ts';
import type {
  ConditionFor,
  ItemOf,
  NewName,
  NoArgs,
  NotAList,
  Perhaps,
  TakenIn,
  Widened,
  With,
} from './builder-v2-types.ts';

/** What a loop is opened with. */
export interface LoopOptions<
  Name,
  Given extends Args,
  Initial extends Args,
  List,
  Sentence extends Template,
  Until extends Template,
  Key,
  Steps,
  Inputs,
  Frame,
> {
  readonly stepName?: NewName<Name, Steps, Frame> | undefined;
  /** The body runs as long as this holds; judged before. */
  readonly while?:
    | ConditionFor<Sentence, LoopArgs<NoInfer<Given>, NoInfer<Initial>, Steps, Inputs>, Steps, Inputs>
    | undefined;
  /** The body runs again as long as this holds; judged after. */
  readonly doWhile?:
    | ((args: LoopArgs<NoInfer<Given>, NoArgs, Steps, Inputs>) => boolean | Promise<boolean>)
    | Until
    | undefined;
  /** The body runs for each item. */
  readonly over?: (List & Checked<List, Steps, Inputs> & Loopable<Resolved<List, Steps, Inputs>>) | undefined;
  readonly args?: (Given & Checked<Omit<Given, EarlyKeys<Key, Given, Initial>>, Steps, Inputs>) | undefined;
  /** Stands in for arguments the first time the condition is judged after the loop was entered. */
  readonly initial?: (Initial & Checked<Initial, Steps, Inputs>) | undefined;
  /** How often the body runs at most; 10,000 unless given. One more fails the run. */
  readonly maxIterations?: number | undefined;
  /** How many items of `over` may be worked on at once; 1 unless given. */
  readonly concurrency?: number | undefined;
  /** Whether the others that are running `finish` (unless given) or `abort` when one fails. */
  readonly onFailure?: OnFailure | undefined;
  readonly version?: string | undefined;
}

/** The options of a loop. */
export type LoopOption =
  | 'stepName'
  | 'while'
  | 'doWhile'
  | 'over'
  | 'args'
  | 'initial'
  | 'maxIterations'
  | 'concurrency'
  | 'onFailure'
  | 'version';
// A do-while has an output at its end only.
type LoopName<Key, Name> = LoopKind<Key> extends 'for-each' | 'while' ? Name : never;
// The condition of a while is judged whether the body runs or not; there may be no item.
type WhileName<Key, Name> = LoopKind<Key> extends 'while' ? Name : never;
type EachName<Key, Name> = LoopKind<Key> extends 'for-each' ? Name : never;
type LoopValue<Key, List> = LoopKind<Key> extends 'for-each' ? ItemOf<List> : boolean;
type Loopable<List> = ItemOf<List> extends NotAList<infer Value> ? NotAList<Value> : unknown;

/** Inside a loop. `Early` is what its condition takes from the body. */
export interface LoopFrame<Kind, Before, Outer, LastBefore, Early, Taken, Up> {
  readonly kind: Kind;
  readonly before: Before;
  readonly outer: Outer;
  readonly lastBefore: LastBefore;
  readonly early: Early;
  readonly taken: Taken;
  readonly up: Up;
}

/** The builder inside a loop. */
export type InLoop<
  Steps,
  Inputs,
  Last,
  Exits,
  Final,
  Frame,
  Own,
  Name extends string,
  Given,
  Initial,
  List,
  Until,
  Key,
> = PlanBuilderV2<
  With<Steps, LoopName<Key, Name>, LoopValue<Key, Resolved<List, Steps, Inputs>>>,
  Inputs,
  Last,
  Exits,
  Final,
  LoopFrame<
    LoopKind<Key>,
    With<Steps, WhileName<Key, Name>, boolean>,
    With<Own, WhileName<Key, Name>, boolean>,
    Last,
    Early<Pick<Given, EarlyKeys<Key, Given, Initial> & keyof Given>, Until, Resolved<Initial, Steps, Inputs>>,
    TakenIn<Frame> | Name,
    Frame
  >,
  With<unknown, EachName<Key, Name>, LoopValue<Key, Resolved<List, Steps, Inputs>>>
>;

/** The builder after a loop. The body of a do-while has run at least once; that of another loop perhaps not. */
export type AfterLoop<Steps, Inputs, Last, Exits, Final, Frame, Own, Name extends string> =
  Frame extends LoopFrame<infer Kind, infer Before, infer Outer, infer LastBefore, infer Early, infer _Taken, infer Up>
    ? [EarlyProblems<Early, Steps, Inputs>] extends [never]
      ? Kind extends 'do-while' | 'open'
        ? PlanBuilderV2<With<Steps, Name, boolean>, Inputs, Last, Exits, Final, Up, With<Outer & Own, Name, boolean>>
        : PlanBuilderV2<Before & Perhaps<Own>, Inputs, Last | LastBefore, Exits, Final, Up, Outer & Perhaps<Own>>
      : EarlyProblems<Early, Steps, Inputs>
    : NotOpen<'loop'>;

/** Which kind of loop the options make. */
export type LoopKind<Keys> = 'over' extends Keys
  ? 'for-each'
  : 'while' extends Keys
    ? 'while'
    : 'doWhile' extends Keys
      ? 'do-while'
      : 'open';
/** The arguments of a loop's condition that may refer into its body: those with an initial value, and all of a do-while. */
export type EarlyKeys<Keys, Given, Initial> = LoopKind<Keys> extends 'do-while' ? keyof Given : keyof Initial;
/** What a loop's condition is given. */
export type LoopArgs<Given, Initial, Steps, Inputs> = {
  -readonly [Key in keyof Given]: Key extends keyof Initial
    ? Widened<Resolved<Initial[Key], Steps, Inputs>> | Absent<Given[Key]>
    : NotYetMade<Resolved<Given[Key], Steps, Inputs>>;
};
// The initial value stands in before the first round only.
type Absent<Value> = Value extends { readonly reference: 'step'; readonly optional: true } ? undefined : never;
// What the body makes is not known where a do-while begins.
type NotYetMade<Value> = 0 extends 1 & Value ? JsonValue : Value;
/** What the condition of a loop takes from its body, to be checked where the loop ends. */
export interface Early<Given, Sentence, Initial> {
  readonly given: Given;
  readonly sentence: Sentence;
  readonly initial: Initial;
}
/** The value a loop begins with has another type than what its body makes. */
export interface WrongInitial<Begins, Makes> {
  readonly '~beginsWith': Begins;
  readonly '~bodyMakes': Makes;
}
/** What is wrong with what a loop's condition takes from its body. */
export type EarlyProblems<E, Steps, Inputs> =
  E extends Early<infer Given, infer Sentence, infer Initial>
    ?
        | Problems<Given | Sentence, Steps, Inputs>
        | {
            [Key in keyof Given & keyof Initial]: [Exclude<Resolved<Given[Key], Steps, Inputs>, undefined>] extends [
              Widened<Initial[Key]>,
            ]
              ? never
              : WrongInitial<Initial[Key], Resolved<Given[Key], Steps, Inputs>>;
          }[keyof Given & keyof Initial]
    : never;
