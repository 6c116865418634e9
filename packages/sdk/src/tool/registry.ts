import { PortiaError } from '../core/errors.ts';
import type { AnyTool } from '../core/tool.ts';
import { derive, type ToolOptions, withOptions } from './foreign.ts';
import { nearest } from '../core/nearest.ts';
import { checkTool } from './tool.ts';

/** How a registry chooses. */
export interface ToolRegistryOptions {
  /** Picks the tools worth showing to the planner for a query; all of them unless given. */
  readonly match?: ((query: string, tools: readonly AnyTool[]) => readonly AnyTool[]) | undefined;
}

/** Whether a tool with the same id may be replaced. */
export interface OverwriteOption {
  readonly overwrite?: boolean | undefined;
}

/**
 * A set of tools, by id, in the order they were added. It never changes: every `with…`, `replaceTool`, `plus` and
 * `filterTools` gives a new registry and leaves the old one, and the tools themselves, as they were.
 */
export class ToolRegistry {
  readonly #tools: ReadonlyMap<string, AnyTool>;
  readonly #options: ToolRegistryOptions;

  /**
   * @throws PortiaError `TOOL_DUPLICATE` when two tools have the same id, `TOOL_INVALID` for a tool that cannot work.
   */
  constructor(tools: Iterable<AnyTool> = [], options: ToolRegistryOptions = {}) {
    const byId = new Map<string, AnyTool>();
    for (const tool of tools) {
      if (!checked.has(tool)) checkTool(tool);
      checked.add(tool);
      if (byId.has(tool.id)) throw duplicate(tool.id);
      byId.set(tool.id, tool);
    }
    this.#tools = byId;
    this.#options = options;
  }

  get size(): number {
    return this.#tools.size;
  }

  /** The tools, in order. */
  [Symbol.iterator](): IterableIterator<AnyTool> {
    return this.#tools.values();
  }

  /** The ids, in order. */
  toolIds(): string[] {
    return [...this.#tools.keys()];
  }

  has(id: string): boolean {
    return this.#tools.has(id);
  }

  /** The same as {@link has}. */
  hasTool(id: string): boolean {
    return this.#tools.has(id);
  }

  /** @throws PortiaError `TOOL_NOT_FOUND` with the ids that are known (`details.known`) and the nearest of them. */
  getTool(id: string): AnyTool {
    const found = this.#tools.get(id);
    if (found) return found;
    const known = this.toolIds();
    const meant = nearest(id, known);
    const list = known.length === 0 ? 'no tools are registered' : `registered: ${known.join(', ')}`;
    throw new PortiaError({
      code: 'TOOL_NOT_FOUND',
      message: `no tool "${id}" is registered`,
      hint: meant === undefined ? list : `did you mean "${meant}"? ${list}`,
      details: { known, ...(meant !== undefined && { nearest: meant }) },
    });
  }

  /**
   * The tools for a plan: those named, if any are, else those the registry's `match` picks for the query, else all.
   * @throws PortiaError `TOOL_NOT_FOUND` for a named tool that is not there.
   */
  matchTools(query?: string, toolIds: readonly string[] = []): readonly AnyTool[] {
    const tools = toolIds.length > 0 ? toolIds.map((id) => this.getTool(id)) : [...this];
    const { match } = this.#options;
    return toolIds.length === 0 && match && query !== undefined ? match(query, tools) : tools;
  }

  /** With one more tool. @throws PortiaError `TOOL_DUPLICATE` when its id is taken, unless `overwrite` is set. */
  withTool(tool: AnyTool, { overwrite = false }: OverwriteOption = {}): ToolRegistry {
    if (!overwrite && this.has(tool.id)) throw duplicate(tool.id);
    return this.plus([tool]);
  }

  /** With this tool in the place of the one with its id, or as one more. */
  replaceTool(tool: AnyTool): ToolRegistry {
    return this.withTool(tool, { overwrite: true });
  }

  /** Only the tools for which `keep` says yes. */
  filterTools(keep: (tool: AnyTool) => boolean): ToolRegistry {
    return this.#with([...this].filter(keep));
  }

  /**
   * With a text added to a tool's description (after a full stop), or in its place when `overwrite` is set.
   * @throws PortiaError `TOOL_NOT_FOUND`, or `TOOL_INVALID` when the description gets too long.
   */
  withToolDescription(id: string, text: string, { overwrite = false }: OverwriteOption = {}): ToolRegistry {
    const tool = this.getTool(id);
    const before = tool.description.trimEnd();
    const joint = before === '' ? '' : /[.!?]$/.test(before) ? ' ' : '. ';
    return this.replaceTool(derive(tool, { description: overwrite ? text : before + joint + text }));
  }

  /**
   * With marks and limits for a tool that somebody else wrote, such as one of an MCP server.
   * @throws PortiaError `TOOL_NOT_FOUND`, or `TOOL_INVALID` when `idempotencyArg` names no argument of the tool.
   */
  withToolOptions(id: string, options: ToolOptions): ToolRegistry {
    return this.replaceTool(withOptions(this.getTool(id), options));
  }

  /** With all tools of another set; of two with the same id the other set's wins, in the place of this one's. */
  plus(other: Iterable<AnyTool>): ToolRegistry {
    const byId = new Map(this.#tools);
    for (const tool of other) byId.set(tool.id, tool);
    return this.#with(byId.values());
  }

  #with(tools: Iterable<AnyTool>): ToolRegistry {
    return new ToolRegistry(tools, this.#options);
  }
}

// A tool is checked once, however many registries it is part of.
const checked = new WeakSet<AnyTool>();

function duplicate(id: string): PortiaError {
  return new PortiaError({
    code: 'TOOL_DUPLICATE',
    message: `a tool with the id "${id}" is registered already`,
    hint: 'give it another id, or replace the other one: replaceTool(tool)',
  });
}
