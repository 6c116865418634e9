import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
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

/** As much of an element as the page uses. */
class FakeElement {
  textContent = '';
  readonly dataset = {};
  readonly children: FakeElement[] = [];
  append(...more: FakeElement[]): void {
    this.children.push(...more);
  }
  replaceChildren(): void {
    this.children.length = 0;
  }
  text(): string {
    return [this.textContent, ...this.children.map((child) => child.text())].join('|');
  }
}

it('shows what is hidden in a question, so that people see what they approve', async () => {
  const html = await (await pages().request('/')).text();
  const list = new FakeElement();
  const question = {
    id: 'clar-1',
    planRunId: 'prun-1',
    endUserId: 'ad\u200ba',
    plan: { query: 'Pay\u202e back', step: 'p\u200bay', tool: 'refund' },
    audience: 'operator',
    raisedAt: Date.now(),
    category: 'Multiple Choice',
    userGuidance: 'May refund be called?\n{ "to": "\u202egro.elpmaxe\u202c", "note": "\u200b\u{e0041}" }',
    options: ['No\u2066thing'],
  };
  new Script(/<script>([\s\S]*)<\/script>/.exec(html)?.[1] ?? '').runInNewContext({
    document: {
      getElementById: (id: string) => (id === 'list' ? list : new FakeElement()),
      createElement: () => new FakeElement(),
    },
    sessionStorage: { getItem: () => null },
    setInterval: () => 0,
    fetch: async () => Response.json({ items: [question], cursor: null }),
  });
  for (let n = 0; n < 100 && list.children.length === 0; n += 1) await sleep(10);
  const shown = list.text();
  expect(shown).toContain(
    'May refund be called?\n{ "to": "\\u{202e}gro.elpmaxe\\u{202c}", "note": "\\u{200b}\\u{e0041}" }',
  );
  for (const text of ['No\\u{2066}thing', 'ad\\u{200b}a', 'Pay\\u{202e} back', 'p\\u{200b}ay, with refund'])
    expect(shown).toContain(text);
});
