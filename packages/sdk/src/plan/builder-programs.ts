import type { Plan } from '../core/plan.ts';
import type { PlanV2 } from '../core/plan-v2.ts';
import { setProgram } from './compile.ts';
import { compileSteps, type CompilablePlan } from './compile-v2.ts';

/** A builder plan of any type. */
export type AnyPlanV2 = PlanV2<unknown, unknown, unknown>;

const legacy = new WeakMap<AnyPlanV2, Plan>();
const builders = new WeakMap<Plan, AnyPlanV2>();

/**
 * The Portia 0.9 form of a builder plan, which hooks, records and dashboards see. The engine runs the program that the
 * builder plan itself compiles to.
 */
export function legacyOf(plan: AnyPlanV2): Plan {
  let made = legacy.get(plan);
  if (!made) {
    made = plan.toLegacyPlan();
    setProgram(made, compileSteps(compilable(plan, made)));
    legacy.set(plan, made);
    builders.set(made, plan);
  }
  return made;
}

/** The builder plan behind a plan, if it came from one. */
export function builderOf(plan: Plan): AnyPlanV2 | undefined {
  return builders.get(plan);
}

function compilable(plan: AnyPlanV2, form: Plan): CompilablePlan {
  return {
    steps: plan.steps,
    legacySteps: form.steps,
    summarize: plan.summarize,
    planInputs: plan.planInputs,
    finalOutputSchema: plan.finalOutputSchema,
    subPlan: ({ plan: inner }) => compilable(inner, legacyOf(inner)),
  };
}
