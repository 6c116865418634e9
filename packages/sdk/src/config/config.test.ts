import { inspect } from 'node:util';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { PortiaError } from '../core/errors.ts';
import { scriptedModel } from '../testing/scripted-model.ts';
import { Config, defaultConfig } from './config.ts';
import type { ConfigOptions } from './config-options.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

function refusal(options: ConfigOptions | Record<string, unknown>): PortiaError {
  try {
    new Config(options as ConfigOptions);
  } catch (error) {
    if (PortiaError.isInstance(error)) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('where a setting comes from', () => {
  const rows: [
    name: string,
    code: ConfigOptions,
    env: Record<string, string>,
    read: (config: Config) => unknown,
    byCode: unknown,
    byEnv: unknown,
    byDefault: unknown,
  ][] = [
    [
      'llmProvider',
      { llmProvider: 'GOOGLE' },
      { PORTIA_LLM_PROVIDER: 'anthropic' },
      (c) => c.llmProvider,
      'google',
      'anthropic',
      undefined,
    ],
    [
      'defaultModel',
      { defaultModel: 'openai/a' },
      { PORTIA_DEFAULT_MODEL: 'openai/b' },
      (c) => c.models.default,
      'openai/a',
      'openai/b',
      undefined,
    ],
    [
      'planningModel',
      { planningModel: 'openai/a' },
      { PORTIA_PLANNING_MODEL: 'openai/b' },
      (c) => c.models.planning,
      'openai/a',
      'openai/b',
      undefined,
    ],
    [
      'executionModel',
      { executionModel: 'openai/a' },
      { PORTIA_EXECUTION_MODEL: 'openai/b' },
      (c) => c.models.execution,
      'openai/a',
      'openai/b',
      undefined,
    ],
    [
      'introspectionModel',
      { introspectionModel: 'openai/a' },
      { PORTIA_INTROSPECTION_MODEL: 'openai/b' },
      (c) => c.models.introspection,
      'openai/a',
      'openai/b',
      undefined,
    ],
    [
      'summarizerModel',
      { models: { summarizer: 'openai/a' } },
      { PORTIA_SUMMARIZER_MODEL: 'openai/b' },
      (c) => c.models.summarizer,
      'openai/a',
      'openai/b',
      undefined,
    ],
    ['modelTimeoutMs', { modelTimeoutMs: 5 }, { PORTIA_MODEL_TIMEOUT_MS: '6' }, (c) => c.modelTimeoutMs, 5, 6, 120_000],
    [
      'storageClass',
      { storageClass: 'disk' },
      { PORTIA_STORAGE_CLASS: 'SQLITE' },
      (c) => c.storageClass,
      'DISK',
      'SQLITE',
      'MEMORY',
    ],
    [
      'storage',
      { storage: 'sqlite:./a.db' },
      { PORTIA_STORAGE: 'disk:./runs' },
      (c) => c.storage.name,
      'sqlite:./a.db',
      'disk:./runs',
      'memory',
    ],
    ['storageDir', { storageDir: 'a' }, { PORTIA_STORAGE_DIR: 'b' }, (c) => c.storageDir, 'a', 'b', '.portia'],
    [
      'defaultLogLevel',
      { defaultLogLevel: 'debug' },
      { PORTIA_LOG_LEVEL: 'warn' },
      (c) => c.defaultLogLevel,
      'DEBUG',
      'WARNING',
      undefined,
    ],
    [
      'executionAgentType',
      { executionAgentType: 'default' },
      { PORTIA_EXECUTION_AGENT_TYPE: 'one-shot' },
      (c) => c.executionAgentType,
      'DEFAULT',
      'ONE_SHOT',
      'ONE_SHOT',
    ],
    [
      'largeOutputThresholdTokens',
      { largeOutputThresholdTokens: 7 },
      { PORTIA_LARGE_OUTPUT_THRESHOLD_TOKENS: '8' },
      (c) => c.largeOutputThresholdTokens,
      7,
      8,
      1000,
    ],
    [
      'argumentClarificationsEnabled',
      { argumentClarificationsEnabled: false },
      { PORTIA_ARGUMENT_CLARIFICATIONS_ENABLED: 'Yes' },
      (c) => c.argumentClarificationsEnabled,
      false,
      true,
      false,
    ],
    [
      'featureFlags',
      { featureFlags: { agentMemoryEnabled: false } },
      { PORTIA_FEATURE_AGENT_MEMORY_ENABLED: 'on' },
      (c) => c.featureFlags.agentMemoryEnabled,
      false,
      true,
      true,
    ],
    [
      'openaiApiKey',
      { openaiApiKey: 'key-of-code' },
      { OPENAI_API_KEY: 'key-of-env' },
      (c) => c.apiKey('openai'),
      'key-of-code',
      'key-of-env',
      undefined,
    ],
    [
      'googleApiKey',
      { googleApiKey: 'key-of-code' },
      { GEMINI_API_KEY: 'key-of-env' },
      (c) => c.apiKey('google'),
      'key-of-code',
      'key-of-env',
      undefined,
    ],
    [
      'grokApiKey',
      { grokApiKey: 'key-of-code' },
      { XAI_API_KEY: 'key-of-env' },
      (c) => c.apiKey('grok'),
      'key-of-code',
      'key-of-env',
      undefined,
    ],
    [
      'openaiBaseUrl',
      { openaiBaseUrl: 'http://a/v1/' },
      { OPENAI_BASE_URL: 'http://b/v1' },
      (c) => c.baseUrl('openai'),
      'http://a/v1',
      'http://b/v1',
      undefined,
    ],
    [
      'portiaApiKey',
      { portiaApiKey: 'key-of-code' },
      { PORTIA_API_KEY: 'key-of-env' },
      (c) => c.portiaApiKey,
      'key-of-code',
      'key-of-env',
      undefined,
    ],
    [
      'tavilyApiKey',
      { tavilyApiKey: 'key-of-code' },
      { TAVILY_API_KEY: 'key-of-env' },
      (c) => c.tavilyApiKey,
      'key-of-code',
      'key-of-env',
      undefined,
    ],
    [
      'tavilyBaseUrl',
      { tavilyBaseUrl: 'http://a' },
      { TAVILY_BASE_URL: 'http://b' },
      (c) => c.tavilyBaseUrl,
      'http://a',
      'http://b',
      'https://api.tavily.com',
    ],
    [
      'openweathermapApiKey',
      { openweathermapApiKey: 'key-of-code' },
      { OPENWEATHERMAP_API_KEY: 'key-of-env' },
      (c) => c.openweathermapApiKey,
      'key-of-code',
      'key-of-env',
      undefined,
    ],
    [
      'openweathermapBaseUrl',
      { openweathermapBaseUrl: 'http://a' },
      { OPENWEATHERMAP_BASE_URL: 'http://b' },
      (c) => c.openweathermapBaseUrl,
      'http://a',
      'http://b',
      'https://api.openweathermap.org',
    ],
  ];

  it.each(rows)(
    '%s: code, then the environment, then the default',
    (_name, code, env, read, byCode, byEnv, byDefault) => {
      expect(read(Config.fromDefault({ ...code, env }))).toEqual(byCode);
      expect(read(Config.fromDefault({ env }))).toEqual(byEnv);
      expect(read(Config.fromDefault({ env: {} }))).toEqual(byDefault);
    },
  );

  it('is the process’s environment only for fromDefault, and only without one given', () => {
    vi.stubEnv('PORTIA_STORAGE_DIR', 'from-process');
    expect(defaultConfig().storageDir).toBe('from-process');
    expect(Config.fromDefault().storageDir).toBe('from-process');
    expect(Config.fromDefault({ env: {} }).storageDir).toBe('.portia');
    expect(new Config().storageDir).toBe('.portia');
  });

  it('is the next place when an earlier one is empty', () => {
    const config = Config.fromDefault({
      openaiApiKey: '',
      tavilyApiKey: undefined,
      env: { OPENAI_API_KEY: ' key-of-env ', TAVILY_API_KEY: '' },
    });
    expect([config.apiKey('openai'), config.tavilyApiKey]).toEqual(['key-of-env', undefined]);
  });
});

describe('the provider', () => {
  const keys = ['OPENAI', 'ANTHROPIC', 'MISTRAL', 'GOOGLE', 'OPENROUTER', 'XAI', 'GROQ'].map(
    (name) => `${name}_API_KEY`,
  );
  const ids = ['openai', 'anthropic', 'mistralai', 'google', 'openrouter', 'grok', 'groq'];

  it.each(ids)('is chosen by its key, in a fixed order (from %s)', (id) => {
    const env = Object.fromEntries(keys.slice(ids.indexOf(id)).map((name) => [name, 'key-of-env']));
    expect(Config.fromDefault({ env }).llmProvider).toBe(id);
  });

  it('is that of a key in code before any key of the environment', () => {
    expect(
      Config.fromDefault({ anthropicApiKey: 'key-of-code', env: { OPENAI_API_KEY: 'key-of-env' } }).llmProvider,
    ).toBe('anthropic');
  });

  it('is the one that is named, whatever keys are set', () => {
    expect(new Config({ llmProvider: 'ollama', openaiApiKey: 'key-of-code' }).llmProvider).toBe('ollama');
    expect(new Config({ llmProvider: 'azure-openai' }).models.planning).toBe('azure-openai/o3-mini');
    expect(refusal({ llmProvider: 'opnai' }).message).toContain('llmProvider names the unknown provider "opnai"');
  });

  it('is Amazon’s with a key id or a profile, and Azure’s with key and endpoint from one place', () => {
    const chosen = (code: ConfigOptions, env: Record<string, string> = {}) =>
      Config.fromDefault({ ...code, env: { OPENROUTER_API_KEY: 'k', ...env } }).llmProvider;
    expect(chosen({}, { AWS_ACCESS_KEY_ID: 'a' })).toBe('amazon');
    expect(chosen({}, { AWS_CREDENTIALS_PROFILE_NAME: 'work', AZURE_OPENAI_API_KEY: 'k' })).toBe('amazon');
    expect(chosen({}, { AZURE_OPENAI_API_KEY: 'k', AZURE_OPENAI_ENDPOINT: 'https://a.example' })).toBe('azure-openai');
    expect(chosen({}, { AZURE_OPENAI_API_KEY: 'k' })).toBe('openrouter');
    expect(chosen({ azureOpenaiApiKey: 'k' }, { AZURE_OPENAI_ENDPOINT: 'https://a.example' })).toBe('openrouter');
    expect(chosen({}, { MISTRAL_API_KEY: 'k', AWS_ACCESS_KEY_ID: 'a' })).toBe('mistralai');
    expect(chosen({ customBaseUrl: 'https://a.example', customApiKey: 'k' })).toBe('openrouter');
  });

  it('may be absent: that is no error yet', () => {
    const config = Config.fromDefault({ env: {} });
    expect([config.llmProvider, config.models]).toEqual([undefined, {}]);
  });
});

describe('the models', () => {
  it('may be given as a group, by their names or as objects', () => {
    const own = scriptedModel([], { id: 'own/model' });
    const config = new Config({ models: { default: ' OpenAI/gpt-4.1 ', planning: own } });
    expect(config.models).toEqual({ default: 'openai/gpt-4.1', planning: own });
    expect(config.models.planning).toBe(own);
    expect(JSON.parse(JSON.stringify(config)).models).toEqual({ default: 'openai/gpt-4.1', planning: 'own/model' });
  });

  it('may be lists, in the environment with commas between the names', () => {
    const own = scriptedModel([], { id: 'own/model' });
    const config = Config.fromDefault({
      defaultModel: ['openai/a', own],
      planningModel: 'openai/a,',
      env: { PORTIA_SUMMARIZER_MODEL: 'openai/a, anthropic/b' },
    });
    expect(config.models).toEqual({
      default: ['openai/a', own],
      planning: 'openai/a',
      summarizer: ['openai/a', 'anthropic/b'],
    });
    expect(JSON.parse(JSON.stringify(config)).models.default).toBe('openai/a, own/model');
    expect(refusal({ defaultModel: [] }).message).toBe('the setting defaultModel names no model');
    expect(refusal({ defaultModel: ['openai/a', 'nobody/b'] }).message).toContain('defaultModel: the model "nobody/b"');
  });

  it('are refused when they are given twice, unknown, or no models', () => {
    expect(refusal({ defaultModel: 'openai/a', models: { default: 'openai/b' } }).message).toContain('given twice');
    expect(refusal({ models: { planing: 'openai/a' } }).hint).toBe('did you mean planning?');
    expect(refusal({ models: 'openai/a' }).message).toContain('models is not an object');
    expect(refusal({ defaultModel: 7 }).message).toContain('defaultModel is not a model');
    expect(refusal({ defaultModel: { doGenerate: () => undefined } }).hint).toContain('fromAiSdk(model)');
    const unknown = refusal({ env: { PORTIA_DEFAULT_MODEL: 'gpt-4.1' } });
    expect([unknown.code, unknown.message]).toEqual([
      'MODEL_UNKNOWN',
      'PORTIA_DEFAULT_MODEL: "gpt-4.1" is not a model name',
    ]);
  });
});

describe('the storage', () => {
  const named = (options: ConfigOptions): string => new Config(options).storage.name;

  it('is named by a text, or by its class and folder', () => {
    expect(named({ storage: 'memory' })).toBe('memory');
    expect(named({ storage: 'disk', storageDir: 'runs' })).toBe('disk:runs');
    expect(named({ storage: 'sqlite' })).toBe('sqlite:.portia/portia.db');
    expect(new Config({ storage: 'sqlite:/var/lib/portia.db' }).storage).toEqual({
      class: 'SQLITE',
      name: 'sqlite:/var/lib/portia.db',
      file: '/var/lib/portia.db',
    });
    expect(named({ storageClass: 'SQLITE', storageDir: 'here' })).toBe('sqlite:here/portia.db');
    expect(new Config({ storageClass: 'DISK' }).storage).toEqual({
      class: 'DISK',
      name: 'disk:.portia',
      dir: '.portia',
    });
  });

  it('is what code says, before anything the environment says', () => {
    expect(named({ storage: 'memory', env: { PORTIA_STORAGE_CLASS: 'DISK' } })).toBe('memory');
    expect(named({ storageClass: 'DISK', env: { PORTIA_STORAGE: 'sqlite:./x.db' } })).toBe('disk:.portia');
    expect(refusal({ storage: 'memory', storageClass: 'DISK' }).message).toContain(
      'storageClass is DISK, but storage is memory',
    );
  });

  it('may be a backend, and nothing else', () => {
    const backend = { name: 'mine', loadRun: () => undefined } as unknown as NonNullable<
      Exclude<ConfigOptions['storage'], string>
    >;
    expect(new Config({ storage: backend }).storage).toEqual({ class: 'CUSTOM', name: 'mine', backend });
    expect(refusal({ storage: {} }).code).toBe('CONFIG_INVALID');
    expect(refusal({ storage: 'floppy:a' }).hint).toBe('give one of MEMORY, DISK, SQLITE, POSTGRES, CLOUD');
  });

  it('may be PostgreSQL, by its address or by its class, and the password is in no text', () => {
    const address = 'postgres://ada:hunter2@db.example:5433/portia?schema=acme';
    const configs = [
      new Config({ storage: address }),
      new Config({ env: { PORTIA_STORAGE: address } }),
      new Config({ storageClass: 'postgres', databaseUrl: address }),
      new Config({ storageClass: 'POSTGRESQL', env: { DATABASE_URL: address } }),
    ];
    for (const config of configs) {
      expect(config.storage).toMatchObject({ class: 'POSTGRES', name: 'postgres:db.example:5433/portia' });
      expect(config.storage.class === 'POSTGRES' && config.storage.url()).toBe(address);
      expect(config.secrets).toContain('hunter2');
      expect(inspect(config, { depth: 10 }) + inspect(config.storage) + JSON.stringify(config.storage)).not.toContain(
        'hunter2',
      );
    }
    expect(named({ env: { DATABASE_URL: address } })).toBe('memory');
    expect(refusal({ storageClass: 'POSTGRES' }).hint).toContain('DATABASE_URL');
    const wrong = refusal({ storage: 'postgres://ada:hunter2@' });
    expect([wrong.code, JSON.stringify(wrong) + String(wrong)]).toEqual([
      'CONFIG_INVALID',
      expect.not.stringContaining('hunter2'),
    ]);
  });

  it('may be a server, and the key is in no text', () => {
    const config = new Config({
      storageClass: 'CLOUD',
      env: { PORTIA_API_KEY: 'pk-hunter2', PORTIA_API_ENDPOINT: 'http://h:1/pre/' },
    });
    expect(config.storage).toMatchObject({ class: 'CLOUD', name: 'cloud:h:1' });
    expect(config.storage.class === 'CLOUD' && config.storage.reach()).toEqual({
      endpoint: 'http://h:1/pre',
      apiKey: 'pk-hunter2',
    });
    expect(inspect(config.storage) + JSON.stringify(config)).not.toContain('hunter2');
    expect(named({ storage: 'cloud' })).toBe('cloud:api.portialabs.ai');
    expect(named({ storage: 'cloud:https://my-server.example/portia' })).toBe('cloud:my-server.example');
    expect(refusal({ storage: 'cloud:my-server' }).hint).toContain('https://');
    expect(named({ env: { PORTIA_API_KEY: 'pk-hunter2' } })).toBe('memory');
  });
});

describe('a setting that cannot be used', () => {
  it.each([
    [{ storageclas: 'DISK' }, 'did you mean storageClass?'],
    [{ llm_provider: 'openai' }, 'did you mean llmProvider?'],
    [{ largeOutputTresholdTokens: 1 }, 'did you mean largeOutputThresholdTokens?'],
    [{ xyzzy: 1 }, expect.stringContaining('those that exist are llmProvider, models')],
  ])('%j is unknown, and the nearest is named', (options, hint) => {
    expect(refusal(options)).toMatchObject({ code: 'CONFIG_INVALID', hint });
  });

  it.each<[ConfigOptions | Record<string, unknown>, string]>([
    [{ defaultLogLevel: 'LOUD' }, 'defaultLogLevel'],
    [{ env: { PORTIA_LOG_LEVEL: 'constructor' } }, 'PORTIA_LOG_LEVEL'],
    [{ largeOutputThresholdTokens: 0 }, 'largeOutputThresholdTokens'],
    [{ env: { PORTIA_LARGE_OUTPUT_THRESHOLD_TOKENS: 'many' } }, 'PORTIA_LARGE_OUTPUT_THRESHOLD_TOKENS'],
    [{ argumentClarificationsEnabled: 'perhaps' }, 'argumentClarificationsEnabled'],
    [{ featureFlags: { a: 2 } }, 'featureFlags.a'],
    [{ openaiBaseUrl: 'localhost' }, 'openaiBaseUrl'],
    [{ openaiApiKey: 12345678 }, 'openaiApiKey'],
  ])('%j is refused by name', (options, setting) => {
    expect(refusal(options)).toMatchObject({ code: 'CONFIG_INVALID', details: { setting } });
  });

  it('is not repeated when it may be a secret', () => {
    expect(inspect(refusal({ openaiBaseUrl: 'sk-misplaced-secret' }))).not.toContain('sk-misplaced-secret');
  });
});

describe('feature flags', () => {
  it('come from all places, and Portia’s spelling is the same flag', () => {
    const config = Config.fromDefault({
      featureFlags: { feature_flag_agent_memory_enabled: false },
      env: { PORTIA_FEATURE_NEW_LOOK: '1', PORTIA_FEATURE_AGENT_MEMORY_ENABLED: 'true' },
    });
    expect(config.featureFlags).toEqual({ agentMemoryEnabled: false, newLook: true });
  });
});

describe('secrets', () => {
  const secrets = ['sk-openai-0001', 'tvly-000000002', 'portia-0000003'];
  const config = new Config({
    openaiApiKey: secrets[0],
    tavilyApiKey: secrets[1],
    portiaApiKey: secrets[2],
    ollamaBaseUrl: 'http://me:hunter22@localhost:11434/v1',
  });

  it('can be read by name', () => {
    expect(config.secrets).toEqual(expect.arrayContaining(secrets));
    expect([config.apiKey('openai'), config.tavilyApiKey, config.portiaApiKey]).toEqual(secrets);
    expect(config.baseUrl('ollama')).toContain('hunter22');
  });

  it.each<[string, () => string]>([
    ['JSON', () => JSON.stringify(config)],
    ['a string', () => `${config}`],
    ['what is printed', () => inspect(config, { depth: 10, showHidden: true })],
    ['what is printed of an object around it', () => inspect({ deep: { config } }, { depth: 10 })],
    ['a copy', () => inspect({ ...config }, { depth: 10, showHidden: true })],
  ])('are not in %s', (_name, print) => {
    for (const secret of [...secrets, 'hunter22']) expect(print()).not.toContain(secret);
  });

  it('are said to be set', () => {
    expect(JSON.parse(JSON.stringify(config))).toMatchObject({
      openaiApiKey: '[set]',
      ollamaBaseUrl: 'http://localhost:11434/v1',
      storage: 'memory',
      largeOutputThresholdTokens: 1000,
    });
  });

  it('that are needed and missing are an error that says where to put them', () => {
    expect(config.mustGet('tavilyApiKey')).toBe(secrets[1]);
    expect(() => new Config().mustGet('tavilyApiKey')).toThrow(
      expect.objectContaining({ code: 'CONFIG_NOT_FOUND', hint: expect.stringContaining('TAVILY_API_KEY') }),
    );
  });
});
