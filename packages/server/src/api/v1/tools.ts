import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { AnyTool } from 'portia-ts';
import { argsJsonSchemaOf } from '../../args-json-schema.ts';
import { demand } from '../../auth/principal.ts';
import type { Env } from '../../http/context.ts';
import { answer, problems, router } from './routes.ts';

const ToolSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    description: z.string(),
    argsJsonSchema: z.record(z.string(), z.unknown()).nullable(),
    outputDescription: z.array(z.string()).nullable(),
    readOnly: z.boolean(),
    idempotent: z.boolean(),
  })
  .openapi('Tool');

const list = createRoute({
  method: 'get',
  path: '/tools',
  tags: ['Tools'],
  summary: 'List the tools that plans on this server may use',
  responses: { 200: answer(z.object({ items: z.array(ToolSchema) }), 'The tools.'), ...problems },
});

/** The tools of the server. */
export function tools(): OpenAPIHono<Env> {
  const app = router();
  app.openapi(list, (context) => {
    demand(context.get('principal'), 'read-all');
    return context.json({ items: [...context.get('tenant').portia.tools].map(toolJson) }, 200);
  });
  return app;
}

function toolJson(tool: AnyTool): z.infer<typeof ToolSchema> {
  return {
    id: tool.id,
    name: tool.name,
    description: tool.description,
    argsJsonSchema: argsJsonSchemaOf(tool),
    outputDescription: tool.outputDescription ? [...tool.outputDescription] : null,
    readOnly: tool.readOnly ?? false,
    idempotent: tool.idempotent ?? false,
  };
}
