import { createHash } from 'node:crypto';
import { Script } from 'node:vm';
import { expect, it } from 'vitest';
import { pages } from './pages.ts';

it.each(['/', '/docs'])('%s loads nothing from elsewhere, and runs only its own script', async (path) => {
  const answer = await pages().request(path);
  const html = await answer.text();
  const policy = answer.headers.get('content-security-policy') ?? '';
  expect(policy).toContain("default-src 'none'");
  const script = /<script>([\s\S]*)<\/script>/.exec(html)?.[1] ?? '';
  expect(() => new Script(script)).not.toThrow();
  expect(policy).toContain(`script-src 'sha256-${createHash('sha256').update(script).digest('base64')}'`);
  expect(html).not.toMatch(/https?:\/\//);
  expect(script).not.toMatch(/innerHTML|outerHTML|insertAdjacent|document\.write|eval\(/);
});
