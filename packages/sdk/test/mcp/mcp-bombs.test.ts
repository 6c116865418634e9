import { join } from 'node:path';
import { createMcpHandler } from '@modelcontextprotocol/server';
import { afterEach, describe, expect, it } from 'vitest';
import { McpToolRegistry } from '../../src/mcp/index.ts';
import { PlanBuilderV2 } from '../../src/plan/builder-v2.ts';
import type { PlanRun } from '../../src/core/plan-run.ts';
import type { PlanV2 } from '../../src/core/plan-v2.ts';
// @ts-expect-error a plain module, so that it can be started by itself
import { bombServer } from '../lib/bomb-server.mjs';
import { clientOf } from '../lib/engine.ts';
import { serveFetch } from '../lib/fetch-server.ts';
import { sseServer } from '../lib/sse-server.ts';

const open: McpToolRegistry[] = [];
afterEach(() => Promise.all(open.splice(0).map((registry) => registry.close())));

async function calling(names: readonly string[], readOnly = true): Promise<PlanRun[]> {
  const listed = await McpToolRegistry.fromStdioConnection({
    serverName: 'bombs',
    command: process.execPath,
    args: [join(import.meta.dirname, '../lib/bomb-server.mjs')],
    trustAnnotations: readOnly,
  });
  open.push(listed);
  const portia = clientOf({ tools: [...listed] });
  const runs: PlanRun[] = [];
  for (const name of names) {
    const plan = new PlanBuilderV2(name).invokeToolStep({ tool: `mcp:bombs:${name}`, args: {} }).build();
    runs.push(await portia.runPlan(plan));
  }
  return runs;
}

describe('a result of an MCP server that is too much', () => {
  it.each([true, false])(
    'is refused where it is nested too deep, and the call is known (read-only: %s)',
    async (readOnly) => {
      const [deep, small] = await calling(['deep', 'small'], readOnly);
      expect(deep?.error).toMatchObject({
        code: 'TOOL_FAILED',
        message: expect.stringMatching(/nested deeper than 500 levels; the call itself was made/),
      });
      expect(small?.outputs.finalOutput?.value).toBe('still here');
    },
  );

  it('is taken while it is long, but not too long: a text stays a text', async () => {
    const [text, wide, long, blocks] = await calling(['deep_text', 'wide', 'wide_text', 'blocks']);
    expect([text, wide, long, blocks].map((run) => run?.state)).toEqual(Array.from({ length: 4 }, () => 'COMPLETE'));
    expect(text?.outputs.finalOutput?.value).toBe('['.repeat(20_000));
  });

  it('ends the connection where it is longer than 10 MiB, says so, and the next call has another', async () => {
    const [endless, small] = await calling(['endless', 'small']);
    expect(endless?.error?.message).toContain('longer than 10 MiB');
    expect(small?.outputs.finalOutput?.value).toBe('still here');
  });

  it('is not read to its end over HTTP either', async () => {
    const handler = createMcpHandler(() => bombServer());
    const http = await serveFetch((request) => handler.fetch(request));
    try {
      const listed = await McpToolRegistry.fromStreamableHttpConnection({ serverName: 'bombs', url: http.url });
      open.push(listed);
      const portia = clientOf({ tools: [...listed] });
      const plan = (name: string): PlanV2 =>
        new PlanBuilderV2(name).invokeToolStep({ tool: `mcp:bombs:${name}`, args: {} }).build();
      const endless = await portia.runPlan(plan('endless'));
      expect(endless.error).toMatchObject({
        code: 'TOOL_FAILED',
        message: expect.stringContaining('longer than 10 MiB'),
      });
      expect((await portia.runPlan(plan('small'))).outputs.finalOutput?.value).toBe('still here');
    } finally {
      await http.close();
    }
  });

  it('nor over the older HTTP, and the next call has another connection', async () => {
    const answers = ['x'.repeat(12_000_000), 'still here'];
    const old = await sseServer(() => String(answers.shift()));
    try {
      const listed = await McpToolRegistry.fromSseConnection({ serverName: 'old', url: old.url });
      open.push(listed);
      const portia = clientOf({ tools: [...listed] });
      const plan = new PlanBuilderV2('call').invokeToolStep({ tool: 'mcp:old:call', args: {} }).build();
      const endless = await portia.runPlan(plan);
      expect(endless.error).toMatchObject({
        code: 'TOOL_FAILED',
        message: expect.stringContaining('longer than 10 MiB'),
      });
      expect((await portia.runPlan(plan)).outputs.finalOutput?.value).toBe('still here');
    } finally {
      await old.close();
    }
  });
});
