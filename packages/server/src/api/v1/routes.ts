import { OpenAPIHono, z } from '@hono/zod-openapi';
import { PortiaError } from 'portia-ts';
import type { Env } from '../../http/context.ts';
import { ProblemSchema } from './schemas.ts';

/** What the routes of `/api/v1` have in common. */

interface Answer<Schema extends z.ZodType> {
  readonly description: string;
  readonly content: { readonly 'application/json': { readonly schema: Schema } };
}

/** A router of `/api/v1`: what does not fit its schema is a problem that names the field. */
export function router(): OpenAPIHono<Env> {
  return new OpenAPIHono<Env>({
    defaultHook: (result) => {
      if (result.success) return;
      const [issue] = result.error.issues;
      const at = issue?.path.map(String).join('.').slice(0, 200);
      throw new PortiaError({
        code: 'REQUEST_INVALID',
        message: `${where[result.target] ?? result.target}${at ? ` ${at}` : ''}: ${issue?.message ?? 'cannot be read'}`,
        hint: 'see /openapi.json for the form of every request',
      });
    },
  });
}

const where: Readonly<Record<string, string>> = { json: 'the body', query: 'the query parameter', param: 'the path' };

/** An answer of JSON. */
export function answer<Schema extends z.ZodType>(schema: Schema, description: string): Answer<Schema> {
  return { description, content: { 'application/json': { schema } } };
}

/** The one form of all errors. */
export const problems: {
  readonly default: {
    readonly description: string;
    readonly content: { readonly 'application/problem+json': { readonly schema: typeof ProblemSchema } };
  };
} = {
  default: {
    description: 'What went wrong, as a problem document.',
    content: { 'application/problem+json': { schema: ProblemSchema } },
  },
};

/** A body of JSON that has to be there. */
export function body<Schema extends z.ZodType>(
  schema: Schema,
): { readonly required: true; readonly content: { readonly 'application/json': { readonly schema: Schema } } } {
  return { required: true, content: { 'application/json': { schema } } };
}

/** A body of JSON that may be left out, where all of it is optional. */
export function optionalBody<Schema extends z.ZodType>(
  schema: Schema,
): { readonly required: false; readonly content: { readonly 'application/json': { readonly schema: Schema } } } {
  return { required: false, content: { 'application/json': { schema } } };
}

/** A page of a list; `cursor` is `null` on the last one. */
export function pageOf<Item extends z.ZodType>(
  item: Item,
): z.ZodObject<{ items: z.ZodArray<Item>; cursor: z.ZodNullable<z.ZodString> }> {
  return z.object({ items: z.array(item), cursor: z.string().nullable() });
}

/** The id of a run in a path. */
export const RunIdParams: z.ZodObject<{ runId: z.ZodString }> = z.object({
  runId: z
    .string()
    .openapi({ param: { name: 'runId', in: 'path' }, example: 'prun-00000000-0000-4000-8000-000000000000' }),
});

/** One or several values of a query parameter. */
export function several<Value extends string>(
  one: z.ZodType<Value, string>,
): z.ZodType<Value[] | undefined, string | string[] | undefined> {
  return z
    .union([z.array(one), one.transform((value) => [value])])
    .optional()
    .openapi({ type: 'array', items: { type: 'string' } }) as never;
}
