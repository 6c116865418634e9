import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { demand } from '../../auth/principal.ts';
import type { Env } from '../../http/context.ts';
import { answer, problems, RunIdParams, router } from './routes.ts';
import { Json } from './schemas.ts';
import { visibleRun } from './visible.ts';

const taken = {
  ms: z.number(),
  modelCalls: z.int(),
  inputTokens: z.int(),
  outputTokens: z.int(),
  cachedInputTokens: z.int(),
  toolCalls: z.int(),
};

const ExecutionContextSchema = z
  .object({
    createdAt: z.int().nullable(),
    startedAt: z.int().nullable(),
    endedAt: z.int().nullable(),
    host: z.string().nullable(),
    version: z.string().nullable(),
    labels: z.record(z.string(), z.string()),
    runKey: z.string().nullable(),
    steps: z.array(z.object({ step: z.int().nullable(), ...taken })),
    totals: z.object(taken),
  })
  .openapi('ExecutionContext');

const ToolCallSchema = z
  .object({
    callId: z.string(),
    toolId: z.string(),
    step: z.int(),
    status: z.string().openapi({ description: 'SUCCESS, FAILED, IN_PROGRESS, NEED_CLARIFICATION or UNKNOWN' }),
    args: Json,
    output: Json,
    idempotencyKey: z.string(),
  })
  .loose()
  .openapi('ToolCall');

const usage = createRoute({
  method: 'get',
  path: '/runs/{runId}/usage',
  tags: ['Runs'],
  summary: 'What a run took',
  description: 'Times, model calls, tokens and tool calls, by step and in total.',
  request: { params: RunIdParams },
  responses: {
    200: answer(ExecutionContextSchema, 'What it took so far.'),
    ...problems,
  },
});

const toolCalls = createRoute({
  method: 'get',
  path: '/runs/{runId}/tool-calls',
  tags: ['Runs'],
  summary: 'The effects ledger of a run',
  description: 'Its tool calls, in the order they were begun: arguments, outcome, and what is not known.',
  request: { params: RunIdParams },
  responses: {
    200: answer(z.object({ items: z.array(ToolCallSchema) }), 'The calls.'),
    ...problems,
  },
});

/** What a run took, and what it did. */
export function runUsage(): OpenAPIHono<Env> {
  const app = router();
  app.openapi(usage, async (context) => {
    demand(context.get('principal'), 'read-all');
    const { planRun } = await visibleRun(context, context.req.valid('param').runId);
    const { steps, ...whole } = planRun.executionContext;
    return context.json({ ...whole, steps: [...steps] }, 200);
  });
  app.openapi(toolCalls, async (context) => {
    demand(context.get('principal'), 'read-all');
    const { planRun } = await visibleRun(context, context.req.valid('param').runId);
    const calls = await context.get('tenant').portia.storage.getToolCalls(planRun.id);
    return context.json({ items: calls.map((call): z.infer<typeof ToolCallSchema> => ({ ...call })) }, 200);
  });
  return app;
}
