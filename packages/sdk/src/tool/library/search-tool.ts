import { ToolSoftError } from '../../core/errors.ts';
import { isPlainObject, type JsonObject } from '../../core/json.ts';
import type { Tool } from '../../core/tool.ts';
import { tool } from '../tool.ts';
import { argsOf, text } from './args.ts';
import { askTavily, listOf, type TavilyOptions } from './tavily.ts';

/** Options of {@link createSearchTool}. */
export interface SearchToolOptions extends TavilyOptions {
  /** How many results are kept, 1 to 20; 3 unless given. */
  readonly maxResults?: number | undefined;
  /** Milliseconds; 30,000 unless given. */
  readonly timeoutMs?: number | undefined;
}

/** One page that was found. */
export type SearchResult = { readonly title: string; readonly url: string; readonly content: string };

/** A tool that searches the web with Tavily and gives the first results. */
export function createSearchTool(
  options: SearchToolOptions = {},
): Tool<{ readonly search_query: string }, readonly SearchResult[]> {
  const { maxResults = 3 } = options;
  return tool({
    id: 'search_tool',
    name: 'Search Tool',
    description:
      'Searches the web and gives the first results, each with title, address and content. Use it for current events, facts and figures you do not know for certain; ask one clear question per search.',
    argsSchema: argsOf({ search_query: text('What to search for') }),
    outputDescription: ['array', 'the results, each with title, url and content'],
    readOnly: true,
    shouldSummarize: true,
    async run({ search_query }, { signal }) {
      const body = await askTavily(
        'the search',
        '/search',
        { query: search_query, include_answer: true, max_results: maxResults },
        { ...options, timeoutMs: options.timeoutMs ?? 30_000 },
        signal,
      );
      if (!body['answer']) throw new ToolSoftError(`the search for ${JSON.stringify(search_query)} found no answer`);
      return listOf(body, 'results')
        .filter((item) => isPlainObject(item))
        .slice(0, maxResults)
        .map((item) => toResult(item as JsonObject));
    },
  });
}

function toResult(found: JsonObject): SearchResult {
  const text = (key: string): string => (typeof found[key] === 'string' ? found[key] : '');
  return { title: text('title'), url: text('url'), content: text('content') };
}

/** Searches the web with Tavily; the key comes from `TAVILY_API_KEY` at the time of the call. */
export const searchTool: Tool<{ readonly search_query: string }, readonly SearchResult[]> = createSearchTool();
