import { PlanBuilderError } from './errors.ts';
import type { JsonObject } from './json.ts';
import { schemaAllowsPath } from './json-schema-path.ts';
import { nearest } from './nearest.ts';
import { type Block, type BlockMap, clauseOf } from './plan-v2-blocks.ts';
import { type Args, referringFields, type StepV2 } from './plan-v2-steps.ts';
import { type InputReference, referencesIn, type StepReference } from './reference.ts';
import { jsonSchemaOf, type Schema } from './schema.ts';

/** What is checked: the steps of a plan, its blocks, and its inputs by name. */
export interface Checked {
  readonly steps: readonly StepV2[];
  readonly blocks: BlockMap;
  readonly inputs: ReadonlyMap<string, { readonly schema?: Schema | undefined }>;
}

/**
 * Checks names and references of a plan.
 * @throws PlanBuilderError telling every problem; they also stand in `details.problems`.
 */
export function checkReferences(plan: Checked): void {
  const { indexes, problems } = indexNames(plan.steps);
  for (const [index, step] of plan.steps.entries()) {
    const at: Place = { plan, indexes, index, step };
    for (const [field, value] of referringFields(step)) problems.push(...fieldProblems(at, field, value));
    if (step.kind === 'end-if')
      for (const name of step.value?.firstOf ?? []) problems.push(...stepProblems(at, name, undefined, false));
  }
  if (problems.length === 0) return;
  throw new PlanBuilderError(`the plan cannot be built: ${problems.join('; ')}`, {
    hint: 'a step may refer to plan inputs and to the outputs of earlier steps, but not into another branch of its block',
    details: { problems, steps: plan.steps.map(({ name }) => name), inputs: [...plan.inputs.keys()] },
  });
}

interface Place {
  readonly plan: Checked;
  readonly indexes: ReadonlyMap<string, number>;
  readonly index: number;
  readonly step: StepV2;
}

function indexNames(steps: readonly StepV2[]): {
  readonly indexes: ReadonlyMap<string, number>;
  readonly problems: string[];
} {
  const indexes = new Map<string, number>();
  const problems: string[] = [];
  for (const [index, { name }] of steps.entries()) {
    const other = indexes.get(name);
    if (other === undefined) indexes.set(name, index);
    else
      problems.push(
        `steps ${other} and ${index} are both named ${JSON.stringify(name)}: give one of them another stepName`,
      );
  }
  return { indexes, problems };
}

function fieldProblems(at: Place, field: string, value: unknown): readonly string[] {
  const { step } = at;
  if (step.kind === 'loop' && step.type !== 'for-each') {
    if (field === 'args' && step.initial) return initialProblems(at, step.args, step.initial);
    if (step.type === 'do-while') return referenceProblems(at, value, true);
  }
  return referenceProblems(at, value, false);
}

/** The arguments of a while that have an initial value may refer into its body: it stands in before the first round only. */
function initialProblems(at: Place, args: Args, initial: Args): readonly string[] {
  const problems = Object.keys(initial)
    .filter((key) => !Object.hasOwn(args, key))
    .map(
      (key) =>
        `${named(at)} gives ${JSON.stringify(key)} an initial value, but its args have no ${JSON.stringify(key)}: add it to args`,
    );
  for (const [key, value] of Object.entries(args))
    problems.push(...referenceProblems(at, value, Object.hasOwn(initial, key)));
  return problems;
}

function referenceProblems(at: Place, value: unknown, intoBody: boolean): readonly string[] {
  return referencesIn(value).flatMap((reference) =>
    reference.reference === 'input'
      ? inputProblems(at, reference)
      : stepProblems(at, reference.name, reference, intoBody),
  );
}

function inputProblems(at: Place, { name, path }: InputReference): readonly string[] {
  const input = at.plan.inputs.get(name);
  if (input) return pathProblem(at, `input ${JSON.stringify(name)}`, path, schemaOf(input.schema));
  const known = [...at.plan.inputs.keys()];
  const others = known.length === 0 ? 'it has none' : `its inputs are ${listed(known)}`;
  return [
    `${named(at)} refers to input ${JSON.stringify(name)}, which the plan does not have${meant(name, known)}; ${others}`,
  ];
}

function stepProblems(
  at: Place,
  name: string | number,
  reference: StepReference | undefined,
  intoBody: boolean,
): readonly string[] {
  const { steps } = at.plan;
  const found = typeof name === 'string' ? at.indexes.get(name) : name < 0 ? steps.length + name : name;
  const target = found === undefined ? undefined : steps[found];
  const refers = `${named(at)} refers to step ${JSON.stringify(name)}`;
  if (found === undefined || !target) {
    const why = typeof name === 'number' ? `but the plan has ${steps.length} steps` : 'which is not in the plan';
    return [`${refers}, ${why}${typeof name === 'string' ? meant(name, visibleNames(at)) : ''}; ${knownSteps(at)}`];
  }
  const hidden = whyHidden(at, found, intoBody);
  if (hidden) return [`${refers}, ${hidden}; ${knownSteps(at)}`];
  if (!makesOutput(target, at.plan.blocks, found, steps)) {
    return [`${refers}, which is ${kindInWords(target)} and has no output; ${knownSteps(at)}`];
  }
  if (!reference) return [];
  const why = reference.full || reference.optional ? undefined : whyMissing(at, found);
  if (why) {
    return [
      `${refers}, which may not have run: it is ${why}. Mark the reference as { optional: true }, or merge the branches: endIf({ stepName, value: FirstOf(…) })`,
    ];
  }
  return pathProblem(at, `the output of step ${JSON.stringify(name)}`, reference.path, outputSchemaOf(target));
}

/** Where a step stands that need not have run when another one does. */
function whyMissing({ plan, index }: Place, target: number): string | undefined {
  for (let block: Block | undefined = plan.blocks.innermost[target]; block; block = block.parent) {
    if (block.start <= index && index <= block.end) return undefined;
    const { kind, start, end } = block;
    const opener = plan.steps[start] as StepV2;
    if (kind === 'if' && target !== start && target !== end) return `in a branch of the if opened at step ${start}`;
    if (opener.kind !== 'loop' || opener.type === 'do-while') continue;
    if (target !== start || opener.type === 'for-each')
      return `in the loop opened at step ${start}, which need not go round`;
  }
  return undefined;
}

function whyHidden({ plan, index }: Place, target: number, intoBody: boolean): string | undefined {
  if (target === index) return 'which is itself';
  if (target > index) {
    const loop = plan.blocks.innermost[index];
    if (intoBody && loop && target < loop.end) return undefined;
    return 'which comes later';
  }
  for (let block: Block | undefined = plan.blocks.innermost[target]; block; block = block.parent) {
    const inside = block.start < index && index < block.end;
    if (!inside || block.clauses.includes(target) || clauseOf(block, target) === clauseOf(block, index)) continue;
    return `which is in another branch of the ${block.kind === 'if' ? 'if' : 'parallel block'} opened at step ${block.start}`;
  }
  return undefined;
}

function pathProblem(at: Place, what: string, path: string, schema: JsonObject | undefined): readonly string[] {
  if (path === '' || !schema) return [];
  const allowed = schemaAllowsPath(schema, path);
  if (allowed.ok) return [];
  const known = allowed.known.length === 0 ? 'nothing is there' : `there are ${listed(allowed.known)}`;
  const near = meant(allowed.at.split('.').at(-1) as string, allowed.known);
  return [
    `${named(at)} refers to ${JSON.stringify(allowed.at)} in ${what}, which its schema does not have${near}; ${known}`,
  ];
}

/** Whether a step has an output that others can refer to. */
function makesOutput(step: StepV2, { innermost }: BlockMap, index: number, steps: readonly StepV2[]): boolean {
  switch (step.kind) {
    case 'else':
    case 'parallel':
    case 'branch':
    case 'end-parallel':
    case 'exit':
    case 'sleep':
      return false;
    case 'end-if':
      return step.value !== undefined;
    case 'loop':
      return step.type !== 'do-while';
    case 'end-loop': {
      const start = steps[(innermost[index] as Block).start];
      return start?.kind === 'loop' && start.type === 'do-while';
    }
    default:
      return true;
  }
}

function kindInWords({ kind }: StepV2): string {
  return kind === 'exit' || kind === 'sleep' ? `${kind === 'exit' ? 'an' : 'a'} ${kind}` : `the ${kind} of a block`;
}

/** The JSON Schema of what a step makes, where it is known. */
function outputSchemaOf(step: StepV2): JsonObject | undefined {
  switch (step.kind) {
    case 'llm':
      return step.outputSchema ? schemaOf(step.outputSchema) : { type: 'string' };
    case 'invoke-tool':
      return schemaOf(step.outputSchema ?? (typeof step.tool === 'string' ? undefined : step.tool.outputSchema));
    case 'function':
    case 'custom':
    case 'single-tool-agent':
    case 'react-agent':
      return schemaOf(step.outputSchema);
    case 'user-input':
    case 'wait-for':
      return schemaOf(step.schema);
    case 'sub-plan':
      return schemaOf(step.plan.finalOutputSchema);
    case 'loop':
      return step.type === 'for-each' ? undefined : { type: 'boolean' };
    case 'user-verify':
    case 'if':
    case 'else-if':
    case 'end-loop':
      return { type: 'boolean' };
    default:
      return undefined;
  }
}

function schemaOf(schema: Schema | undefined): JsonObject | undefined {
  if (!schema) return undefined;
  try {
    return jsonSchemaOf(schema, 'a reference', 'output');
  } catch {
    return undefined;
  }
}

function named({ index, step }: Place): string {
  return step.name === `step_${index}` ? `step ${index} (${step.kind})` : `step ${JSON.stringify(step.name)}`;
}

function visibleNames(at: Place): readonly string[] {
  const { steps, blocks } = at.plan;
  return steps
    .slice(0, at.index)
    .filter((step, index) => makesOutput(step, blocks, index, steps) && whyHidden(at, index, false) === undefined)
    .map(({ name }) => name);
}

function knownSteps(at: Place): string {
  const known = visibleNames(at);
  return known.length === 0 ? 'no step before it has an output' : `it may refer to ${listed(known)}`;
}

const listedAtMost = 40;

function listed(names: readonly string[]): string {
  const more = names.length > listedAtMost ? ` and ${names.length - listedAtMost} more` : '';
  return (
    names
      .slice(-listedAtMost)
      .map((name) => JSON.stringify(name))
      .join(', ') + more
  );
}

function meant(name: string, known: Iterable<string>): string {
  const near = nearest(name, known);
  return near === undefined ? '' : ` (did you mean ${JSON.stringify(near)}?)`;
}
