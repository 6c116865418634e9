// MCP servers that tests talk to: the reference servers of npm, and one of payments that is our own.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { StdioServer } from '../../src/tool/mcp/server-options.ts';

const { resolve } = createRequire(import.meta.url);

/** The reference server that does everything the protocol has. */
export function everything(more: Partial<StdioServer> = {}): StdioServer {
  return {
    serverName: 'everything',
    command: process.execPath,
    args: [resolve('@modelcontextprotocol/server-everything/dist/index.js'), 'stdio'],
    ...more,
  };
}

/** The reference server of files below a folder. */
export function filesystem(folder: string, more: Partial<StdioServer> = {}): StdioServer {
  return {
    serverName: 'filesystem',
    command: process.execPath,
    args: [resolve('@modelcontextprotocol/server-filesystem/dist/index.js'), folder],
    ...more,
  };
}

/** Payments that happen in a world. */
export function payments(world: string, more: Partial<StdioServer> = {}): StdioServer {
  return {
    serverName: 'payments',
    command: process.execPath,
    args: [join(import.meta.dirname, 'payments-server.mjs')],
    ...more,
    env: { WORLD: world, ...more.env },
  };
}
