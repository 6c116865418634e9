import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { sqliteStorage } from '../../src/storage/sqlite/index.ts';
import { questionOf } from '../lib/engine.ts';
import { type Marked, mcpRefundPlan, refunding } from '../lib/mcp-refund.ts';
import { payments } from '../lib/mcp-servers.ts';
import { startWorlds, type World, type Worlds } from '../lib/outside-world.ts';
import { transpileScenarios } from '../lib/scenario-processes.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let worlds: Worlds;
let dir: string;
beforeAll(async () => {
  worlds = await startWorlds();
  dir = mkdtempSync(join(tmpdir(), 'portia-mcp-kill-'));
  transpileScenarios(dir);
});
afterAll(async () => {
  await worlds.close();
  rmSync(dir, { recursive: true });
});

/** Runs and approves the refund in a process of its own, which its server kills before or after the money went back. */
function killed(world: World, path: string, when: 'before' | 'after', marked: Marked): Promise<string> {
  const server = payments(world.url, { env: { KILL_CLIENT: when } });
  const args = [join(dir, 'test/lib/mcp-refund-process.js'), path, JSON.stringify(server), marked];
  return new Promise((resolve) => {
    execFile(process.execPath, args, (error, stdout, stderr) => {
      resolve(error?.signal === 'SIGKILL' ? 'killed' : `${stdout}${stderr}`);
    });
  });
}

describe.each(['before', 'after'] as const)('a refund over MCP, killed %s the money went back', (when) => {
  it('asks what became of it, and never refunds a second time by itself', async () => {
    const world = worlds.fresh();
    const path = join(dir, `unmarked-${when}.db`);
    expect(await killed(world, path, when, 'unmarked')).toBe('killed');
    const storage = await sqliteStorage(path);
    const { portia, registry } = await refunding(storage, payments(world.url), 'unmarked');
    try {
      const asked = await portia.runPlan(mcpRefundPlan, { runKey: 'refund' });
      const question = questionOf(asked);
      expect(question).toMatchObject({ source: 'Effects ledger', category: 'Multiple Choice' });
      // The other side is a process of its own: what it was about to do when we died, it may still do.
      await expect.poll(() => world.count('create_refund'), { timeout: 10_000 }).toBe(1);
      await portia.resolveClarification({ planRun: asked, clarification: question, response: 'use a given result' });
      const wanted = await portia.resume({ planRun: asked });
      await portia.resolveClarification({
        planRun: wanted,
        clarification: questionOf(wanted),
        response: '{"id":"create_refund_1"}',
      });
      const done = await portia.resume({ planRun: wanted });
      expect(done.state).toBe('COMPLETE');
      expect(done.outputs.finalOutput?.value).toEqual({ id: 'create_refund_1' });
      expect(world.count('create_refund')).toBe(1);
    } finally {
      await registry.close();
      await portia.close();
    }
  });
});

describe('a refund over MCP with a key, killed after the money went back', () => {
  it('is made again with the same key, without a question, and the server knows it again', async () => {
    const world = worlds.fresh();
    const path = join(dir, 'keyed.db');
    expect(await killed(world, path, 'after', 'keyed')).toBe('killed');
    const storage = await sqliteStorage(path);
    const { portia, registry } = await refunding(storage, payments(world.url), 'keyed');
    try {
      const done = await portia.runPlan(mcpRefundPlan, { runKey: 'refund' });
      expect(done.state).toBe('COMPLETE');
      expect(world.count('create_refund')).toBe(2);
      expect(new Set(world.effects.map(({ key }) => key)).size).toBe(1);
    } finally {
      await registry.close();
      await portia.close();
    }
  });
});
