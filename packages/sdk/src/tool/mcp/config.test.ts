import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PortiaError } from '../../core/errors.ts';
import { type McpConfig, serversOf } from './config.ts';
import { toolIds } from './tool-names.ts';

const variable = (name: string): string => `$${`{${name}}`}`;

function problem(config: unknown): string {
  try {
    serversOf(config as McpConfig, {});
    return 'nothing was thrown';
  } catch (error) {
    return PortiaError.isInstance(error) ? `${error.code}: ${error.message}` : String(error);
  }
}

describe('a configuration of MCP servers', () => {
  it('is read as other hosts read it: several servers, processes and addresses, variables filled in', () => {
    const config = {
      mcpServers: {
        files: { command: 'npx', args: ['-y', 'files', variable('HOME')], env: { KEY: variable('env:KEY') } },
        remote: { url: 'https://example.com/mcp', headers: { authorization: `Bearer ${variable('KEY')}` } },
        old: { type: 'sse', url: 'https://example.com/sse' },
        off: { command: 'x', disabled: true },
        spare: { command: 'x', optional: true },
      },
    };
    const servers = serversOf(JSON.stringify(config), { HOME: '/home/ada', KEY: 's3cret' });
    expect(servers).toMatchObject([
      { transport: 'stdio', serverName: 'files', args: ['-y', 'files', '/home/ada'], env: { KEY: 's3cret' } },
      { transport: 'http', serverName: 'remote', headers: { authorization: 'Bearer s3cret' } },
      { transport: 'sse', serverName: 'old' },
      { transport: 'stdio', serverName: 'spare', optional: true },
    ]);
    expect(serversOf({ servers: { a: { command: 'a' } } }, {})).toHaveLength(1);
  });

  it('that cannot be used says what is wrong where', () => {
    expect(problem('{')).toContain('CONFIG_INVALID: the MCP configuration is not JSON');
    expect(problem({})).toContain('has no mcpServers');
    expect(problem({ mcpServers: { a: 1 } })).toContain('mcpServers.a is not an object');
    expect(problem({ mcpServers: { a: {} } })).toContain('mcpServers.a has neither command nor url');
    expect(problem({ mcpServers: { a: { command: 1 } } })).toContain('mcpServers.a.command is not a text');
    expect(problem({ mcpServers: { a: { command: 'a', args: 'b' } } })).toContain('mcpServers.a.args is not a list');
    expect(problem({ mcpServers: { a: { command: 'a', env: { B: 1 } } } })).toContain('mcpServers.a.env.B');
    expect(problem({ mcpServers: { a: { command: 'a', optional: 'yes' } } })).toContain(
      'optional is not true or false',
    );
    expect(problem({ mcpServers: { a: { url: 'nowhere' } } })).toContain('mcpServers.a.url is not a web address');
    const missing = problem({ mcpServers: { a: { command: variable('NOT_SET') } } });
    expect(missing).toContain(
      'CONFIG_NOT_FOUND: the MCP configuration needs the variable NOT_SET at mcpServers.a.command',
    );
  });
});

describe('the ids of a server’s tools', () => {
  it('are mcp:<server>:<name>, readable where they can be', () => {
    expect([...toolIds('stripe', ['create-refund', 'list.customers']).values()]).toEqual([
      'mcp:stripe:create_refund',
      'mcp:stripe:list_customers',
    ]);
  });

  it('are one for each name, and the same in whatever order the server lists them', () => {
    const names = fc.uniqueArray(fc.stringMatching(/^[a-c_.-]{1,4}$/), { maxLength: 8 });
    fc.assert(
      fc.property(names, (listed) => {
        const ids = toolIds('s', listed);
        expect(new Set(ids.values()).size).toBe(listed.length);
        for (const [name, id] of toolIds('s', [...listed].reverse())) expect(ids.get(name)).toBe(id);
      }),
    );
  });
});
