import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { jsonSchemaOf } from '../core/schema.ts';
import { argsOutline, compactSchema } from './compact-schema.ts';

describe('compact schema', () => {
  it('leaves out dialect, titles, closed objects and limits that only restate the type', () => {
    const schema = jsonSchemaOf(
      z.object({ to: z.array(z.email()), count: z.int().max(5), any: z.object({ deep: z.string() }) }),
      'a test',
    );
    expect(compactSchema({ $schema: 'x', title: 'Args', ...schema })).toEqual({
      type: 'object',
      properties: {
        to: { type: 'array', items: { type: 'string', format: 'email' } },
        count: { type: 'integer', maximum: 5 },
        any: { type: 'object', properties: { deep: { type: 'string' } }, required: ['deep'] },
      },
      required: ['to', 'count', 'any'],
    });
  });

  it('keeps properties that are called like keywords, and values that look like schemas', () => {
    const schema = {
      properties: { title: { type: 'string' }, pattern: { enum: [{ title: 'x' }] } },
      required: ['title'],
    };
    expect(compactSchema(schema)).toEqual(schema);
  });

  it('keeps a pattern where no format says the same, and open objects with a schema', () => {
    const schema = {
      type: 'object',
      properties: { a: { type: 'string', pattern: '^x' } },
      additionalProperties: { type: 'number' },
    };
    expect(compactSchema(schema)).toEqual(schema);
  });

  it('outlines arguments by name, marks those that may be left out, and keeps definitions', () => {
    const outline = argsOutline({
      type: 'object',
      properties: { city: { type: 'string' }, near: { $ref: '#/$defs/Place' } },
      required: ['city'],
      $defs: { Place: { title: 'Place', type: 'object' } },
    });
    expect(outline).toEqual({
      city: { type: 'string' },
      'near?': { $ref: '#/$defs/Place' },
      $defs: { Place: { type: 'object' } },
    });
  });
});
