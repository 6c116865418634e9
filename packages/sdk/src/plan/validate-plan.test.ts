import { describe, expect, it } from 'vitest';
import type { PortiaError } from '../core/errors.ts';
import { Plan, type StepInit } from '../core/plan.ts';
import { validatePlan } from './validate-plan.ts';

function plan(steps: readonly StepInit[], inputs: readonly string[] = []): Plan {
  return new Plan({
    planContext: { query: 'q', toolIds: [] },
    steps,
    planInputs: inputs.map((name) => ({ name })),
  });
}

function step(output: string, inputs: readonly string[] = [], more: Partial<StepInit> = {}): StepInit {
  return { task: 'do it', output, inputs: inputs.map((name) => ({ name })), ...more };
}

function problems(of: Plan, toolIds?: readonly string[]): unknown {
  try {
    validatePlan(of, toolIds);
    return [];
  } catch (error) {
    expect((error as PortiaError).code).toBe('PLAN_INVALID');
    const told = (error as PortiaError).details?.['problems'] as string[];
    for (const problem of told) expect((error as PortiaError).message).toContain(problem);
    return told;
  }
}

describe('validating a plan', () => {
  it('accepts plan inputs, outputs of earlier steps, known tools and the LLM tool', () => {
    const good = plan(
      [
        step('$a', ['$in'], { toolId: 'search' }),
        step('$b', ['$a', '$in'], { toolId: 'llm_tool' }),
        step('$c', ['$b']),
      ],
      ['$in'],
    );
    expect(problems(good, ['search'])).toEqual([]);
  });

  it('accepts one output name under different conditions, as an if and an else', () => {
    const branches = plan([
      step('$a', [], { condition: 'if x' }),
      step('$a', [], { condition: 'if not x' }),
      step('$b', ['$a']),
    ]);
    expect(problems(branches, [])).toEqual([]);
  });

  it('lists every problem, in the order of the steps', () => {
    const bad = plan([
      step('$a', ['$b', '$a', '$nothing_like_it'], { toolId: 'serch_tool' }),
      step('$b', ['a'], { toolId: 'completely-different' }),
    ]);
    expect(problems(bad, ['search_tool', 'mail'])).toEqual([
      'steps[0] names tool "serch_tool", which is not known (did you mean "search_tool"?)',
      'steps[0] has input "$b", which only a later step makes (steps[1])',
      'steps[0] has input "$a", which is its own output',
      'steps[0] has input "$nothing_like_it", which is neither a plan input nor the output of an earlier step',
      'steps[1] names tool "completely-different", which is not known',
      'steps[1] has input "a", which is neither a plan input nor the output of an earlier step (did you mean "$a"?)',
      'the known tools are search_tool, mail, llm_tool',
    ]);
  });

  it('checks no tools when none are given', () => {
    expect(problems(plan([step('$a', [], { toolId: 'anything' })]))).toEqual([]);
    expect(problems(plan([step('$a', ['$x'], { toolId: 'anything' })]))).toHaveLength(1);
  });
});
