import { ToolSoftError } from '../../core/errors.ts';
import { isPlainObject, type JsonObject, type JsonValue } from '../../core/json.ts';
import type { Tool } from '../../core/tool.ts';
import { tool } from '../tool.ts';
import { argsOf, choice, flag, optionalText, optionalTexts, text, texts, whole } from './args.ts';
import { askTavily, listOf, siteFilters, type TavilyOptions, withoutDefaults } from './tavily.ts';

/** The arguments of the extract tool. */
export type ExtractArgs = {
  readonly urls: readonly string[];
  readonly include_images: boolean;
  readonly include_favicon: boolean;
  readonly extract_depth: 'basic' | 'advanced';
  readonly format: 'markdown' | 'text';
};

/** A tool that gives the text of up to 20 web pages, read by Tavily. */
export function createExtractTool(options: TavilyOptions = {}): Tool<ExtractArgs, readonly JsonValue[]> {
  return tool<ExtractArgs, readonly JsonValue[]>({
    id: 'extract_tool',
    name: 'Extract Tool',
    description: 'Gives the text of web pages whose addresses are known, without menus and advertising.',
    argsSchema: argsOf({
      urls: texts('The addresses of the pages, at most 20', 20),
      include_images: flag('Whether addresses of images are given, too'),
      include_favicon: flag('Whether the address of the site icon is given, too'),
      extract_depth: choice<'basic' | 'advanced'>('advanced also reads tables and embedded parts, and takes longer', [
        'basic',
        'advanced',
      ]),
      format: choice<'markdown' | 'text'>('The form of the text', ['markdown', 'text']),
    }),
    outputDescription: ['array', 'a page each, with url and raw_content'],
    readOnly: true,
    shouldSummarize: true,
    timeoutMs: 90_000,
    async run(args, { signal }) {
      const answer = await askTavily('the pages', '/extract', args as unknown as JsonObject, options, signal);
      const results = listOf(answer, 'results');
      if (results.length > 0) return results;
      throw new ToolSoftError('none of the pages could be read');
    },
  });
}

const depth = (most: number) => whole('How many links deep, from the first page', 1, most, 1);
const breadth = (most: number) => whole('How many links of a page are followed', 1, most, 20);
const limit = (most: number) => whole('How many pages at most', 1, most, 50);
const startAt = 'The address to begin at, such as https://example.com/docs';
const categories =
  'Only pages of these kinds, such as Documentation, Blog, About, Contact, Pricing, Careers, E-Commerce, Developers, Media';

/** The arguments of the crawl tool. */
export type CrawlArgs = {
  readonly url: string;
  readonly max_depth: number;
  readonly max_breadth: number;
  readonly limit: number;
  readonly instructions?: string;
  readonly select_paths?: readonly string[];
  readonly select_domains?: readonly string[];
  readonly exclude_paths?: readonly string[];
  readonly exclude_domains?: readonly string[];
  readonly allow_external: boolean;
};

/** The arguments of the map tool. */
export type MapArgs = CrawlArgs & { readonly categories?: readonly string[] };

/** A tool that lists the pages of a web site, found by Tavily. */
export function createMapTool(options: TavilyOptions = {}): Tool<MapArgs, readonly JsonValue[]> {
  return tool<MapArgs, readonly JsonValue[]>({
    id: 'map_tool',
    name: 'Map Tool',
    description: 'Lists the addresses of the pages of a web site, without their text.',
    argsSchema: argsOf({
      url: text(startAt),
      max_depth: depth(5),
      max_breadth: breadth(100),
      limit: limit(500),
      instructions: optionalText('Which pages are wanted, in words'),
      ...siteFilters,
      allow_external: flag('Whether links to other sites are followed'),
      categories: optionalTexts(categories),
    }),
    outputDescription: ['array', 'addresses'],
    readOnly: true,
    timeoutMs: 90_000,
    async run(args, { signal }) {
      const answer = await askTavily('the site', '/map', args as unknown as JsonObject, options, signal);
      return listOf(answer, 'results');
    },
  });
}

const crawlDefaults: JsonObject = { max_depth: 1, max_breadth: 20, limit: 50, allow_external: false };

/** A tool that reads the pages of a web site, one link after the other, through Tavily. */
export function createCrawlTool(options: TavilyOptions = {}): Tool<CrawlArgs, string> {
  return tool<CrawlArgs, string>({
    id: 'crawl_tool',
    name: 'Crawl Tool',
    description: 'Reads many pages of a web site, following its links from one page, and gives their text.',
    argsSchema: argsOf({
      url: text(startAt),
      max_depth: depth(5),
      max_breadth: breadth(100),
      limit: limit(500),
      instructions: optionalText('Which pages are wanted, in words'),
      ...siteFilters,
      allow_external: flag('Whether links to other sites are followed'),
    }),
    outputDescription: ['string', 'how many pages were read, and each with its address and text'],
    readOnly: true,
    shouldSummarize: true,
    timeoutMs: 90_000,
    async run(args, { signal }) {
      const body = withoutDefaults(args as unknown as JsonObject, crawlDefaults);
      const answer = await askTavily('the site', '/crawl', body, options, signal);
      const pages = listOf(answer, 'results').filter((page) => isPlainObject(page)) as readonly JsonObject[];
      return [`Crawled ${pages.length} pages`, ...pages.map(pageText)].join('\n\n');
    },
  });
}

function pageText(page: JsonObject): string {
  const part = (name: string): string => (typeof page[name] === 'string' ? page[name] : '');
  return `URL: ${part('url')}\nContent: ${part('raw_content') || '(no text)'}`;
}

/** Reads web pages through Tavily; the key comes from `TAVILY_API_KEY` at the time of the call. */
export const extractTool: Tool<ExtractArgs, readonly JsonValue[]> = createExtractTool();

/** Lists the pages of a site through Tavily; the key comes from `TAVILY_API_KEY` at the time of the call. */
export const mapTool: Tool<MapArgs, readonly JsonValue[]> = createMapTool();

/** Reads the pages of a site through Tavily; the key comes from `TAVILY_API_KEY` at the time of the call. */
export const crawlTool: Tool<CrawlArgs, string> = createCrawlTool();
