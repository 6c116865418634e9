import type { AgentInstruction, Instruction } from '../core/program.ts';
import type { ToolRegistry } from '../tool/registry.ts';

/**
 * For each step of a V1 plan, the first step of its group. Steps of one group follow each other, have no effects and
 * no conditions, and none reads what another of them makes: they may run at once, and each sees what it would have
 * seen in order.
 */
export function findGroups(instructions: readonly Instruction[], tools: ToolRegistry): readonly number[] {
  const starts: number[] = [];
  const made = new Set<string>();
  let start = 0;
  let open = false;
  for (const [index, instruction] of instructions.entries()) {
    const quiet = isQuiet(instruction, tools);
    const joins =
      open && quiet && !made.has(instruction.output) && !instruction.step.inputs.some(({ name }) => made.has(name));
    if (!joins) {
      start = index;
      made.clear();
    }
    open = quiet;
    made.add(instruction.output);
    starts.push(start);
  }
  return starts;
}

/** Whether a step has no effects and always runs. */
function isQuiet(instruction: Instruction, tools: ToolRegistry): instruction is AgentInstruction {
  if (instruction.op !== 'agent' || instruction.condition !== null) return false;
  return tools.has(instruction.toolId) && tools.getTool(instruction.toolId).readOnly === true;
}
