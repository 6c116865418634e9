import type { JsonObject } from '../core/json.ts';
import { type Schema, withJsonSchema } from '../core/schema.ts';
import { checkedWithin, within } from './bounded.ts';

/** Milliseconds that one value may take to check. */
const mostMs = 250;

/**
 * Gives what makes a schema of a JSON Schema. Such a schema may come from anybody who may start a run, and its patterns
 * and references can be made so that to check a short text takes for ever: a value that takes longer than a quarter of a
 * second does not fit. The function throws for what is no JSON Schema that can be checked.
 */
export async function jsonSchemaReader(): Promise<(jsonSchema: JsonObject) => Schema> {
  const { z } = await import('zod');
  return (jsonSchema) => {
    const made = within(mostMs, () => z.fromJSONSchema(jsonSchema as never));
    const check = (value: unknown): ReturnType<typeof checkedWithin> =>
      checkedWithin(mostMs, () => {
        const checked = made.safeParse(value);
        return checked.success ? { value: checked.data } : { issues: checked.error.issues };
      });
    return withJsonSchema({ '~standard': { version: 1, vendor: 'zod', validate: check } }, jsonSchema);
  };
}
