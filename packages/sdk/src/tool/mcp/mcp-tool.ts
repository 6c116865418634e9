import type { Tool as McpToolInfo } from '@modelcontextprotocol/client';
import type { JsonObject } from '../../core/json.ts';
import { type Schema, withJsonSchema } from '../../core/schema.ts';
import type { AnyTool } from '../../core/tool.ts';
import { withoutAnswers } from './answers.ts';
import { answeredBy } from './elicitation.ts';
import type { McpServer } from './server.ts';
import { serverSchema } from './server-schema.ts';
import { McpToolCall } from './tool-call.ts';
import { shownName } from './tool-names.ts';

/** A tool of an MCP server as a tool of ours. @throws what its schemas cannot be read for. */
export async function toolOf(server: McpServer, info: McpToolInfo, id: string): Promise<AnyTool> {
  const { annotations = {} } = info;
  const { trustAnnotations = true, toolCallTimeoutMs } = server.spec;
  const readOnly = trustAnnotations && annotations.readOnlyHint === true;
  const idempotent = trustAnnotations && annotations.idempotentHint === true && !readOnly;
  const destructive = trustAnnotations ? annotations.destructiveHint : undefined;
  const { signIns } = server;
  const outputSchema = info.outputSchema && (await outputSchemaOf(server, info.outputSchema));
  return Object.freeze({
    id,
    name: shownName(info.title ?? annotations.title ?? '') || shownName(info.name) || id,
    description: info.description?.trim() || `${info.name}, a tool of ${server.name}`,
    argsSchema: await argsSchemaOf(info.inputSchema),
    ...(outputSchema && {
      outputSchema,
      outputDescription: ['object', JSON.stringify(info.outputSchema)] as const,
    }),
    ...(readOnly && { readOnly }),
    ...(idempotent && { idempotent }),
    ...(destructive !== undefined && !readOnly && { destructive }),
    ...(toolCallTimeoutMs !== undefined && { timeoutMs: toolCallTimeoutMs }),
    ...(signIns && { ready: (context) => signIns.ready(context) }),
    run: (args, context) => new McpToolCall(server, info, args, context).run(),
    formOf: (question) => ('argumentName' in question ? answeredBy(question.argumentName)?.key : undefined),
    close: () => server.release(),
  } satisfies AnyTool as AnyTool);
}

/** The tool's own schema, whole. What a person answered to the server stands beside the arguments and is let through. */
async function argsSchemaOf(inputSchema: McpToolInfo['inputSchema']): Promise<Schema> {
  const { jsonSchema, check } = await serverSchema(inputSchema, 'inputSchema');
  return schemaOf(jsonSchema, (value) => {
    const checked = check(withoutAnswers(value));
    return 'issues' in checked ? checked : { value: { ...answersOf(value), ...(checked.value as object) } };
  });
}

function answersOf(value: unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value as object).filter(([name]) => answeredBy(name) !== undefined));
}

async function outputSchemaOf(server: McpServer, output: NonNullable<McpToolInfo['outputSchema']>): Promise<Schema> {
  const { jsonSchema, check } = await serverSchema(output, 'outputSchema');
  return schemaOf(jsonSchema, (value) => {
    const checked = check(server.structured(value));
    return 'issues' in checked ? checked : { value };
  });
}

function schemaOf(jsonSchema: JsonObject, validate: Schema['~standard']['validate']): Schema {
  return withJsonSchema({ '~standard': { version: 1, vendor: 'mcp', validate } }, jsonSchema);
}
