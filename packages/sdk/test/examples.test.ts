import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ended, startCommand } from './lib/command-process.ts';
import { transpileInto } from './lib/transpiled.ts';

const examples = join(import.meta.dirname, '../../../examples');
let folder: string;

// The examples import the package by its name, which a folder of that name gives them: what is in the sources now.
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'portia-examples-'));
  transpileInto(folder);
  cpSync(examples, join(folder, 'examples'), { recursive: true });
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (name: string): Promise<Ended> =>
  startCommand([process.execPath, join(folder, 'examples', name)], { cwd: folder }).ended;

/** Of each example, lines that only come when all went well. */
const stories: Readonly<Record<string, readonly string[]>> = {
  'batch.mjs': ['complete: 1000,', "Verdicts: { 'in time': 690, overdue: 310 }"],
  'gold-purchase.mjs': [
    'step_4: ask to confirm: Pay {total} {price.currency}?',
    'COMPLETE: "100000 is above the limit: please call us."\n  mails sent so far: 0',
    'COMPLETE: {"receipt":"50 ounces of gold"}\n  mails sent so far: 1',
  ],
  'mcp-shop.mjs': [
    'The shop gives: mcp:shop:find_order, mcp:shop:refund',
    'MCP server shop: Why do you send A-7 back?\n  > too small',
    'COMPLETE: refund 1: 4200 cents (too small)',
    'Go on: docs/mcp.md',
  ],
  'refund-approval.mjs': [
    'CLARIFICATION_FORBIDDEN',
    'refunds made in all: 1',
    'the run is COMPLETE.\n  refunds: 1, mails: 2',
  ],
  'scraper-at-once.mjs': [
    'COMPLETE Ada      papers: 1, model calls: 2',
    'COMPLETE Hedy     papers: 0, model calls: 1',
    '8 runs of one plan, 12 model calls',
  ],
  'vehicle-assistant.mjs': [
    'assistant: The licence B-1234 of Ada is renewed.\n  (COMPLETE; outputs: $step_0_output, $step_4_output, $step_5_output, $step_11_output)',
    'assistant: I know about vehicles only.\n  (COMPLETE; outputs: $step_0_output, $step_10_output, $step_11_output)',
  ],
};

describe('the examples', () => {
  it('are all told of here', () => {
    expect(readdirSync(examples).filter((name) => name.endsWith('.mjs'))).toEqual(Object.keys(stories));
  });

  it.each(Object.entries(stories))(
    '%s runs as printed and says what came of it',
    async (name, lines) => {
      const { code, stdout, stderr } = await run(name);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      for (const line of lines) expect(stdout).toContain(line);
    },
    60_000,
  );
});
