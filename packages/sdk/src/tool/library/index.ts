// What `portia-ts/tools` exports: the bundled tools, each ready made and as a factory, and the registries of them.
export {
  type BrowserArgs,
  browserTool,
  type BrowserToolOptions,
  createBrowserTool,
} from './browser-tool.ts';
export { type BrowserOptions, browserProfile } from './browser-session.ts';
export { calculatorTool, createCalculatorTool } from './calculator-tool.ts';
export { createFileReaderTool, type FileReaderToolOptions, fileReaderTool } from './file-reader-tool.ts';
export {
  createFileWriterTool,
  type FileWriterArgs,
  type FileWriterToolOptions,
  fileWriterTool,
} from './file-writer-tool.ts';
export {
  createHttpRequestTool,
  type HttpMethod,
  type HttpRequestArgs,
  type HttpRequestResult,
  type HttpRequestToolOptions,
  httpRequestTool,
} from './http-request-tool.ts';
export {
  createImageUnderstandingTool,
  type ImageUnderstandingArgs,
  imageUnderstandingTool,
  type ImageUnderstandingToolOptions,
} from './image-understanding-tool.ts';
export { createLlmTool, type LlmToolArgs, type LlmToolOptions, llmTool } from './llm-tool.ts';
export { createPdfReaderTool, pdfReaderTool, type PdfReaderToolOptions } from './pdf-reader-tool.ts';
export {
  type DefaultToolOptions,
  defaultToolRegistry,
  exampleToolRegistry,
  openSourceToolRegistry,
  type OpenSourceToolOptions,
} from './registries.ts';
export type { SqlColumn, SqlDatabase, SqlLimits, SqlQuery, SqlRows } from './sql-database.ts';
export {
  createCheckSqlTool,
  createGetTableSchemasTool,
  createListTablesTool,
  createRunSqlTool,
  createSqlTools,
  type SqlToolOptions,
} from './sql-tools.ts';
export { createSearchTool, type SearchResult, type SearchToolOptions, searchTool } from './search-tool.ts';
export {
  type CrawlArgs,
  createCrawlTool,
  createExtractTool,
  createMapTool,
  crawlTool,
  type ExtractArgs,
  extractTool,
  type MapArgs,
  mapTool,
} from './site-tools.ts';
export { isPublicAddress, type NetworkRules } from './private-network.ts';
export type { TavilyOptions } from './tavily.ts';
export { createWeatherTool, type WeatherToolOptions, weatherTool } from './weather-tool.ts';
