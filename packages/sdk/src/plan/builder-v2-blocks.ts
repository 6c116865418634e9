import type { PlanBuilderV2 } from './builder-v2.ts';
import type {
  AfterBranches,
  EarlyProblems,
  FirstValue,
  IfFrame,
  LoopFrame,
  ParallelFrame,
  Perhaps,
  With,
} from './builder-v2-types.ts';

/** Nothing is open that this could divide or close. */
export interface NotOpen<Block> {
  readonly '~notOpen': Block;
}

/** The builder in the next branch of an if: what other branches make is not known there. */
export type NextClause<Steps, Inputs, Last, Exits, Final, Frame, IsElse extends boolean> =
  Frame extends IfFrame<infer Before, infer LastBefore, infer Lasts, infer Clauses, false, infer Taken, infer Up>
    ? PlanBuilderV2<
        Before,
        Inputs,
        LastBefore,
        Exits,
        Final,
        IfFrame<Before, LastBefore, Lasts | Last, [...Clauses, Steps], IsElse, Taken | Exclude<keyof Steps, keyof Before>, Up>
      >
    : NotOpen<'if'>;

/** The builder after an if: what was made inside may be missing, unless it is merged. */
export type AfterIf<Steps, Inputs, Last, Exits, Final, Frame, Name extends string, Merged> =
  Frame extends IfFrame<infer Before, infer LastBefore, infer Lasts, infer Clauses, infer HasElse, infer _Taken, infer Up>
    ? PlanBuilderV2<
        With<AfterBranches<Before, [...Clauses, Steps]>, Name, FirstValue<Merged, Ends<Clauses, Steps, Before, HasElse>>>,
        Inputs,
        LastAfter<Lasts | Last | (HasElse extends true ? never : LastBefore), FirstValue<Merged, Ends<Clauses, Steps, Before, HasElse>>>,
        Exits,
        Final,
        Up
      >
    : NotOpen<'if'>;

/** What is known at the end of each way through an if. */
type Ends<Clauses extends readonly unknown[], Steps, Before, HasElse> = HasElse extends true
  ? [...Clauses, Steps]
  : [...Clauses, Steps, Before];

type LastAfter<Otherwise, Merged> = [Merged] extends [never]
  ? Otherwise
  : undefined extends Merged
    ? Otherwise | Exclude<Merged, undefined>
    : Merged;

/** The steps FirstOf may name at the end of an if. */
export type MergeableIn<Steps, Frame> =
  Frame extends IfFrame<infer Before, infer _LB, infer _Ls, infer Clauses, infer _E, infer _T, infer _Up>
    ? KeysOf<[...Clauses, Steps, Before]>
    : never;
type KeysOf<States extends readonly unknown[]> = States extends readonly [infer First, ...infer Rest] ? keyof First | KeysOf<Rest> : never;

/** What was known before the innermost block. */
export type BeforeOf<Frame> = Frame extends { readonly before: infer Before } ? Before : unknown;

/** The builder after a loop. The body of a do-while has run at least once; that of another loop perhaps not. */
export type AfterLoop<Steps, Inputs, Last, Exits, Final, Frame, Name extends string> =
  Frame extends LoopFrame<infer Kind, infer Before, infer LastBefore, infer Early, infer _Taken, infer Up>
    ? [EarlyProblems<Early, Steps, Inputs>] extends [never]
      ? Kind extends 'do-while' | 'open'
        ? PlanBuilderV2<With<Steps, Name, boolean>, Inputs, Last, Exits, Final, Up>
        : PlanBuilderV2<Before & Perhaps<Before, Steps>, Inputs, Last | LastBefore, Exits, Final, Up>
      : EarlyProblems<Early, Steps, Inputs>
    : NotOpen<'loop'>;

/** The builder in the next branch of a parallel block: what other branches make is not known there. */
export type NextBranch<Steps, Inputs, Last, Exits, Final, Frame> =
  Frame extends ParallelFrame<infer Before, infer Made, infer Taken, infer Up>
    ? PlanBuilderV2<
        Before,
        Inputs,
        Last,
        Exits,
        Final,
        ParallelFrame<Before, Made & Steps, Taken | Exclude<keyof Steps, keyof Before>, Up>
      >
    : NotOpen<'parallel'>;

/** The builder after a parallel block: all branches have run. */
export type AfterParallel<Steps, Inputs, Last, Exits, Final, Frame> =
  Frame extends ParallelFrame<infer _Before, infer Made, infer _Taken, infer Up>
    ? PlanBuilderV2<Made & Steps, Inputs, Last, Exits, Final, Up>
    : NotOpen<'parallel'>;
