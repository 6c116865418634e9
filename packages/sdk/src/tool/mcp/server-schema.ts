import { type JsonObject, toJson } from '../../core/json.ts';
import { checkedWithin } from '../../plan/bounded.ts';
import { clientPackage } from './mcp-package.ts';

/** Milliseconds that one value may take to check: results of calls that were made can be long. */
const mostMs = 1_000;

/** A JSON Schema of a server, and the check by it. */
export interface ServerSchema {
  readonly jsonSchema: JsonObject;
  check(value: unknown): ReturnType<typeof checkedWithin>;
}

/**
 * A schema as a server gives it. It may be made so that to check a short text takes for ever: a value that takes longer
 * than a second does not fit. @throws Error saying why it cannot be used.
 */
export async function serverSchema(given: unknown, name: string): Promise<ServerSchema> {
  const jsonSchema = toJson(given, name) as JsonObject;
  const { fromJsonSchema } = await clientPackage();
  try {
    // Reading a schema takes time by its length alone; only what it checks can be made to take for ever.
    const own = fromJsonSchema(jsonSchema)['~standard'];
    type Outcome = ReturnType<typeof checkedWithin>;
    return { jsonSchema, check: (value) => checkedWithin(mostMs, () => own.validate(value) as Outcome) };
  } catch (error) {
    throw new Error(`its ${name} ${problemOf(error)}`, { cause: error });
  }
}

function problemOf(error: unknown): string {
  // What refers to itself has no end for what reads it.
  if (error instanceof RangeError) return 'is nested too deep, or refers to itself without end';
  const reason = error instanceof Error ? error.message : String(error);
  return `is no JSON Schema that can be checked: ${reason}`;
}
