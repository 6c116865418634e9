import { PortiaError } from '../core/errors.ts';
import { Plan, type PlanInputInit, type StepInit, type VariableInit } from '../core/plan.ts';
import type { Schema } from '../core/schema.ts';

/** What {@link PlanBuilder.step} is given. */
export interface PlanBuilderStep {
  /** What is to be done, in words. */
  readonly task: string;
  readonly toolId?: string | null | undefined;
  /** `$output_<n>` unless given, n being the number of steps before it. */
  readonly output?: string | null | undefined;
  readonly inputs?: readonly VariableInit[] | null | undefined;
  readonly condition?: string | null | undefined;
  readonly structuredOutputSchema?: Schema | undefined;
}

interface Draft {
  readonly init: StepInit;
  readonly inputs: VariableInit[];
  condition: string | null;
}

/**
 * Writes a plan step by step, as Portia's first builder does; `PlanBuilderV2` is the one for new plans.
 *
 * @example
 * const plan = new PlanBuilder('Compare two stocks')
 *   .step('Find the price of Amazon', 'search_tool', '$amazon')
 *   .step('Say whether it is high', 'llm_tool', '$verdict')
 *   .input('$amazon', 'the price')
 *   .build()
 */
export class PlanBuilder {
  readonly #query: string;
  readonly #structuredOutputSchema: Schema | undefined;
  readonly #steps: Draft[] = [];
  readonly #planInputs: PlanInputInit[] = [];

  /** `structuredOutputSchema` is the shape of the final output. */
  constructor(query: string | null = null, structuredOutputSchema?: Schema) {
    this.#query = query ?? '';
    this.#structuredOutputSchema = structuredOutputSchema;
  }

  /** Adds a step. */
  step(step: PlanBuilderStep): this;
  /** Adds a step, its parts in Portia's order. */
  step(
    task: string,
    toolId?: string | null,
    output?: string | null,
    inputs?: readonly VariableInit[] | null,
    condition?: string | null,
    structuredOutputSchema?: Schema,
  ): this;
  step(
    first: string | PlanBuilderStep,
    toolId?: string | null,
    output?: string | null,
    inputs?: readonly VariableInit[] | null,
    condition?: string | null,
    structuredOutputSchema?: Schema,
  ): this {
    const step: PlanBuilderStep =
      typeof first === 'string' ? { task: first, toolId, output, inputs, condition, structuredOutputSchema } : first;
    this.#steps.push({
      init: {
        task: step.task,
        toolId: step.toolId,
        output: step.output ?? `$output_${this.#steps.length}`,
        structuredOutputSchema: step.structuredOutputSchema,
      },
      inputs: [...(step.inputs ?? [])],
      condition: step.condition ?? null,
    });
    return this;
  }

  /** Adds an input to a step: to the last one unless another is named. @throws PortiaError `PLAN_INVALID` for a bad index. */
  input(name: string, description: string | null = null, stepIndex?: number): this {
    this.#stepAt(stepIndex).inputs.push({ name, description });
    return this;
  }

  /** Adds an input to the plan. */
  planInput(name: string, description: string): this {
    this.#planInputs.push({ name, description });
    return this;
  }

  /**
   * Sets the condition of a step: of the last one unless another is named.
   * @throws PortiaError `PLAN_INVALID` for a bad index.
   */
  condition(condition: string, stepIndex?: number): this {
    this.#stepAt(stepIndex).condition = condition;
    return this;
  }

  /** The plan so far. @throws PortiaError `PLAN_INVALID` saying which step or input cannot be. */
  build(): Plan {
    const toolIds = this.#steps.map(({ init }) => init.toolId).filter((id) => typeof id === 'string');
    return new Plan({
      planContext: { query: this.#query, toolIds: [...new Set(toolIds)] },
      steps: this.#steps.map(({ init, inputs, condition }) => ({ ...init, inputs, condition })),
      planInputs: this.#planInputs,
      structuredOutputSchema: this.#structuredOutputSchema,
    });
  }

  #stepAt(index: number = this.#steps.length - 1): Draft {
    const step = this.#steps[index];
    if (!step) {
      throw new PortiaError({
        code: 'PLAN_INVALID',
        message: 'Invalid step index or no steps in the plan',
        hint: this.#steps.length === 0 ? 'add a step first' : `give an index from 0 to ${this.#steps.length - 1}`,
      });
    }
    return step;
  }
}
