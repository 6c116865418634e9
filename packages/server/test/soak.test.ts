import { rmSync } from 'node:fs';
import { afterAll, expect, it } from 'vitest';
import { installInto } from './lib/installed.ts';
import { soak, soakFolder } from './lib/soak.ts';

const folder = soakFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** `SOAK_SECONDS=600` looks for longer. */
const seconds = Number(process.env['SOAK_SECONDS'] ?? 60);

it('keeps its memory while runs come and go', { timeout: seconds * 1000 + 120_000 }, async () => {
  const { runs, heap, grown, between } = await soak(folder, installInto(folder), seconds);
  expect(runs).toBeGreaterThan(50);
  // A run whose state stayed would cost ten kilobytes and more. Caches with a bound fill up more slowly than this.
  const allowed = 2_000_000 + 2_000 * between;
  expect(grown, `heap in MB: ${heap.map((bytes) => (bytes / 1e6).toFixed(1)).join(' ')}`).toBeLessThan(allowed);
});
