import { PortiaError } from '../core/errors.ts';
import type { Plan, PlanInit } from '../core/plan.ts';
import { nearest } from '../core/nearest.ts';
import { knownToolIds } from './prompt.ts';

type Steps = PlanInit['steps'];

/**
 * Checks that a plan can be run as written: every step input is a plan input or the output of an earlier step, every
 * tool is known, no two steps write the same output under the same condition. Without `toolIds` tools are not checked;
 * `llm_tool` may always be named.
 *
 * @throws PortiaError `PLAN_INVALID` listing every problem; they also stand in `details.problems`.
 */
export function validatePlan(plan: Plan, toolIds?: readonly string[]): void {
  const inputs = plan.planInputs.map(({ name }) => name);
  const problems = planProblems(plan.steps, inputs, toolIds);
  if (problems.length === 0) return;
  throw new PortiaError({
    code: 'PLAN_INVALID',
    message: `the plan cannot be run: ${problems.join('; ')}`,
    hint: 'a step may use plan inputs, outputs of earlier steps, and tools that are registered',
    details: { problems },
  });
}

/** What keeps these steps from being run, in the order of the steps; empty when nothing does. */
export function planProblems(
  steps: Steps,
  planInputs: readonly string[],
  toolIds: readonly string[] | undefined,
): readonly string[] {
  const tools = toolIds && new Set(knownToolIds(toolIds));
  const known = new Set(planInputs);
  const seen = new Map<string, number>();
  const problems: string[] = [];
  let unknownTools = false;
  for (const [index, step] of steps.entries()) {
    if (tools && typeof step.toolId === 'string' && !tools.has(step.toolId)) {
      problems.push(
        `steps[${index}] names tool ${JSON.stringify(step.toolId)}, which is not known${meant(step.toolId, tools)}`,
      );
      unknownTools = true;
    }
    for (const { name } of step.inputs ?? []) {
      if (!known.has(name))
        problems.push(`steps[${index}] has input ${JSON.stringify(name)}, ${whyUnknown(name, index, steps, known)}`);
    }
    const key = JSON.stringify([step.output, step.condition ?? '']);
    const twin = seen.get(key);
    if (twin !== undefined) {
      const condition = step.condition ? 'the same condition' : 'no condition';
      problems.push(
        `steps[${index}] has output ${JSON.stringify(step.output)} with ${condition}, as steps[${twin}] has`,
      );
    }
    seen.set(key, index);
    known.add(step.output);
  }
  if (tools && unknownTools) problems.push(`the known tools are ${listed([...tools])}`);
  return problems;
}

function whyUnknown(name: string, index: number, steps: Steps, known: ReadonlySet<string>): string {
  const maker = steps.findIndex(({ output }) => output === name);
  if (maker === index) return 'which is its own output';
  if (maker > index) return `which only a later step makes (steps[${maker}])`;
  return `which is neither a plan input nor the output of an earlier step${meant(name, known)}`;
}

function meant(name: string, known: Iterable<string>): string {
  const near = nearest(name, known);
  return near === undefined ? '' : ` (did you mean ${JSON.stringify(near)}?)`;
}

const listedAtMost = 40;

function listed(ids: readonly string[]): string {
  const more = ids.length > listedAtMost ? ` and ${ids.length - listedAtMost} more` : '';
  return `${ids.slice(0, listedAtMost).join(', ')}${more}`;
}
