import type { AnyTool } from 'portia-ts';

/** The JSON Schema of a tool's arguments, as the schema's own library writes it; a schema without that door says nothing of itself. */
export function argsJsonSchemaOf({ argsJsonSchema, argsSchema }: AnyTool): Record<string, unknown> | null {
  if (argsJsonSchema) return argsJsonSchema;
  const standard = argsSchema?.['~standard'] as
    | { readonly jsonSchema?: { readonly input?: (options: { readonly target: string }) => Record<string, unknown> } }
    | undefined;
  return standard?.jsonSchema?.input?.({ target: 'draft-2020-12' }) ?? null;
}
