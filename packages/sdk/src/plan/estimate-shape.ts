import type { AgentInstruction, IfInstruction, Instruction, LoopInstruction, Program } from '../core/program.ts';
import type { Condition, Template } from '../core/plan-v2-steps.ts';
import type { AnyTool } from '../core/tool.ts';
import { estimateTokens } from '../model/tokens.ts';
import { llmToolId } from './compile.ts';
import { eitherOf, perhaps, type Range, range, sum, times } from './ranges.ts';

/** What a part of a plan is expected to take. */
export interface Take {
  readonly modelCalls: Range;
  readonly toolCalls: Range;
  readonly inputTokens: Range;
  readonly outputTokens: Range;
  /** Millionths of a US dollar. */
  readonly microUsd: Range;
}

/** What one step is expected to take each time it is entered. */
export interface StepTake extends Take {
  readonly name: string;
  readonly kind: string;
}

/** What the shape of a plan does not say. */
export interface Surroundings {
  /** A tool by its id, where it is known here. */
  readonly tool: (tool: string | AnyTool) => AnyTool | undefined;
  /** The text of a tool's JSON Schema. */
  readonly schemaText: (tool: AnyTool) => string;
  /** What so many tokens cost, for a role or a model by name; nothing where the price is not known. */
  readonly costOf: (model: string | readonly string[], input: number, output: number) => number;
  /** Whether the run has a schema for its final output. */
  readonly finalSchema: boolean;
}

// Guesses, all told in `shapeAssumptions`.
const prompt = 110;
const inputValue = range(10, 150, 1_000);
const words = range(20, 250, 1_000);
const args = range(10, 40, 250);
const verdict = range(10, 40, 100);
const summary = range(30, 80, 200);
const turns = range(2, 4, 10);
const rounds = 10;

/** What {@link estimateShape} takes for granted. */
export const shapeAssumptions: readonly string[] = [
  'a prompt has about 110 tokens beside its task, the schemas of its tools and its inputs; four characters are a token',
  'an input has 10 to 1,000 tokens, 150 expected',
  'an answer in words has 20 to 1,000 tokens, arguments 10 to 250, a verdict 10 to 100, a summary 30 to 200',
  'an agent with several tools takes 2 to 10 turns, 4 expected, and reads what was said before in each',
  'a loop over a list in the plan runs once for each item; another up to 10 times, or its maxIterations where that is less, 3 expected',
  'of the branches of an if, any may be taken; what has a condition, or comes after an exit, may be left out',
  'one repair of an answer, or one more call after a soft error, is in the high figure; retries of failed calls are not',
];

const nothing: Take = {
  modelCalls: range(0),
  toolCalls: range(0),
  inputTokens: range(0),
  outputTokens: range(0),
  microUsd: range(0),
};

const keys = ['modelCalls', 'toolCalls', 'inputTokens', 'outputTokens', 'microUsd'] as const;

function combine(make: (key: (typeof keys)[number]) => Range): Take {
  return Object.fromEntries(keys.map((key) => [key, make(key)])) as unknown as Take;
}

const all = (...takes: readonly Take[]): Take => combine((key) => sum(...takes.map((take) => take[key])));
const maybe = (take: Take): Take => combine((key) => perhaps(take[key]));

/** Estimates a program from its shape alone: no model is asked. */
export function estimateShape(
  program: Program,
  around: Surroundings,
): { readonly total: Take; readonly steps: readonly StepTake[] } {
  const reader = new ShapeReader(program, around);
  const { take } = reader.block(0, program.instructions.length);
  const final = reader.finalOutput();
  const steps =
    final.modelCalls.high > 0 ? [...reader.steps, { ...final, name: 'final output', kind: 'summary' }] : reader.steps;
  return { total: all(take, final), steps };
}

class ShapeReader {
  readonly #instructions: readonly Instruction[];
  readonly #program: Program;
  readonly #around: Surroundings;
  readonly steps: StepTake[] = [];

  constructor(program: Program, around: Surroundings) {
    this.#program = program;
    this.#instructions = program.instructions;
    this.#around = around;
  }

  /** What the instructions from one to before another take, and whether the run may end among them. */
  block(from: number, to: number): { readonly take: Take; readonly exits: boolean } {
    let take = nothing;
    let exits = false;
    const add = (more: Take): void => {
      take = all(take, exits ? maybe(more) : more);
    };
    for (let at = from; at < to; ) {
      const instruction = this.#instructions[at];
      if (!instruction) break;
      if (instruction.op === 'if' || instruction.op === 'loop') {
        const inner = instruction.op === 'loop' ? this.#loop(instruction) : this.#choice(instruction);
        add(inner.take);
        exits ||= inner.exits;
        at = instruction.end + 1;
        continue;
      }
      if (instruction.op === 'exit') exits = true;
      if (instruction.op === 'agent' || instruction.op === 'work') {
        const one = this.#step(instruction);
        this.steps.push(one);
        add(one);
        // A condition may also end the run.
        if (instruction.op === 'agent' && instruction.condition !== null) exits = true;
      }
      at += 1;
    }
    return { take, exits };
  }

  #choice(first: IfInstruction): { readonly take: Take; readonly exits: boolean } {
    const bodies: Take[] = [];
    const conditions: Take[] = [];
    let exits = false;
    let closed = false;
    for (let at = first.index; at < first.end; ) {
      const clause = this.#instructions[at];
      const isElse = clause?.op === 'else';
      const next = clause && 'otherwise' in clause ? clause.otherwise : first.end;
      if (clause && 'condition' in clause && clause.op !== 'agent') {
        const judged = this.#judged(clause.condition);
        conditions.push(conditions.length === 0 ? judged : maybe(judged));
      }
      const body = this.block(at + 1, Math.min(next, first.end));
      bodies.push(body.take);
      exits ||= body.exits;
      closed ||= isElse;
      at = Math.max(next, at + 1);
    }
    if (!closed) bodies.push(nothing);
    return {
      take: all(
        ...conditions,
        combine((key) => eitherOf(bodies.map((body) => body[key]))),
      ),
      exits,
    };
  }

  #loop(loop: LoopInstruction): { readonly take: Take; readonly exits: boolean } {
    const body = this.block(loop.index + 1, loop.end);
    const close = this.#instructions[loop.end];
    const judged = all(
      this.#judged(loop.condition),
      this.#judged(close?.op === 'end-loop' ? close.condition : undefined),
    );
    const most = Math.min(rounds, loop.maxIterations);
    const often = Array.isArray(loop.over)
      ? range(loop.over.length)
      : range(loop.type === 'do-while' ? Math.min(1, most) : 0, Math.min(3, most), most);
    const round = all(body.take, judged);
    return {
      take: all(
        combine((key) => times(round[key], often)),
        maybe(judged),
      ),
      exits: body.exits,
    };
  }

  #judged(condition: Condition | undefined): Take {
    if (condition === undefined || typeof condition === 'function') return nothing;
    return this.#call('introspection', range(1, 1, 2), sum(range(prompt + textTokens(condition)), inputValue), verdict);
  }

  #call(model: string | readonly string[], often: Range, input: Range, output: Range): Take {
    const { costOf } = this.#around;
    const one: Omit<Take, 'modelCalls' | 'toolCalls'> = {
      inputTokens: input,
      outputTokens: output,
      microUsd: range(
        costOf(model, input.low, output.low),
        costOf(model, input.expected, output.expected),
        costOf(model, input.high, output.high),
      ),
    };
    return {
      modelCalls: often,
      toolCalls: range(0),
      inputTokens: times(one.inputTokens, often),
      outputTokens: times(one.outputTokens, often),
      microUsd: times(one.microUsd, often),
    };
  }

  #step(instruction: Extract<Instruction, { op: 'agent' | 'work' }>): StepTake {
    return instruction.op === 'agent' ? this.#plannedStep(instruction) : this.#workStep(instruction);
  }

  #plannedStep({ toolId, condition, step, output, index }: AgentInstruction): StepTake {
    const inputs = step.inputs.length + (toolId === llmToolId ? 0 : Math.min(index, 5) / 2);
    const done = all(
      this.#toolAgent(toolId, step.task, inputs, 'execution'),
      this.#shaped(toolId, step.structuredOutputSchema !== null && step.structuredOutputSchema !== undefined),
    );
    const kind = toolId === llmToolId ? 'llm' : 'tool';
    if (condition === null) return { ...done, name: output, kind };
    const judged = this.#call('introspection', range(1, 1, 2), range(300, 500, 3_000), verdict);
    return { ...all(judged, maybe(done)), name: output, kind };
  }

  #workStep({ work, key }: Extract<Instruction, { op: 'work' }>): StepTake {
    const named = { name: key, kind: work.kind };
    switch (work.kind) {
      case 'llm': {
        const often = range(1, 1, work.outputSchema ? 2 : 1);
        const input = sum(range(prompt + textTokens(work.task)), scaled(inputValue, work.inputs.length));
        return {
          ...all(this.#call(work.model ?? 'default', often, input, words), oneTool, this.#shaped(undefined, false)),
          ...named,
        };
      }
      case 'single-tool-agent':
        return {
          ...all(
            this.#toolAgent(work.tool, work.task, work.inputs.length, work.model ?? 'execution'),
            this.#shaped(work.tool, work.outputSchema !== undefined),
          ),
          ...named,
        };
      case 'react-agent': {
        const most = Math.min(turns.high, work.toolCallLimit + 1);
        const often = range(Math.min(turns.low, most), Math.min(turns.expected, most), most);
        const tools = work.tools.map((tool) => this.#schemaTokens(tool)).reduce((total, one) => total + one, 0);
        const grows = range(args.low, args.expected + inputValue.expected, args.high + inputValue.high);
        const each = sum(
          range(2 * prompt + tools + textTokens(work.task)),
          scaled(inputValue, work.inputs.length),
          times(grows, range(often.low / 2, often.expected / 2, often.high / 2)),
        );
        const asked = this.#call(work.model ?? 'planning', often, each, args);
        return { ...all(asked, { ...nothing, toolCalls: range(0, often.expected - 1, work.toolCallLimit) }), ...named };
      }
      case 'invoke-tool':
        return { ...all(oneTool, this.#shaped(work.tool, work.outputSchema !== undefined)), ...named };
      case 'function':
      case 'custom':
        return { ...all(oneTool, 'outputSchema' in work && work.outputSchema ? this.#coerced() : nothing), ...named };
      default:
        return { ...nothing, ...named };
    }
  }

  /** One call for the arguments, where the tool has any; the LLM tool is asked itself. */
  #toolAgent(given: string | AnyTool, task: Template, inputs: number, model: string | readonly string[]): Take {
    const tool = this.#around.tool(given);
    const id = typeof given === 'string' ? given : given.id;
    const input = sum(range(prompt + textTokens(task)), scaled(inputValue, inputs));
    if (id === llmToolId) return all(this.#call('default', range(1), input, words), oneTool);
    if (tool && !tool.argsSchema && !tool.argsJsonSchema) return oneTool;
    const withSchema = sum(input, range(this.#schemaTokens(given)));
    return all(this.#call(model, range(1, 1, 2), withSchema, args), { ...oneTool, toolCalls: range(1, 1, 2) });
  }

  /** A summary, where the tool wants one or its value is large; a value in its schema. */
  #shaped(given: string | AnyTool | undefined, inSchema: boolean): Take {
    if (inSchema) return this.#coerced();
    const tool = given === undefined ? undefined : this.#around.tool(given);
    const often = tool?.shouldSummarize ? range(1) : range(0, 0, 1);
    return this.#call('execution', often, range(prompt + 20, prompt + 300, prompt + 3_000), summary);
  }

  #coerced(): Take {
    return this.#call('execution', range(0, 1, 2), range(prompt + 20, prompt + 300, prompt + 3_000), words);
  }

  #schemaTokens(given: string | AnyTool): number {
    const tool = this.#around.tool(given);
    return tool ? estimateTokens(`${tool.description}${this.#around.schemaText(tool)}`) + 25 : 100;
  }

  finalOutput(): Take {
    const { finalSummary } = this.#program;
    const input = range(prompt + 20, prompt + 500, prompt + 5_000);
    if (this.#around.finalSchema) return this.#call('summarizer', range(0, 1, 2), input, words);
    const often = finalSummary === 'always' ? range(1) : finalSummary === 'never' ? range(0) : range(0, 0, 1);
    return this.#call('summarizer', often, input, summary);
  }
}

const oneTool: Take = { ...nothing, toolCalls: range(1) };

function scaled(one: Range, count: number): Range {
  return times(one, range(count));
}

function textTokens(text: Template): number {
  return estimateTokens(typeof text === 'string' ? text : JSON.stringify(text));
}
