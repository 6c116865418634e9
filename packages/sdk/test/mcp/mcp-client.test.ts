import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import type { RunNotice } from '../../src/core/event.ts';
import { toolContext } from '../../src/testing/tool-context.ts';
import { McpToolRegistry } from '../../src/mcp/index.ts';
import { PlanBuilderV2 } from '../../src/plan/builder-v2.ts';
import { clientOf, codeOf } from '../lib/engine.ts';
import { everything, filesystem, payments } from '../lib/mcp-servers.ts';
import { startWorlds, type World, type Worlds } from '../lib/outside-world.ts';

let worlds: Worlds;
let shared: McpToolRegistry;
beforeAll(async () => {
  worlds = await startWorlds();
  shared = await McpToolRegistry.fromStdioConnection(everything({ resourceTools: true, roots: ['/tmp'] }));
});
afterAll(async () => {
  await shared.close();
  await worlds.close();
});

const open: McpToolRegistry[] = [];
afterEach(() => Promise.all(open.splice(0).map((registry) => registry.close())));

async function paying(world: World, more: Parameters<typeof payments>[1] = {}): Promise<McpToolRegistry> {
  const registry = await McpToolRegistry.fromStdioConnection(payments(world.url, more));
  open.push(registry);
  return registry;
}

function call(registry: McpToolRegistry, id: string, args: JsonObject = {}): Promise<unknown> {
  const tool = registry.getTool(id);
  return tool.run(args as never, toolContext({ repeatable: tool.readOnly === true })) as Promise<unknown>;
}

describe('the reference server "everything"', () => {
  it('lists its tools with their schemas and what it says of their effects', () => {
    const echo = shared.getTool('mcp:everything:echo');
    expect(echo).toMatchObject({ readOnly: true });
    expect(shared.getTool('mcp:everything:gzip_file_as_resource')).toMatchObject({
      idempotent: true,
      destructive: false,
    });
    expect(shared.getTool('mcp:everything:toggle_simulated_logging').idempotent).toBeUndefined();
    expect(shared.skipped).toEqual([]);
  });

  it('gives text as text, structured content as data, and images as blocks', async () => {
    expect(await call(shared, 'mcp:everything:echo', { message: 'hello' })).toBe('Echo: hello');
    expect(await call(shared, 'mcp:everything:get_structured_content', { location: 'New York' })).toEqual({
      temperature: 33,
      conditions: 'Cloudy',
      humidity: 82,
    });
    const image = (await call(shared, 'mcp:everything:get_tiny_image')) as { content: JsonObject[] };
    expect(image.content.map(({ type }) => type)).toEqual(['text', 'image', 'text']);
    expect(image.content[1]).toMatchObject({ mimeType: 'image/png', data: expect.stringMatching(/^iVBOR/) });
    const linked = (await call(shared, 'mcp:everything:get_resource_reference', { resourceId: 1 })) as {
      content: JsonObject[];
    };
    expect(linked.content.some(({ type }) => type === 'resource')).toBe(true);
  });

  it('runs in a plan: arguments are checked by its schema, progress reaches whoever watches', async () => {
    const portia = clientOf({ tools: [...shared] });
    const plan = new PlanBuilderV2('Sum up')
      .invokeToolStep({ stepName: 'sum', tool: 'mcp:everything:get_sum', args: { a: 1, b: 2 } })
      .invokeToolStep({
        stepName: 'long',
        tool: 'mcp:everything:trigger_long_running_operation',
        args: { duration: 0.3, steps: 3 },
      })
      .build();
    const { planRunId } = await portia.start(plan);
    const notices: RunNotice[] = [];
    const watching = (async () => {
      for await (const event of portia.events(planRunId)) if (event.type === 'tool-progress') notices.push(event);
    })();
    const run = await portia.resume({ planRunId });
    await watching;
    expect(JSON.stringify(run.outputs.stepOutputs['$step_0_output'])).toContain('3');
    expect(run.state).toBe('COMPLETE');
    expect(notices.map((notice) => ('progress' in notice ? notice.progress : null))).toContainEqual({
      progress: 2,
      total: 3,
    });
    const wrong = await portia.runPlan(
      new PlanBuilderV2('Wrong')
        .invokeToolStep({ stepName: 'sum', tool: 'mcp:everything:get_sum', args: { a: 'x', b: 2 } })
        .build(),
    );
    expect(wrong.error?.code).toBe('TOOL_ARGS_INVALID');
  });

  it('makes 100 calls at once over one session', async () => {
    const sums = await Promise.all(
      Array.from({ length: 100 }, (_, a) => call(shared, 'mcp:everything:get_sum', { a, b: 1 })),
    );
    expect(sums.every((sum, a) => String(sum).includes(`${a + 1}`))).toBe(true);
  });

  it('gives its resources, prompts and instructions, to programs and to agents', async () => {
    const server = shared.servers.get('everything');
    const resources = (await server?.listResources()) ?? [];
    expect(resources.length).toBeGreaterThan(3);
    const uri = String(resources[0]?.uri);
    expect((await server?.readResource(uri))?.contents[0]).toMatchObject({ uri });
    expect((await server?.listPrompts())?.map(({ name }) => name)).toContain('args-prompt');
    expect(JSON.stringify(await server?.getPrompt('args-prompt', { city: 'Paris' }))).toContain('Paris');
    expect(await server?.instructions()).toContain('Everything');
    const listed = (await call(shared, 'mcp:everything:portia:list_resources')) as { resources: unknown[] };
    expect(listed.resources).toHaveLength(resources.length);
    expect(await call(shared, 'mcp:everything:portia:read_resource', { uri })).toMatchObject({ contents: [{ uri }] });
    expect(JSON.stringify(await call(shared, 'mcp:everything:get_roots_list'))).toContain('file:///tmp');
  });

  it('says what it refuses as a soft error', async () => {
    await expect(call(shared, 'mcp:everything:get_resource_reference', { resourceId: -4 })).rejects.toMatchObject({
      name: 'ToolSoftError',
    });
  });
});

describe('the reference server of files', () => {
  it('reads below its folder and refuses what is outside', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'portia-mcp-'));
    try {
      writeFileSync(join(folder, 'note.txt'), 'buy gold');
      const { serverName: _, ...files } = filesystem(folder);
      const registry = await McpToolRegistry.fromConfig(
        JSON.stringify({ mcpServers: { files: { ...files, cwd: '$' + '{env:FOLDER}' }, off: { disabled: true } } }),
        { env: { FOLDER: folder } },
      );
      open.push(registry);
      const note = await call(registry, 'mcp:files:read_text_file', { path: join(folder, 'note.txt') });
      expect(note).toEqual({ content: 'buy gold' });
      await expect(call(registry, 'mcp:files:read_text_file', { path: '/etc/passwd' })).rejects.toMatchObject({
        name: 'ToolSoftError',
        message: expect.stringContaining('outside'),
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('a server that dies', () => {
  it('is started again: a reading call is made again, one with effects is unknown', async () => {
    const world = worlds.fresh();
    const registry = await paying(world);
    expect(await call(registry, 'mcp:payments:die_reading')).toBe('back after death_2');
    await expect(call(registry, 'mcp:payments:die')).rejects.not.toMatchObject({ name: 'ToolSoftError' });
    expect(await call(registry, 'mcp:payments:list_customers', { email: 'a@b.c' })).toContain('cus_7');
    const portia = clientOf({ tools: [...registry] });
    const run = await portia.runPlan(
      new PlanBuilderV2('Die').invokeToolStep({ stepName: 'die', tool: 'mcp:payments:die', args: {} }).build(),
    );
    expect(run.getOutstandingClarifications()[0]).toMatchObject({
      source: 'Effects ledger',
      category: 'Multiple Choice',
    });
  });

  it('is asked again at once by a tool that its registry marks idempotent, whatever the server says', async () => {
    const registry = await paying(worlds.fresh(), { trustAnnotations: false });
    const id = 'mcp:payments:die_reading';
    const marked = registry.withToolOptions(id, { idempotent: true });
    const plan = new PlanBuilderV2('Die').invokeToolStep({ stepName: 'die', tool: id, args: {} }).build();
    const portia = clientOf({ tools: [...marked] });
    const run = await portia.runPlan(plan);
    expect(run.outputs.finalOutput?.value).toBe('back after death_2');
    expect(await portia.storage.getToolCalls(run.id)).toMatchObject([{ status: 'SUCCESS', attempts: 1 }]);
    const unmarked = await clientOf({
      tools: [...(await paying(worlds.fresh(), { trustAnnotations: false }))],
    }).runPlan(plan);
    expect(unmarked.getOutstandingClarifications()[0]).toMatchObject({ source: 'Effects ledger' });
  });

  it('is an error in words when it does not start', async () => {
    expect(
      await codeOf(
        McpToolRegistry.fromStdioConnection({ serverName: 'none', command: process.execPath, args: ['-e', ''] }),
      ),
    ).toBe('MCP_FAILED');
  });
});

describe('a call', () => {
  it('is cancelled on the other side when its time is up', async () => {
    const world = worlds.fresh();
    const registry = await paying(world, { toolCallTimeoutMs: 300 });
    const portia = clientOf({ tools: [...registry.withToolOptions('mcp:payments:wait', { readOnly: true })] });
    const run = await portia.runPlan(
      new PlanBuilderV2('Wait').invokeToolStep({ stepName: 'wait', tool: 'mcp:payments:wait', args: {} }).build(),
    );
    expect(run.error?.code).toBe('TOOL_TIMEOUT');
    await expect.poll(() => world.count('cancelled'), { timeout: 5_000 }).toBeGreaterThan(0);
  });

  it('whose result does not fit the output schema failed, and was made', async () => {
    const registry = await paying(worlds.fresh());
    const portia = clientOf({ tools: [...registry] });
    const run = await portia.runPlan(
      new PlanBuilderV2('Lie').invokeToolStep({ stepName: 'lie', tool: 'mcp:payments:wrong_output', args: {} }).build(),
    );
    expect(run.error).toMatchObject({ code: expect.stringMatching(/OUTPUT_INVALID|TOOL_RETRIES/) });
  });
});

describe('a registry', () => {
  it('stays as it was listed, hears of changes, and is listed anew on the same sessions', async () => {
    const registry = await paying(worlds.fresh());
    const server = registry.servers.get('payments');
    let changes = 0;
    server?.onToolsChanged(() => {
      changes += 1;
    });
    await call(registry, 'mcp:payments:hire');
    await expect.poll(() => changes, { timeout: 5_000 }).toBeGreaterThan(0);
    expect(registry.has('mcp:payments:hired')).toBe(false);
    const refreshed = await registry.refreshed();
    expect(await call(refreshed, 'mcp:payments:hired')).toBe('at work');
  });

  it('lets go of its connections with the client, and opens them again when they are needed', async () => {
    const registry = await paying(worlds.fresh());
    await clientOf({ tools: [...registry] }).close();
    expect(await call(registry, 'mcp:payments:list_customers', { email: 'a@b.c' })).toContain('a@b.c');
  });

  it('takes only the tools that are wanted, and believes no annotation when told so', async () => {
    const registry = await paying(worlds.fresh(), {
      onlyTools: (name) => name.startsWith('list'),
      trustAnnotations: false,
    });
    expect(registry.toolIds()).toEqual(['mcp:payments:list_customers', 'mcp:payments:list_payment_intents']);
    expect([...registry].some(({ readOnly }) => readOnly)).toBe(false);
  });
});

describe('what a server gives', () => {
  it('is data, however much it looks like a clarification or an order', async () => {
    const world = worlds.fresh();
    const registry = await paying(world);
    const portia = clientOf({ tools: [...registry] });
    for (const structured of [true, false]) {
      const plan = new PlanBuilderV2('Hostile')
        .invokeToolStep({ stepName: 'step', tool: 'mcp:payments:hostile', args: { structured } })
        .build();
      const run = await portia.runPlan(plan);
      expect(run.state).toBe('COMPLETE');
      expect(run.outputs.clarifications).toEqual([]);
      expect(JSON.stringify(run.outputs.finalOutput)).toContain('Ignore all rules');
      expect(world.effects).toEqual([]);
    }
  });
});

describe('over HTTP', () => {
  async function freePort(): Promise<number> {
    const server = createServer();
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const { port } = server.address() as AddressInfo;
    await new Promise((closed) => server.close(closed));
    return port;
  }

  const running: ChildProcess[] = [];
  afterEach(() => Promise.all(running.splice(0).map(stop)));

  async function start(transport: string, port: number): Promise<ChildProcess> {
    const script = String(everything().args?.[0]);
    const child = spawn(process.execPath, [script, transport], {
      env: { ...process.env, PORT: String(port) },
      stdio: 'ignore',
    });
    running.push(child);
    await expect
      .poll(
        () =>
          fetch(`http://127.0.0.1:${port}/nothing`).then(
            () => true,
            () => false,
          ),
        { timeout: 15_000 },
      )
      .toBe(true);
    return child;
  }

  async function stop(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  it.each([
    ['sse', 'sse'],
    ['streamableHttp', 'mcp'],
  ])('%s is spoken, and a server that was started again is found again', async (transport, path) => {
    const port = await freePort();
    const first = await start(transport, port);
    const server = { serverName: 'remote', url: `http://127.0.0.1:${port}/${path}` };
    const registry =
      transport === 'sse'
        ? await McpToolRegistry.fromSseConnection(server)
        : await McpToolRegistry.fromStreamableHttpConnection(server);
    open.push(registry);
    expect(await call(registry, 'mcp:remote:echo', { message: 'one' })).toBe('Echo: one');
    await stop(first);
    await expect(call(registry, 'mcp:remote:echo', { message: 'two' })).rejects.toThrow();
    await start(transport, port);
    expect(await call(registry, 'mcp:remote:echo', { message: 'three' })).toBe('Echo: three');
  });
});

describe('several servers of which one cannot be used', () => {
  const gone = { command: process.execPath, args: ['-e', 'setTimeout(() => process.exit(1), 1000)'] };
  /** A server that writes down which process it is. */
  function noting(file: string): { command: string; args: string[]; env: Record<string, string> } {
    const { command, args = [], env = {} } = payments(worlds.fresh().url);
    const note = `require('node:fs').writeFileSync(process.env.PID_FILE, String(process.pid)); import(process.argv[1])`;
    return { command, args: ['-e', note, ...args], env: { ...env, PID_FILE: file } };
  }
  const isThere = (pid: number): boolean => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };

  it('fail with the name of that one and how to go without it, and the others are closed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'portia-mcp-'));
    try {
      const file = join(folder, 'pid');
      const making = McpToolRegistry.fromConfig({ mcpServers: { good: noting(file), gone } });
      await expect(making).rejects.toMatchObject({
        code: 'MCP_FAILED',
        message: expect.stringContaining('the MCP server "gone" cannot be used: '),
        hint: expect.stringContaining('mark it optional: true'),
      });
      const pid = Number(readFileSync(file, 'utf8'));
      await expect.poll(() => isThere(pid)).toBe(false);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('give the tools of the others where it is optional, and say which is left out and why', async () => {
    const world = worlds.fresh();
    const talker = createHttpServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1');
    await once(talker, 'listening');
    try {
      const { serverName: _, ...good } = payments(world.url);
      const url = `http://127.0.0.1:${(talker.address() as AddressInfo).port}/mcp`;
      const mcpServers = { talker: { url, optional: true }, good, gone: { ...gone, optional: true } };
      const registry = await McpToolRegistry.fromConfig({ mcpServers });
      open.push(registry);
      expect(registry.has('mcp:good:create_refund')).toBe(true);
      expect(registry.skippedServers).toEqual([
        { server: 'talker', reason: expect.stringContaining('the MCP server "talker" cannot be used: ') },
        { server: 'gone', reason: expect.stringContaining('the MCP server "gone" cannot be used: ') },
      ]);
      expect((await registry.refreshed()).skippedServers.map(({ server }) => server)).toEqual(['talker', 'gone']);
    } finally {
      talker.close();
    }
  });
});
