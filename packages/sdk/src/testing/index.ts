/** Everything to test your own plans, tools and backends without a network, a key or a wait. */

export { type CrashingStorage, type CrashPoint, crashingStorage } from './crashing-storage.ts';
export { type FakeClock, fakeClock } from './fake-clock.ts';
export { fakeIds } from './fake-ids.ts';
export { type ModelCacheSubject, type OpenedModelCache, testModelCache } from './model-cache-contract.ts';
export type { ModelProtocol } from './model-protocols.ts';
export {
  type AnswerOptions,
  fails,
  hangs,
  invalidJson,
  object,
  type Script,
  type ScriptedAnswer,
  status,
  text,
  together,
  toolCall,
  truncated,
} from './script.ts';
export { type ScriptedModel, scriptedModel } from './scripted-model.ts';
export { type ScriptedModelServer, type ScriptedServerRequest, scriptedModelServer } from './scripted-model-server.ts';
export { type SecretStoreSubject, testSecretStore } from './secret-store-contract.ts';
export {
  type Expectation,
  type OpenedStorage,
  type StorageSubject,
  type TestFunctions,
  testStorageBackend,
} from './storage-contract.ts';
export { testTool, type ToolTestCases, type ToolTestFramework } from './tool-contract.ts';
export { type ToolContextInit, toolContext } from './tool-context.ts';
