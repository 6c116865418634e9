import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { McpToolRegistry } from '../../src/mcp/index.ts';
import { PlanBuilderV2 } from '../../src/plan/builder-v2.ts';
import { clientOf } from '../lib/engine.ts';
import { payments } from '../lib/mcp-servers.ts';
import { startWorlds, type Worlds } from '../lib/outside-world.ts';

let worlds: Worlds;
beforeAll(async () => {
  worlds = await startWorlds();
});
afterAll(() => worlds.close());

const open: McpToolRegistry[] = [];
afterEach(() => Promise.all(open.splice(0).map((registry) => registry.close())));

async function paged(): Promise<McpToolRegistry> {
  const registry = await McpToolRegistry.fromStdioConnection({
    serverName: 'paged',
    command: process.execPath,
    args: [join(import.meta.dirname, '../lib/paged-server.mjs')],
  });
  open.push(registry);
  return registry;
}

describe('a server that lists on pages', () => {
  it('is read to its last page', async () => {
    const registry = await paged();
    expect(registry.toolIds()).toEqual(['one', 'two', 'three', 'four', 'five'].map((name) => `mcp:paged:${name}`));
    expect((await registry.servers.get('paged')?.listResources())?.map(({ uri }) => uri)).toEqual([
      'test://one',
      'test://two',
      'test://three',
    ]);
  });
});

describe('the session of a server', () => {
  it('is one process for all calls of all runs at once, which ends with the client', async () => {
    const registry = await paged();
    const portia = clientOf({ tools: [...registry] });
    const plan = new PlanBuilderV2('Who')
      .invokeToolStep({ stepName: 'one', tool: 'mcp:paged:one', args: {} })
      .invokeToolStep({ stepName: 'five', tool: 'mcp:paged:five', args: {} })
      .build();
    const runs = await Promise.all(Array.from({ length: 20 }, () => portia.runPlan(plan)));
    const said = runs.map(({ outputs }) => String(outputs.finalOutput?.value));
    const [pid, ...others] = new Set(said.map((text) => text.replace('five ', '')));
    expect(others).toEqual([]);
    await portia.close();
    await expect.poll(() => alive(Number(pid)), { timeout: 10_000 }).toBe(false);
  });

  it('hears that a run was cancelled, and serves the next call', async () => {
    const world = worlds.fresh();
    const registry = await McpToolRegistry.fromStdioConnection(payments(world.url));
    open.push(registry);
    const portia = clientOf({ tools: [...registry.withToolOptions('mcp:payments:wait', { readOnly: true })] });
    const plan = new PlanBuilderV2('Wait')
      .invokeToolStep({ stepName: 'wait', tool: 'mcp:payments:wait', args: {} })
      .build();
    const { planRunId } = await portia.start(plan);
    const running = portia.resume({ planRunId });
    for await (const event of portia.events(planRunId)) if (event.type === 'tool-call-start') break;
    await portia.cancel({ planRunId });
    expect((await running).error?.code).toBe('RUN_CANCELLED');
    await expect.poll(() => world.count('cancelled'), { timeout: 10_000 }).toBe(1);
    const next = new PlanBuilderV2('Look')
      .invokeToolStep({ stepName: 'look', tool: 'mcp:payments:list_customers', args: { email: 'a@b.c' } })
      .build();
    expect((await portia.runPlan(next)).state).toBe('COMPLETE');
  });
});

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
