import type { JsonValue } from './json.ts';
import { textOf } from './output.ts';
import { Plan, type PlanContextInit, type StepInit } from './plan.ts';
import { type Block, clauseOf } from './plan-v2-blocks.ts';
import type { PlanV2 } from './plan-v2.ts';
import type { Args, Condition, StepV2 } from './plan-v2-steps.ts';
import { isReference, type Reference } from './reference.ts';
import type { AnyTool } from './tool.ts';

type AnyPlanV2 = PlanV2<unknown, unknown, unknown>;

/** The tool id under which Portia 0.9 knows a model call without tools. */
const llmToolId = 'llm_tool';

/** The plan in the form of Portia 0.9, for its wire and dashboards. It says what happens; it is not what is run. */
export function toLegacyPlan(plan: AnyPlanV2, context?: PlanContextInit): Plan {
  const steps = plan.steps.map((step, index) => toLegacyStep(plan, step, index));
  const toolIds = new Set(steps.flatMap(({ toolId }) => (toolId ? toolId.split(',') : [])));
  return new Plan({
    id: plan.id,
    planContext: context ?? { query: plan.label, toolIds: [...toolIds].sort() },
    steps,
    planInputs: plan.planInputs.map(({ name, description, defaultValue }) => ({
      name,
      description,
      value: defaultValue ?? null,
    })),
    structuredOutputSchema: plan.finalOutputSchema,
  });
}

/** The output name of a step in Portia 0.9: `$step_<index>_output`. */
export function outputNameOf(index: number): string {
  return `$step_${index}_output`;
}

function toLegacyStep(plan: AnyPlanV2, step: StepV2, index: number): StepInit {
  return {
    task: taskOf(plan, step),
    inputs: variablesOf(plan, step),
    toolId: toolIdOf(step),
    output: outputNameOf(index),
    condition: conditionOf(plan, index),
    structuredOutputSchema: 'outputSchema' in step ? step.outputSchema : undefined,
  };
}

function taskOf(plan: AnyPlanV2, step: StepV2): string {
  switch (step.kind) {
    case 'llm':
    case 'single-tool-agent':
    case 'react-agent':
      return String(step.task);
    case 'invoke-tool':
    case 'function':
      return `Use tool ${toolIdOf(step)} with args: ${argsInWords(plan, step.args)}`;
    case 'user-input':
      return `User input (${isChoice(step.options) ? 'Multiple choice' : 'Text input'}): ${step.message}`;
    case 'user-verify':
      return `User verification: ${step.message}`;
    case 'exit':
      return `Exit plan${step.error ? ' with error' : ''}: ${step.message}`;
    case 'sub-plan':
      return `Run sub-plan: ${step.plan.label}`;
    case 'if':
    case 'else-if':
      return `Conditional clause: ${clauseInWords(step.condition, step.name)}`;
    case 'else':
      return 'Conditional clause: else';
    case 'end-if':
      return 'Conditional clause: end if';
    case 'loop':
      return `Loop clause: ${step.type === 'for-each' ? `for each of ${shown(plan, step.over)}` : clauseInWords(step.condition, step.name)}`;
    case 'end-loop':
      return `Loop clause: ${step.condition === undefined ? 'end loop' : clauseInWords(step.condition, step.name)}`;
    case 'parallel':
      return 'Parallel block: start';
    case 'branch':
      return 'Parallel block: branch';
    case 'end-parallel':
      return 'Parallel block: end';
    case 'wait-for':
      return `Wait for: ${step.message}`;
    case 'sleep':
      return `Wait ${typeof step.ms === 'number' ? step.ms : shown(plan, step.ms)} ms`;
    case 'custom':
      return `Custom step ${step.name} with args: ${argsInWords(plan, step.args)}`;
  }
}

function isChoice(options: unknown): boolean {
  return Array.isArray(options) ? options.length > 0 : options !== undefined;
}

// The step's name stands for the function's: bundlers rename functions, and the same plan must read the same everywhere.
function clauseInWords(condition: Condition | undefined, name: string): string {
  if (condition === undefined) return 'until the condition at its end is false';
  return typeof condition === 'function' ? `If result of ${name} is true` : String(condition);
}

function argsInWords(plan: AnyPlanV2, args: Args): string {
  return Object.entries(args)
    .map(([key, value]) => `${key}=${shown(plan, value)}`)
    .join(', ');
}

/** A value in words, a reference as the name of what it stands for. */
function shown(plan: AnyPlanV2, value: unknown): string {
  if (isReference(value)) return value.reference === 'text' ? String(value) : dollared(legacyName(plan, value));
  if (Array.isArray(value)) return `[${value.map((item: unknown) => shown(plan, item)).join(', ')}]`;
  return textOf(plain(plan, value));
}

function plain(plan: AnyPlanV2, value: unknown): JsonValue {
  if (isReference(value)) return shown(plan, value);
  if (Array.isArray(value)) return value.map((item: unknown) => plain(plan, item));
  if (typeof value !== 'object' || value === null) return value as JsonValue;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(plan, item)]));
}

function legacyName(plan: AnyPlanV2, reference: Reference): string {
  return reference.reference === 'input' ? reference.name : plan.stepOutputName(reference.name);
}

function dollared(name: string): string {
  return name.startsWith('$') ? name : `$${name}`;
}

function variablesOf(plan: AnyPlanV2, step: StepV2): readonly { readonly name: string }[] {
  const references = valuesOf(step).filter(
    (value): value is Reference => isReference(value) && value.reference !== 'text',
  );
  return references.map((reference) => ({ name: legacyName(plan, reference) }));
}

function valuesOf(step: StepV2): readonly unknown[] {
  if (step.kind === 'sub-plan') return Object.values(step.inputValues);
  if ('inputs' in step) return step.inputs;
  if ('args' in step && step.args) return Object.values(step.args);
  return step.kind === 'loop' && step.type === 'for-each' ? [step.over] : [];
}

function toolIdOf(step: StepV2): string | null {
  switch (step.kind) {
    case 'llm':
      return llmToolId;
    case 'invoke-tool':
    case 'single-tool-agent':
      return idOf(step.tool);
    case 'function':
      return `local_function_${step.name}`;
    case 'react-agent':
      return step.tools.map(idOf).join(',');
    case 'sub-plan':
      return step.plan.steps
        .map(toolIdOf)
        .filter((id) => id !== null)
        .join(',');
    default:
      return null;
  }
}

function idOf(tool: string | AnyTool): string {
  return typeof tool === 'string' ? tool : tool.id;
}

/** What has to be true for a step to run, as far as the conditional blocks directly around it say. */
function conditionOf(plan: AnyPlanV2, index: number): string | null {
  const conditions: string[] = [];
  for (let block = plan.blocks.innermost[index]; block?.kind === 'if'; block = block.parent) {
    const condition = conditionIn(block, index);
    if (condition !== undefined) conditions.push(condition);
  }
  return conditions.length === 0 ? null : `If ${conditions.join(' and ')}`;
}

function conditionIn(block: Block, index: number): string | undefined {
  if (index === block.start || index === block.end) return undefined;
  const active = clauseOf(block, index);
  const earlier = block.clauses.slice(0, active).map((clause) => `${outputNameOf(clause)} is false`);
  const here = block.clauses[active] as number;
  return (index === here ? earlier : [`${outputNameOf(here)} is true`, ...earlier]).join(' and ');
}
