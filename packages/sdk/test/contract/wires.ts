// The four protocols that the contract names, each through its provider's own package, at a scripted server.
import { createAnthropic } from '@ai-sdk/anthropic';
import { createGoogleGenerativeAI } from '@ai-sdk/google';
import { createOpenAI } from '@ai-sdk/openai';
import type { Portia } from '../../src/client.ts';
import type { Clock } from '../../src/core/clock.ts';
import { contentText } from '../../src/core/content.ts';
import type { Model } from '../../src/core/model.ts';
import { type AiSdkLanguageModel, fromAiSdk } from '../../src/model/ai-sdk/index.ts';
import { fakeClock } from '../../src/testing/fake-clock.ts';
import type { Script } from '../../src/testing/script.ts';
import type { ScriptedModelServer, ScriptedServerRequest } from '../../src/testing/scripted-model-server.ts';
import { type ClientOptions, clientOf } from '../lib/engine.ts';
import { secret, serve } from '../lib/model-servers.ts';

type Made = (server: ScriptedModelServer) => AiSdkLanguageModel;

/** A protocol. */
export type Wire = 'OpenAI chat' | 'OpenAI responses' | 'Anthropic messages' | 'Google generateContent';

const wires: Readonly<Record<Wire, Made>> = {
  'OpenAI chat': ({ baseUrl }) => createOpenAI({ apiKey: secret, baseURL: baseUrl }).chat('gpt-4.1'),
  'OpenAI responses': ({ baseUrl }) => createOpenAI({ apiKey: secret, baseURL: baseUrl }).responses('gpt-4.1'),
  'Anthropic messages': ({ baseUrl }) => createAnthropic({ apiKey: secret, baseURL: baseUrl })('claude-sonnet-4-5'),
  'Google generateContent': ({ url }) =>
    createGoogleGenerativeAI({ apiKey: secret, baseURL: `${url}/v1beta` })('gemini-2.5-flash'),
};

/** All of them. */
export const allWires: readonly Wire[] = Object.keys(wires) as Wire[];

/** What {@link clientOver} takes beside what clients of tests take. */
export interface WireOptions extends Omit<ClientOptions, 'model'> {
  readonly contextWindow?: number;
}

/** A model of a protocol at that server. */
export function modelOver(
  wire: Wire,
  server: ScriptedModelServer,
  options: { readonly contextWindow?: number; readonly clock?: Clock } = {},
): Model {
  return fromAiSdk(wires[wire](server), { clock: fakeClock(0, { autoAdvance: true }), ...options });
}

/** A client all of whose models speak a protocol, and what reached the server. */
export async function clientOver(
  wire: Wire,
  script: Script<ScriptedServerRequest>,
  { contextWindow, clock = fakeClock(Date.UTC(2025, 0, 6), { autoAdvance: true }), ...options }: WireOptions = {},
): Promise<{ readonly portia: Portia; readonly requests: readonly ScriptedServerRequest[] }> {
  const server = await serve(script);
  const model = modelOver(wire, server, { clock, ...(contextWindow !== undefined && { contextWindow }) });
  const portia = clientOf({ clock, ...options, model });
  return { portia, requests: server.requests };
}

/** All words of a request. */
export function words(request: ScriptedServerRequest | undefined): string {
  return (request?.messages ?? []).map(({ content }) => contentText(content)).join('\n');
}

/** The names of the tools that a request offers. */
export function offered({ tools = [] }: ScriptedServerRequest): readonly string[] {
  return tools.map(({ name }) => name);
}
