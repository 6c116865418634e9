import type { Step } from './plan.ts';

/**
 * What a plan compiles to: instructions in the order of its steps, with every name looked up once. The engine knows
 * nothing else, whatever kind of plan it was.
 */
export interface Program {
  readonly instructions: readonly Instruction[];
}

/** One unit the engine can execute. Its index is the step's index. */
export interface Instruction {
  readonly index: number;
  /** Names the step in call ids; stays the same when other steps move. */
  readonly key: string;
  /** Where the output goes. */
  readonly output: string;
  readonly step: Step;
  /** The tool to call; a step that names none is answered by the LLM tool. */
  readonly toolId: string;
  /** Judged by the introspection agent before the step runs. */
  readonly condition: string | null;
}
