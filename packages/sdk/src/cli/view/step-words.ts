import type { Plan } from '../../core/plan.ts';
import type { Instruction } from '../../core/program.ts';
import { compile, llmToolId } from '../../plan/compile.ts';

/** What stands where a step has no tool, or nothing else to show. */
export const none = '–';

/** How a plan's steps are called for people. */
export interface StepWords {
  /** The column of the names: steps of a builder plan have names, others are known by their output. */
  readonly title: 'step' | 'output';
  /** By the number of the step. */
  readonly names: readonly string[];
  /** The same, for where the task is not beside it: a name that nobody gave, such as `step_3`, says nothing. */
  readonly labels: readonly string[];
  /** What a step calls; `undefined` for one of a builder plan that calls nothing. */
  toolOf(step: number): string | undefined;
  /** The name behind an output, such as `price` for `$step_0_output`. */
  nameOf(output: string): string;
}

/** The words for a plan. The names of a builder plan's steps are in its program: its document has none. */
export function stepWords(plan: Plan): StepWords {
  const { instructions, keepsVisits } = compile(plan);
  const names = keepsVisits ? namesIn(instructions) : plan.steps.map(({ output }) => output);
  const byOutput = new Map(plan.steps.map(({ output }, index) => [output, names[index] ?? output]));
  return {
    title: keepsVisits ? 'step' : 'output',
    names,
    labels: names.map((name, index) =>
      keepsVisits && name === `step_${index}` ? (plan.steps[index]?.task ?? name) : name,
    ),
    toolOf(step) {
      const id = plan.steps[step]?.toolId;
      return keepsVisits ? id || undefined : (id ?? llmToolId);
    },
    nameOf: (output) => byOutput.get(output) ?? output,
  };
}

/** The steps of the plan itself come first, in order, in the names that its first instruction sees. */
function namesIn([first]: readonly Instruction[]): readonly string[] {
  return first && 'scope' in first ? [...first.scope.steps.keys()] : [];
}
