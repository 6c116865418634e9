import { PlanBuilderError } from './errors.ts';
import type { StepV2 } from './plan-v2-steps.ts';

/** A block of a builder plan: what `if`, `loop` or `parallel` opens and its end closes. All numbers are step indexes. */
export interface Block {
  readonly kind: 'if' | 'loop' | 'parallel';
  /** The step that opens it. */
  readonly start: number;
  /** Where its alternatives begin: the if and its else-ifs and else, the branches of a parallel block, the loop itself. */
  readonly clauses: readonly number[];
  /** The step that closes it. */
  readonly end: number;
  /** The block around it. */
  readonly parent: Block | undefined;
}

/** The blocks of a plan. */
export interface BlockMap {
  /** In the order in which they open. */
  readonly blocks: readonly Block[];
  /** For each step, the innermost block it belongs to; the steps that open, divide or close a block belong to it. */
  readonly innermost: readonly (Block | undefined)[];
}

/** The alternative of a block in which a step stands: an index into `clauses`, `-1` before the first branch. */
export function clauseOf(block: Block, index: number): number {
  return block.clauses.findLastIndex((start) => start <= index);
}

interface OpenBlock {
  kind: Block['kind'];
  start: number;
  clauses: number[];
  end: number;
  parent: OpenBlock | undefined;
  name: string;
  /** Whether an `else` has been seen. */
  last: boolean;
  /** Whether a loop still needs a condition at its end. */
  needsCondition: boolean;
}

const opens: Partial<Record<StepV2['kind'], Block['kind']>> = { if: 'if', loop: 'loop', parallel: 'parallel' };
const closes: Partial<Record<StepV2['kind'], Block['kind']>> = {
  'end-if': 'if',
  'end-loop': 'loop',
  'end-parallel': 'parallel',
};
const divides: Partial<Record<StepV2['kind'], Block['kind']>> = { 'else-if': 'if', else: 'if', branch: 'parallel' };
const methods: Partial<Record<StepV2['kind'], string>> = {
  'else-if': 'elseIf()',
  else: 'else()',
  'end-if': 'endIf()',
  'end-loop': 'endLoop()',
  branch: 'branch()',
  'end-parallel': 'endParallel()',
};
const endings = { if: 'endIf()', loop: 'endLoop()', parallel: 'endParallel()' };

/** Follows the blocks of a plan step by step, and refuses a step where it cannot stand. */
export class BlockReader {
  readonly #blocks: OpenBlock[] = [];
  readonly #innermost: (OpenBlock | undefined)[] = [];
  #open: OpenBlock | undefined;

  /**
   * Takes in the next step.
   * @throws PlanBuilderError when nothing is open that it divides or closes, or it stands before the first branch.
   */
  add(step: StepV2): void {
    const index = this.#innermost.length;
    const opened = opens[step.kind];
    const divided = divides[step.kind];
    const closed = closes[step.kind];
    if (divided) this.#divide(step, index, this.#expect(divided, step));
    else if (closed) this.#close(step, index, this.#expect(closed, step));
    else this.#refuseOutsideBranch(step);
    if (opened) this.#push(step, index, opened);
    this.#innermost.push(this.#open);
    if (closed) this.#open = this.#open?.parent;
  }

  /** The blocks, all of them closed. @throws PlanBuilderError naming those that are open. */
  finish(): BlockMap {
    if (this.#open) {
      const open: string[] = [];
      for (let block: OpenBlock | undefined = this.#open; block; block = block.parent) open.push(described(block));
      throw new PlanBuilderError(`the plan ends while ${open.join(' and ')} ${open.length > 1 ? 'are' : 'is'} open`, {
        hint: `call ${endings[this.#open.kind]} before build()`,
      });
    }
    return { blocks: this.#blocks, innermost: this.#innermost };
  }

  #push(step: StepV2, start: number, kind: Block['kind']): void {
    const needsCondition = step.kind === 'loop' && step.type === 'do-while' && step.condition === undefined;
    const clauses = kind === 'parallel' ? [] : [start];
    this.#open = { kind, start, clauses, end: -1, parent: this.#open, name: step.name, last: false, needsCondition };
    this.#blocks.push(this.#open);
  }

  #divide(step: StepV2, index: number, block: OpenBlock): void {
    if (block.last) {
      throw new PlanBuilderError(`${methods[step.kind]} follows the else of ${described(block)}`, {
        hint: 'else() is the last branch of an if; put elseIf() before it',
      });
    }
    block.last = step.kind === 'else';
    block.clauses.push(index);
  }

  #close(step: StepV2, index: number, block: OpenBlock): void {
    const condition = step.kind === 'end-loop' && step.condition !== undefined;
    if (block.kind === 'loop' && condition !== block.needsCondition) {
      throw block.needsCondition
        ? new PlanBuilderError(`${described(block)} has no condition and nothing to go over`, {
            hint: 'give loop() one of while, doWhile and over, or give endLoop() the condition: endLoop({ while, args })',
          })
        : new PlanBuilderError(`endLoop() gives ${described(block)} a second condition`, {
            hint: 'leave while out of endLoop(), or open the loop without a condition',
          });
    }
    if (block.kind === 'parallel' && block.clauses.length === 0) {
      throw new PlanBuilderError(`${described(block)} has no branches`, { hint: 'begin each branch with branch()' });
    }
    block.end = index;
  }

  #expect(kind: Block['kind'], step: StepV2): OpenBlock {
    if (this.#open?.kind === kind) return this.#open;
    const inside = this.#open ? `the innermost open block is ${described(this.#open)}` : 'no block is open';
    throw new PlanBuilderError(`${methods[step.kind]} belongs to ${article[kind]}, but ${inside}`, {
      hint: this.#open ? `call ${endings[this.#open.kind]} first` : `open one with ${kind}()`,
    });
  }

  #refuseOutsideBranch(step: StepV2): void {
    if (this.#open?.kind !== 'parallel' || this.#open.clauses.length > 0) return;
    throw new PlanBuilderError(
      `step ${JSON.stringify(step.name)} stands in ${described(this.#open)} but in none of its branches`,
      {
        hint: 'call branch() after parallel() and before each group of steps that may run beside the others',
      },
    );
  }
}

const article = { if: 'an if', loop: 'a loop', parallel: 'a parallel block' };

function described(block: OpenBlock): string {
  return `the ${block.kind === 'parallel' ? 'parallel block' : block.kind} opened at step ${block.start} (${JSON.stringify(block.name)})`;
}

/** The blocks of a list of steps. @throws PlanBuilderError saying which step cannot stand where it does. */
export function blocksOf(steps: readonly StepV2[]): BlockMap {
  const reader = new BlockReader();
  for (const step of steps) reader.add(step);
  return reader.finish();
}
