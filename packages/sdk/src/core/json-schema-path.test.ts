import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { schemaAllowsPath } from './json-schema-path.ts';
import { jsonSchemaOf } from './schema.ts';

interface Tree {
  name: string;
  children: Tree[];
}
const Tree: z.ZodType<Tree> = z.object({
  name: z.string(),
  get children() {
    return z.array(Tree);
  },
});

const Order = z.object({
  id: z.string(),
  lines: z.array(z.object({ sku: z.string(), price: z.number().optional() })),
  pair: z.tuple([z.object({ first: z.number() }), z.string()]),
  payment: z.union([z.object({ card: z.string() }), z.object({ iban: z.string() }), z.null()]),
  extra: z.record(z.string(), z.object({ a: z.number() })),
  loose: z.looseObject({ known: z.string() }),
  typed: z.object({ known: z.string() }).catchall(z.object({ b: z.number() })),
  anything: z.unknown(),
  tree: Tree,
});
const order = jsonSchemaOf(Order, 'order', 'output');

describe('schemaAllowsPath', () => {
  it.each([
    'id',
    'lines',
    'lines.0',
    'lines.0.sku',
    'lines.12.price',
    'pair.0.first',
    'pair.1',
    'payment.card',
    'payment.iban',
    'extra.x',
    'extra.x.y.z',
    'loose.known',
    'loose.other.deep',
    'typed.other.b',
    'anything.goes',
    'tree.children.0.children.3.name',
  ])('allows %s', (path) => {
    expect(schemaAllowsPath(order, path)).toEqual({ ok: true });
  });

  it.each([
    ['ids', 'ids', ['id', 'lines']],
    ['id.length', 'id.length', []],
    ['lines.sku', 'lines.sku', []],
    ['lines.0.skew.deeper', 'lines.0.skew', ['sku', 'price']],
    ['payment.cash', 'payment.cash', ['card', 'iban']],
    ['pair.0.second', 'pair.0.second', ['first']],
    ['typed.other.c', 'typed.other.c', ['b']],
    ['tree.children.0.title', 'tree.children.0.title', ['name', 'children']],
  ])('refuses %s', (path, where, known) => {
    const found = schemaAllowsPath(order, path);
    expect(found).toMatchObject({ ok: false, at: where });
    expect(found).toHaveProperty('known', expect.arrayContaining(known));
  });

  it('allows whatever it cannot judge', () => {
    for (const schema of [
      {},
      { type: ['object', 'null'], properties: {} },
      { type: 'object' },
      { type: 'object', properties: { a: true } },
      { type: 'object', properties: {}, patternProperties: { '^a': {} } },
      { type: 'object', properties: {}, additionalProperties: true },
      { allOf: [{ type: 'string' }] },
      { $ref: 'https://elsewhere.example/schema' },
      { $ref: '#/$defs/missing' },
      { $ref: '#/$defs/loop', $defs: { loop: { $ref: '#/$defs/loop' } } },
      { anyOf: [true] },
      { oneOf: [{ type: 'string' }, {}] },
    ]) {
      expect(schemaAllowsPath(schema, 'a')).toEqual({ ok: true });
    }
    expect(schemaAllowsPath({ type: 'array', items: true }, '0')).toEqual({ ok: true });
    expect(schemaAllowsPath({ type: 'array' }, '0.a')).toEqual({ ok: true });
  });

  it('looks into lists with a schema for each position', () => {
    const schema = {
      type: 'array',
      prefixItems: [{ type: 'object', properties: { x: {} } }],
      items: { type: 'string' },
    };
    expect(schemaAllowsPath(schema, '0.x').ok).toBe(true);
    expect(schemaAllowsPath(schema, '0.y').ok).toBe(false);
    expect(schemaAllowsPath(schema, '1.x').ok).toBe(false);
  });

  it('follows references with escaped names, and lists of items by position', () => {
    const schema = {
      $ref: '#/$defs/a~1b',
      $defs: { 'a/b': { type: 'array', items: [{ type: 'string' }, { type: 'object', properties: { x: {} } }] } },
    };
    expect(schemaAllowsPath(schema, '1.x').ok).toBe(true);
    expect(schemaAllowsPath(schema, '0.x').ok).toBe(false);
  });
});
