import { PortiaError } from '../core/errors.ts';
import type { Step } from '../core/plan.ts';
import type { PlanInputV2 } from '../core/plan-v2.ts';
import type { StepV2 } from '../core/plan-v2-steps.ts';
import type { Instruction, Program, Scope } from '../core/program.ts';
import { isReference } from '../core/reference.ts';
import type { Schema } from '../core/schema.ts';

/** What a builder plan gives the compiler. */
export interface CompilablePlan {
  readonly steps: readonly StepV2[];
  /** The Portia 0.9 form of each step, in the same order. */
  readonly legacySteps: readonly Step[];
  readonly summarize: boolean;
  /** Empty where a stored plan is only read. */
  readonly planInputs: readonly PlanInputV2[];
  readonly finalOutputSchema?: Schema | undefined;
  /** The plan of a sub-plan step. */
  subPlan(step: Extract<StepV2, { kind: 'sub-plan' }>): CompilablePlan;
}

/** Compiles a builder plan: jump targets are settled, sub-plans take their place, names are looked up. */
export function compileSteps(plan: CompilablePlan): Program {
  const instructions: Instruction[] = [];
  new Compiler(instructions, plan, undefined).compile();
  return { instructions, keepsVisits: true, finalSummary: plan.summarize ? 'always' : 'never' };
}

type Base = Pick<Instruction, 'index' | 'planStep' | 'key' | 'output' | 'step'> & { readonly scope: Scope };

interface Around {
  readonly keyPrefix: string;
  readonly outputPrefix: string;
  readonly planStep: number;
  readonly inputsFrom: number;
}

type Open =
  | { readonly kind: 'if'; readonly clauses: number[] }
  | { readonly kind: 'loop'; readonly start: number }
  | { readonly kind: 'parallel'; readonly start: number; readonly branches: number[] };

/** Compiles the steps of one plan into the shared list. */
class Compiler {
  readonly #instructions: Instruction[];
  readonly #plan: CompilablePlan;
  readonly #around: Around | undefined;
  readonly #open: Open[] = [];
  readonly #names = new Map<string, number>();
  readonly #scope: {
    readonly steps: ReadonlyMap<string, number>;
    readonly places: number[];
    readonly inputsFrom: number | undefined;
  };
  readonly #exits: number[] = [];

  constructor(instructions: Instruction[], plan: CompilablePlan, around: Around | undefined) {
    this.#instructions = instructions;
    this.#plan = plan;
    this.#around = around;
    this.#scope = { steps: this.#names, places: [], inputsFrom: around?.inputsFrom };
  }

  compile(): void {
    for (const [number, step] of this.#plan.steps.entries()) this.#add(step, number);
  }

  #base(step: StepV2, number: number): Base {
    const { keyPrefix = '', outputPrefix = '', planStep = number } = this.#around ?? {};
    return {
      index: this.#instructions.length,
      planStep,
      key: `${keyPrefix}${keyOf(step.name)}`,
      output: `${outputPrefix}$step_${number}_output`,
      step: this.#plan.legacySteps[number] as Step,
      scope: this.#scope,
    };
  }

  #push(instruction: object): number {
    this.#instructions.push(instruction as Instruction);
    return this.#instructions.length - 1;
  }

  #add(step: StepV2, number: number): void {
    const base = this.#base(step, number);
    const at = base.index;
    this.#names.set(step.name, at);
    this.#scope.places[number] = at;
    switch (step.kind) {
      case 'if':
        this.#push({ ...base, op: 'if', condition: step.condition, args: step.args, otherwise: -1, end: -1 });
        this.#open.push({ kind: 'if', clauses: [at] });
        return;
      case 'else-if':
        this.#push({ ...base, op: 'else-if', condition: step.condition, args: step.args, otherwise: -1, end: -1 });
        this.#inner('if', step).clauses.push(at);
        return;
      case 'else':
        this.#push({ ...base, op: 'else', end: -1 });
        this.#inner('if', step).clauses.push(at);
        return;
      case 'end-if':
        this.#push({ ...base, op: 'end-if', value: step.value });
        this.#closeIf(this.#inner('if', step).clauses, at);
        this.#open.pop();
        return;
      case 'loop':
        this.#push(loopFields(base, step));
        this.#open.push({ kind: 'loop', start: at });
        return;
      case 'end-loop': {
        const { start } = this.#inner('loop', step);
        this.#push({ ...base, op: 'end-loop', condition: step.condition, args: step.args ?? {}, start });
        this.#set(start, { end: at });
        this.#open.pop();
        return;
      }
      case 'parallel':
        this.#push({
          ...base,
          op: 'parallel',
          branches: [],
          concurrency: step.concurrency,
          onFailure: step.onFailure,
          end: -1,
        });
        this.#open.push({ kind: 'parallel', start: at, branches: [] });
        return;
      case 'branch':
        this.#push({ ...base, op: 'branch' });
        this.#inner('parallel', step).branches.push(at + 1);
        return;
      case 'end-parallel': {
        const { start, branches } = this.#inner('parallel', step);
        this.#push({ ...base, op: 'end-parallel' });
        this.#set(start, { branches, end: at });
        this.#open.pop();
        return;
      }
      case 'exit':
        this.#push({ ...base, op: 'exit', message: step.message, error: step.error, end: undefined });
        this.#exits.push(at);
        return;
      case 'sub-plan':
        return this.#addSubPlan(step, base);
      default:
        this.#push({ ...base, op: 'work', work: step });
    }
  }

  #addSubPlan(step: Extract<StepV2, { kind: 'sub-plan' }>, base: Base): void {
    const inner = this.#plan.subPlan(step);
    const start = this.#push({
      ...base,
      op: 'sub-plan',
      key: `${base.key}/`,
      output: `${base.output}/inputs`,
      inputs: step.inputValues,
      defaults: Object.fromEntries(
        inner.planInputs.flatMap(({ name, defaultValue }) =>
          defaultValue === undefined ? [] : [[name, defaultValue]],
        ),
      ),
      checks: inner.planInputs.filter((input) => !this.#isSettled(input, step.inputValues[input.name])),
      end: -1,
    });
    const compiler = new Compiler(this.#instructions, inner, {
      keyPrefix: `${base.key}/`,
      outputPrefix: `${base.output}/`,
      planStep: base.planStep,
      inputsFrom: start,
    });
    compiler.compile();
    const end = this.#push({
      ...base,
      index: this.#instructions.length,
      op: 'end-sub-plan',
      start,
      schema: inner.finalOutputSchema,
    });
    this.#names.set(step.name, end);
    this.#scope.places[base.scope.places.length - 1] = end;
    this.#set(start, { end });
    for (const exit of compiler.#exits) this.#set(exit, { end });
  }

  /** An input that is one of the plan around it fits already: its schema was applied to it when the run began. */
  #isSettled({ schema }: PlanInputV2, value: unknown): boolean {
    if (!isReference(value) || value.reference !== 'input' || value.path !== '') return false;
    return this.#plan.planInputs.some((outer) => outer.name === value.name && outer.schema === schema);
  }

  #closeIf(clauses: readonly number[], end: number): void {
    for (const [k, clause] of clauses.entries()) this.#set(clause, { otherwise: clauses[k + 1] ?? end, end });
  }

  #set(at: number, fields: object): void {
    this.#instructions[at] = { ...this.#instructions[at], ...fields } as Instruction;
  }

  #inner<Kind extends Open['kind']>(kind: Kind, step: StepV2): Extract<Open, { kind: Kind }> {
    const open = this.#open.at(-1);
    if (open?.kind === kind) return open as Extract<Open, { kind: Kind }>;
    throw new PortiaError({ code: 'PLAN_INVALID', message: `${step.kind} (${step.name}) closes no ${kind}` });
  }
}

/** A name as part of a key: the slash between a sub-plan and its steps is no part of a name. */
function keyOf(name: string): string {
  return name.replaceAll('%', '%25').replaceAll('/', '%2F');
}

function loopFields(base: object, step: Extract<StepV2, { kind: 'loop' }>): object {
  const common = { ...base, op: 'loop', type: step.type, maxIterations: step.maxIterations, end: -1 };
  return step.type === 'for-each'
    ? {
        ...common,
        condition: undefined,
        args: {},
        initial: undefined,
        over: step.over,
        concurrency: step.concurrency,
        onFailure: step.onFailure,
      }
    : {
        ...common,
        condition: step.condition,
        args: step.args,
        initial: step.initial,
        over: undefined,
        concurrency: 1,
        onFailure: 'finish',
      };
}
