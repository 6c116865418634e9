import type { Tool as McpToolInfo } from '@modelcontextprotocol/client';
import { type JsonObject, toJson } from '../../core/json.ts';
import { type Schema, withJsonSchema } from '../../core/schema.ts';
import type { AnyTool } from '../../core/tool.ts';
import { withoutAnswers } from './answers.ts';
import { answeredBy } from './elicitation.ts';
import { clientPackage } from './mcp-package.ts';
import type { McpServer } from './server.ts';
import { McpToolCall } from './tool-call.ts';

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
    name: info.title ?? annotations.title ?? info.name,
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
  const jsonSchema = toJson(inputSchema, 'inputSchema') as JsonObject;
  const own = (await clientPackage()).fromJsonSchema(jsonSchema);
  const schema: Schema = {
    '~standard': {
      version: 1,
      vendor: 'mcp',
      async validate(value) {
        const checked = await own['~standard'].validate(withoutAnswers(value));
        return checked.issues
          ? { issues: checked.issues }
          : { value: { ...answersOf(value), ...(checked.value as object) } };
      },
    },
  };
  return withJsonSchema(schema, jsonSchema);
}

function answersOf(value: unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value as object).filter(([name]) => answeredBy(name) !== undefined));
}

async function outputSchemaOf(server: McpServer, output: NonNullable<McpToolInfo['outputSchema']>): Promise<Schema> {
  const jsonSchema = toJson(output, 'outputSchema') as JsonObject;
  const own = (await clientPackage()).fromJsonSchema(jsonSchema);
  const schema: Schema = {
    '~standard': {
      version: 1,
      vendor: 'mcp',
      async validate(value) {
        const checked = await own['~standard'].validate(server.structured(value));
        return checked.issues ? { issues: checked.issues } : { value };
      },
    },
  };
  return withJsonSchema(schema, jsonSchema);
}
