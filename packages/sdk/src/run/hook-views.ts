import { ReadOnlyStep } from '../core/plan.ts';
import { planRunView, ReadOnlyPlanRun } from '../core/plan-run.ts';
import type { Instruction } from '../core/program.ts';
import type { DrivenRun } from './runtime.ts';

/** The read-only view of a run that hooks get. */
export function runView(run: DrivenRun): ReadOnlyPlanRun {
  return ReadOnlyPlanRun.fromPlanRun(planRunView(run.driver.state));
}

const steps = new WeakMap<Instruction, ReadOnlyStep>();

/** The step as hooks get it. Within a sub-plan its output is named as the run's outputs name it. */
export function stepView(instruction: Instruction): ReadOnlyStep {
  const { step, output } = instruction;
  if (output === step.output) return ReadOnlyStep.fromStep(step);
  let view = steps.get(instruction);
  if (!view) {
    view = new ReadOnlyStep({ ...step, output });
    steps.set(instruction, view);
  }
  return view;
}
