import { describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import {
  type Infer,
  isDataSchema,
  isSchema,
  jsonSchemaOf,
  type Schema,
  schemaName,
  validate,
  withJsonSchema,
} from './schema.ts';

const person = z.object({ name: z.string(), tags: z.array(z.string()).default([]) });

/** A schema library without a door to JSON Schema. */
function plainSchema(check: Schema['~standard']['validate']): Schema {
  return { '~standard': { version: 1, vendor: 'handmade', validate: check } };
}

describe('validate', () => {
  it("gives the schema's output", () => {
    expect(validate(person, { name: 'Ada' })).toEqual({ ok: true, value: { name: 'Ada', tags: [] } });
  });

  it('tells each thing that does not fit, with its path', () => {
    expect(validate(person, { name: 1, tags: ['a', 2] })).toMatchObject({
      ok: false,
      issues: [expect.stringMatching(/^name: /), expect.stringMatching(/^tags\.1: /)],
    });
    expect(validate(z.string(), 1)).toMatchObject({ ok: false, issues: [expect.stringMatching(/^Invalid input: /)] });
    const wrapped = plainSchema(() => ({
      issues: [{ message: 'bad', path: [{ key: 'a' }, 0] }, { message: 'worse' }],
    }));
    expect(validate(wrapped, 1)).toEqual({ ok: false, issues: ['a.0: bad', 'worse'] });
  });

  it('waits for schemas that have to', async () => {
    const later = plainSchema(async (value) => ({ value }));
    expect(await validate(later, 7)).toEqual({ ok: true, value: 7 });
  });

  it('types what comes out', () => {
    expectTypeOf<Infer<typeof person>>().toEqualTypeOf<{ name: string; tags: string[] }>();
    expectTypeOf(person).toExtend<Schema>();
  });
});

describe('jsonSchemaOf', () => {
  it('tells what goes in from what comes out, whichever was asked for first', () => {
    const input = jsonSchemaOf(person, 'tool x');
    const output = jsonSchemaOf(person, 'tool x', 'output');
    expect(input['required']).toEqual(['name']);
    expect(output['required']).toEqual(['name', 'tags']);
    expect('$schema' in input).toBe(false);
    expect(jsonSchemaOf(person, 'tool x')).toBe(input);
    expect(jsonSchemaOf(person, 'tool x', 'output')).toBe(output);
  });

  it('takes the JSON Schema that is given beside', () => {
    const given = withJsonSchema(
      plainSchema((value) => ({ value })),
      { type: 'string' },
    );
    expect(jsonSchemaOf(given, 'tool x')).toEqual({ type: 'string' });
    expect(jsonSchemaOf(given, 'tool x', 'output')).toEqual({ type: 'string' });
  });

  it('says whose schema gives none, and what to do', () => {
    const none = plainSchema((value) => ({ value }));
    expect(() => jsonSchemaOf(none, 'tool x')).toThrow(
      expect.objectContaining({ code: 'TOOL_INVALID', hint: expect.stringContaining('withJsonSchema') }),
    );
    expect(() => jsonSchemaOf(none, 'tool x')).toThrow('the schema of tool x (handmade) gives no JSON Schema');
  });

  it('says why a schema cannot be written', () => {
    expect(() => jsonSchemaOf(z.object({ at: z.date() }), 'tool x')).toThrow(
      /the schema of tool x cannot be written.*Date/,
    );
    const broken = {
      '~standard': {
        ...plainSchema((value) => ({ value }))['~standard'],
        jsonSchema: {
          input: () => {
            throw 'no';
          },
        },
      },
    };
    expect(() => jsonSchemaOf(broken, 'tool x')).toThrow(
      expect.objectContaining({ code: 'TOOL_INVALID', message: expect.stringContaining(': no') }),
    );
  });
});

describe('schemaName', () => {
  it('is the title, else whose schema it is', () => {
    expect(schemaName(z.object({}).meta({ title: 'Receipt' }))).toBe('Receipt');
    expect(schemaName(z.object({}))).toBe('zod schema');
    expect(schemaName(plainSchema((value) => ({ value })))).toBe('handmade schema');
  });
});

describe('isSchema', () => {
  it('tells schemas from data', () => {
    for (const schema of [person, z.string(), plainSchema((value) => ({ value }))]) expect(isSchema(schema)).toBe(true);
    const callable = Object.assign(
      () => 1,
      plainSchema((value) => ({ value })),
    );
    expect(isSchema(callable)).toBe(true);
    for (const other of [
      null,
      undefined,
      'x',
      {},
      { '~standard': 1 },
      { '~standard': null },
      { '~standard': { validate: true } },
      { '~standard': {} },
    ]) {
      expect(isSchema(other)).toBe(false);
    }
  });
});

describe('isDataSchema', () => {
  interface Tree {
    readonly children: readonly Tree[];
  }
  const Tree: z.ZodType<Tree> = z.object({ children: z.array(z.lazy(() => Tree)) });

  it('is true of what JSON Schema can say', () => {
    const all = z.object({
      a: z.string().min(2).optional(),
      b: z.union([z.number().int(), z.null(), z.enum(['x', 'y'])]),
      c: z.array(z.record(z.string(), z.boolean())).default([]),
      d: z.tuple([z.literal(1), z.email('not an address')]),
    });
    for (const schema of [all, Tree, z.unknown()]) expect(isDataSchema(schema)).toBe(true);
  });

  it('is false of what has code in it, at any depth', () => {
    for (const schema of [
      z.string().transform(Number),
      z.string().refine((text) => text !== 'x'),
      z.coerce.number(),
      z.string().trim(),
      z.number().catch(1),
      z.preprocess(String, z.string()),
    ]) {
      expect(isDataSchema(schema as Schema)).toBe(false);
      expect(isDataSchema(z.object({ deep: z.array(z.lazy(() => schema)) }) as Schema)).toBe(false);
    }
  });

  it('is judged by what goes in and comes out where the library is another', () => {
    const withDoor = (input: object, output?: object): Schema => {
      const jsonSchema = { input: () => input, ...(output && { output: () => output }) };
      return {
        '~standard': {
          version: 1,
          vendor: 'other',
          validate: (value: unknown) => ({ value }),
          jsonSchema,
        } as Schema['~standard'],
      };
    };
    const fields = { anyOf: [{ type: 'object', properties: { a: { type: 'string' } } }] };
    const given = {
      anyOf: [{ type: 'object', properties: { a: { type: 'string' } }, required: ['a'], additionalProperties: false }],
    };
    expect(isDataSchema(withDoor(fields, given))).toBe(true);
    expect(isDataSchema(withDoor({ type: 'string' }, { type: 'number' }))).toBe(false);
    expect(isDataSchema(withDoor({ type: 'string' }))).toBe(false);
    expect(isDataSchema(withJsonSchema(withDoor({}), { type: 'string' }))).toBe(true);
  });
});
