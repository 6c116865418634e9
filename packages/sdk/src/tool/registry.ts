import { PortiaError } from '../core/errors.ts';
import type { AnyTool } from '../core/tool.ts';
import { derive, type ToolOptions, withOptions } from './foreign.ts';
import { nearest } from '../core/nearest.ts';
import { ToolIndex, type ToolMatch } from './match-tools.ts';
import { checkTool } from './tool.ts';

/** How a registry chooses. */
export interface ToolRegistryOptions {
  /** Picks the tools worth showing to the planner for a query, in the place of the registry's own choice. */
  readonly match?: ((query: string, tools: readonly AnyTool[]) => readonly AnyTool[]) | undefined;
  /**
   * How many tools are shown to the planner; 40 unless given. A registry of more gives those that fit the query best,
   * by the words of their ids, names, descriptions and arguments, and fills up with its first others. `Infinity`: all.
   */
  readonly matchLimit?: number | undefined;
  /** Ids of tools that are shown whatever the query. */
  readonly alwaysMatch?: readonly string[] | undefined;
}

const defaultMatchLimit = 40;

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
  readonly #aliases = new Map<string, string>();
  #index: ToolIndex | undefined;

  /**
   * @throws PortiaError `TOOL_DUPLICATE` when two tools have the same id, `TOOL_INVALID` for a tool that cannot work.
   */
  constructor(tools: Iterable<AnyTool> = [], options: ToolRegistryOptions = {}) {
    const { matchLimit } = options;
    if (matchLimit !== undefined && !(matchLimit >= 1))
      throw new PortiaError({
        code: 'TOOL_INVALID',
        message: `a registry has matchLimit ${matchLimit}`,
        hint: 'give a number above 0',
      });
    const byId = new Map<string, AnyTool>();
    for (const tool of tools) {
      if (!checked.has(tool)) checkTool(tool);
      checked.add(tool);
      if (byId.has(tool.id)) throw duplicate(tool.id);
      byId.set(tool.id, tool);
    }
    this.#tools = byId;
    this.#options = options;
    if (tools instanceof ToolRegistry) this.#takeAliases(tools.#aliases);
  }

  get size(): number {
    return this.#tools.size;
  }

  /** The tools, in order. */
  [Symbol.iterator](): IterableIterator<AnyTool> {
    return this.#tools.values();
  }

  /** The ids, in order; aliases are not among them. */
  toolIds(): string[] {
    return [...this.#tools.keys()];
  }

  /** Whether there is a tool with this id, or an alias for one. */
  has(id: string): boolean {
    return this.#tools.has(id) || this.#aliases.has(id);
  }

  /** The same as {@link has}. */
  hasTool(id: string): boolean {
    return this.has(id);
  }

  /** The tool with this id or alias. @throws PortiaError `TOOL_NOT_FOUND` with the ids that are known (`details.known`; the hint
   * has the first of them) and the nearest of them. */
  getTool(id: string): AnyTool {
    const found = this.#tools.get(id) ?? this.#tools.get(this.#aliases.get(id) ?? '');
    if (found) return found;
    const known = this.toolIds();
    const meant = nearest(id, known);
    const list = known.length === 0 ? 'no tools are registered' : `registered: ${someOf(known)}`;
    throw new PortiaError({
      code: 'TOOL_NOT_FOUND',
      message: `no tool "${id}" is registered`,
      hint: meant === undefined ? list : `did you mean "${meant}"? ${list}`,
      details: { known, ...(meant !== undefined && { nearest: meant }) },
    });
  }

  /**
   * The tools for a plan: those named, if any are; else those the registry's `match` picks for the query; else all, or
   * the best of them when there are more than `matchLimit`. A query that has no word in common with any tool gets all.
   * @throws PortiaError `TOOL_NOT_FOUND` for a named tool that is not there.
   */
  matchTools(query?: string, toolIds: readonly string[] = []): readonly AnyTool[] {
    if (toolIds.length > 0) return toolIds.map((id) => this.getTool(id));
    const { match, matchLimit = defaultMatchLimit } = this.#options;
    if (query === undefined) return [...this];
    if (match) return match(query, [...this]);
    return this.size <= matchLimit ? [...this] : this.#best(query, matchLimit);
  }

  /**
   * How well each tool fits a query and by which words, best first: the reasons for what {@link matchTools} chooses.
   * Tools that have nothing in common with the query are left out, also those that are always shown.
   */
  rankTools(query: string): readonly ToolMatch[] {
    this.#index ??= new ToolIndex(this);
    return this.#index.rank(query);
  }

  #best(query: string, limit: number): readonly AnyTool[] {
    const ranked = this.rankTools(query).map(({ tool }) => tool);
    if (ranked.length === 0) return [...this];
    const always = (this.#options.alwaysMatch ?? []).map((id) => this.getTool(id));
    // There is room for others: a tool that says it in other words may be the one.
    const chosen = new Set([...always, ...ranked, ...this]);
    for (const tool of [...chosen].slice(Math.max(limit, always.length))) chosen.delete(tool);
    // In the order of the registry, so that prompts of like queries begin alike.
    return [...this].filter((tool) => chosen.has(tool));
  }

  /**
   * With an old id that stands for a tool: stored plans and runs that name it go on. Lists and planners see the tool
   * under its own id only.
   * @throws PortiaError `TOOL_NOT_FOUND` when there is no tool `id`, `TOOL_DUPLICATE` when `old` is the id of one.
   */
  withAlias(old: string, id: string): ToolRegistry {
    if (this.#tools.has(old)) throw duplicate(old);
    return this.#with(this, new Map([...this.#aliases, [old, this.getTool(id).id]]));
  }

  /** With one more tool. @throws PortiaError `TOOL_DUPLICATE` when its id is taken, unless `overwrite` is set. */
  withTool(tool: AnyTool, { overwrite = false }: OverwriteOption = {}): ToolRegistry {
    if (!overwrite && this.#tools.has(tool.id)) throw duplicate(tool.id);
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
    const theirs = other instanceof ToolRegistry ? other.#aliases : [];
    return this.#with(byId.values(), new Map([...this.#aliases, ...theirs]));
  }

  #with(tools: Iterable<AnyTool>, aliases: ReadonlyMap<string, string> = this.#aliases): ToolRegistry {
    const made = new ToolRegistry(tools, this.#options);
    made.#takeAliases(aliases);
    return made;
  }

  /** Aliases whose tool is gone go, too; a tool of that very id comes before an alias. */
  #takeAliases(aliases: ReadonlyMap<string, string>): void {
    for (const [old, id] of aliases) if (!this.#tools.has(old) && this.#tools.has(id)) this.#aliases.set(old, id);
  }
}

// A tool is checked once, however many registries it is part of.
const checked = new WeakSet<AnyTool>();

/** So many ids of tools that are known are named in an error. */
const namedAtMost = 20;

/** Ids for people, not more of them than can be read. */
export function someOf(ids: readonly string[]): string {
  const more = ids.length > namedAtMost ? ` and ${ids.length - namedAtMost} more` : '';
  return `${ids.slice(0, namedAtMost).join(', ')}${more}`;
}

function duplicate(id: string): PortiaError {
  return new PortiaError({
    code: 'TOOL_DUPLICATE',
    message: `a tool with the id "${id}" is registered already`,
    hint: 'give it another id, or replace the other one: replaceTool(tool)',
  });
}
