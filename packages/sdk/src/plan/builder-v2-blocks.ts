import type { PlanBuilderV2 } from './builder-v2.ts';
import type { FirstValue, IfFrame, ParallelFrame, Perhaps, With } from './builder-v2-types.ts';

// The builder after each method. `Steps` is all that is known, `Own` what was made in the innermost block alone.

/** The builder with one more step, whose output is a `Value`. */
export type Next<Steps, Inputs, Exits, Final, Frame, Own, Name extends string, Value> = PlanBuilderV2<
  With<Steps, Name, Value>,
  Inputs,
  Value,
  Exits,
  Final,
  Frame,
  With<Own, Name, Value>
>;

/** Nothing is open that this could divide or close. */
export interface NotOpen<Block> {
  readonly '~notOpen': Block;
}

/** What was known before the innermost block. */
export type BeforeOf<Frame> = Frame extends { readonly before: infer Before } ? Before : unknown;

/** The builder in the next branch of an if: what other branches make is not known there. */
export type NextClause<Steps, Inputs, Last, Exits, Final, Frame, Own, IsElse extends boolean> =
  Frame extends IfFrame<
    infer Before,
    infer Outer,
    infer LastBefore,
    infer Lasts,
    infer Made,
    infer States,
    false,
    infer Taken,
    infer Up
  >
    ? PlanBuilderV2<
        Before,
        Inputs,
        LastBefore,
        Exits,
        Final,
        IfFrame<
          Before,
          Outer,
          LastBefore,
          Lasts | Last,
          Made & Perhaps<Own>,
          [...States, Steps],
          IsElse,
          Taken | keyof Own,
          Up
        >,
        unknown
      >
    : NotOpen<'if'>;

/** The builder after an if: what was made inside may be missing, unless it is merged. */
export type AfterIf<Steps, Inputs, Last, Exits, Final, Frame, Own, Name extends string, Merged> =
  Frame extends IfFrame<
    infer Before,
    infer Outer,
    infer LastBefore,
    infer Lasts,
    infer Made,
    infer States,
    infer HasElse,
    infer _Taken,
    infer Up
  >
    ? [Merged] extends [never]
      ? PlanBuilderV2<
          Before & Made & Perhaps<Own>,
          Inputs,
          Lasts | Last | Unless<HasElse, LastBefore>,
          Exits,
          Final,
          Up,
          Outer & Made & Perhaps<Own>
        >
      : AfterMerge<
          Before & Made & Perhaps<Own>,
          Inputs,
          Lasts | Last | Unless<HasElse, LastBefore>,
          Exits,
          Final,
          Up,
          Outer & Made & Perhaps<Own>,
          Name,
          FirstValue<Merged, HasElse extends true ? [...States, Steps] : [...States, Steps, Before]>
        >
    : NotOpen<'if'>;

/** What was before counts when no branch has to be taken. */
type Unless<HasElse, Before> = HasElse extends true ? never : Before;

type AfterMerge<Steps, Inputs, Last, Exits, Final, Frame, Own, Name extends string, Value> = PlanBuilderV2<
  With<Steps, Name, Value>,
  Inputs,
  undefined extends Value ? Last | Exclude<Value, undefined> : Value,
  Exits,
  Final,
  Frame,
  With<Own, Name, Value>
>;

/** What is known at the end of each way through the innermost if. */
export type StatesIn<Steps, Frame> = Frame extends { readonly states: infer States extends readonly unknown[] }
  ? [Steps, ...States]
  : [];

/** The builder in the next branch of a parallel block: what other branches make is not known there. */
export type NextBranch<Inputs, Last, Exits, Final, Frame, Own> =
  Frame extends ParallelFrame<infer Before, infer Outer, infer Made, infer Taken, infer Up>
    ? PlanBuilderV2<
        Before,
        Inputs,
        Last,
        Exits,
        Final,
        ParallelFrame<Before, Outer, Made & Own, Taken | keyof Own, Up>,
        unknown
      >
    : NotOpen<'parallel'>;

/** The builder after a parallel block: all branches have run. */
export type AfterParallel<Inputs, Last, Exits, Final, Frame, Own> =
  Frame extends ParallelFrame<infer Before, infer Outer, infer Made, infer _Taken, infer Up>
    ? PlanBuilderV2<Before & Made & Own, Inputs, Last, Exits, Final, Up, Outer & Made & Own>
    : NotOpen<'parallel'>;
