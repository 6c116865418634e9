import type { AgentInstruction, Instruction, Program, WorkInstruction, WorkStep } from '../core/program.ts';
import type { RetryPolicy } from '../core/plan-v2-steps.ts';
import type { Schema } from '../core/schema.ts';
import type { AnyTool } from '../core/tool.ts';
import type { ToolRegistry } from '../tool/registry.ts';
import { findGroups } from './groups.ts';
import { type AskedTool, findAsked } from './readiness.ts';
import { bind, type Bound } from './references.ts';
import { functionTool, toolOf, withTimeout } from './work/step-tools.ts';

/** A step that makes one call, with arguments that the plan gives. */
export type CallStep = Extract<WorkStep, { kind: 'invoke-tool' | 'function' | 'custom' }>;

/** What such a step calls, and with what; what is looked at for every visit stands together. */
export interface PreparedCall {
  readonly tool: AnyTool;
  readonly args: Bound;
  /** What its result has to fit. */
  readonly schema: Schema | undefined;
  readonly approval: CallStep['approval'];
  readonly retry: RetryPolicy | undefined;
  readonly work: CallStep;
}

/**
 * What is settled about a program and a set of tools once, the first time it is needed, and holds for every run. By the
 * number of the instruction: a run of many steps finds it without looking through the plan again.
 */
export class Prepared {
  readonly #program: Program;
  readonly #tools: ToolRegistry;
  readonly #calls: (PreparedCall | null)[] = [];
  readonly #agentTools: AnyTool[] = [];
  readonly #firstCalls: string[] = [];
  #groups: readonly number[] | undefined;
  #asked: readonly AskedTool[] | undefined;

  constructor(program: Program, tools: ToolRegistry) {
    this.#program = program;
    this.#tools = tools;
  }

  /** For each step of a V1 plan, the first step of its group: see {@link findGroups}. */
  get groups(): readonly number[] {
    this.#groups ??= findGroups(this.#program.instructions, this.#tools);
    return this.#groups;
  }

  /** The tools that say whether they are ready. @throws PortiaError `TOOL_NOT_FOUND` for one that nobody has. */
  askedTools(): readonly AskedTool[] {
    this.#asked ??= findAsked(this.#program.instructions, this.#tools);
    return this.#asked;
  }

  /** The call of a step that makes one; `null` for all others. @throws PortiaError `TOOL_NOT_FOUND`. */
  call(instruction: WorkInstruction): PreparedCall | null {
    let call = this.#calls[instruction.index];
    if (call === undefined) {
      call = prepareCall(instruction, this.#tools);
      this.#calls[instruction.index] = call;
    }
    return call;
  }

  /** The tool of a step of a V1 plan. @throws PortiaError `TOOL_NOT_FOUND`. */
  tool({ index, toolId }: AgentInstruction): AnyTool {
    let tool = this.#agentTools[index];
    if (!tool) {
      tool = this.#tools.getTool(toolId);
      this.#agentTools[index] = tool;
    }
    return tool;
  }

  /** The id of the first call of the first visit of a step. */
  firstCall({ index, key }: Instruction): string {
    let id = this.#firstCalls[index];
    if (id === undefined) {
      id = `${key}.0.1`;
      this.#firstCalls[index] = id;
    }
    return id;
  }
}

function prepareCall({ key, scope, work }: WorkInstruction, tools: ToolRegistry): PreparedCall | null {
  if (work.kind !== 'invoke-tool' && work.kind !== 'function' && work.kind !== 'custom') return null;
  const { approval, retry, timeoutMs } = work;
  const tool = work.kind === 'invoke-tool' ? toolOf(tools, work.tool) : functionTool(key, work);
  const schema = 'outputSchema' in work ? work.outputSchema : undefined;
  return { tool: withTimeout(tool, timeoutMs), args: bind(scope, work.args), schema, approval, retry, work };
}

const known = new WeakMap<Program, WeakMap<ToolRegistry, Prepared>>();

/** The same for all runs of a program with these tools. */
export function preparedOf(program: Program, tools: ToolRegistry): Prepared {
  const byTools = known.get(program) ?? new WeakMap<ToolRegistry, Prepared>();
  known.set(program, byTools);
  let prepared = byTools.get(tools);
  if (!prepared) {
    prepared = new Prepared(program, tools);
    byTools.set(tools, prepared);
  }
  return prepared;
}
