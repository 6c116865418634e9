import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type PortiaError, ToolHardError, ToolSoftError } from '../../core/errors.ts';
import { type Schema, validate } from '../../core/schema.ts';
import type { AnyTool } from '../../core/tool.ts';
import { toolContext } from '../../testing/tool-context.ts';
import { testTool } from '../../testing/tool-contract.ts';
import { createSearchTool, searchTool } from './search-tool.ts';
import { crawlTool, createCrawlTool, createExtractTool, createMapTool, extractTool, mapTool } from './site-tools.ts';
import { createWeatherTool, weatherTool } from './weather-tool.ts';

const apiKey = 'secret-key-123';
let server: Server;
let baseUrl: string;
let answer: (request: IncomingMessage, response: ServerResponse, body: string) => void;
const requests: { readonly url: string; readonly headers: IncomingMessage['headers']; readonly body: string }[] = [];

beforeEach(async () => {
  requests.length = 0;
  server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    requests.push({ url: request.url ?? '', headers: request.headers, body });
    answer(request, response, body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  vi.unstubAllEnvs();
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

function reply(status: number, body: unknown): void {
  answer = (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
}

async function errorOf(tool: AnyTool, args: unknown, signal?: AbortSignal): Promise<Error> {
  try {
    await tool.run(args, toolContext(signal ? { signal } : {}));
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}

const found = {
  answer: 'Paris',
  results: [1, 2, 3, 4].map((n) => ({
    title: `Page ${n}`,
    url: `https://example.org/${n}`,
    content: `text ${n}`,
    score: 0.5,
  })),
};
const sunny = { weather: [{ description: 'clear sky' }], main: { temp: 21.5 } };

describe('search_tool', () => {
  const search = (): AnyTool => createSearchTool({ apiKey, baseUrl });
  const args = { search_query: 'capital of France' };

  it('asks Tavily and gives the first three results', async () => {
    reply(200, found);
    const results = await search().run(args, toolContext());
    expect(results).toEqual(
      [1, 2, 3].map((n) => ({ title: `Page ${n}`, url: `https://example.org/${n}`, content: `text ${n}` })),
    );
    const [request] = requests;
    expect(request?.url).toBe('/search');
    expect(request?.headers.authorization).toBe(`Bearer ${apiKey}`);
    expect(JSON.parse(request?.body ?? '')).toEqual({
      query: 'capital of France',
      include_answer: true,
      max_results: 3,
    });
  });

  it('reads the key from the environment when it is called, and names the variable when there is none', async () => {
    vi.stubEnv('TAVILY_API_KEY', '');
    const tool = createSearchTool({ baseUrl });
    const error = (await errorOf(tool, args)) as PortiaError;
    expect(error).toBeInstanceOf(ToolHardError);
    expect(error.message).toBe('no key for Tavily: TAVILY_API_KEY is not set');
    expect(requests).toEqual([]);
    vi.stubEnv('TAVILY_API_KEY', 'from-env');
    reply(200, found);
    await tool.run(args, toolContext());
    expect(requests[0]?.headers.authorization).toBe('Bearer from-env');
    expect(searchTool.id).toBe('search_tool');
  });

  it.each([
    [200, { results: [] }, ToolSoftError, 'the search for "capital of France" found no answer'],
    [200, 'not json', ToolSoftError, 'Tavily answered with status 200 and something that is not JSON'],
    [400, {}, ToolHardError, 'Tavily refused the search (status 400)'],
    [401, {}, ToolHardError, 'Tavily refused the key (status 401)'],
    [403, 'no', ToolHardError, 'Tavily refused the key (status 403)'],
    [429, '', ToolSoftError, 'Tavily answers no more for now: too many requests (status 429)'],
    [503, '<html>', ToolSoftError, 'Tavily has a failure of its own (status 503)'],
  ])('says honestly what status %i with %j means', async (status, body, kind, message) => {
    reply(status, body);
    const error = await errorOf(search(), args);
    expect(error).toBeInstanceOf(kind);
    expect(error.message).toBe(message);
  });

  it('gives up softly on a slow, an endless, a broken and a redirecting service', async () => {
    answer = () => {};
    const slow = createSearchTool({ apiKey, baseUrl, timeoutMs: 50 });
    expect(await errorOf(slow, args)).toMatchObject({
      name: 'ToolSoftError',
      message: 'Tavily did not answer within 0.05 s',
    });
    reply(200, ' '.repeat(8 * 1024 * 1024 + 1));
    expect((await errorOf(search(), args)).message).toBe('Tavily answered with more than 8388608 bytes');
    answer = (request) => request.socket.destroy();
    expect(await errorOf(search(), args)).toMatchObject({
      name: 'ToolSoftError',
      message: expect.stringMatching(/^Tavily could not be reached: UND_ERR/),
    });
    answer = (_request, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end();
    expect((await errorOf(search(), args)).message).toBe('Tavily could not be reached: the request failed');
    expect((await errorOf(createSearchTool({ apiKey, baseUrl: 'http://127.0.0.1:1' }), args)).message).toMatch(
      /ECONNREFUSED|the request failed/,
    );
  });

  it('never shows the key or a bad address, even when they cannot be sent', async () => {
    const badKey = createSearchTool({ apiKey: `${apiKey}\nx`, baseUrl });
    const badBase = createSearchTool({ apiKey, baseUrl: `ftp://user:${apiKey}@example.org` });
    for (const tool of [badKey, badBase]) {
      const error = (await errorOf(tool, args)) as PortiaError;
      expect(JSON.stringify([error.message, error.hint, String(error.cause), error.stack])).not.toContain(apiKey);
    }
    expect((await errorOf(badBase, args)).message).toBe('the base URL for Tavily is not a web address');
  });

  it('stops at once, with its reason, when the call is aborted', async () => {
    const controller = new AbortController();
    answer = () => controller.abort(new Error('cancelled by a test'));
    expect((await errorOf(search(), args, controller.signal)).message).toBe('cancelled by a test');
    expect((await errorOf(search(), args, controller.signal)).message).toBe('cancelled by a test');
    expect(requests).toHaveLength(1);
  });
});

describe('weather_tool', () => {
  const weather = (): AnyTool => createWeatherTool({ apiKey, baseUrl: `${baseUrl}/proxy/` });

  it('gives the weather in one sentence, with the city escaped in the address', async () => {
    reply(200, sunny);
    const said = await weather().run({ city: 'Lyon & appid=x/é' }, toolContext());
    expect(said).toBe('The current weather in Lyon & appid=x/é is clear sky with a temperature of 21.5°C.');
    const url = new URL(requests[0]?.url ?? '', baseUrl);
    expect(url.pathname).toBe('/proxy/data/2.5/weather');
    expect([...url.searchParams]).toEqual([
      ['q', 'Lyon & appid=x/é'],
      ['appid', apiKey],
      ['units', 'metric'],
    ]);
  });

  it.each([
    [404, { message: 'city not found' }, ToolSoftError, 'OpenWeatherMap knows no city "Rome"'],
    [200, { weather: [] }, ToolSoftError, 'OpenWeatherMap has no current weather for "Rome"'],
    [200, [], ToolSoftError, 'OpenWeatherMap has no current weather for "Rome"'],
    [401, {}, ToolHardError, 'OpenWeatherMap refused the key (status 401)'],
    [418, {}, ToolHardError, 'OpenWeatherMap refused the question (status 418)'],
  ])('says honestly what status %i with %j means', async (status, body, kind, message) => {
    reply(status, body);
    const error = await errorOf(weather(), { city: 'Rome' });
    expect(error).toBeInstanceOf(kind);
    expect(error.message).toBe(message);
  });

  it('names the variable for its key', async () => {
    vi.stubEnv('OPENWEATHERMAP_API_KEY', undefined);
    expect((await errorOf(weatherTool, { city: 'Rome' })).message).toBe(
      'no key for OpenWeatherMap: OPENWEATHERMAP_API_KEY is not set',
    );
  });
});

describe('against a live service', () => {
  beforeEach(() => {
    answer = (request, response) => {
      response.end(JSON.stringify(request.url === '/search' ? found : sunny));
    };
  });
  // The address is known only once the server listens, which is before any of these tests runs.
  const late = (make: () => AnyTool): AnyTool => ({ ...make(), run: (args, context) => make().run(args, context) });
  const invalid = [{}, { search_query: 1, city: 1 }];
  testTool(
    late(() => createSearchTool({ apiKey, baseUrl })),
    { valid: [{ search_query: 'x' }], invalid },
    { describe, it, expect },
  );
  testTool(
    late(() => createWeatherTool({ apiKey, baseUrl })),
    { valid: [{ city: 'Rome' }], invalid },
    { describe, it, expect },
  );
});

describe('the tools that read web sites', () => {
  const args = { include_images: false, include_favicon: false, extract_depth: 'basic', format: 'markdown' };
  const site = { url: 'https://example.org', max_depth: 1, max_breadth: 20, limit: 50, allow_external: false };
  const sent = (): unknown => JSON.parse(requests.at(-1)?.body ?? '');

  it('extracts the text of pages', async () => {
    const results = [{ url: 'https://example.org', raw_content: 'words' }];
    reply(200, { results });
    const tool = createExtractTool({ apiKey, baseUrl });
    expect(await tool.run({ urls: ['https://example.org'], ...args } as never, toolContext())).toEqual(results);
    expect([requests[0]?.url, sent()]).toEqual(['/extract', { urls: ['https://example.org'], ...args }]);
    reply(200, { results: [], failed_results: [{ url: 'x' }] });
    expect(await errorOf(tool, { urls: ['x'], ...args })).toBeInstanceOf(ToolSoftError);
  });

  it('maps a site', async () => {
    reply(200, { results: ['https://example.org/a'] });
    const tool = createMapTool({ apiKey, baseUrl });
    expect(await tool.run({ ...site, categories: ['Blog'] }, toolContext())).toEqual(['https://example.org/a']);
    expect([requests[0]?.url, sent()]).toEqual(['/map', { ...site, categories: ['Blog'] }]);
  });

  it('crawls a site, sends only what is not the default, and tells the pages', async () => {
    reply(200, { results: [{ url: 'u1', raw_content: 'one' }, { url: 'u2' }] });
    const tool = createCrawlTool({ apiKey, baseUrl });
    expect(await tool.run({ ...site, limit: 2, select_paths: [] }, toolContext())).toBe(
      'Crawled 2 pages\n\nURL: u1\nContent: one\n\nURL: u2\nContent: (no text)',
    );
    expect([requests[0]?.url, sent()]).toEqual(['/crawl', { url: 'https://example.org', limit: 2 }]);
    reply(504, '');
    expect(await errorOf(tool, site)).toBeInstanceOf(ToolSoftError);
    vi.stubEnv('TAVILY_API_KEY', '');
    expect(await errorOf(createCrawlTool({ baseUrl }), site)).toBeInstanceOf(ToolHardError);
  });

  it('keep the limits of their arguments', async () => {
    const check = async (tool: AnyTool, given: object): Promise<unknown> => {
      const result = await validate(tool.argsSchema as Schema, given);
      return result.ok ? result.value : result.issues;
    };
    expect(await check(crawlTool, { url: 'u', instructions: null })).toEqual({ ...site, url: 'u' });
    expect(await check(mapTool, { url: 'u', max_depth: 6 })).toEqual(['max_depth: is not a whole number from 1 to 5']);
    expect(await check(extractTool, { urls: [] })).toEqual(['urls: has 0 entries, not 1 to 20']);
    expect(await check(extractTool, { urls: 'u' })).toEqual(['urls: is not a list of strings']);
    expect(await check(extractTool, { urls: ['u'], format: 'html' })).toEqual(['format: is none of markdown, text']);
    expect(await check(crawlTool, { url: 'u', allow_external: 'yes' })).toEqual([
      'allow_external: is neither true nor false',
    ]);
  });

  for (const [create, valid] of [
    [createExtractTool, { urls: ['https://example.org'] }],
    [createMapTool, { url: 'https://example.org' }],
    [createCrawlTool, { url: 'https://example.org' }],
  ] as const) {
    const contract = create({ apiKey, baseUrl: 'http://127.0.0.1:1' }) as AnyTool;
    testTool(
      // The base URL is known only when the server listens.
      {
        ...contract,
        run: (given, context) => (
          reply(200, { results: [{ url: 'u' }] }), create({ apiKey, baseUrl }).run(given, context)
        ),
      },
      { valid: [valid], invalid: [{}, { ...valid, more: 1 }] },
      { describe, it, expect },
    );
  }
});
