import { describe, expect, it } from 'vitest';
import { consoleLogger, silentLogger } from './logger.ts';

function logged(level: Parameters<typeof consoleLogger>[0], secrets: readonly string[] = []) {
  const lines: string[] = [];
  return { lines, logger: consoleLogger(level, { stream: { write: (line) => lines.push(line) }, secrets }) };
}

describe('consoleLogger', () => {
  it('writes one line a call, with the fields after the message', () => {
    const { lines, logger } = logged('INFO');
    logger.info('a step began', { step: 2, tool: 'search_tool', args: { query: 'gold price' }, none: undefined });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(
      /^\d{4}-\d\d-\d\dT[\d:.]+Z INFO {4}a step began step=2 tool=search_tool args={"query":"gold price"}\n$/,
    );
  });

  it('leaves out what is below its level', () => {
    for (const [level, expected] of [
      ['TRACE', 5],
      ['DEBUG', 4],
      ['INFO', 3],
      ['WARNING', 2],
      ['ERROR', 1],
      ['SILENT', 0],
    ] as const) {
      const { lines, logger } = logged(level);
      logger.trace('t');
      logger.debug('d');
      logger.info('i');
      logger.warn('w');
      logger.error('e');
      expect(lines).toHaveLength(expected);
    }
  });

  it('hides the values of keys that look like secrets, at any depth', () => {
    const { lines, logger } = logged('INFO');
    const fields = {
      Authorization: 'v1',
      headers: { 'x-api-key': 'v2', cookie: 'v3' },
      user: [{ password: 'v4', accessToken: 'v5' }],
      client_secret: 'v6',
    };
    logger.info('request', fields);
    expect(lines[0]).not.toMatch(/v\d/);
    expect(lines[0]?.match(/\[redacted\]/g)).toHaveLength(6);
  });

  it('shows keys that only sound alike', () => {
    const { lines, logger } = logged('INFO');
    logger.info('usage', { inputTokens: 5, idempotencyKey: 'abc', author: 'me' });
    expect(lines[0]).toContain('inputTokens=5 idempotencyKey=abc author=me');
  });

  it('hides known secrets wherever they stand', () => {
    const { lines, logger } = logged('INFO', ['sk-known-secret', 'ab']);
    logger.info('the key sk-known-secret is about', {
      url: 'https://x/?k=sk-known-secret',
      error: new Error('bad sk-known-secret'),
    });
    expect(lines[0]).not.toContain('sk-known');
    expect(lines[0]).toContain('is about');
  });

  it('cuts long texts at 1000 characters', () => {
    const { lines, logger } = logged('INFO');
    logger.info('output', { value: 'x'.repeat(5000) });
    expect(lines[0]).toContain(`${'x'.repeat(1000)}...[truncated - only first 1000 characters shown]`);
    expect(lines[0]).not.toContain('x'.repeat(1001));
  });

  it('never breaks a line or passes control characters on', () => {
    const { lines, logger } = logged('INFO');
    logger.info('two\nlines \u001b[31mred', { value: 'a\nb' });
    expect(lines[0]?.indexOf('\n')).toBe((lines[0]?.length ?? 0) - 1);
    expect(lines[0]).not.toContain('\u001b');
  });

  it('does not throw for values that cannot be read', () => {
    const { lines, logger } = logged('INFO');
    const cycle: Record<string, unknown> = {};
    cycle['self'] = cycle;
    logger.info('odd', { cycle, big: 1n, fn: () => 1 });
    logger.info('worse', {
      get bad(): never {
        throw new TypeError('no');
      },
    });
    expect(lines).toHaveLength(2);
    expect(lines[1]).toContain('fields cannot be read: TypeError');
  });
});

describe('silentLogger', () => {
  it('can be called and says nothing', () => {
    expect([silentLogger.error('x'), silentLogger.info('y', { z: 1 })]).toEqual([undefined, undefined]);
  });
});
