import { z } from '@hono/zod-openapi';
import type { PlanRunState, PortiaErrorCode, RunBudget, RunError } from 'portia-ts';
import type { Problem } from '../../http/problem.ts';

/** The documents of `/api/v1`. Times are epoch milliseconds. */

/** A line of a list of runs. */
export interface RunSummaryJson {
  id: string;
  planId: string;
  state: PlanRunState;
  endUserId: string;
  createdAt: number;
  updatedAt: number;
  labels: Record<string, string>;
  runKey: string | null;
  error: RunError | null;
}

/** A value with a summary where one was made, or the name under which agent memory has it. */
export interface OutputJson {
  value?: unknown;
  summary: string | null;
  outputName?: string | undefined;
}

/** A clarification with its audience, its expiry, and who answered it. */
export interface ClarificationJson {
  id: string;
  planRunId: string;
  category: string;
  userGuidance: string;
  argumentName?: string | undefined;
  options?: unknown[] | undefined;
  actionUrl?: string | undefined;
  requireConfirmation?: boolean | undefined;
  name?: string | undefined;
  data?: Record<string, unknown> | undefined;
  step: number;
  source: string | null;
  audience: string;
  raisedAt: number;
  expiresAt: number | null;
  approves: { call: string; argsHash: string } | null;
  resolved: boolean;
  response?: unknown;
  resolvedBy: string | null;
  resolvedAs: string | null;
  via: string | null;
}

/** A clarification that waits for its answer, with what is needed to decide on it. */
export interface WaitingClarificationJson extends ClarificationJson {
  endUserId: string;
  plan: { query: string; step: string | null; tool: string | null } | null;
}

/** A run with what it has made so far. */
export interface RunJson {
  id: string;
  planId: string;
  state: PlanRunState;
  endUserId: string;
  currentStepIndex: number;
  createdAt: number | null;
  labels: Record<string, string>;
  runKey: string | null;
  traceId: string | null;
  planRunInputs: Record<string, OutputJson>;
  stepOutputs: Record<string, OutputJson>;
  finalOutput: OutputJson | null;
  clarifications: ClarificationJson[];
  error: RunError | null;
}

/** A line of a list of plans. */
export interface PlanSummaryJson {
  id: string;
  query: string;
  createdAt: number;
  name: string | null;
}

/** A plan. */
export interface PlanJson {
  id: string;
  query: string;
  document: Record<string, unknown>;
}

/** An end user. */
export interface EndUserJson {
  externalId: string;
  name: string;
  email: string;
  phoneNumber: string;
  additionalData: Record<string, string | null>;
}

/** Any JSON. */
export const Json: z.ZodType<unknown> = z.unknown().openapi('Json', { description: 'Any JSON value.' });

// A text, so that the document and the types made from it stay as they are when there is one more.
const ErrorCode: z.ZodType<PortiaErrorCode> = z
  .string()
  .openapi({ description: 'One of the codes of docs/errors.md' }) as never;

/** A problem document (RFC 9457): what every error answers with. */
export const ProblemSchema: z.ZodType<Problem> = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: ErrorCode,
    hint: z.string().optional(),
    planRunId: z.string().optional(),
    requestId: z.string().optional(),
    scope: z.string().optional().openapi({ description: 'Of BUDGET_EXCEEDED: run, planning or client.' }),
  })
  .openapi('Problem');

const planRunStates = [
  'NOT_STARTED',
  'IN_PROGRESS',
  'NEED_CLARIFICATION',
  'READY_TO_RESUME',
  'COMPLETE',
  'FAILED',
] as const;
/** The six states of a run. */
export const PlanRunStateSchema: z.ZodType<PlanRunState, PlanRunState> = z.enum(planRunStates).openapi('PlanRunState');

const RunErrorSchema = z
  .object({
    code: ErrorCode,
    message: z.string(),
    step: z.exactOptional(z.int()),
    toolCallId: z.exactOptional(z.string()),
  })
  .openapi('RunError');

/** Labels of a run. */
export const LabelsSchema: z.ZodType<Record<string, string>> = z.record(
  z.string().min(1).max(200),
  z.string().max(1_000),
);

/** See {@link RunSummaryJson}. */
export const RunSummarySchema: z.ZodType<RunSummaryJson> = z
  .object({
    id: z.string(),
    planId: z.string(),
    state: PlanRunStateSchema,
    endUserId: z.string(),
    createdAt: z.int(),
    updatedAt: z.int(),
    labels: z.record(z.string(), z.string()),
    runKey: z.string().nullable(),
    error: RunErrorSchema.nullable(),
  })
  .openapi('PlanRunSummary');

export const OutputSchema: z.ZodType<OutputJson> = z
  .object({
    value: Json.optional(),
    summary: z.string().nullable(),
    outputName: z.string().optional().openapi({ description: 'Of a large value: its name in agent memory.' }),
  })
  .openapi('Output');

const clarificationFields = {
  id: z.string(),
  planRunId: z.string(),
  category: z.enum(['Action', 'Input', 'Multiple Choice', 'Value Confirmation', 'User Verification', 'Custom']),
  userGuidance: z.string(),
  argumentName: z.string().optional(),
  options: z.array(Json).optional(),
  actionUrl: z.string().optional(),
  requireConfirmation: z.boolean().optional(),
  name: z.string().optional(),
  data: z.record(z.string(), z.unknown()).optional(),
  step: z.int(),
  source: z.string().nullable(),
  audience: z.string().openapi({ description: 'endUser, operator or role:<name>' }),
  raisedAt: z.int(),
  expiresAt: z.int().nullable(),
  approves: z.object({ call: z.string(), argsHash: z.string() }).nullable(),
  resolved: z.boolean(),
  response: Json.optional(),
  resolvedBy: z.string().nullable(),
  resolvedAs: z.string().nullable(),
  via: z.string().nullable(),
};

export const ClarificationSchema: z.ZodType<ClarificationJson> = z.object(clarificationFields).openapi('Clarification');

/** See {@link WaitingClarificationJson}. */
export const WaitingClarificationSchema: z.ZodType<WaitingClarificationJson> = z
  .object({
    ...clarificationFields,
    endUserId: z.string().openapi({ description: 'On whose behalf the run happens.' }),
    plan: z
      .object({
        query: z.string().openapi({ description: 'What was asked, or the label of a plan in code.' }),
        step: z.string().nullable().openapi({ description: 'The name of the step that asks, or its task.' }),
        tool: z.string().nullable().openapi({ description: 'Tools of the step, parted by commas.' }),
      })
      .nullable()
      .openapi({ description: 'What the run is about; null for keys that may not read plans.' }),
  })
  .openapi('WaitingClarification');

/** See {@link RunJson}. */
export const RunSchema: z.ZodType<RunJson> = z
  .object({
    id: z.string(),
    planId: z.string(),
    state: PlanRunStateSchema,
    endUserId: z.string(),
    currentStepIndex: z.int(),
    createdAt: z.int().nullable(),
    labels: z.record(z.string(), z.string()),
    runKey: z.string().nullable(),
    traceId: z
      .string()
      .nullable()
      .openapi({ description: 'The trace its calls belong to: that of the request that started it, or its own.' }),
    planRunInputs: z.record(z.string(), OutputSchema),
    stepOutputs: z.record(z.string(), OutputSchema),
    finalOutput: OutputSchema.nullable(),
    clarifications: z.array(ClarificationSchema),
    error: RunErrorSchema.nullable(),
  })
  .openapi('PlanRun');

export const PlanSummarySchema: z.ZodType<PlanSummaryJson> = z
  .object({
    id: z.string(),
    query: z.string(),
    createdAt: z.int(),
    name: z.string().nullable().openapi({ description: 'The name it can be started by, for a registered plan.' }),
  })
  .openapi('PlanSummary');

export const PlanSchema: z.ZodType<PlanJson> = z
  .object({
    id: z.string(),
    query: z.string(),
    document: z.record(z.string(), z.unknown()).openapi({ description: 'The plan in the form of Portia 0.9.' }),
  })
  .openapi('Plan');

export const EndUserSchema: z.ZodType<EndUserJson> = z
  .object({
    externalId: z.string(),
    name: z.string(),
    email: z.string(),
    phoneNumber: z.string(),
    additionalData: z.record(z.string(), z.string().nullable()),
  })
  .openapi('EndUser');

/** What of an end user is given; the rest stays, or is empty. */
export const EndUserPatchSchema: z.ZodObject<
  {
    name: z.ZodOptional<z.ZodString>;
    email: z.ZodOptional<z.ZodString>;
    phoneNumber: z.ZodOptional<z.ZodString>;
    additionalData: z.ZodOptional<z.ZodRecord<z.ZodString, z.ZodNullable<z.ZodString>>>;
  },
  z.core.$strict
> = z
  .strictObject({
    name: z.string().max(1_000).optional(),
    email: z.string().max(1_000).optional(),
    phoneNumber: z.string().max(1_000).optional(),
    additionalData: z.record(z.string(), z.string().nullable()).optional(),
  })
  .openapi('EndUserPatch');

/** What a run may spend; see docs/budgets.md. */
export const BudgetSchema: z.ZodType<RunBudget, RunBudget> = z
  .strictObject({
    maxUsd: z.number().min(0).optional(),
    maxTokens: z.int().min(0).optional(),
    maxModelCalls: z.int().min(0).optional(),
    maxToolCalls: z.int().min(0).optional(),
    maxDurationMs: z.int().min(0).optional(),
    maxOutputTokens: z.int().min(1).optional(),
    onBudget: z.enum(['stop', 'ask']).optional(),
  })
  .openapi('Budget');

/** How a list is asked for. */
export const PageQuerySchema: z.ZodObject<{
  limit: z.ZodOptional<z.ZodCoercedNumber<unknown>>;
  cursor: z.ZodOptional<z.ZodString>;
}> = z.object({
  limit: z.coerce.number().int().min(1).max(1_000).optional().openapi({ description: '1 to 1000; 50 unless given.' }),
  cursor: z.string().max(200).optional().openapi({ description: 'From the page before.' }),
});
