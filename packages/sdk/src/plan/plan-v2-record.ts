import { PlanV2 } from '../core/plan-v2.ts';
import { jsonSchemaReader } from './json-schema-reader.ts';

/**
 * Reads the JSON of a builder plan that is data only, its schemas made from their JSON Schemas.
 * @throws PlanBuilderError for a plan with functions or tools, and for anything that is no such document.
 */
export async function planV2FromJson(json: unknown): Promise<PlanV2<unknown, unknown, unknown>> {
  return PlanV2.fromJSON(json, await jsonSchemaReader());
}
