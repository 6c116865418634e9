import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const imports = `
import { z } from 'zod';
import { FirstOf } from 'sdk/core/plan-v2-steps';
import { Input, StepOutput, text } from 'sdk/core/reference';
import { tool } from 'sdk/tool/tool';
import { PlanBuilderV2 } from 'sdk/plan/builder-v2';
const Price = z.object({ amount: z.number(), currency: z.string() });
const refund = tool({ id: 'refund', description: 'x', argsSchema: z.object({ amount: z.number(), to: z.string() }), run: ({ amount }) => ({ amount, currency: 'EUR' }) });
`;

/** What the compiler says about a program. */
function compile(source: string): string {
  const dir = mkdtempSync(join(tmpdir(), 'builder-types-'));
  try {
    writeFileSync(join(dir, 'plan.ts'), imports + source);
    writeFileSync(join(dir, 'package.json'), '{ "type": "module" }');
    const compilerOptions = {
      noEmit: true,
      declaration: false,
      isolatedDeclarations: false,
      typeRoots: [join(root, 'node_modules/@types')],
      paths: { zod: [join(root, 'node_modules/zod/index.d.ts')], 'sdk/*': [join(root, 'packages/sdk/src/*.ts')] },
    };
    writeFileSync(
      join(dir, 'tsconfig.json'),
      JSON.stringify({ extends: join(root, 'tsconfig.base.json'), compilerOptions, files: ['plan.ts'] }),
    );
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    return execFileSync(process.execPath, [tsc, '-p', dir, '--extendedDiagnostics', '--pretty', 'false'], {
      encoding: 'utf8',
    });
  } catch (error) {
    return String((error as { stdout?: unknown }).stdout ?? error);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** A plan of about fifty steps: typed arguments and tools, texts, branches, loops and parallel blocks. */
function longPlan(): string {
  const lines = [
    `new PlanBuilderV2('long').input({ name: 'country', schema: z.string() }).llmStep({ stepName: 's0', task: text\`In \${Input('country')}\`, outputSchema: Price })`,
  ];
  const step = (name: string, from: string): string =>
    `.functionStep({ stepName: '${name}', args: { a: StepOutput('${from}', { path: 'amount' }), b: StepOutput('${from}'), c: { d: [StepOutput('s0'), 5] }, t: text\`of \${StepOutput('${from}')}\` }, ` +
    `function: ({ a, b, c, t }) => ({ amount: a + b.amount + c.d[0].amount, currency: t }) })`;
  const model = (name: string, from: string): string =>
    `.llmStep({ stepName: '${name}', task: text\`of \${StepOutput('${from}')} in \${Input('country')}\`, inputs: [StepOutput('${from}')], outputSchema: Price })`;
  const call = (name: string, from: string): string =>
    `.invokeToolStep({ stepName: '${name}', tool: refund, args: { amount: StepOutput('${from}', { path: 'amount' }), to: text\`\${Input('country')}\` } })`;
  for (let round = 0; round < 4; round += 1) {
    const [at, next] = [round === 0 ? 's0' : `m${round - 1}`, `m${round}`];
    lines.push(
      step(`a${round}`, at),
      model(`b${round}`, `a${round}`),
      call(`c${round}`, `b${round}`),
      `.loop({ stepName: 'l${round}', over: [StepOutput('c${round}'), StepOutput('a${round}')] })`,
      step(`d${round}`, `l${round}`),
      '.endLoop()',
      `.if({ condition: ({ a }) => a.amount > 10, args: { a: StepOutput('c${round}') } })`,
      step(`e${round}`, `c${round}`),
      '.else()',
      model(`f${round}`, `c${round}`),
      `.endIf({ stepName: '${next}', value: FirstOf('e${round}', 'f${round}') })`,
      call(`g${round}`, next),
    );
  }
  lines.push(
    '.parallel().branch()',
    step('x', 'm3'),
    '.endParallel()',
    '.finalOutput({ outputSchema: Price }).build()',
  );
  return `export const plan = ${lines.join('\n')};`;
}

describe('the compiler', () => {
  it('reads a plan of fifty steps for less than 150,000 instantiations', { timeout: 60_000 }, () => {
    const said = compile(longPlan());
    expect(said).not.toContain('error');
    const count = Number(/Instantiations:\s+(\d+)/.exec(said)?.[1]);
    expect(count).toBeGreaterThan(10_000);
    expect(count).toBeLessThan(150_000);
  });

  it('names the step that is not there and those that are, and where it is asked for', { timeout: 60_000 }, () => {
    const said = compile(`
const base = new PlanBuilderV2().input({ name: 'country' }).llmStep({ stepName: 'price', task: 'x', outputSchema: Price }).llmStep({ stepName: 'other', task: 'x' });
base.functionStep({ args: { a: { b: [StepOutput('prise')] } }, function: () => 1 });
base.llmStep({ task: text\`\${StepOutput('prise')} \${StepOutput('price')}\` });
base.llmStep({ task: 'x', inputs: [Input('contry')] });
base.functionStep({ args: { a: StepOutput('price', { path: 'amout' }) }, function: () => 1 });
base.llmStep({ stepName: 'price', task: 'x' });
base.invokeToolStep({ tool: refund, args: { amount: StepOutput('other'), to: 'x' } });
base.endIf().build();
`);
    const told = said.split('\n').filter((line) => /^\S+\(\d+,\d+\): error/.test(line));
    expect(told).toHaveLength(7);
    const first = imports.split('\n').length + 2;
    expect(told[0]).toMatch(
      new RegExp(`\\(${first},38\\): error .* & UnknownStep<"prise", "(price" \\| "other|other" \\| "price)">`),
    );
    expect(told[1]).toMatch(/UnknownStep<"prise", "(price" \| "other|other" \| "price)">/);
    expect(told[2]).toContain('UnknownInput<"contry", "country">');
    expect(told[3]).toContain('UnknownPath<"amout", { amount: number; currency: string; }>');
    expect(told[4]).toContain('NameTaken<"price">');
    expect(told[5]).toContain('WrongArgument<string, number>');
    expect(told[6]).toContain('NotOpen<"if">');
  });
});
