import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { ask, configFor, scriptedFor, serve } from '../../test/lib/model-servers.ts';
import { Config } from '../config/config.ts';
import { optionNames } from '../config/config-options.ts';
import type { JsonObject } from '../core/json.ts';
import { object, text } from '../testing/script.ts';
import { createModel } from './models.ts';
import { providerDataDate } from './provider-data.ts';
import { callDefaultsOf, contextWindowOf, LLMProvider, providerNames, providers } from './providers.ts';

const page = readFileSync(new URL('../../../../docs/models-and-keys.md', import.meta.url), 'utf8');

describe('the table of providers', () => {
  it('has every provider, in the order in which one is chosen', () => {
    expect([...providerNames].sort()).toEqual(Object.values(LLMProvider).sort());
    expect(providerNames).toEqual([
      'openai',
      'anthropic',
      'mistralai',
      'google',
      'amazon',
      'azure-openai',
      'openrouter',
      'grok',
      'groq',
      'ollama',
      'custom',
    ]);
    expect(Number.isNaN(Date.parse(providerDataDate))).toBe(false);
  });

  it('is what the page about models says', () => {
    const rows = page.split('\n').filter((line) => /^\| `[\w-]+` \| `@ai-sdk/.test(line));
    expect(rows.map((row) => /`([\w-]+)`/.exec(row)?.[1])).toEqual(providerNames);
    for (const [index, name] of providerNames.entries()) {
      const { package: from, keyEnv, models, access } = providers[name];
      const expected = [from, ...(access === 'aws' ? [] : keyEnv), ...Object.values(models)];
      for (const word of expected) expect(rows[index]).toContain(`\`${word}\``);
    }
  });

  it('names options that exist', () => {
    for (const { keyOption, urlOption, more = [] } of Object.values(providers)) {
      const options = [...(keyOption === undefined ? [] : [keyOption]), urlOption, ...more.map(({ option }) => option)];
      expect(optionNames).toEqual(expect.arrayContaining(options));
    }
  });

  it('knows models of Bedrock by the names of their makers', () => {
    expect(contextWindowOf('eu.anthropic.claude-sonnet-4-5-20250929-v1:0')).toBe(200_000);
    expect(callDefaultsOf('amazon', 'anthropic.claude-3-haiku-20240307-v1:0')).toEqual({ temperature: 0 });
  });

  it('sends what some models need', async () => {
    const server = await serve(() => text('Yes.'));
    for (const name of ['openai/o3-mini', 'azure-openai/o4-mini', 'openai/gpt-5', 'openai/gpt-4.1'])
      await createModel(name, configFor(server)).generate(ask('Hi'));
    expect(server.requests.map(({ body }) => [body['reasoning_effort'], body['temperature']])).toEqual([
      ['medium', undefined],
      ['medium', undefined],
      [undefined, undefined],
      [undefined, 0],
    ]);
  });
});

describe('the way to a provider', () => {
  const refusal = async (name: string, options: object): Promise<unknown> =>
    createModel(name, new Config(options))
      .generate(ask('Hi'))
      .catch((error: unknown) => error);

  it('leads to the deployment and the API version of Azure', async () => {
    const { model, server } = await scriptedFor('azure-openai/my-deployment', [text('Yes.')]);
    expect((await model.generate(ask('Hi'))).text).toBe('Yes.');
    expect(server.requests[0]).toMatchObject({
      path: '/openai/deployments/my-deployment/chat/completions',
      headers: { 'api-key': '[redacted]' },
    });
    expect(new Config().providerSetting('azureOpenaiApiVersion')).toBe('2025-01-01-preview');
  });

  it('needs the endpoint of Azure, the region of AWS and the address of a server of one’s own', async () => {
    expect(await refusal('azure/a', { azureOpenaiApiKey: 'k' })).toMatchObject({
      code: 'CONFIG_NOT_FOUND',
      hint: expect.stringContaining('AZURE_OPENAI_ENDPOINT'),
    });
    expect(await refusal('bedrock/a', { amazonApiKey: 'k' })).toMatchObject({
      code: 'CONFIG_NOT_FOUND',
      hint: expect.stringContaining('awsDefaultRegion'),
    });
    expect(await refusal('custom/a', {})).toMatchObject({
      code: 'CONFIG_NOT_FOUND',
      hint: expect.stringContaining('CUSTOM_BASE_URL'),
    });
  });

  it('names what is missing of the credentials of AWS', async () => {
    expect(await refusal('amazon/a', { awsAccessKeyId: 'AKIA1', awsDefaultRegion: 'eu-west-1' })).toMatchObject({
      code: 'MODEL_KEY_MISSING',
      message: 'amazon/a needs credentials of AWS, and AWS_SECRET_ACCESS_KEY is not set',
    });
    expect(await refusal('amazon/a', {})).toMatchObject({ message: expect.stringContaining('AWS_ACCESS_KEY_ID') });
  });

  it('signs requests with the keys of AWS, and reads none of the environment', async () => {
    vi.stubEnv('AWS_BEARER_TOKEN_BEDROCK', 'not-this');
    vi.stubEnv('AWS_SESSION_TOKEN', 'nor-this');
    try {
      const given: string[] = [];
      const server = await serve(({ headers }) => {
        given.push(Object.keys(headers).join(' '));
        return text('Yes.');
      });
      const model = createModel(
        'amazon/anthropic.claude-3-haiku-20240307-v1:0',
        new Config({
          awsAccessKeyId: 'AKIATEST',
          awsSecretAccessKey: 'secret-of-aws',
          awsDefaultRegion: 'us-west-2',
          amazonBaseUrl: server.url,
        }),
      );
      expect((await model.generate(ask('Hi'))).text).toBe('Yes.');
      expect(server.requests[0]?.path).toBe('/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse');
      expect(given[0]).toContain('x-amz-date');
      expect(given[0]).not.toContain('x-amz-security-token');
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it('takes a profile of AWS’s own files', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'portia-aws-'));
    writeFileSync(join(folder, 'credentials'), '[work]\naws_access_key_id = AKIAWORK\naws_secret_access_key = hush\n');
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(folder, 'credentials'));
    vi.stubEnv('AWS_CONFIG_FILE', join(folder, 'none'));
    try {
      const server = await serve(() => text('Yes.'));
      const config = (profile: string) =>
        new Config({
          awsCredentialsProfileName: profile,
          awsDefaultRegion: 'eu-west-1',
          amazonBaseUrl: server.url,
        });
      expect((await createModel('amazon/a', config('work')).generate(ask('Hi'))).text).toBe('Yes.');
      const failed = createModel('amazon/a', config('play')).generate(ask('Hi'));
      await expect(failed).rejects.toThrow('Could not resolve credentials using profile: [play]');
    } finally {
      vi.unstubAllEnvs();
      rmSync(folder, { recursive: true });
    }
  });

  it('takes a server of one’s own without a key', async () => {
    const server = await serve([text('Yes.')]);
    const model = createModel('custom/my-model', new Config({ customBaseUrl: server.baseUrl }));
    expect((await model.generate(ask('Hi'))).text).toBe('Yes.');
    expect(server.requests[0]).toMatchObject({ path: '/v1/chat/completions', model: 'my-model' });
  });
});

describe('a schema that a provider’s own way cannot express', () => {
  const map: JsonObject = { type: 'object', additionalProperties: { type: 'number' } };
  const tree: JsonObject = {
    type: 'object',
    properties: { name: { type: 'string' }, children: { type: 'array', items: { $ref: '#/$defs/node' } } },
    required: ['name', 'children'],
    additionalProperties: false,
    $defs: {
      node: {
        type: 'object',
        properties: { name: { type: 'string' }, children: { type: 'array', items: { $ref: '#/$defs/node' } } },
        required: ['name', 'children'],
        additionalProperties: false,
      },
    },
  };
  const limited: JsonObject = {
    type: 'object',
    properties: { word: { type: 'string', minLength: 3, description: 'A word' } },
    required: ['word'],
    additionalProperties: false,
  };
  const askFor = async (name: string, jsonSchema: JsonObject, value: JsonObject) => {
    const { model, server } = await scriptedFor(name, [object(value)]);
    const answer = await model.generate({ ...ask('Which?'), schema: { name: 'result', jsonSchema } });
    expect(answer.object).toEqual(value);
    return server.requests[0];
  };

  it('goes to Anthropic as a tool call, and in its own way else', async () => {
    const own = await askFor('anthropic', limited, { word: 'tree' });
    expect(own?.body).toHaveProperty('output_config.format.type', 'json_schema');
    const byTool = await askFor('anthropic', map, { a: 1 });
    expect(byTool?.body).not.toHaveProperty('output_config.format');
    expect(byTool?.schema?.jsonSchema).toEqual(map);
    expect((await askFor('anthropic', tree, { name: 'a', children: [] }))?.body).not.toHaveProperty('output_config');
  });

  it('goes to Bedrock as a tool call', async () => {
    const name = 'amazon/eu.anthropic.claude-sonnet-4-5-20250929-v1:0';
    expect((await askFor(name, map, { a: 1 }))?.schema?.jsonSchema).toEqual(map);
  });

  it('goes to Google in words', async () => {
    for (const [schema, value] of [
      [map, { a: 1 }],
      [tree, { name: 'a', children: [] }],
    ] as const) {
      const sent = await askFor('google', schema, value);
      expect(sent?.schema).toBeUndefined();
      expect(sent?.body).toHaveProperty('generationConfig.responseMimeType', 'application/json');
      expect(sent?.messages[0]?.content).toContain(JSON.stringify(schema));
    }
    expect((await askFor('google', limited, { word: 'tree' }))?.schema).toBeDefined();
  });

  it('goes to xAI without limits, which stand in the descriptions', async () => {
    expect((await askFor('grok', limited, { word: 'tree' }))?.schema?.jsonSchema).toMatchObject({
      properties: { word: { type: 'string', description: 'A word\nminLength: 3' } },
    });
  });

  it('goes in words to models of Groq that take none, and else by schema', async () => {
    const llama = await askFor('groq/llama-3.1-8b-instant', limited, { word: 'tree' });
    expect(llama?.body['response_format']).toEqual({ type: 'json_object' });
    expect(llama?.messages[0]?.content).toContain('"minLength":3');
    expect((await askFor('groq', limited, { word: 'tree' }))?.body['response_format']).toMatchObject({
      json_schema: { strict: false },
    });
  });
});
