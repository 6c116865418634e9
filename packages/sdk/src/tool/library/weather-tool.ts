import { ToolHardError, ToolSoftError } from '../../core/errors.ts';
import { isPlainObject, type JsonValue } from '../../core/json.ts';
import type { Tool } from '../../core/tool.ts';
import { tool } from '../tool.ts';
import { argsOf, text } from './args.ts';
import { askService, endpoint, serviceKey } from './http.ts';

/** Options of {@link createWeatherTool}. */
export interface WeatherToolOptions {
  /** `OPENWEATHERMAP_API_KEY` of the environment, read at each call, unless given. */
  readonly apiKey?: string | undefined;
  /** `https://api.openweathermap.org` unless given. */
  readonly baseUrl?: string | undefined;
  /** Milliseconds; 30,000 unless given. */
  readonly timeoutMs?: number | undefined;
}

/** A tool that gives a city's weather of the moment, from OpenWeatherMap, in one sentence. */
export function createWeatherTool(options: WeatherToolOptions = {}): Tool<{ readonly city: string }, string> {
  const { baseUrl = 'https://api.openweathermap.org' } = options;
  return tool({
    id: 'weather_tool',
    name: 'Weather Tool',
    description:
      'Gives the current weather of a city: what it is like and the temperature in °C. It knows no forecasts.',
    argsSchema: argsOf({ city: text('The city, alone or with its country: "Paris" or "Paris,FR"') }),
    outputDescription: ['string', 'the weather and temperature in one sentence'],
    readOnly: true,
    async run({ city }, { signal }) {
      const url = endpoint(baseUrl, '/data/2.5/weather', 'OpenWeatherMap');
      const appid = serviceKey(options.apiKey, 'OPENWEATHERMAP_API_KEY', 'OpenWeatherMap');
      url.search = new URLSearchParams({ q: city, appid, units: 'metric' }).toString();
      const request = {
        service: 'OpenWeatherMap',
        keyName: 'OPENWEATHERMAP_API_KEY',
        url,
        signal,
        timeoutMs: options.timeoutMs,
      };
      const { status, body } = await askService(request);
      if (status === 404) throw new ToolSoftError(`OpenWeatherMap knows no city ${JSON.stringify(city)}`);
      if (status >= 400) throw new ToolHardError(`OpenWeatherMap refused the question (status ${status})`);
      return sentence(city, body);
    },
  });
}

function sentence(city: string, body: JsonValue): string {
  const answer = isPlainObject(body) ? body : {};
  const [first] = Array.isArray(answer['weather']) ? (answer['weather'] as JsonValue[]) : [];
  const sky = isPlainObject(first) ? first['description'] : undefined;
  const temperature = isPlainObject(answer['main']) ? answer['main']['temp'] : undefined;
  if (typeof sky !== 'string' || typeof temperature !== 'number') {
    throw new ToolSoftError(`OpenWeatherMap has no current weather for ${JSON.stringify(city)}`);
  }
  return `The current weather in ${city} is ${sky} with a temperature of ${temperature}°C.`;
}

/** The weather of a city; the key comes from `OPENWEATHERMAP_API_KEY` at the time of the call. */
export const weatherTool: Tool<{ readonly city: string }, string> = createWeatherTool();
