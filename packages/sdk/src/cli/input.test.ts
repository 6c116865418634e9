import { describe, expect, it } from 'vitest';
import {
  InputClarification,
  MultipleChoiceClarification,
  UserVerificationClarification,
} from '../core/clarification.ts';
import { Plan } from '../core/plan.ts';
import { nextCommand, quoted } from './command-text.ts';
import { exitCodeOfError, exitCodeOfRun } from './exit-codes.ts';
import { type OptionSpecs, readInput } from './input.ts';
import { driveOptions, runOptions } from './options.ts';
import { runOptionsOf, typedAnswer } from './values.ts';

const specs: OptionSpecs = {
  storage: { type: 'text', value: 'WHERE', help: '' },
  label: { type: 'text', many: true, help: '' },
  limit: { type: 'text', help: '' },
  confirm: { type: 'text', help: '' },
  yes: { type: 'flag', short: 'y', help: '' },
};
const read = (...args: string[]): ReturnType<typeof readInput> => readInput(args, specs, 'run');

describe('what is typed', () => {
  it('is read as words, texts, repeated texts and flags', () => {
    const input = read(
      'a query',
      '--storage=memory',
      '-y',
      '--label',
      'a=1',
      '--label',
      'b=x=y',
      '--',
      '--not-an-option',
    );
    expect(input.positionals).toEqual(['a query', '--not-an-option']);
    expect(input.text('storage')).toBe('memory');
    expect(input.flag('yes')).toBe(true);
    expect([...input.pairs('label')]).toEqual([
      ['a', '1'],
      ['b', 'x=y'],
    ]);
    expect(read('--confirm', 'false').bool('confirm')).toBe(false);
    expect(read().flag('yes')).toBe(false);
  });

  it.each([
    [['--storge', 'x'], /no option --storge/, /did you mean --storage\?/],
    [['--nothing-like-it'], /no option --nothing-like-it/, /run --help/],
    [['-q'], /no option -q/, /run --help/],
    [['--storage'], /--storage needs a value/, /--storage=WHERE/],
    [['--storage', '--yes'], /--storage needs a value/, /--storage=WHERE/],
    [['--storage', 'a', '--storage', 'b'], /given twice/, undefined],
    [['--yes=1'], /--yes takes no value/, undefined],
  ])('is refused with what was meant: %j', (args, message, hint) => {
    try {
      read(...args);
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code: 'USAGE', message: expect.stringMatching(message) });
      if (hint) expect(error).toMatchObject({ hint: expect.stringMatching(hint) });
    }
  });

  it('is refused where a value cannot be read', () => {
    expect(() => read('--limit', '0').count('limit')).toThrow(/whole number above 0/);
    expect(() => read('--confirm', 'maybe').bool('confirm')).toThrow(/true or false/);
    expect(() => read('--label', 'novalue').pairs('label')).toThrow(/name=value/);
  });
});

describe('a typed answer', () => {
  const choice = MultipleChoiceClarification({
    userGuidance: 'g',
    argumentName: 'n',
    options: ['7', 7, 'call again', { a: 1 }],
  });

  it('is an option by its text first, then as JSON', () => {
    expect(typedAnswer(choice, '7')).toBe('7');
    expect(typedAnswer(choice, 'call again')).toBe('call again');
    expect(typedAnswer(choice, '{"a": 1}')).toEqual({ a: 1 });
    expect(typedAnswer(choice, 'nothing')).toBe('nothing');
  });

  it('is a yes only where a yes is asked for', () => {
    const approval = UserVerificationClarification({ userGuidance: 'g' });
    expect(['yes', 'NO', 'true', 'sure'].map((text) => typedAnswer(approval, text))).toEqual([
      true,
      false,
      true,
      'sure',
    ]);
    expect(typedAnswer(InputClarification({ userGuidance: 'g', argumentName: 'n' }), 'yes')).toBe('yes');
  });
});

describe('values for the inputs of a plan', () => {
  const plan = new Plan({
    planContext: { query: 'q', toolIds: [] },
    steps: [],
    planInputs: [{ name: '$region' }, { name: 'n' }],
  });
  const typed = (...args: string[]): ReturnType<typeof runOptionsOf> =>
    runOptionsOf(readInput(args, runOptions, 'run'), plan);

  it('are JSON or text, under the names of the plan, with or without the dollar sign', () => {
    expect(typed('--input', 'region=EMEA', '--input', 'n=[1, 2]').planRunInputs).toEqual({
      $region: 'EMEA',
      n: [1, 2],
    });
    expect(typed('--input', '$region=7').planRunInputs).toEqual({ $region: 7 });
  });

  it('are refused under names the plan does not have', () => {
    expect(() => typed('--input', 'regon=x')).toThrow(
      expect.objectContaining({ code: 'USAGE', hint: 'did you mean $region?' }),
    );
  });
});

describe('a command to go on with', () => {
  it('can be pasted into a shell, and finds the same store', () => {
    const input = readInput(
      ['--storage', "disk:it's here", '--model', 'openai/gpt-4.1', '--yes'],
      { ...driveOptions, ...specs },
      'run',
    );
    expect(nextCommand(input, ['runs show', 'prun-1'])).toBe(
      "npx portia-ts runs show prun-1 --storage 'disk:it'\\''s here'",
    );
    expect(nextCommand(input, ['resume', 'prun-1'], true)).toMatch(/ --model openai\/gpt-4\.1$/);
    expect(quoted('')).toBe("''");
    const secret = readInput(['--storage', 'postgres://ada:hunter2@db/x'], { ...driveOptions, ...specs }, 'run');
    expect(nextCommand(secret, ['resume'])).toBe('npx portia-ts resume --storage postgres://ada:PASSWORD@db/x');
  });
});

describe('exit codes', () => {
  it('tell a finished run, a waiting one, a stopped one and a refused command apart', () => {
    expect(exitCodeOfRun({ state: 'COMPLETE' }, 'SIGINT')).toBe(0);
    expect(exitCodeOfRun({ state: 'FAILED' }, undefined)).toBe(1);
    expect(exitCodeOfRun({ state: 'NEED_CLARIFICATION' }, undefined)).toBe(3);
    expect(exitCodeOfRun({ state: 'IN_PROGRESS' }, undefined)).toBe(4);
    expect(exitCodeOfRun({ state: 'IN_PROGRESS' }, 'SIGINT')).toBe(130);
    expect(exitCodeOfRun({ state: 'NEED_CLARIFICATION' }, 'SIGTERM')).toBe(143);
    expect(
      ['USAGE', 'CLARIFICATION_RESPONSE_INVALID', 'RUN_BUSY', 'PLAN_RUN_NOT_FOUND', undefined].map(exitCodeOfError),
    ).toEqual([2, 2, 4, 1, 1]);
  });
});
