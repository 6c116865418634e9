// Models of every provider, through their real packages, against scripted servers on this machine.
import { afterEach } from 'vitest';
import { Config } from '../../src/config/config.ts';
import type { ConfigOptions } from '../../src/config/config-options.ts';
import type { Model, ModelRequest } from '../../src/core/model.ts';
import { createModel } from '../../src/model/models.ts';
import { type FakeClock, fakeClock } from '../../src/testing/fake-clock.ts';
import type { Script } from '../../src/testing/script.ts';
import {
  type ScriptedModelServer,
  type ScriptedServerRequest,
  scriptedModelServer,
} from '../../src/testing/scripted-model-server.ts';

/** The key that every provider is given here. */
export const secret = 'sk-test-1234567890abcdef';

/** One model of each provider. */
export const modelNames = {
  openai: 'openai/gpt-4.1',
  anthropic: 'anthropic/claude-sonnet-4-5',
  google: 'google/gemini-2.5-flash',
  mistralai: 'mistralai/mistral-large-latest',
  amazon: 'amazon/eu.anthropic.claude-3-haiku-20240307-v1:0',
  'azure-openai': 'azure-openai/gpt-4.1',
  grok: 'grok/grok-4-0709',
  groq: 'groq/moonshotai/kimi-k2-instruct',
  openrouter: 'openrouter/moonshotai/kimi-k2',
  ollama: 'ollama/llama3.1',
  custom: 'custom/my-model',
} as const;
/** A provider of {@link modelNames}. */
export type ProviderName = keyof typeof modelNames;
/** All of them. */
export const allProviders: readonly ProviderName[] = Object.keys(modelNames) as ProviderName[];

const servers: ScriptedModelServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

/** A scripted server that ends with the test. */
export async function serve(script: Script<ScriptedServerRequest>): Promise<ScriptedModelServer> {
  const server = await scriptedModelServer(script);
  servers.push(server);
  return server;
}

/** A config in which every provider is that server. */
export function configFor(
  { url, baseUrl }: { readonly url: string; readonly baseUrl: string },
  more: ConfigOptions = {},
): Config {
  return new Config({
    openaiApiKey: secret,
    anthropicApiKey: secret,
    googleApiKey: secret,
    mistralaiApiKey: secret,
    amazonApiKey: secret,
    awsDefaultRegion: 'eu-central-1',
    azureOpenaiApiKey: secret,
    grokApiKey: secret,
    groqApiKey: secret,
    openrouterApiKey: secret,
    openaiBaseUrl: baseUrl,
    anthropicBaseUrl: url,
    googleBaseUrl: url,
    mistralaiBaseUrl: url,
    amazonBaseUrl: url,
    azureOpenaiEndpoint: url,
    grokBaseUrl: url,
    groqBaseUrl: `${url}/openai/v1`,
    openrouterBaseUrl: baseUrl,
    ollamaBaseUrl: url,
    customBaseUrl: baseUrl,
    ...more,
  });
}

/** A model by name, or of a provider, its server, and a clock whose pauses take no time. */
export async function scriptedFor(
  name: string,
  script: Script<ScriptedServerRequest>,
  more: ConfigOptions = {},
): Promise<{ readonly server: ScriptedModelServer; readonly clock: FakeClock; readonly model: Model }> {
  const server = await serve(script);
  const clock = fakeClock(0, { autoAdvance: true });
  const full = name.includes('/') ? name : modelNames[name as ProviderName];
  return { server, clock, model: createModel(full, configFor(server, more), { clock }) };
}

/** A question. */
export function ask(content: string): ModelRequest {
  return {
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content },
    ],
  };
}
