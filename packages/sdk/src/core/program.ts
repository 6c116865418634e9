import type { JsonObject } from './json.ts';
import type { Step } from './plan.ts';
import type { Args, Condition, FirstOf, StepV2, Template } from './plan-v2-steps.ts';
import type { Schema } from './schema.ts';

/**
 * What a plan compiles to: instructions in the order of its steps, with every name looked up and every jump settled.
 * The engine knows nothing else, whatever kind of plan it was.
 */
export interface Program {
  readonly instructions: readonly Instruction[];
  /** Whether steps refer to what particular visits made, so that those have to be kept: plans from the builder. */
  readonly keepsVisits: boolean;
  /** When the final output gets a summary: where it is hard to read without, always, or never. */
  readonly finalSummary: 'where-needed' | 'always' | 'never';
}

interface InstructionBase {
  readonly index: number;
  /** The step of the plan it belongs to, as people count them; inside a sub-plan, the step that holds it. */
  readonly planStep: number;
  /** Names the step in call ids; stays the same when other steps move. */
  readonly key: string;
  /** Where the output goes. */
  readonly output: string;
  /** How the step is told to hooks: its Portia 0.9 form. */
  readonly step: Step;
}

/** A step of a V1 plan: an agent with one tool. */
export interface AgentInstruction extends InstructionBase {
  readonly op: 'agent';
  /** The tool to call; a step that names none is answered by the LLM tool. */
  readonly toolId: string;
  /** Judged by the introspection agent before the step runs. */
  readonly condition: string | null;
}

/** What names mean where an instruction stands. */
export interface Scope {
  readonly steps: ReadonlyMap<string, number>;
  /** The instruction of each step of the plan the names belong to, for references by number. */
  readonly places: readonly number[];
  /** The instruction that entered the sub-plan whose inputs these are; absent in the plan itself. */
  readonly inputsFrom: number | undefined;
}

interface ScopedInstruction extends InstructionBase {
  readonly scope: Scope;
}

/** A step of a builder plan that does something. */
export type WorkStep = Extract<
  StepV2,
  {
    kind:
      | 'llm'
      | 'invoke-tool'
      | 'function'
      | 'single-tool-agent'
      | 'react-agent'
      | 'user-verify'
      | 'user-input'
      | 'wait-for'
      | 'sleep'
      | 'custom';
  }
>;

export interface WorkInstruction extends ScopedInstruction {
  readonly op: 'work';
  readonly work: WorkStep;
}

/** `if` and `else-if`: judged when entered; reached from the clause before it, it ends the block. */
export interface IfInstruction extends ScopedInstruction {
  readonly op: 'if' | 'else-if';
  readonly condition: Condition;
  readonly args: Args;
  /** Where to go on when it is false. */
  readonly otherwise: number;
  readonly end: number;
}

export interface ElseInstruction extends ScopedInstruction {
  readonly op: 'else';
  readonly end: number;
}

export interface EndIfInstruction extends ScopedInstruction {
  readonly op: 'end-if';
  readonly value: FirstOf | undefined;
}

export interface LoopInstruction extends ScopedInstruction {
  readonly op: 'loop';
  readonly type: 'while' | 'do-while' | 'for-each';
  readonly condition: Condition | undefined;
  readonly args: Args;
  readonly initial: Args | undefined;
  readonly over: unknown;
  readonly concurrency: number;
  readonly onFailure: 'finish' | 'abort';
  readonly maxIterations: number;
  readonly end: number;
}

export interface EndLoopInstruction extends ScopedInstruction {
  readonly op: 'end-loop';
  readonly condition: Condition | undefined;
  readonly args: Args;
  readonly start: number;
}

export interface ParallelInstruction extends ScopedInstruction {
  readonly op: 'parallel';
  /** The first instruction of each branch. */
  readonly branches: readonly number[];
  /** How many of them may run at once; absent, what the client says of a run. */
  readonly concurrency: number | undefined;
  readonly onFailure: 'finish' | 'abort';
  readonly end: number;
}

/** Separates branches, or closes the block: a thread that reaches it has done its branch. */
export interface BranchInstruction extends ScopedInstruction {
  readonly op: 'branch' | 'end-parallel';
}

export interface ExitInstruction extends ScopedInstruction {
  readonly op: 'exit';
  readonly message: Template;
  readonly error: boolean;
  /** The end of the sub-plan it stands in; absent in the plan itself. */
  readonly end: number | undefined;
}

export interface SubPlanInstruction extends ScopedInstruction {
  readonly op: 'sub-plan';
  /** What its inputs are bound to; what is bound to nothing that is there has its default. */
  readonly inputs: Args;
  readonly defaults: JsonObject;
  /** Inputs whose values are made to fit a schema here, and have not been before. */
  readonly checks: readonly { readonly name: string; readonly schema?: Schema | undefined }[];
  readonly end: number;
}

export interface EndSubPlanInstruction extends ScopedInstruction {
  readonly op: 'end-sub-plan';
  readonly start: number;
  /** Of the final output of the sub-plan. */
  readonly schema: Schema | undefined;
}

/** An instruction that only steers. */
export type ControlInstruction =
  | IfInstruction
  | ElseInstruction
  | EndIfInstruction
  | LoopInstruction
  | EndLoopInstruction
  | ParallelInstruction
  | BranchInstruction
  | ExitInstruction
  | SubPlanInstruction
  | EndSubPlanInstruction;

/** One unit the engine can execute. */
export type Instruction = AgentInstruction | WorkInstruction | ControlInstruction;
