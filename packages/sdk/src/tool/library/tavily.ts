import { ToolHardError } from '../../core/errors.ts';
import { isPlainObject, type JsonObject, type JsonValue } from '../../core/json.ts';
import { type Field, optionalTexts } from './args.ts';
import { askService, endpoint, serviceKey } from './http.ts';

/** Where Tavily is and how long it may take. */
export interface TavilyOptions {
  /** `TAVILY_API_KEY` of the environment, read at each call, unless given. */
  readonly apiKey?: string | undefined;
  /** `https://api.tavily.com` unless given. */
  readonly baseUrl?: string | undefined;
  /** Milliseconds; 60,000 unless given. */
  readonly timeoutMs?: number | undefined;
}

/** Asks one of Tavily's services. `what` is said in errors: `the search`. @throws ToolSoftError, ToolHardError */
export async function askTavily(
  what: string,
  path: string,
  body: JsonObject,
  options: TavilyOptions,
  signal: AbortSignal,
): Promise<JsonObject> {
  const answer = await askService({
    service: 'Tavily',
    keyName: 'TAVILY_API_KEY',
    method: 'POST',
    url: endpoint(options.baseUrl ?? 'https://api.tavily.com', path, 'Tavily'),
    headers: { authorization: `Bearer ${serviceKey(options.apiKey, 'TAVILY_API_KEY', 'Tavily')}` },
    body,
    signal,
    timeoutMs: options.timeoutMs ?? 60_000,
    maxBytes: 8 * 1024 * 1024,
  });
  if (answer.status >= 400) throw new ToolHardError(`Tavily refused ${what} (status ${answer.status})`);
  return isPlainObject(answer.body) ? (answer.body as JsonObject) : {};
}

/** The entries of a list in an answer; none when there is no list. */
export function listOf(answer: JsonObject, name: string): readonly JsonValue[] {
  const list = answer[name];
  return Array.isArray(list) ? list : [];
}

/** The arguments that say which pages of a site are meant, shared by map and crawl. */
export const siteFilters: Readonly<
  Record<'select_paths' | 'select_domains' | 'exclude_paths' | 'exclude_domains', Field<readonly string[] | undefined>>
> = {
  select_paths: optionalTexts('Regular expressions of the paths to take, such as /docs/.*'),
  select_domains: optionalTexts('Regular expressions of the domains to take'),
  exclude_paths: optionalTexts('Regular expressions of the paths to leave out'),
  exclude_domains: optionalTexts('Regular expressions of the domains to leave out'),
};

/** Only what is not already the default: the other side's defaults are its own. */
export function withoutDefaults(args: JsonObject, defaults: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(args).filter(
      ([name, value]) => value !== defaults[name] && !(Array.isArray(value) && value.length === 0),
    ),
  );
}
