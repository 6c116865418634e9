import type { AnyTool } from '../../core/tool.ts';
import { ToolRegistry } from '../registry.ts';
import { calculatorTool } from './calculator-tool.ts';
import { createFileReaderTool, fileReaderTool } from './file-reader-tool.ts';
import { createFileWriterTool, fileWriterTool } from './file-writer-tool.ts';
import { llmTool } from './llm-tool.ts';
import { createSearchTool, searchTool } from './search-tool.ts';
import { createCrawlTool, createExtractTool, createMapTool } from './site-tools.ts';
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
    ...(tavily
      ? [createSearchTool, createMapTool, createExtractTool, createCrawlTool].map(
          (create) => create({ apiKey: tavily }) as AnyTool,
        )
      : []),
    ...(weather ? [createWeatherTool({ apiKey: weather })] : []),
  ]);
}
