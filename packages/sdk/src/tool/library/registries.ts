import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { AnyTool } from '../../core/tool.ts';
import { ToolRegistry } from '../registry.ts';
import { type BrowserToolOptions, createBrowserTool } from './browser-tool.ts';
import { calculatorTool } from './calculator-tool.ts';
import { createFileReaderTool, fileReaderTool } from './file-reader-tool.ts';
import { createFileWriterTool, fileWriterTool } from './file-writer-tool.ts';
import { httpRequestTool } from './http-request-tool.ts';
import { createImageUnderstandingTool } from './image-understanding-tool.ts';
import { llmTool } from './llm-tool.ts';
import { createPdfReaderTool } from './pdf-reader-tool.ts';
import { createSearchTool, searchTool } from './search-tool.ts';
import { createCrawlTool, createExtractTool, createMapTool } from './site-tools.ts';
import { createSqlTools, type SqlToolOptions } from './sql-tools.ts';
import { createWeatherTool, weatherTool } from './weather-tool.ts';

/**
 * The tools the examples use: calculator, weather, web search, LLM, file reader and file writer. Weather and search
 * ask for their keys when they are called; the file tools use the current directory.
 */
export const exampleToolRegistry: ToolRegistry = new ToolRegistry([
  calculatorTool,
  weatherTool,
  searchTool,
  llmTool,
  fileReaderTool,
  fileWriterTool,
]);

/** What {@link defaultToolRegistry} goes by. */
export interface DefaultToolOptions {
  /** `TAVILY_API_KEY` of `env` unless given. */
  readonly tavilyApiKey?: string | undefined;
  /** `OPENWEATHERMAP_API_KEY` of `env` unless given. */
  readonly openWeatherMapApiKey?: string | undefined;
  /** The folder of the file tools; the current directory unless given. */
  readonly root?: string | undefined;
  /** Where keys are looked for; `process.env` unless given. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}

/** The bundled tools that can work here: search, map, extract, crawl and weather only when there is a key for them. */
export function defaultToolRegistry(options: DefaultToolOptions = {}): ToolRegistry {
  const { root, env = process.env } = options;
  const tavily = options.tavilyApiKey || env['TAVILY_API_KEY'];
  const weather = options.openWeatherMapApiKey || env['OPENWEATHERMAP_API_KEY'];
  return new ToolRegistry([
    calculatorTool,
    llmTool,
    createFileWriterTool({ root }),
    createFileReaderTool({ root }),
    createImageUnderstandingTool({ root }),
    ...(tavily
      ? [createSearchTool, createMapTool, createExtractTool, createCrawlTool].map(
          (create) => create({ apiKey: tavily }) as AnyTool,
        )
      : []),
    ...(weather ? [createWeatherTool({ apiKey: weather })] : []),
  ]);
}

/** What {@link openSourceToolRegistry} is made with. */
export interface OpenSourceToolOptions {
  /** The folder of the file, PDF and image tools; the current directory at the time of a call unless given. */
  readonly root?: string | undefined;
  /** Of the SQL tools; `SQLITE_DB_PATH` at the time of a call unless given. */
  readonly sql?: SqlToolOptions | undefined;
  /** Of the browser tool. */
  readonly browser?: BrowserToolOptions | undefined;
}

/**
 * All bundled tools, whatever keys there are; one that lacks its key says so when it is called. The browser and PDF
 * tools are in it where their packages (`playwright-core`, `unpdf`) are installed.
 */
export function openSourceToolRegistry(options: OpenSourceToolOptions = {}): ToolRegistry {
  const { root, sql, browser } = options;
  return new ToolRegistry([
    calculatorTool,
    createFileReaderTool({ root }),
    createFileWriterTool({ root }),
    createImageUnderstandingTool({ root }),
    llmTool,
    createSearchTool(),
    createMapTool(),
    createExtractTool(),
    createCrawlTool(),
    createWeatherTool(),
    httpRequestTool,
    ...(isInstalled('playwright-core') ? [createBrowserTool(browser)] : []),
    ...(isInstalled('unpdf') ? [createPdfReaderTool({ root })] : []),
    ...createSqlTools(sql),
  ]);
}

/** Whether a package can be imported from here; it is not. */
function isInstalled(name: string): boolean {
  const require = createRequire(import.meta.url);
  return (require.resolve.paths(name) ?? []).some((folder) => existsSync(join(folder, name, 'package.json')));
}
