import type { Plan } from '../core/plan.ts';
import type { AgentInstruction, Program } from '../core/program.ts';

/** The tool that answers steps which name no tool. */
export const llmToolId = 'llm_tool';

const compiled = new WeakMap<Plan, Program>();

/** The program of a plan: made once per plan object, and never changed by running it. */
export function compile(plan: Plan): Program {
  let program = compiled.get(plan);
  if (!program) {
    program = { instructions: plan.steps.map(toInstruction), keepsVisits: false, finalSummary: 'where-needed' };
    compiled.set(plan, program);
  }
  return program;
}

/** Gives a plan the program it was compiled to from another form. */
export function setProgram(plan: Plan, program: Program): void {
  compiled.set(plan, program);
}

function toInstruction(step: Plan['steps'][number], index: number): AgentInstruction {
  return {
    op: 'agent',
    index,
    planStep: index,
    key: String(index),
    output: step.output,
    step,
    toolId: step.toolId ?? llmToolId,
    condition: step.condition === '' ? null : step.condition,
  };
}
