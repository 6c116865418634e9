import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Portia } from '../../client.ts';
import { Config } from '../../config/config.ts';
import {
  InputClarification,
  MultipleChoiceClarification,
  UserVerificationClarification,
} from '../../core/clarification.ts';
import type { RunEvent, RunEventBody, RunNotice } from '../../core/event.ts';
import { PlanRunUUID } from '../../core/ids.ts';
import { Plan } from '../../core/plan.ts';
import type { ClarificationRecord } from '../../core/run-state.ts';
import { StepOutput } from '../../core/reference.ts';
import { ledgerOf } from '../../core/tool-call.ts';
import { PlanBuilderV2 } from '../../plan/builder-v2.ts';
import { exampleToolRegistry } from '../../tool/library/registries.ts';
import { ledgerTable, takeoverLines } from './ledger-table.ts';
import { LiveView, type Paper } from './live-view.ts';
import { colourPaint, plainPaint as paint, wantsColour } from './paint.ts';
import { planTable } from './plan-table.ts';
import { Progress } from './progress.ts';
import { runLines } from './run-view.ts';
import { questionLines } from './questions.ts';
import { table } from './table.ts';
import { cut, cutStyled, duration, listed, preview, textWidth, wrap } from './text.ts';

const plan = new Plan({
  planContext: { query: 'q', toolIds: [] },
  steps: [
    { task: 'Look up the price of gold', toolId: 'search_tool', output: '$price' },
    {
      task: 'Write it down',
      toolId: 'file_writer_tool',
      inputs: [{ name: '$price' }],
      output: '$file',
      condition: 'if $price is known',
    },
  ],
});

function events(...bodies: RunEventBody[]): RunEvent[] {
  return bodies.map((body, index) => ({ ...body, v: 1, seq: index + 1, at: 1_000 * (index + 1) }));
}

const intent = { step: 1, call: '1.0.1', tool: 'file_writer_tool', args: { filename: 'a.md' } } as const;
const searched: RunEventBody = {
  type: 'tool-call-end',
  step: 0,
  call: '0.0.1',
  tool: 'search_tool',
  args: { search_query: 'gold' },
  outcome: { status: 'SUCCESS', value: [{ title: 'a' }, { title: 'b' }] },
};

describe('text', () => {
  it('is cut, wrapped and measured by the columns it takes', () => {
    expect(textWidth('日本')).toBe(4);
    expect(cut('abcdef', 4)).toBe('abc…');
    expect(cut('日本語', 5)).toBe('日本…');
    expect(wrap('one two three', 7)).toEqual(['one two', 'three']);
    expect(wrap('abcdefgh', 3)).toEqual(['abc', 'def', 'gh']);
    expect(cutStyled(`a ${colourPaint.red('bcdef')} g`, 5)).toBe(`a ${colourPaint.red('bc…')}`);
  });

  it('says how long something took, and what a value is, in a few letters', () => {
    expect([12, 1_250, 120_000, 7_200_000, 400_000_000].map(duration)).toEqual([
      '12 ms',
      '1.3 s',
      '2 min',
      '2 h',
      '5 days',
    ]);
    expect(preview([1, 2])).toBe('2 items: [1,2]');
    expect(preview('a\nb\u001b[2J')).toBe('a b\\u001b[2J');
    expect(listed(['a', 'b', 'c'])).toBe('a, b and c');
  });

  it('has colour on terminals only, unless somebody asked otherwise', () => {
    expect(wantsColour({ isTTY: true }, {})).toBe(true);
    expect(wantsColour({ isTTY: true }, { NO_COLOR: '1' })).toBe(false);
    expect(wantsColour({ isTTY: true }, { TERM: 'dumb' })).toBe(false);
    expect(wantsColour({}, {})).toBe(false);
    expect(wantsColour({}, { FORCE_COLOR: '1' })).toBe(true);
  });
});

describe('a table', () => {
  it('lets one column break into lines, and cuts the others', () => {
    const columns = [{ title: 'id', most: 4 }, { title: 'text', fills: true as const }, { title: 'n' }];
    expect(table(columns, [['abcdef', 'one two three four five', '1']], { width: 30, paint })).toEqual([
      '  id    text                 n',
      '  abc…  one two three four   1',
      '        five',
    ]);
  });
});

describe('the plan table', () => {
  it('shows each step with its tool, what its calls are, its inputs and its output', () => {
    expect(planTable(plan, exampleToolRegistry, { width: 120, paint }).slice(2)).toEqual([
      '  #  task                                tool              calls are     inputs  output',
      '  1  Look up the price of gold           search_tool       read-only     –       $price',
      '  2  Write it down (if $price is known)  file_writer_tool  with effects  $price  $file',
    ]);
  });

  it('shows control characters of a model instead of obeying them', () => {
    const sly = new Plan({
      planContext: { query: 'q', toolIds: [] },
      steps: [{ task: 'x\u001b[1A\u202e', output: '$o' }],
    });
    expect(planTable(sly, exampleToolRegistry, { width: 120, paint }).join('\n')).toContain('x\\u001b[1A\\u202e');
  });
});

describe('a builder plan', () => {
  const made = new PlanBuilderV2('Buy')
    .userInput({ stepName: 'ounces', message: 'How many ounces?' })
    .invokeToolStep({ stepName: 'price', tool: 'calculator_tool', args: { math_question: '2 * 3' } })
    .llmStep({ stepName: 'receipt', task: 'Write a receipt', inputs: [StepOutput('price')] })
    .userVerify({ message: 'Keep it?' })
    .build();

  async function paused() {
    const portia = new Portia({ config: new Config({ storage: 'memory' }), tools: exampleToolRegistry });
    const run = await portia.runPlan(made, { planRunInputs: {} });
    return { run, plan: await portia.storage.getPlan(run.planId) };
  }

  it('is shown by the names of its steps, and with tools only where it has some, before it runs', async () => {
    expect(planTable((await paused()).plan, exampleToolRegistry, { width: 140, paint }).slice(2)).toEqual([
      '  #  task                                                     tool             calls are  inputs  step',
      '  1  User input (Text input): How many ounces?                –                –          –       ounces',
      '  2  Use tool calculator_tool with args: math_question=2 * 3  calculator_tool  read-only  –       price',
      '  3  Write a receipt                                          llm_tool         read-only  price   receipt',
      '  4  User verification: Keep it?                              –                –          –       step_3',
    ]);
  });

  it('is shown so in its runs and while it runs', async () => {
    const { run, plan } = await paused();
    const lines = runLines(run, plan, { width: 100, paint });
    expect(lines.slice(lines.findIndex((line) => line.startsWith('  #')))).toEqual([
      '  #  step                      tool             value',
      '  1  ounces                    –                here',
      '  2  price                     calculator_tool',
      '  3  receipt                   llm_tool',
      '  4  User verification: Keep…  –',
    ]);
    const progress = new Progress(plan, exampleToolRegistry, paint);
    const start: RunEventBody = { type: 'run-start', epoch: 1, host: 'h', version: '1' };
    expect(events(start).flatMap((event) => progress.take(event))).toMatchObject([
      { text: '  · 1/4  ounces   User input (Text input): How many ounces?' },
    ]);
    expect(progress.live(1_000)[0]).toMatch(/ounces {3}0 ms {4}User input \(Text input\): How many ounces\?$/);
  });
});

describe('progress', () => {
  function told(...signals: (RunEvent | RunNotice)[]): string[] {
    const progress = new Progress(plan, exampleToolRegistry, paint);
    return signals.flatMap((signal) => progress.take(signal)).map(({ text }) => text);
  }

  it('follows a run from stored events alone', () => {
    const lines = told(
      ...events(
        { type: 'run-start', epoch: 1, host: 'h', version: '1' },
        searched,
        { type: 'step-end', step: 0, ms: 40 },
        { type: 'tool-call-start', ...intent },
        { type: 'tool-call-unknown', step: 1, call: '1.0.1', reason: 'the process ended' },
        { type: 'tool-call-repeat', step: 1, call: '1.0.1' },
        { type: 'step-end', step: 1, output: { value: 'written', summary: 'It is written.' }, ms: 5 },
        { type: 'run-end', state: 'COMPLETE' },
      ),
    );
    expect(lines).toEqual([
      '  · 1/2  $price  search_tool: Look up the price of gold',
      '  ✓ 1/2  $price  40 ms   2 items: [{"title":"a"},{"title":"b"}]',
      '  · 2/2  $file   file_writer_tool: Write it down',
      '      1.0.1 file_writer_tool: its intent is on record',
      '      ? 1.0.1 file_writer_tool: the process ended',
      '      ↻ 1.0.1 file_writer_tool: called again with the same idempotency key',
      '  ✓ 2/2  $file   5 ms    It is written.',
    ]);
  });

  it('tells of soft and hard failures, and of steps that were left out', () => {
    const failed = { status: 'FAILED', error: { code: 'TOOL_FAILED', message: 'no such city' } } as const;
    const lines = told(
      ...events(
        { type: 'tool-call-end', step: 0, call: '0.0.1', tool: 'search_tool', outcome: { ...failed, soft: true } },
        { type: 'tool-call-end', step: 0, call: '0.0.2', tool: 'search_tool', outcome: failed },
        {
          type: 'step-end',
          step: 0,
          skipped: 'condition',
          output: { value: 'Tool execution skipped', summary: 'not needed' },
        },
      ),
    );
    expect(lines.slice(1, 4)).toEqual([
      '      ✗ 0.0.1 search_tool: nothing happened: no such city',
      '      ✗ 0.0.2 search_tool: failed: no such city',
      '  – 1/2  $price  left out: not needed',
    ]);
  });

  it('shows steps that run side by side, whichever ends first', () => {
    const progress = new Progress(plan, exampleToolRegistry, paint);
    progress.take({ at: 1_000, type: 'step-start', step: 0 });
    progress.take({ at: 1_000, type: 'step-start', step: 1 });
    expect(progress.live(1_000)).toHaveLength(2);
    const [second, first] = events(
      { type: 'step-end', step: 1, output: { value: 'b' } },
      { type: 'step-end', step: 0, output: { value: 'a' } },
    );
    expect(progress.take(second as RunEvent).map(({ text }) => text)).toEqual(['  ✓ 2/2  $file   0 ms    b']);
    expect(progress.live(1_000)[0]).toContain('$price');
    expect(progress.take(first as RunEvent).map(({ text }) => text)).toEqual(['  ✓ 1/2  $price  1.0 s   a']);
  });

  it('shows what goes on right now', () => {
    const progress = new Progress(plan, exampleToolRegistry, paint);
    progress.take({ at: 1_000, type: 'step-start', step: 0 });
    expect(progress.live(1_500)).toEqual([
      expect.stringMatching(/^ {2}\S 1\/2 {2}\$price {2}500 ms {2}Search Tool: Look up/),
    ]);
    progress.take({ at: 1_500, type: 'tool-progress', step: 0, call: '0.0.1', progress: '3 of 7' });
    expect(progress.live(2_000)[0]).toContain('3 of 7');
    for (const text of ['Gold ', 'is dear.'])
      progress.take({ at: 1_600, type: 'text-delta', step: 0, call: 'm1', text });
    expect(progress.live(2_000)[0]).toContain('Gold is dear.');
    progress.take({ at: 1_700, type: 'text-delta', step: 0, call: 'm1', text: 'Once more.', again: true });
    expect(progress.live(2_000)[0]).toMatch(/ {2}Once more\.$/);
    progress.take({ ...events({ type: 'run-wait' })[0] } as RunEvent);
    expect(progress.live(2_000)).toEqual([]);
  });
});

const erasesOneLine = '\r\u001b[1A\u001b[0J';

describe('the live view', () => {
  function paper(isLive: boolean): Paper & { text: string } {
    return {
      text: '',
      isLive,
      width: 60,
      write(text) {
        this.text += text;
      },
    };
  }
  const start = events({ type: 'run-start', epoch: 1, host: 'h', version: '1' }, searched, {
    type: 'step-end',
    step: 0,
    ms: 1,
  });

  it('writes plain lines where nothing can be written over', () => {
    const sheet = paper(false);
    const view = new LiveView(sheet, new Progress(plan, exampleToolRegistry, paint));
    for (const event of start) view.take(event);
    view.stop();
    expect(sheet.text.split('\n')).toHaveLength(4);
    expect(sheet.text).not.toContain('\u001b');
  });

  it('writes over what is only of the moment, and nothing while it is paused', () => {
    const sheet = paper(true);
    const view = new LiveView(sheet, new Progress(plan, exampleToolRegistry, paint));
    view.take(start[0] as RunEvent);
    expect(sheet.text).toMatch(/1\/2 {2}\$price .*\n$/);
    view.pause();
    expect(sheet.text.endsWith(erasesOneLine)).toBe(true);
    const paused = sheet.text;
    view.take(start[1] as RunEvent);
    view.take(start[2] as RunEvent);
    expect(sheet.text).toBe(paused);
    view.resume();
    view.stop();
    const after = sheet.text.slice(paused.length);
    expect(after.endsWith(erasesOneLine)).toBe(true);
    expect(after).toMatch(/✓ 1\/2[^\n]*\n {2}\S 2\/2[^\n]*\n/);
    for (const line of sheet.text.split('\n')) expect(textWidth(stripVTControlCharacters(line))).toBeLessThan(61);
  });
});

describe('the ledger', () => {
  const id = PlanRunUUID.random();
  const crashed = events(
    searched,
    { type: 'step-end', step: 0 },
    {
      type: 'model-call-end',
      step: 1,
      call: 'm1',
      purpose: 'execution',
      model: 'm',
      answer: { text: '', finishReason: 'stop' },
      ms: 1,
    },
    { type: 'tool-call-start', ...intent },
    { type: 'tool-call-unknown', step: 1, call: '1.0.1', reason: 'the process ended' },
  );

  it('lists every call with its outcome and how often it was tried', () => {
    const [, first, second] = ledgerTable(ledgerOf(crashed, id), { width: 140, paint });
    expect(first).toMatch(/^ {2}0\.0\.1 {2}search_tool {7}done {5}1 .* {"search_query":"gold"} → 2 items/);
    expect(second).toMatch(
      /^ {2}1\.0\.1 {2}file_writer_tool {2}unknown {2}1 .* {"filename":"a\.md"} → the process ended$/,
    );
  });

  it('says what whoever takes over need not do again, and what nobody can know', () => {
    expect(takeoverLines(crashed, ledgerOf(crashed, id), paint)).toEqual([
      '  reused from the ledger: 1 finished step, 1 tool call and 1 model answer',
      '  unknown: call 1.0.1 of file_writer_tool {"filename":"a.md"}',
    ]);
    expect(takeoverLines([], [], paint)).toEqual(['  reused from the ledger: nothing yet']);
  });
});

describe('a question', () => {
  function record(
    clarification: ClarificationRecord['clarification'],
    more: Partial<ClarificationRecord> = {},
  ): ClarificationRecord {
    return {
      clarification,
      step: 0,
      visit: 0,
      key: 'k',
      audience: 'endUser',
      raisedAt: 0,
      approves: undefined,
      expiresAt: undefined,
      onExpiry: 'fail',
      resolvedBy: null,
      resolvedAs: null,
      via: null,
      ...more,
    };
  }

  it('is shown with its choices, who may answer, and the command that answers', () => {
    const asked = MultipleChoiceClarification({
      userGuidance: 'Which one?',
      argumentName: 'file',
      options: ['a b.txt', 7],
      source: 'reader',
    });
    expect(questionLines(record(asked), (_record, value) => `answer ${value}`, paint)).toEqual([
      `? Multiple Choice from reader for the end user  ${asked.id}`,
      '  Which one?',
      '    - a b.txt',
      '    - 7',
      "  answer: answer 'a b.txt'",
    ]);
    const approval = UserVerificationClarification({ userGuidance: 'Sure?' });
    const lines = questionLines(
      record(approval, { audience: 'role:finance', expiresAt: 0 }),
      (_record, value) => `answer ${value}`,
      paint,
    );
    expect(lines[0]).toContain('for people with the role finance, until 1970-01-01T00:00:00.000Z');
    expect(lines.at(-1)).toBe('  answer: answer true');
    const input = InputClarification({ userGuidance: 'How many?', argumentName: 'n' });
    expect(questionLines(record(input), (_record, value) => `answer ${value}`, paint).at(-1)).toBe(
      '  answer: answer VALUE',
    );
  });
});
