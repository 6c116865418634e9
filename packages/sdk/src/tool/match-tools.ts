import MiniSearch, { type SearchResult } from 'minisearch';
import { isPlainObject } from '../core/json.ts';
import type { AnyTool } from '../core/tool.ts';
import { argsJsonSchemaOf } from './tool.ts';

/** How well a tool fits a query, and why. */
export interface ToolMatch {
  readonly tool: AnyTool;
  /** The higher, the better (BM25). Comparable within one query only. */
  readonly score: number;
  /** The words of the query it was found by; empty for one that is only needed by another that was found. */
  readonly terms: readonly string[];
  /** The tool whose arguments it may provide, when it was found by them alone. */
  readonly neededBy?: string | undefined;
}

interface Entry {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly args: string;
}

// Words that say nothing about which tool is meant. Verbs stay: "send" and "list" are what tools are told apart by.
const emptyWords = new Set(
  'a an the of to in on at by for from with and or not is are was were be been it its this that these those my your our their me you i we they he she them as if then than so do does did has have had will would can could should may might what which who whose when where why how all any each some most more into about use used using tool tools give gives given please need needs want'.split(
    ' ',
  ),
);

/** How many of the best are asked what they need from others. */
const leaders = 8;

/**
 * An index of tools by the words of their ids, names, descriptions and arguments. It is local and deterministic: the
 * same tools and query give the same list, with no model and no network.
 */
export class ToolIndex {
  readonly #tools: ReadonlyMap<string, AnyTool>;
  readonly #search: MiniSearch<Entry>;

  constructor(tools: Iterable<AnyTool>) {
    this.#tools = new Map([...tools].map((tool) => [tool.id, tool]));
    this.#search = new MiniSearch<Entry>({
      fields: ['id', 'name', 'description', 'args'],
      tokenize: wordsOf,
      processTerm: stemOf,
      searchOptions: {
        boost: { id: 3, name: 2, description: 1, args: 0.5 },
        prefix: (term) => term.length > 3,
        fuzzy: (term) => (term.length > 5 ? 0.15 : false),
      },
    });
    this.#search.addAll([...this.#tools.values()].map(entryOf));
  }

  /**
   * The tools that share words with the query, best first. After those stand tools that provide what the best of them
   * take: a tool that needs a customer's id is of little use without one that finds customers.
   */
  rank(query: string): ToolMatch[] {
    const found = this.#found(query);
    const matches = new Map<string, ToolMatch>();
    for (const { id, score, queryTerms } of found)
      this.#put(matches, id, { score, terms: [...new Set(queryTerms)].sort() });
    for (const { id } of found.slice(0, leaders)) {
      const needs = this.#found(neededIds(this.#tool(id)), 0.2);
      for (const need of needs.slice(0, 3)) this.#put(matches, need.id, { score: need.score, terms: [], neededBy: id });
    }
    return [...matches.values()].sort((a, b) => b.score - a.score || (a.tool.id < b.tool.id ? -1 : 1));
  }

  #put(matches: Map<string, ToolMatch>, id: string, match: Omit<ToolMatch, 'tool'>): void {
    if (!matches.has(id)) matches.set(id, { tool: this.#tool(id), ...match });
  }

  #found(query: string, weight = 1): { id: string; score: number; queryTerms: readonly string[] }[] {
    if (query.trim() === '') return [];
    const results: SearchResult[] = this.#search.search(query);
    return results.map(({ id, score, queryTerms }) => ({
      id: String(id),
      score: Math.round(score * weight * 1000) / 1000,
      queryTerms,
    }));
  }

  #tool(id: string): AnyTool {
    return this.#tools.get(id) as AnyTool;
  }
}

function entryOf(tool: AnyTool): Entry {
  const { properties } = argsJsonSchemaOf(tool);
  const args = isPlainObject(properties)
    ? Object.entries(properties).map(([name, schema]) => {
        const description = isPlainObject(schema) ? schema['description'] : undefined;
        return typeof description === 'string' ? `${name} ${description}` : name;
      })
    : [];
  return { id: tool.id, name: tool.name, description: tool.description, args: args.join(' ') };
}

/** What a tool has to be told that usually comes from another: the nouns of its arguments that are ids. */
function neededIds(tool: AnyTool): string {
  const { properties } = argsJsonSchemaOf(tool);
  return Object.keys(isPlainObject(properties) ? properties : {})
    .map((name) => wordsOf(name))
    .filter((words) => words.length > 1 && /^(?:ids?|key|uuid)$/i.test(words.at(-1) ?? ''))
    .map((words) => words.slice(0, -1).join(' '))
    .join(' ');
}

function wordsOf(text: string): string[] {
  return text
    .replace(/(\p{Ll})(\p{Lu})/gu, '$1 $2')
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '');
}

/** A word as it is compared: small letters, no plural; nothing for words that say nothing. */
function stemOf(word: string): string | null {
  const small = word.toLowerCase();
  if (emptyWords.has(small) || small.length < 2) return null;
  if (small.length > 4 && /(?:ss|us|is)$/.test(small) === false) {
    if (small.endsWith('ies')) return `${small.slice(0, -3)}y`;
    if (/(?:ch|sh|x|z)es$/.test(small)) return small.slice(0, -2);
    if (small.endsWith('s')) return small.slice(0, -1);
  }
  return small;
}
