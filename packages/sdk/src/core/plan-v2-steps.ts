import type { Audience } from './clarification.ts';
import type { ExpiryPolicy } from './event.ts';
import type { PlanV2 } from './plan-v2.ts';
import type { Reference, Text } from './reference.ts';
import type { Schema } from './schema.ts';
import type { AnyTool, ToolRunContext } from './tool.ts';

/** A text that may hold references. */
export type Template = string | Text;

/** Values with references in them, at any depth. */
export type Args = Readonly<Record<string, unknown>>;

/** How a step that failed softly, or timed out without effect, is tried again. */
export interface RetryPolicy {
  /** Attempts in all; 1 is no retry. */
  readonly maxAttempts: number;
  /** Milliseconds before the second attempt; 1,000 unless given. */
  readonly delayMs?: number | undefined;
  /** By what the pause grows each time; 2 unless given. */
  readonly backoff?: number | undefined;
}

/** When a question stops waiting, and what happens then. */
export interface ExpiryOptions {
  /** Milliseconds; for ever unless given. */
  readonly expiresIn?: number | undefined;
  /** `fail` unless given. */
  readonly onExpiry?: ExpiryPolicy | undefined;
}

/** An approval that is asked for before a step does anything. */
export interface ApprovalOptions extends ExpiryOptions {
  readonly message: Template;
  /** `operator` unless given. */
  readonly audience?: Audience | undefined;
  /** Asked unless this gives `false` for the step's arguments; pure, its result is stored. */
  // biome-ignore lint/suspicious/noExplicitAny: the builder types it by the step's arguments
  readonly when?: ((args: any) => boolean | Promise<boolean>) | undefined;
}

/** What any step that does something may say. */
export interface StepOptions {
  readonly retry?: RetryPolicy | undefined;
  /** Milliseconds for one attempt; waiting for people does not count. */
  readonly timeoutMs?: number | undefined;
  readonly approval?: ApprovalOptions | undefined;
}

/** A function of a plan. It has effects, as tools have, unless the step says that it is `readOnly` or `idempotent`. */
// biome-ignore lint/suspicious/noExplicitAny: the builder types it by the step's arguments
export type StepFunction = (args: any, context: ToolRunContext) => unknown;

/** A condition: a pure function of its arguments, or a sentence that a model judges. */
// biome-ignore lint/suspicious/noExplicitAny: the builder types it by the step's arguments
export type Condition = ((args: any) => boolean | Promise<boolean>) | Template;

/** What every step has. */
interface Named<Kind extends string> {
  readonly kind: Kind;
  /** Unique in the plan; `step_<index>` unless given. */
  readonly name: string;
}

interface Effects {
  readonly readOnly?: boolean | undefined;
  readonly idempotent?: boolean | undefined;
  /** Part of the plan's id: change it when a changed function must not go on with runs of the old one. */
  readonly version?: string | undefined;
}

/** One model call, without tools. */
export interface LlmStep extends Named<'llm'>, StepOptions {
  readonly task: Template;
  readonly inputs: readonly unknown[];
  readonly outputSchema?: Schema | undefined;
  readonly systemPrompt?: string | undefined;
  readonly model?: string | readonly string[] | undefined;
}

/** One call of a tool, without a model. */
export interface InvokeToolStep extends Named<'invoke-tool'>, StepOptions {
  readonly tool: string | AnyTool;
  readonly args: Args;
  readonly outputSchema?: Schema | undefined;
}

/** One call of a function. */
export interface FunctionStep extends Named<'function'>, StepOptions, Effects {
  readonly function: StepFunction;
  readonly args: Args;
  readonly outputSchema?: Schema | undefined;
}

/** An agent that calls one tool once. */
export interface SingleToolAgentStep extends Named<'single-tool-agent'>, StepOptions {
  readonly tool: string | AnyTool;
  readonly task: Template;
  readonly inputs: readonly unknown[];
  readonly outputSchema?: Schema | undefined;
  readonly model?: string | readonly string[] | undefined;
}

/** An agent that calls tools until its task is done. */
export interface ReactAgentStep extends Named<'react-agent'>, StepOptions {
  readonly tools: readonly (string | AnyTool)[];
  readonly task: Template;
  readonly inputs: readonly unknown[];
  readonly outputSchema?: Schema | undefined;
  /** Whether the agent may ask people. */
  readonly allowAgentClarifications: boolean;
  /** How many tool calls it may make. */
  readonly toolCallLimit: number;
  readonly model?: string | readonly string[] | undefined;
}

/** Asks a person to confirm; its output is `true`, a refusal fails the run. */
export interface UserVerifyStep extends Named<'user-verify'>, ExpiryOptions {
  readonly message: Template;
  readonly audience?: Audience | undefined;
}

/** Asks a person for a value. */
export interface UserInputStep extends Named<'user-input'>, ExpiryOptions {
  readonly message: Template;
  readonly options?: readonly unknown[] | Reference | undefined;
  readonly schema?: Schema | undefined;
  readonly audience?: Audience | undefined;
}

/** Opens a conditional block, or begins its next branch if no branch before has been taken. Its output is a boolean. */
export interface IfStep extends Named<'if' | 'else-if'> {
  readonly condition: Condition;
  readonly args: Args;
  readonly version?: string | undefined;
}

/** Begins the branch that is taken when no other is. */
export interface ElseStep extends Named<'else'> {}

/** Closes a conditional block. With `value` it has an output. */
export interface EndIfStep extends Named<'end-if'> {
  readonly value?: FirstOf | undefined;
}

/** Opens a block that is repeated as long as a condition holds. The output of a `while` is the condition's result. */
export interface WhileStep extends Named<'loop'> {
  readonly type: 'while' | 'do-while';
  /** Absent in a `do-while` whose condition stands at its end. */
  readonly condition?: Condition | undefined;
  readonly args: Args;
  /** What takes the place of arguments when the condition is judged for the first time after the loop was entered. */
  readonly initial?: Args | undefined;
  /** One iteration more fails the run. */
  readonly maxIterations: number;
  readonly version?: string | undefined;
}

/** Opens a block that is repeated for each item of a list. Its output is the item. */
export interface ForEachStep extends Named<'loop'> {
  readonly type: 'for-each';
  /** A list, or a reference to one; a single string counts as a list of one. */
  readonly over: unknown;
  /** How many iterations may run at once. */
  readonly concurrency: number;
  readonly onFailure: OnFailure;
  readonly maxIterations: number;
}

/** Opens a block that is repeated. */
export type LoopStep = WhileStep | ForEachStep;

/** Closes a loop. The output of a do-while's end is the condition's result. */
export interface EndLoopStep extends Named<'end-loop'> {
  readonly condition?: Condition | undefined;
  readonly args?: Args | undefined;
  readonly version?: string | undefined;
}

/** When one thing fails among several that run at once: let the others finish or abort them. Nothing new starts. */
export type OnFailure = 'finish' | 'abort';

/** Opens a block whose branches run at once. */
export interface ParallelStep extends Named<'parallel'> {
  /** How many branches may run at once; all of them unless given. */
  readonly concurrency?: number | undefined;
  readonly onFailure: OnFailure;
}

/** Begins a branch of a parallel block. */
export interface BranchStep extends Named<'branch'> {}

/** Closes a parallel block: all branches have run. */
export interface EndParallelStep extends Named<'end-parallel'> {}

/** Ends the run: complete, with the message as its final output, or failed. */
export interface ExitStep extends Named<'exit'> {
  readonly message: Template;
  readonly error: boolean;
}

/** Runs another plan inside this run; its output is that plan's final output. */
export interface SubPlanStep extends Named<'sub-plan'> {
  readonly plan: PlanV2<unknown, unknown, unknown>;
  /** The value of every input of that plan, with references into this plan. */
  readonly inputValues: Args;
}

/** Waits for a machine: a callback or webhook. */
export interface WaitForStep extends Named<'wait-for'>, ExpiryOptions {
  readonly message: Template;
  readonly schema?: Schema | undefined;
}

/** Lets time pass. */
export interface SleepStep extends Named<'sleep'> {
  /** Milliseconds. */
  readonly ms: number | Reference;
}

/** A step of the user's own making: a function that may call models and tools itself. */
export interface CustomStep extends Named<'custom'>, StepOptions, Effects {
  readonly run: StepFunction;
  readonly args: Args;
  readonly outputSchema?: Schema | undefined;
}

/** One unit of a builder plan, as data and functions. Control steps count as steps. */
export type StepV2 =
  | LlmStep
  | InvokeToolStep
  | FunctionStep
  | SingleToolAgentStep
  | ReactAgentStep
  | UserVerifyStep
  | UserInputStep
  | IfStep
  | ElseStep
  | EndIfStep
  | LoopStep
  | EndLoopStep
  | ParallelStep
  | BranchStep
  | EndParallelStep
  | ExitStep
  | SubPlanStep
  | WaitForStep
  | SleepStep
  | CustomStep;

/** Merges branches: the output of the first of these steps, in the order given, that has run. */
export interface FirstOf<Name extends string = string> {
  readonly firstOf: readonly Name[];
}

/** Merges branches: `.endIf({ stepName: 'answer', value: FirstOf('long', 'short') })`. */
export function FirstOf<const Names extends readonly [string, ...string[]]>(...names: Names): FirstOf<Names[number]> {
  return Object.freeze({ firstOf: Object.freeze([...names]) });
}

/** How often a loop is repeated at most, unless it says otherwise. */
export const defaultMaxIterations = 10_000;

/** How many tools a ReAct agent calls at most, unless its step says otherwise. */
export const defaultToolCallLimit = 25;

/** What the templates and arguments of a step hold, field by field: everything in which references may stand. */
export function referringFields(step: StepV2): readonly (readonly [field: string, value: unknown])[] {
  const found: (readonly [string, unknown])[] = [];
  for (const field of fieldsWithReferences) {
    const value = (step as unknown as Record<string, unknown>)[field];
    if (value !== undefined && typeof value !== 'function') found.push([field, value]);
  }
  if ('approval' in step && step.approval) found.push(['approval', step.approval.message]);
  return found;
}

/** The fields of steps in which references may stand, approvals apart. */
export const fieldsWithReferences: readonly string[] = [
  'task',
  'inputs',
  'args',
  'message',
  'options',
  'condition',
  'initial',
  'over',
  'inputValues',
  'ms',
];
