import type { Script } from 'node:vm';
import type { JsonObject } from '../core/json.ts';
import { type Schema, withJsonSchema } from '../core/schema.ts';

/** Milliseconds that one value may take to check. */
const mostMs = 250;

/**
 * Gives what makes a schema of a JSON Schema. Such a schema may come from anybody who may start a run, and its patterns
 * and references can be made so that to check a short text takes for ever: a value that takes longer than a quarter of a
 * second does not fit. The function throws for what is no JSON Schema that can be checked.
 */
export async function jsonSchemaReader(): Promise<(jsonSchema: JsonObject) => Schema> {
  const [{ z }, vm] = await Promise.all([import('zod'), import('node:vm')]);
  const script = new vm.Script('work()');
  const place = vm.createContext(Object.create(null) as { work?: () => unknown });
  const within = <T>(work: () => T): T => bounded(script, place, work);
  return (jsonSchema) => {
    const made = within(() => z.fromJSONSchema(jsonSchema as never));
    const validate = (value: unknown): { value: unknown } | { issues: { message: string; path?: PropertyKey[] }[] } => {
      try {
        const checked = within(() => made.safeParse(value));
        return checked.success ? { value: checked.data } : { issues: checked.error.issues };
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        const isOver = code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
        return {
          issues: [{ message: isOver ? `took more than ${mostMs} ms to check` : `cannot be checked: ${message}` }],
        };
      }
    };
    return withJsonSchema({ '~standard': { version: 1, vendor: 'zod', validate } }, jsonSchema);
  };
}

/** The engine can be stopped inside a pattern only from outside, and this is how it is told to. */
function bounded<T>(script: Script, place: { work?: () => unknown }, work: () => T): T {
  place.work = work;
  try {
    return script.runInContext(place, { timeout: mostMs }) as T;
  } finally {
    delete place.work;
  }
}
