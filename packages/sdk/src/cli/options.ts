import type { OptionSpecs } from './input.ts';

/** What every command takes. */
export const commonOptions: OptionSpecs = {
  json: { type: 'flag', help: 'results and errors as JSON' },
  help: { type: 'flag', short: 'h', help: 'show this help' },
};

/** Where plans and runs are kept. */
export const placeOptions: OptionSpecs = {
  storage: { type: 'text', value: 'WHERE', help: 'sqlite:FILE, disk:FOLDER, postgres://… or memory' },
  'storage-class': { type: 'text', value: 'CLASS', hidden: true, help: 'SQLITE, POSTGRES, DISK or MEMORY' },
  'storage-dir': { type: 'text', value: 'FOLDER', help: 'the folder of the store (.portia)' },
  'no-env': { type: 'flag', help: 'do not read .env' },
  'log-level': { type: 'text', value: 'LEVEL', help: 'also log to stderr: TRACE, DEBUG, INFO, WARNING, ERROR' },
  'default-log-level': { type: 'text', value: 'LEVEL', hidden: true, help: 'the same as --log-level' },
  ...commonOptions,
};

/** Where they are kept, and whose. */
export const storeOptions: OptionSpecs = {
  organisation: { type: 'text', value: 'NAME', help: 'the store of this organisation of a server (default)' },
  ...placeOptions,
};

/** Which tools there are. */
export const toolOptions: OptionSpecs = {
  'mcp-config': { type: 'text', value: 'FILE', help: 'also the tools of these MCP servers: { "mcpServers": { … } }' },
  tools: {
    type: 'text',
    value: 'WHICH',
    help: 'example (all six), or a module whose default export is tools; else those with a key',
  },
};

/** Which models are used, and how. */
export const modelOptions: OptionSpecs = {
  model: { type: 'text', value: 'NAME', help: 'the model for everything, such as openai/gpt-4.1' },
  'default-model': { type: 'text', value: 'NAME', hidden: true, help: 'the same as --model' },
  'planning-model': { type: 'text', value: 'NAME', help: 'the model that plans' },
  'execution-model': { type: 'text', value: 'NAME', help: 'the model of agents' },
  'introspection-model': { type: 'text', value: 'NAME', help: 'the model that judges conditions' },
  'summarizer-model': { type: 'text', value: 'NAME', help: 'the model that sums up' },
  'llm-provider': { type: 'text', value: 'NAME', help: 'whose models to use where none is named' },
  'execution-agent-type': { type: 'text', value: 'TYPE', hidden: true, help: 'ONE_SHOT or DEFAULT' },
  'argument-clarifications-enabled': { type: 'text', value: 'BOOL', help: 'agents ask for arguments they do not know' },
  'large-output-threshold-tokens': { type: 'text', value: 'N', help: 'larger outputs go to agent memory' },
};

/** What commands that drive runs take. */
export const driveOptions: OptionSpecs = {
  'no-clarifications': { type: 'flag', help: 'ask nothing: leave questions open and end with exit code 3' },
  ...toolOptions,
  ...modelOptions,
  ...storeOptions,
};

/** What a run may spend. */
export const budgetOption: OptionSpecs = {
  budget: { type: 'text', many: true, value: 'LIMIT=N', help: 'what it may spend: maxUsd=0.5, maxModelCalls=20, …' },
};

/** How a run is made. */
export const runOptions: OptionSpecs = {
  input: { type: 'text', many: true, value: 'NAME=VALUE', help: 'a value for an input of the plan: JSON or text' },
  'end-user-id': { type: 'text', value: 'ID', help: 'on whose behalf' },
  label: { type: 'text', many: true, value: 'KEY=VALUE', help: 'a label to find the run by' },
  ...budgetOption,
  'run-key': { type: 'text', value: 'KEY', help: 'your own name for the run: the same key gives the same run' },
};

/** Whether to ask before a plan is run. */
export const confirmOptions: OptionSpecs = {
  yes: { type: 'flag', short: 'y', help: 'run the plan without asking' },
  confirm: { type: 'text', value: 'BOOL', hidden: true, help: 'false is the same as --yes' },
};

/** Options of the command line that are settings of the client. */
export const settingOfOption: Readonly<Record<string, string>> = {
  storage: 'storage',
  'storage-class': 'storageClass',
  'storage-dir': 'storageDir',
  'log-level': 'defaultLogLevel',
  'default-log-level': 'defaultLogLevel',
  model: 'defaultModel',
  'default-model': 'defaultModel',
  'planning-model': 'planningModel',
  'execution-model': 'executionModel',
  'introspection-model': 'introspectionModel',
  'summarizer-model': 'summarizerModel',
  'llm-provider': 'llmProvider',
  'execution-agent-type': 'executionAgentType',
  'argument-clarifications-enabled': 'argumentClarificationsEnabled',
  'large-output-threshold-tokens': 'largeOutputThresholdTokens',
};
