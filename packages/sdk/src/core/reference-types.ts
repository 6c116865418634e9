import type { JsonValue } from './json.ts';
import type { InputReference, Reference, StepReference, Text } from './reference.ts';

/** The part of `T` at a dotted path; `never` where there is none. Of a path that is known only later it may be anything. */
export type At<T, Path extends string> = string extends Path
  ? JsonValue
  : Path extends ''
    ? T
    : Path extends `${infer Key}.${infer Rest}`
      ? At<Member<T, Key>, Rest>
      : Member<T, Path>;

type Member<T, Key extends string> = T extends undefined
  ? undefined
  : T extends readonly unknown[]
    ? Key extends keyof T
      ? Key extends `${number}`
        ? T[Key]
        : never
      : Key extends `${number}`
        ? T[number]
        : never
    : T extends object
      ? Key extends keyof T
        ? T[Key]
        : never
      : unknown extends T
        ? JsonValue
        : never;

/** What a reference to a step gives. A name that is known only when the program runs, a default name, or an index gives any JSON. */
type StepValue<Steps, Name, Path extends string, Full, Optional> = Name extends keyof Steps
  ? Full extends true
    ? At<Exclude<Steps[Name], undefined>, Path>[]
    : Optional extends true
      ? At<Steps[Name], Path> | undefined
      : At<Made<Steps[Name]>, Path>
  : Full extends true
    ? Unseen<Name>[]
    : Unseen<Name> | (Optional extends true ? undefined : never);

// That it may be missing is told where the reference stands.
type Made<Value> = 0 extends 1 & Value ? Value : unknown extends Value ? Value : Exclude<Value, undefined>;

/** What a step without a name is called. Which steps those are is left to `build()`, as with an index. */
type DefaultName = `step_${bigint}`;

// A wrong name is an error where it stands; what is done with the value is not to be a second one.
// biome-ignore lint/suspicious/noExplicitAny: see above
type Unseen<Name> = Name extends number | DefaultName ? JsonValue : string extends Name ? JsonValue : any;

/** A value as a step sees it when its references are filled in. */
export type Resolved<Value, Steps, Inputs> =
  Value extends StepReference<infer Name, infer Path, infer Full, infer Optional>
    ? StepValue<Steps, Name, Path, Full, Optional>
    : Value extends InputReference<infer Name, infer Path>
      ? Name extends keyof Inputs
        ? At<Inputs[Name], Path>
        : Unseen<Name>
      : Value extends Text
        ? string
        : Value extends string | number | boolean | null | undefined
          ? Value
          : Value extends { toJSON(): infer Json }
            ? Json
            : Value extends object
              ? { -readonly [Key in keyof Value]: Resolved<Value[Key], Steps, Inputs> }
              : Value;

/** No step before this one has that name; `Known` do. */
export interface UnknownStep<Name, Known> {
  readonly '~unknownStep': Name;
  readonly '~known': Known;
}

/** The plan has no input of that name; it has `Known`. */
export interface UnknownInput<Name, Known> {
  readonly '~unknownInput': Name;
  readonly '~known': Known;
}

/** There is nothing at that path in what the reference gives. */
export interface UnknownPath<Path, In> {
  readonly '~unknownPath': Path;
  readonly '~in': In;
}

/** The step may not have run: it stands in a branch that need not be taken, or in a loop that need not go round. */
export interface MayBeMissing<Name, Fix> {
  readonly '~mayBeMissing': Name;
  readonly '~fix': Fix;
}

// What is any or unknown says nothing about whether it may be missing.
type CanBeMissing<Value> = 0 extends 1 & Value
  ? false
  : unknown extends Value
    ? false
    : undefined extends Value
      ? true
      : false;

type PathProblem<Value, Path extends string> = Path extends ''
  ? never
  : string extends Path
    ? never
    : [At<NonNullable<Value>, Path>] extends [never]
      ? UnknownPath<Path, Value>
      : never;

type StepProblem<Steps, Name, Path extends string, Marked> = Name extends keyof Steps
  ? true extends Marked
    ? PathProblem<Steps[Name], Path>
    : CanBeMissing<Steps[Name]> extends true
      ? MayBeMissing<Name, 'mark it { optional: true }, or merge with FirstOf'>
      : PathProblem<Steps[Name], Path>
  : Name extends number | DefaultName
    ? never
    : string extends Name
      ? never
      : UnknownStep<Name, keyof Steps>;

type InputProblem<Inputs, Name, Path extends string> = Name extends keyof Inputs
  ? PathProblem<Inputs[Name], Path>
  : string extends Name
    ? never
    : UnknownInput<Name, keyof Inputs>;

/**
 * What is wrong with the references in a value, at any depth; `never` when nothing is. Types that go round in circles
 * are followed a few levels down.
 */
export type Problems<Value, Steps, Inputs, Depth extends readonly unknown[] = []> = 0 extends 1 & Value
  ? never
  : Value extends string | number | boolean | null | undefined
    ? never
    : Value extends StepReference<infer Name, infer Path, infer Full, infer Optional>
      ? StepProblem<Steps, Name, Path, Full | Optional>
      : Value extends InputReference<infer Name, infer Path>
        ? InputProblem<Inputs, Name, Path>
        : Value extends Text<infer Ref>
          ? Problems<Ref, Steps, Inputs>
          : Value extends (...args: never) => unknown
            ? never
            : Depth['length'] extends 8
              ? never
              : Value extends readonly (infer Item)[]
                ? Problems<Item, Steps, Inputs, [...Depth, 0]>
                : Value extends object
                  ? { [Key in keyof Value]: Problems<Value[Key], Steps, Inputs, [...Depth, 0]> }[keyof Value]
                  : never;

/** The same value with each wrong reference replaced by what is wrong with it, so that the compiler points there. */
type Explained<Value, Steps, Inputs> = [Problems<Value, Steps, Inputs>] extends [never]
  ? unknown
  : Value extends Reference | Text
    ? Problems<Value, Steps, Inputs>
    : { readonly [Key in keyof Value]: Explained<Value[Key], Steps, Inputs> };

/** Accepts a value in which every reference names a known step or input, and a path that is there. */
export type Checked<Value, Steps, Inputs> = { ok: unknown; wrong: Explained<Value, Steps, Inputs> }[[
  Problems<Value, Steps, Inputs>,
] extends [never]
  ? 'ok'
  : 'wrong'];
