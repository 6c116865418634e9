import type { JsonObject } from './json.ts';
import type { Block } from './plan-v2-blocks.ts';
import type { PlanV2 } from './plan-v2.ts';
import { type Condition, defaultMaxIterations, type LoopStep, type StepV2 } from './plan-v2-steps.ts';
import { isReference, type Reference, type Text } from './reference.ts';
import { jsonSchemaOf, type Schema } from './schema.ts';
import type { AnyTool } from './tool.ts';

type AnyPlanV2 = PlanV2<unknown, unknown, unknown>;

/** A builder plan for people: its inputs, and what each of its steps does, by its name; what stands in blocks is indented. */
export function printPlan(plan: AnyPlanV2): string {
  const lines = [plan.label];
  if (plan.planInputs.length > 0) lines.push('Inputs:');
  for (const { name, description, defaultValue } of plan.planInputs) {
    const otherwise = defaultValue === undefined ? '' : ` (${JSON.stringify(defaultValue)} unless given)`;
    lines.push(`  ${name}${description ? `: ${description}` : ''}${otherwise}`);
  }
  lines.push('Steps:', ...stepLines(plan, '  '));
  const final = [plan.finalOutputSchema && shapeInWords(plan.finalOutputSchema), plan.summarize && 'a summary'];
  if (final.some(Boolean)) lines.push(`Final output: ${final.filter(Boolean).join(', with ')}`);
  return lines.join('\n');
}

function stepLines(plan: AnyPlanV2, indent: string): string[] {
  const words = new Words(plan);
  return plan.steps.flatMap((step, index) => {
    const does = words.of(step);
    if (does === undefined) return [];
    const at = indent + '  '.repeat(depthOf(step, index, plan.blocks.innermost[index]));
    const line = `${at}${step.name}: ${does}${words.detailsOf(step)}`.replaceAll('\n', `\n${at}  `);
    return step.kind === 'sub-plan' ? [line, ...stepLines(step.plan, `${at}  `)] : [line];
  });
}

/** In how many blocks a step stands; the branches of a parallel block are one deeper than the block, as their steps are again. */
function depthOf(step: StepV2 | undefined, index: number, block: Block | undefined): number {
  if (!block) return 0;
  const around = depthOf(undefined, block.start, block.parent);
  if (index === block.start || index === block.end) return around;
  const isClause = step?.kind === 'else-if' || step?.kind === 'else' || step?.kind === 'branch';
  return around + (block.kind === 'parallel' ? 1 : 0) + (isClause ? 0 : 1);
}

class Words {
  readonly #plan: AnyPlanV2;

  constructor(plan: AnyPlanV2) {
    this.#plan = plan;
  }

  /** What a step does; nothing of one that only closes a block. */
  of(step: StepV2): string | undefined {
    switch (step.kind) {
      case 'llm':
        return `a model: ${this.#text(step.task)}`;
      case 'single-tool-agent':
        return `an agent calls ${idOf(step.tool)}: ${this.#text(step.task)}`;
      case 'react-agent':
        return `an agent with ${step.tools.map(idOf).join(', ') || 'no tools'}: ${this.#text(step.task)}`;
      case 'invoke-tool':
        return `call ${idOf(step.tool)}${this.#args(' with ', step.args)}`;
      case 'function':
        return `a function${this.#args(' of ', step.args)}`;
      case 'custom':
        return `a custom step${this.#args(' with ', step.args)}`;
      case 'user-input':
        return `ask: ${this.#text(step.message)}`;
      case 'user-verify':
        return `ask to confirm: ${this.#text(step.message)}`;
      case 'wait-for':
        return `wait for: ${this.#text(step.message)}`;
      case 'sleep':
        return `wait ${this.#value(step.ms)} ms`;
      case 'exit':
        return `end the run${step.error ? ' with an error' : ''}: ${this.#text(step.message)}`;
      case 'sub-plan':
        return `the plan ${JSON.stringify(step.plan.label)}${this.#args(' with ', step.inputValues)}`;
      default:
        return this.#control(step);
    }
  }

  #control(
    step: Extract<StepV2, { kind: `${string}if` | 'else' | `${string}loop` | `${string}parallel` | 'branch' }>,
  ): string | undefined {
    switch (step.kind) {
      case 'if':
        return `if ${this.#condition(step.condition, step.args)}:`;
      case 'else-if':
        return `else, if ${this.#condition(step.condition, step.args)}:`;
      case 'else':
        return 'else:';
      case 'end-if':
        return step.value && `what was made of ${step.value.firstOf.join(', ')}`;
      case 'loop':
        return this.#loop(step);
      case 'end-loop':
        return step.condition && `again while ${this.#condition(step.condition, step.args ?? {})}`;
      case 'parallel':
        return `at the same time${step.concurrency === undefined ? '' : `, at most ${step.concurrency}`}:`;
      case 'branch':
        return 'branch:';
      case 'end-parallel':
        return undefined;
    }
  }

  #loop(step: LoopStep): string {
    const most = step.maxIterations === defaultMaxIterations ? '' : `, at most ${step.maxIterations} times`;
    if (step.type === 'for-each') {
      const atOnce = step.concurrency > 1 ? `, ${step.concurrency} at once` : '';
      return `for each of ${this.#value(step.over)}${atOnce}${most}:`;
    }
    if (step.condition === undefined) return `repeat${most}:`;
    const condition = this.#condition(step.condition, step.args);
    const first = step.initial ? this.#args(', at first of ', step.initial) : '';
    return `${step.type === 'while' ? 'while' : 'once, and again while'} ${condition}${first}${most}:`;
  }

  /** What else is to be known before a plan is approved: what a step is given, what it gives, and who is asked before. */
  detailsOf(step: StepV2): string {
    const details: string[] = [];
    if ('inputs' in step && step.inputs.length > 0) details.push(`uses ${this.#list(step.inputs)}`);
    if ('options' in step && step.options)
      details.push(`one of ${isReference(step.options) ? this.#value(step.options) : this.#list(step.options)}`);
    if ('outputSchema' in step && step.outputSchema) details.push(`gives ${shapeInWords(step.outputSchema)}`);
    if ('approval' in step && step.approval) {
      const when = step.approval.when ? 'where its function says so, ' : '';
      details.push(`${when}approved before: ${this.#text(step.approval.message)}`);
    }
    return details.length === 0 ? '' : ` (${details.join('; ')})`;
  }

  #condition(condition: Condition, args: object): string {
    if (typeof condition !== 'function') return `a model agrees: ${this.#text(condition)}`;
    return `a function${this.#args(' of ', args)} is true`;
  }

  #args(before: string, args: object): string {
    const words = Object.entries(args).map(([key, value]) => {
      const shown = this.#value(value);
      return shown === key ? key : `${key} = ${shown}`;
    });
    return words.length === 0 ? '' : before + words.join(', ');
  }

  #list(values: readonly unknown[]): string {
    return values.map((value) => this.#value(value)).join(', ');
  }

  #value(value: unknown): string {
    if (isReference(value)) return value.reference === 'text' ? JSON.stringify(this.#text(value)) : this.#name(value);
    if (Array.isArray(value)) return `[${this.#list(value)}]`;
    if (typeof value !== 'object' || value === null) return JSON.stringify(value);
    return `{${this.#args(' ', value)} }`;
  }

  #text(text: string | Text): string {
    if (typeof text === 'string') return text;
    return text.parts.map((part) => (typeof part === 'string' ? part : `{${this.#name(part)}}`)).join('');
  }

  #name(reference: Reference): string {
    const path = reference.path === '' ? '' : `.${reference.path}`;
    if (reference.reference === 'input') return `inputs.${reference.name}${path}`;
    const { name, full, optional } = reference;
    // Indexes were checked when the plan was built.
    const step = typeof name === 'number' ? (this.#plan.steps.at(name) as StepV2).name : name;
    return `${full ? 'every ' : ''}${step}${path}${optional ? '?' : ''}`;
  }
}

function idOf(tool: string | AnyTool): string {
  return typeof tool === 'string' ? tool : tool.id;
}

/** What fits a schema: its title, else the fields of an object, else the type. */
function shapeInWords(schema: Schema): string {
  const { title, properties, type } = jsonSchemaOf(schema, 'it') as JsonObject;
  if (typeof title === 'string') return title;
  if (properties) return `{ ${Object.keys(properties).join(', ')} }`;
  return typeof type === 'string' ? type : 'what its schema says';
}
