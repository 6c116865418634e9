import type { JsonObject } from '../core/json.ts';
import { PlanV2 } from '../core/plan-v2.ts';
import { type Schema, withJsonSchema } from '../core/schema.ts';

/**
 * Reads the JSON of a builder plan that is data only, its schemas made from their JSON Schemas.
 * @throws PlanBuilderError for a plan with functions or tools, and for anything that is no such document.
 */
export async function planV2FromJson(json: unknown): Promise<PlanV2<unknown, unknown, unknown>> {
  const { z } = await import('zod');
  const schemaFrom = (schema: JsonObject): Schema =>
    withJsonSchema(z.fromJSONSchema(schema as never) as Schema, schema);
  return PlanV2.fromJSON(json, schemaFrom);
}
