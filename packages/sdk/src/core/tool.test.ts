import { expect, it } from 'vitest';
import { maxToolDescription } from './tool.ts';

it('the longest description a tool may have is that of Portia', () => {
  expect(maxToolDescription).toBe(16_384);
});
