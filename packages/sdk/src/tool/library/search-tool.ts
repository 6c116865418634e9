import { ToolHardError, ToolSoftError } from '../../core/errors.ts';
import { isPlainObject, type JsonObject, type JsonValue } from '../../core/json.ts';
import type { Tool } from '../../core/tool.ts';
import { tool } from '../tool.ts';
import { textArgs } from './args.ts';
import { askService, endpoint, serviceKey } from './http.ts';

/** Options of {@link createSearchTool}. */
export interface SearchToolOptions {
  /** `TAVILY_API_KEY` of the environment, read at each call, unless given. */
  readonly apiKey?: string | undefined;
  /** `https://api.tavily.com` unless given. */
  readonly baseUrl?: string | undefined;
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
  const { baseUrl = 'https://api.tavily.com', maxResults = 3 } = options;
  return tool({
    id: 'search_tool',
    name: 'Search Tool',
    description:
      'Searches the web and gives the first results, each with title, address and content. Use it for current events, facts and figures you do not know for certain; ask one clear question per search.',
    argsSchema: textArgs({ search_query: 'What to search for' }),
    outputDescription: ['array', 'the results, each with title, url and content'],
    readOnly: true,
    shouldSummarize: true,
    async run({ search_query }, { signal }) {
      const { status, body } = await askService({
        service: 'Tavily',
        keyName: 'TAVILY_API_KEY',
        method: 'POST',
        url: endpoint(baseUrl, '/search', 'Tavily'),
        headers: { authorization: `Bearer ${serviceKey(options.apiKey, 'TAVILY_API_KEY', 'Tavily')}` },
        body: { query: search_query, include_answer: true, max_results: maxResults },
        signal,
        timeoutMs: options.timeoutMs,
      });
      if (status >= 400) throw new ToolHardError(`Tavily refused the search (status ${status})`);
      if (!isPlainObject(body) || !body['answer'])
        throw new ToolSoftError(`the search for ${JSON.stringify(search_query)} found no answer`);
      const results = Array.isArray(body['results']) ? (body['results'] as JsonValue[]) : [];
      return results
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
