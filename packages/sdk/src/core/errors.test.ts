import { describe, expect, it } from 'vitest';
import { ensureError, PortiaError, portiaErrorCodes, ToolHardError, ToolSoftError } from './errors.ts';

describe('PortiaError', () => {
  it('carries its code, hint, cause, run and details', () => {
    const cause = new Error('below');
    const error = new PortiaError({
      code: 'USAGE',
      message: 'no',
      hint: 'yes',
      cause,
      planRunId: 'prun-1',
      details: { known: ['a'] },
    });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      name: 'PortiaError',
      code: 'USAGE',
      message: 'no',
      hint: 'yes',
      planRunId: 'prun-1',
    });
    expect(error.details).toEqual({ known: ['a'] });
    expect(error.cause).toBe(cause);
    expect('cause' in new PortiaError({ code: 'USAGE', message: 'no' })).toBe(false);
  });

  it('is recognised also when another copy of the package made it', () => {
    const foreign = Object.defineProperty(new Error('x'), Symbol.for('portia-ts.error'), { value: true });
    expect(PortiaError.isInstance(foreign)).toBe(true);
    for (const value of [new Error('x'), { code: 'USAGE' }, null, undefined, 'USAGE'])
      expect(PortiaError.isInstance(value)).toBe(false);
  });

  it('has a sentence for every code', () => {
    for (const [code, told] of Object.entries(portiaErrorCodes)) {
      expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
      expect(told).toMatch(/^[A-Z].*\.$/);
    }
  });
});

describe('errors of tools', () => {
  it('say whether trying again may help', () => {
    expect(new ToolSoftError('busy')).toMatchObject({
      name: 'ToolSoftError',
      code: 'TOOL_RETRIES_EXHAUSTED',
      message: 'busy',
    });
    expect(new ToolHardError('gone', { hint: 'look elsewhere' })).toMatchObject({
      name: 'ToolHardError',
      code: 'TOOL_FAILED',
      hint: 'look elsewhere',
    });
    expect(PortiaError.isInstance(new ToolHardError('gone'))).toBe(true);
  });
});

describe('ensureError', () => {
  it('keeps errors as they are', () => {
    const error = new TypeError('x');
    expect(ensureError(error)).toBe(error);
    const foreign = Object.defineProperty({ message: 'x' }, Symbol.for('portia-ts.error'), { value: true });
    expect(ensureError(foreign)).toBe(foreign);
  });

  it('makes an error of anything else', () => {
    expect(ensureError('no network').message).toBe('no network');
    expect(ensureError({ status: 500 }).message).toContain('{"status":500}');
    expect(ensureError(undefined).message).toContain('undefined');
    expect(ensureError(10n).message).toContain('[object BigInt]');
  });
});
