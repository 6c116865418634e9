import { hashJson } from '../core/hash.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import { Plan, Step } from '../core/plan.ts';
import { jsonSchemaOf, type Schema, withJsonSchema } from '../core/schema.ts';
import type { PlanRecord } from '../storage/storage-backend.ts';

/** A plan as it is stored: its document, and the JSON Schemas that a Portia document cannot hold. */
export function toPlanRecord(plan: Plan, createdAt: number): PlanRecord {
  const document = plan.toJSON();
  const beside = schemasOf(plan);
  const hash = hashJson(beside ? { document, beside } : { document });
  return { id: plan.id, hash, query: plan.planContext.query, document, beside, createdAt };
}

function schemasOf(plan: Plan): JsonObject | undefined {
  const schemas: Record<string, JsonValue> = {};
  for (const [index, { structuredOutputSchema }] of plan.steps.entries()) {
    if (structuredOutputSchema) schemas[String(index)] = jsonSchemaOf(structuredOutputSchema, `step ${index}`, 'output');
  }
  if (plan.structuredOutputSchema) schemas['final'] = jsonSchemaOf(plan.structuredOutputSchema, 'the plan', 'output');
  return Object.keys(schemas).length === 0 ? undefined : { schemas };
}

/** The plan of a record, its schemas made from their JSON Schemas. */
export async function fromPlanRecord(record: PlanRecord): Promise<Plan> {
  const plan = Plan.fromJSON(record.document);
  const schemas = record.beside?.['schemas'] as Readonly<Record<string, JsonObject>> | undefined;
  if (!schemas) return plan;
  const steps = await Promise.all(
    plan.steps.map(async (step, index) => {
      const schema = schemas[String(index)];
      return schema ? new Step({ ...step, structuredOutputSchema: await schemaFromJson(schema) }) : step;
    }),
  );
  const final = schemas['final'];
  return new Plan({ ...plan, steps, ...(final && { structuredOutputSchema: await schemaFromJson(final) }) });
}

/** A schema that checks what a JSON Schema says. */
export async function schemaFromJson(jsonSchema: JsonObject): Promise<Schema> {
  const { z } = await import('zod');
  return withJsonSchema(z.fromJSONSchema(jsonSchema as never) as Schema, jsonSchema);
}
