import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Env } from '../../http/context.ts';
import { v0Tag } from '../tags.ts';

/** What the routes of `/api/v0` take and give, for the document of the API. The routes themselves look at what comes in. */

type Schema = Readonly<Record<string, unknown>>;

const text: Schema = { type: 'string' };
const number: Schema = { type: 'number' };
const bool: Schema = { type: 'boolean' };
const whole: Schema = { type: 'integer' };
const anything: Schema = {};
const record: Schema = { type: 'object', additionalProperties: true };
const orNull = (schema: Schema): Schema => ({ anyOf: [schema, { type: 'null' }] });
const list = (items: Schema): Schema => ({ type: 'array', items });
const named = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });
const object = (properties: Readonly<Record<string, Schema>>, required: readonly string[] = []): Schema => ({
  type: 'object',
  properties,
  ...(required.length > 0 && { required: [...required] }),
});
const all = (properties: Readonly<Record<string, Schema>>): Schema => object(properties, Object.keys(properties));
const mapOf = (schema: Schema): Schema => ({ type: 'object', additionalProperties: schema });

const states = ['NOT_STARTED', 'IN_PROGRESS', 'NEED_CLARIFICATION', 'READY_TO_RESUME', 'COMPLETE', 'FAILED'];
const outputs = object({
  clarifications: list(named('V0Clarification')),
  step_outputs: mapOf(named('V0Output')),
  final_output: orNull(named('V0Output')),
});
const runFields = {
  end_user: text,
  current_step_index: whole,
  state: { type: 'string', enum: states },
  outputs,
  plan_run_inputs: mapOf(named('V0Output')),
};
const executionContext = object({ end_user_id: text, plan_run_id: text, additional_data: mapOf(orNull(text)) }, [
  'end_user_id',
  'plan_run_id',
]);

const schemas: Readonly<Record<string, Schema>> = {
  V0Error: all({ detail: text }),
  V0Plan: object(
    {
      id: text,
      query: text,
      tool_ids: list(text),
      steps: list(
        object(
          {
            task: text,
            inputs: list(object({ name: text, description: text }, ['name'])),
            tool_id: orNull(text),
            output: text,
            condition: orNull(text),
          },
          ['task', 'output'],
        ),
      ),
      plan_inputs: list(object({ name: text, description: orNull(text), value: anything }, ['name'])),
    },
    ['id', 'query', 'tool_ids', 'steps'],
  ),
  V0Output: {
    description: 'A value with its summary, or the name under which agent memory has it.',
    anyOf: [
      object({ value: anything, summary: orNull(text) }),
      all({ output_name: text, plan_run_id: text, summary: text }),
    ],
  },
  V0Clarification: object(
    {
      id: text,
      plan_run_id: orNull(text),
      category: {
        type: 'string',
        enum: ['Action', 'Input', 'Multiple Choice', 'Value Confirmation', 'User Verification', 'Custom'],
      },
      response: anything,
      step: orNull(whole),
      user_guidance: text,
      resolved: bool,
      source: orNull(text),
      argument_name: text,
      options: list(anything),
      action_url: text,
      require_confirmation: bool,
      name: text,
      data: record,
    },
    ['id', 'category', 'user_guidance'],
  ),
  V0PlanRunWrite: object({ ...runFields, plan_id: text }, ['state', 'end_user', 'plan_id']),
  V0PlanRun: all({ id: text, plan: all({ id: text }), ...runFields }),
  V0EndUser: object(
    { external_id: text, name: text, email: text, phone_number: text, additional_data: mapOf(orNull(text)) },
    ['external_id'],
  ),
  V0ToolCall: all({
    plan_run_id: text,
    tool_name: text,
    step: whole,
    end_user_id: text,
    input: anything,
    output: anything,
    status: { type: 'string', enum: ['IN_PROGRESS', 'SUCCESS', 'NEED_CLARIFICATION', 'FAILED'] },
    latency_seconds: number,
  }),
  V0Tool: all({
    tool_id: text,
    tool_name: text,
    should_summarize: bool,
    description: all({ overview_description: text, overview: text, output_description: text }),
    schema: record,
  }),
  V0Ready: object({ ready: bool, clarifications: list(named('V0Clarification')), reason: text }, [
    'ready',
    'clarifications',
  ]),
};

interface Route {
  readonly summary: string;
  readonly query?: Readonly<Record<string, Schema>>;
  readonly body?: Schema;
  readonly form?: Schema;
  /** Absent: a text. */
  readonly gives?: Schema;
  readonly status?: 201;
}

const search = object({ query: text, threshold: number, limit: whole }, ['query']);
const output = '/agent-memory/plan-runs/{plan_run_id}/outputs/{output_name}/';

/** Every route, by its method and its path as clients write it. */
const v0Routes: Readonly<Record<string, Route>> = {
  'POST /plans/': { summary: 'Store a plan', body: named('V0Plan'), gives: named('V0Plan') },
  'GET /plans/{plan_id}/': { summary: 'Read a plan', gives: named('V0Plan') },
  'POST /plans/embeddings/search/': {
    summary: 'Find plans by their query',
    body: search,
    gives: list(named('V0Plan')),
  },
  'PUT /plan-runs/{plan_run_id}/': {
    summary: 'Store a run as its client says it stands',
    body: named('V0PlanRunWrite'),
    gives: named('V0PlanRun'),
  },
  'GET /plan-runs/{plan_run_id}/': { summary: 'Read a run', gives: named('V0PlanRun') },
  'GET /plan-runs/': {
    summary: 'List runs, 20 a page',
    query: { page: whole, run_state: { type: 'string', enum: states } },
    gives: all({ results: list(named('V0PlanRun')), count: whole, current_page: whole, total_pages: whole }),
  },
  'POST /tool-calls/': {
    summary: 'Put a tool call into the ledger of its run',
    body: named('V0ToolCall'),
    gives: record,
    status: 201,
  },
  [`PUT ${output}`]: {
    summary: 'Store a large output',
    form: all({ summary: text, value: { type: 'string', format: 'binary' } }),
    gives: all({ summary: text }),
  },
  [`GET ${output}`]: { summary: 'Where a large output is', gives: all({ summary: orNull(text), url: text }) },
  [`GET ${output}value/`]: { summary: 'Read a large output' },
  'GET /end-user/{external_id}/': { summary: 'Read an end user; nobody is ever missing', gives: named('V0EndUser') },
  'PUT /end-user/{external_id}/': {
    summary: 'Store an end user; additional data is merged',
    body: named('V0EndUser'),
    gives: named('V0EndUser'),
  },
  'GET /tools/descriptions-v2/': {
    summary: 'The tools of this server, and those that clients cannot be given',
    gives: all({ tools: list(named('V0Tool')), errors: list(all({ app_name: text, error: text })) }),
  },
  'GET /tools/descriptions/': { summary: 'The tools of this server', gives: list(named('V0Tool')) },
  'POST /tools/{tool_id}/run/': {
    summary: 'Call a tool',
    body: object({ arguments: record, execution_context: executionContext }, ['execution_context']),
    gives: all({ output: all({ value: anything }), soft_error: bool }),
  },
  'POST /tools/{tool_id}/ready/': {
    summary: 'Whether a tool can be called',
    body: all({ execution_context: executionContext }),
    gives: named('V0Ready'),
  },
  'POST /tools/batch/ready/': {
    summary: 'Whether several tools can be called',
    body: all({ execution_context: executionContext, tool_ids: list(text) }),
    gives: named('V0Ready'),
  },
};

/** Puts the routes into the document of the API. */
export function describeV0(app: OpenAPIHono<Env>): void {
  const { openAPIRegistry: registry } = app;
  for (const [name, schema] of Object.entries(schemas)) registry.registerComponent('schemas', name, schema);
  for (const [key, { summary, query = {}, body, form, gives, status = 200 }] of Object.entries(v0Routes)) {
    const [method = '', path = ''] = key.split(' ');
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({
      name,
      in: 'path' as const,
      required: true,
      schema: text,
    }));
    const inQuery = Object.entries(query).map(([name, schema]) => ({ name, in: 'query' as const, schema }));
    const content = gives ? { 'application/json': { schema: gives } } : { 'text/plain': { schema: text } };
    registry.registerPath({
      method: method.toLowerCase() as 'get',
      path: `/api/v0${path}`,
      summary,
      tags: [v0Tag],
      parameters: [...inPath, ...inQuery],
      ...(body && { requestBody: { required: true, content: { 'application/json': { schema: body } } } }),
      ...(form && { requestBody: { required: true, content: { 'multipart/form-data': { schema: form } } } }),
      responses: {
        [status]: { description: 'As it stands.', content },
        default: {
          description: 'What went wrong, in words.',
          content: { 'application/json': { schema: named('V0Error') } },
        },
      },
    });
  }
}
