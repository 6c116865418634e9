import { expect, it } from 'vitest';
import { Sealer } from './sealer.ts';

it('opens what another of its keys has sealed, and nothing that was changed or sealed as something else', () => {
  const sealed = new Sealer('old', 'webhooks').seal('whsec_x');
  expect(sealed).not.toContain('whsec_x');
  expect(new Sealer('new, old', 'webhooks').open(sealed)).toBe('whsec_x');
  for (const other of [new Sealer('new', 'webhooks'), new Sealer('old', 'answers'), new Sealer(undefined, 'webhooks')])
    expect(() => other.open(sealed)).toThrow(expect.objectContaining({ code: 'CONFIG_NOT_FOUND' }));
  const changed = `${sealed.slice(0, -6)}${sealed.at(-6) === 'A' ? 'B' : 'A'}${sealed.slice(-5)}`;
  expect(() => new Sealer('old', 'webhooks').open(changed)).toThrow(
    expect.objectContaining({ code: 'CONFIG_NOT_FOUND' }),
  );
});

it('leaves texts as they are without a key, and reads them with one', () => {
  expect(new Sealer(undefined, 'answers').seal('{}')).toBe('{}');
  expect(new Sealer('new', 'answers').open('{}')).toBe('{}');
});
