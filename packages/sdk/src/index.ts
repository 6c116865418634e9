// The client
export { Portia, type PortiaOptions, type QueryOptions, type ResolveOptions, type ValueOf } from './client.ts';
export { Config, defaultConfig, type FeatureFlags } from './config/config.ts';
export { type ConfigOptions, ExecutionAgentType, type ModelSetting, StorageClass } from './config/config-options.ts';
export type { HandlerOptions, HandlerPrincipal } from './server-package.ts';
export { importModule } from './import-module.ts';
export { LLMProvider } from './model/providers.ts';
export { version } from './version.ts';

// Plans
export { Plan, PlanContext, PlanInput, ReadOnlyPlan, ReadOnlyStep, Step, Variable } from './core/plan.ts';
export type { PlanInit, PlanInputInit, StepInit, VariableInit } from './core/plan.ts';
export { PlanBuilder } from './plan/plan-builder.ts';
export { PlanBuilderV2 } from './plan/builder-v2.ts';
export { PlanV2, type PlanInputV2, type PlanV2Init } from './core/plan-v2.ts';
export type { PlanChange } from './core/plan-v2-changes.ts';
export { FirstOf } from './core/plan-v2-steps.ts';
export type { ExpiryOptions, OnFailure, RetryPolicy, StepV2, Template } from './core/plan-v2-steps.ts';
export type { InputsOf, OutputOf, StepsOf } from './plan/builder-v2-types.ts';
export {
  Input,
  type InputReference,
  type Reference,
  StepOutput,
  type StepReference,
  type Text,
  text,
} from './core/reference.ts';
export { validatePlan } from './plan/validate-plan.ts';
export type { CostEstimate, StepEstimate } from './plan/estimate.ts';
export type { Range } from './plan/ranges.ts';
export type { PlanOptions } from './plan/make-plan.ts';

// Runs
export { ReadOnlyPlanRun, planRunFromWire } from './core/plan-run.ts';
export type { CompletePlanRun, FailedPlanRun, OpenPlanRun, PlanRun, PlanRunOutputs } from './core/plan-run.ts';
export { PlanRunState } from './core/run-state.ts';
export type { ExecutionContext, ModelContext, StepContext, Usage } from './core/execution-context.ts';
export type { ModelTotals } from './core/usage.ts';
export type { BudgetLimits, RunBudget } from './core/budget.ts';
export type { RetryOptions } from './run/retry.ts';
export { AgentMemoryValue, isInMemory, LocalDataValue, type Output } from './core/output.ts';
export { ClarificationUUID, PlanRunUUID, PlanUUID } from './core/ids.ts';
export type { AnyPlan, RunOptions } from './run/create-run.ts';
export type { ResumeOptions } from './run/resume.ts';
export type { PlanRunInputs } from './run/plan-run-inputs.ts';
export type { BatchCounts, BatchItem, BatchOutcome, RunManyOptions } from './run/run-many.ts';
export type { WorkCounts, WorkOptions } from './run/worker.ts';
export type { FollowOptions } from './run/follow.ts';
export type { WaitOptions } from './run/wait-for-ready.ts';
export type { CallOutcome, ExpiryPolicy, RunError, RunEvent, RunNotice } from './core/event.ts';

// Clarifications and the people who answer them
export {
  ActionClarification,
  CustomClarification,
  InputClarification,
  isApproved,
  isClarification,
  MultipleChoiceClarification,
  UserVerificationClarification,
  ValueConfirmationClarification,
} from './core/clarification.ts';
export type { Audience, Clarification, ClarificationCategory } from './core/clarification.ts';
export type { ClarificationHandler, OnError, OnResolution } from './clarify/clarification-handler.ts';
export { TerminalClarificationHandler } from './clarify/terminal-handler.ts';
export type { Resolver } from './run/answers.ts';
export { EndUser, type EndUserField } from './core/end-user.ts';
export type { EndUserInit } from './run/end-users.ts';

// Tools
export { tool, ToolBase, type ToolInit } from './tool/tool.ts';
export type { ToolMatch } from './tool/match-tools.ts';
export { type OverwriteOption, ToolRegistry, type ToolRegistryOptions } from './tool/registry.ts';
export { type RemoteToolsOptions, remoteTools } from './tool/remote-tools.ts';
export type { ToolOptions } from './tool/foreign.ts';
export type {
  AnyTool,
  ReadyResponse,
  Reconciled,
  Tool,
  ToolReadyContext,
  ToolResult,
  ToolRetry,
  ToolRunContext,
} from './core/tool.ts';
export { ToolCallStatus, type ToolCall, type ToolCallRecord, toolCallRecordFromWire } from './core/tool-call.ts';
export { type Infer, type Schema, withJsonSchema } from './core/schema.ts';
export { schemaFromJson } from './plan/plan-record.ts';
export { defaultToolRegistry, exampleToolRegistry, openSourceToolRegistry } from './tool/library/registries.ts';

// Hooks
export { BeforeStepExecutionOutcome } from './run/hooks.ts';
export type { OutsideCall, OutsideResult } from './run/call-outside.ts';
export type { ClarificationRequest, ExecutionHooks, ToolHookResult } from './run/hooks.ts';
export {
  type ApprovalOptions,
  clarifyOnAllToolCalls,
  clarifyOnToolCalls,
  combineHooks,
  logStepOutputs,
} from './run/approval-hooks.ts';
export { type AllowedTools, allowTools, type RedactOptions, redactPatterns } from './run/guardrails.ts';
export type { ModelAnswerDraft, ModelCall } from './run/model-hooks.ts';

// Doors: models, storage, time, logs
export { type ContentPart, contentText, type MessageContent } from './core/content.ts';
export type {
  FailedModel,
  Model,
  ModelAnswer,
  ModelMessage,
  ModelRequest,
  ModelTool,
  ModelToolCall,
  ModelUsage,
} from './core/model.ts';
export type { ModelPrice } from './model/price-data.ts';
export type { ModelPrices } from './model/prices.ts';
export type { ModelCache } from './model/cache/model-cache.ts';
export { type MemoryCacheOptions, memoryModelCache } from './model/cache/memory-cache.ts';
export { type RedisCacheOptions, redisModelCache } from './model/cache/redis-cache.ts';
export { Storage } from './storage/storage.ts';
export { memoryStorage } from './storage/memory/memory-storage.ts';
export { diskStorage } from './storage/disk/disk-storage.ts';
export { type CloudOptions, cloudStorage } from './storage/cloud/index.ts';
export { storageDoor } from './storage/cloud/door.ts';
export { PortiaDocuments, type RecordedRun } from './storage/portia-documents.ts';
export {
  type EncryptionOptions,
  encryptedStorage,
  type ErasingStorage,
  type Erasure,
} from './storage/encrypted/encrypted-storage.ts';
export type { PruneOptions } from './storage/prune.ts';
export type { Page, RunQuery, RunStatus, RunSummary, StorageBackend } from './storage/storage-backend.ts';
export type { Skipped } from './storage/transfer/export.ts';
export type { ImportReport } from './storage/transfer/import.ts';
export { rotateKeys, type Rotation } from './storage/encrypted/rotate.ts';
export { SecretKeys } from './secrets/cipher.ts';
export type { ClarificationQuery, ListedClarification, OpenClarification } from './storage/open-clarifications.ts';
export type { WaitingClarification } from './storage/storage.ts';
export type { Clock } from './core/clock.ts';
export {
  readTrace,
  readTraceparent,
  type TraceContext,
  type Traced,
  traceContextFor,
  traceIdIn,
  traceIdOf,
  traceparentFor,
} from './core/trace.ts';
export { consoleLogger, type Logger, LogLevel, silentLogger } from './observe/logger.ts';

// Errors
export {
  PlanBuilderError,
  PortiaError,
  type PortiaErrorCode,
  portiaErrorCodes,
  ToolHardError,
  ToolSoftError,
} from './core/errors.ts';
export type { JsonObject, JsonValue } from './core/json.ts';
