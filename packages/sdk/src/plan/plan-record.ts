import { jsonSchemaReader } from './json-schema-reader.ts';
import { asUnplanned, isUnplanned } from './unplanned.ts';
import { hashJson } from '../core/hash.ts';
import { isPlainObject, type JsonObject, type JsonValue } from '../core/json.ts';
import { Plan, Step } from '../core/plan.ts';
import { type PlanChange, planChanges } from '../core/plan-v2-changes.ts';
import type { StepV2 } from '../core/plan-v2-steps.ts';
import { type ModelUsageTotals, noModelUsage } from '../core/run-state.ts';
import { jsonSchemaOf, type Schema } from '../core/schema.ts';
import type { PlanRecord } from '../storage/storage-backend.ts';
import { type AnyPlanV2, builderOf, legacyOf } from './builder-programs.ts';
import { setProgram } from './compile.ts';
import { compileSteps, type CompilablePlan } from './compile-v2.ts';
import { planV2FromJson } from './plan-v2-record.ts';

/** A plan as it is stored: its Portia document, and what such a document cannot hold: JSON Schemas, a builder plan. */
export function toPlanRecord(plan: Plan, createdAt: number, planning?: ModelUsageTotals): PlanRecord {
  const document = plan.toJSON();
  const builder = builderOf(plan);
  if (isUnplanned(plan)) {
    // Nobody who looks for plans of this query is to find one that is none.
    const beside = { unplanned: true };
    return { id: plan.id, hash: hashJson({ document, beside }), query: '', document, beside, createdAt };
  }
  const beside = builder ? { builder: { shape: builder.shape, isData: builder.isData } } : schemasOf(plan);
  const hash = builder?.hash ?? hashJson(beside ? { document, beside } : { document });
  // What planning took is no part of what the plan is, and not in its hash.
  const all = planning ? { ...beside, planning: { ...planning } } : beside;
  return { id: plan.id, hash, query: plan.planContext.query, document, beside: all, createdAt };
}

/** What planning took, as it is kept beside a plan. */
export function planningOf({ beside }: PlanRecord): ModelUsageTotals | undefined {
  const planning = beside?.['planning'];
  return isPlainObject(planning) ? { ...noModelUsage(), ...(planning as unknown as ModelUsageTotals) } : undefined;
}

function schemasOf(plan: Plan): JsonObject | undefined {
  const schemas: Record<string, JsonValue> = {};
  for (const [index, { structuredOutputSchema }] of plan.steps.entries()) {
    if (structuredOutputSchema)
      schemas[String(index)] = jsonSchemaOf(structuredOutputSchema, `step ${index}`, 'output');
  }
  if (plan.structuredOutputSchema) schemas['final'] = jsonSchemaOf(plan.structuredOutputSchema, 'the plan', 'output');
  return Object.keys(schemas).length === 0 ? undefined : { schemas };
}

/** What is stored of a builder plan. */
interface StoredBuilder {
  readonly shape: JsonObject;
  readonly isData: boolean;
}

/** The builder plan in a record, if it is one. */
export function storedBuilder({ beside }: PlanRecord): StoredBuilder | undefined {
  const builder = beside?.['builder'];
  return isPlainObject(builder) ? (builder as unknown as StoredBuilder) : undefined;
}

/** Whether a record is of a query that is planned only when its run is driven. */
function isUnplannedRecord({ beside }: PlanRecord): boolean {
  return beside?.['unplanned'] === true;
}

/** The plan of a record, to be run; `undefined` for a builder plan with functions, which only a program can bring. */
export async function fromPlanRecord(record: PlanRecord): Promise<Plan | undefined> {
  const builder = storedBuilder(record);
  if (builder) return builder.isData ? legacyOf(await dataPlan(record, builder)) : undefined;
  const plan = Plan.fromJSON(record.document);
  if (isUnplannedRecord(record)) return asUnplanned(plan);
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

function dataPlan({ id }: PlanRecord, { shape }: StoredBuilder): Promise<AnyPlanV2> {
  return planV2FromJson({ kind: 'plan-v2', id, ...shape });
}

/** A schema that checks what a JSON Schema says. */
export async function schemaFromJson(jsonSchema: JsonObject): Promise<Schema> {
  return (await jsonSchemaReader())(jsonSchema);
}

/**
 * The plan of a record, to be read: enough to tell what its runs did, and to take answers for them, also where its
 * functions are not known.
 */
export function planForReading(record: PlanRecord): Plan {
  const plan = Plan.fromJSON(record.document);
  const builder = storedBuilder(record);
  if (builder) setProgram(plan, compileSteps(skeleton(builder.shape, plan)));
  return plan;
}

/** The steps of a stored shape stand for the real ones: their kinds, names and blocks are all that reading needs. */
function skeleton(shape: JsonObject, form: Plan): CompilablePlan {
  return {
    steps: shape['steps'] as unknown as readonly StepV2[],
    legacySteps: form.steps,
    summarize: shape['summarize'] === true,
    planInputs: [],
    subPlan: (step) => skeleton((step.plan as unknown as { readonly $plan: JsonObject }).$plan, form),
  };
}

/** What changed between a stored builder plan and the version a program brings. */
export function changesBetween(record: PlanRecord, now: AnyPlanV2): readonly PlanChange[] {
  return planChanges(storedBuilder(record)?.shape ?? {}, now.shape);
}
