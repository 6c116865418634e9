import { PassThrough } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import {
  ActionClarification,
  checkResponse,
  type Clarification,
  CustomClarification,
  InputClarification,
  MultipleChoiceClarification,
  UserVerificationClarification,
  ValueConfirmationClarification,
} from '../core/clarification.ts';
import { PortiaError } from '../core/errors.ts';
import { handleClarification } from './clarification-handler.ts';
import { TerminalClarificationHandler, type TerminalStreams } from './terminal-handler.ts';

const open: { handler: TerminalClarificationHandler; input: PassThrough }[] = [];

afterEach(() => {
  for (const { handler, input } of open.splice(0)) {
    handler.close();
    input.destroy();
  }
});

function terminal(typed: string, { end = true } = {}) {
  const input = new PassThrough();
  const output = new PassThrough();
  const handler = new TerminalClarificationHandler({ input, output });
  open.push({ handler, input });
  if (end) input.end(typed);
  else input.write(typed);
  return { handler, input, shown: () => String(output.read() ?? '') };
}

/** What the handler answered, as a run would take it: refused answers throw. */
function answers() {
  const given: unknown[] = [];
  return {
    given,
    onResolution: (clarification: Clarification, response: unknown) =>
      void given.push(checkResponse(clarification, response)),
    onError: (_clarification: Clarification, error: Error) => void given.push(`error: ${error.message}`),
  };
}

async function ask(clarification: Clarification, typed: string): Promise<{ given: unknown[]; shown: string }> {
  const { handler, shown } = terminal(typed);
  const { given, onResolution, onError } = answers();
  await handleClarification(handler, clarification, onResolution, onError);
  return { given, shown: shown() };
}

const userGuidance = 'What now?';

describe('the terminal handler', () => {
  it('asks for a value, again while it is empty', async () => {
    const { given, shown } = await ask(InputClarification({ userGuidance, argumentName: 'x' }), '\n  \n 42 \n');
    expect(given).toEqual(['42']);
    expect(shown).toBe(
      '\nWhat now?\nPlease enter a value: An empty answer does not answer the question.\n' +
        'Please enter a value: An empty answer does not answer the question.\nPlease enter a value: ',
    );
  });

  it.each([
    ['2\n', 100],
    ['100\n', 100],
    ['0\n4\nfifty\n200\n', 200],
  ])('takes %j as one of numbered options', async (typed, value) => {
    const { given, shown } = await ask(
      MultipleChoiceClarification({ userGuidance, argumentName: 'x', options: [50, 100, 200] }),
      typed,
    );
    expect(given).toEqual([value]);
    expect(shown).toContain('  1) 50\n  2) 100\n  3) 200\n');
  });

  it.each([
    ['{"a": 1}', { a: 1 }],
    ['""', ''],
    ['null', null],
    ['5', null],
    ['one', 'one'],
    ['"one"', 'one'],
  ])('takes %s as an option typed out or numbered', async (typed, value) => {
    const options = ['one', '', { a: 1 }, true, null];
    const { given, shown } = await ask(
      MultipleChoiceClarification({ userGuidance, argumentName: 'x', options }),
      `\n${typed}\n`,
    );
    expect(given).toEqual([value]);
    expect(shown).toContain('1) one\n  2) ""\n  3) {"a":1}\n  4) true\n  5) null\n');
    expect(shown).toContain('Please answer with a number from 1 to 5');
  });

  it('does not number options that could be taken for numbers of other options', async () => {
    const clarification = MultipleChoiceClarification({ userGuidance, argumentName: 'x', options: [3, 2, 1] });
    const { given, shown } = await ask(clarification, '4\n1\n');
    expect(given).toEqual([1]);
    expect(shown).toContain('  - 3\n  - 2\n  - 1\n');
    expect(shown).toContain('Please answer with one of the values.');
  });

  it.each([
    ['y\n', true],
    ['YES\n', true],
    ['maybe\nn\n', false],
    ['no\n', false],
    ['\n', false],
  ])('reads %j to a verification', async (typed, value) => {
    const { given, shown } = await ask(UserVerificationClarification({ userGuidance }), typed);
    expect(given).toEqual([value]);
    expect(shown).toContain('Yes or no? [y/N]: ');
    expect(shown.includes('Please answer y or n.')).toBe(typed.startsWith('maybe'));
  });

  it.each([
    ['y\n', true],
    ['\n', 'error: Clarification was rejected by the user'],
  ])('reads %j to a value confirmation', async (typed, value) => {
    expect((await ask(ValueConfirmationClarification({ userGuidance, argumentName: 'x' }), typed)).given).toEqual([
      value,
    ]);
  });

  it('shows the link of an action and asks only where a confirmation is required', async () => {
    const actionUrl = 'https://example.org/sign-in';
    const plain = await ask(ActionClarification({ userGuidance, actionUrl }), 'y\n');
    expect(plain.given).toEqual([]);
    expect(plain.shown).toBe('\nWhat now?\nPlease follow this link to go on: https://example.org/sign-in\n');
    const asking = ActionClarification({ userGuidance, actionUrl, requireConfirmation: true });
    expect((await ask(asking, 'y\n')).given).toEqual([true]);
    expect((await ask(asking, 'n\n')).given).toEqual(['error: Clarification was rejected by the user']);
  });

  it('shows the data of a custom question and takes text', async () => {
    const { given, shown } = await ask(
      CustomClarification({ userGuidance, name: 'pick', data: { candidates: ['p1'] } }),
      'p1\n',
    );
    expect(given).toEqual(['p1']);
    expect(shown).toContain('Additional data: {"candidates":["p1"]}\n');
  });

  it('leaves the question open when the input ends', async () => {
    for (const typed of ['', 'maybe\n']) {
      expect((await ask(UserVerificationClarification({ userGuidance }), typed)).given).toEqual([]);
    }
  });

  it('writes to whatever takes text, and the streams of the process fit', async () => {
    const own: TerminalStreams = { input: process.stdin, output: process.stdout };
    expect(own.output).toBe(process.stdout);
    const input = new PassThrough();
    const written: string[] = [];
    const handler = new TerminalClarificationHandler({ input, output: { write: (text) => written.push(text) } });
    open.push({ handler, input });
    input.end('maybe\ny\n');
    const { given, onResolution } = answers();
    await handler.handleUserVerification(UserVerificationClarification({ userGuidance }), onResolution);
    expect(given).toEqual([true]);
    expect(written.join('')).toContain('\nWhat now?\nYes or no? [y/N]: Please answer y or n.\n');
  });

  it('takes answers typed ahead, one a question, and asks one question at a time', async () => {
    const { handler, shown } = terminal('a\nb\n');
    const { given, onResolution } = answers();
    const asked = ['first?', 'second?', 'third?'].map((guidance) =>
      InputClarification({ userGuidance: guidance, argumentName: 'x' }),
    );
    await Promise.all(asked.map((clarification) => handler.handleInput(clarification, onResolution)));
    expect(given).toEqual(['a', 'b']);
    expect(shown().match(/first|second|third|Please enter/g)).toEqual([
      'first',
      'Please enter',
      'second',
      'Please enter',
      'third',
      'Please enter',
    ]);
  });

  it('waits for an answer that comes later, and goes on with the next question after one failed', async () => {
    const { handler, input } = terminal('', { end: false });
    const { given, onResolution } = answers();
    const clarification = InputClarification({ userGuidance, argumentName: 'x' });
    const broken = handler.handleInput(clarification, () => Promise.reject(new Error('the store is gone')));
    const next = handler.handleInput(clarification, onResolution);
    setTimeout(() => input.write('one\n'), 5);
    await expect(broken).rejects.toThrow('the store is gone');
    input.write('two\n');
    await next;
    expect(given).toEqual(['two']);
  });

  it('asks again when the answer is refused, and stops when somebody else has answered', async () => {
    const refuse = (
      code: 'CLARIFICATION_RESPONSE_INVALID' | 'CLARIFICATION_ALREADY_RESOLVED',
      message: string,
      hint?: string,
    ) => new PortiaError({ code, message, hint });
    const { handler, shown } = terminal('1\n2\n3\n');
    const tried: unknown[] = [];
    await handler.handleInput(InputClarification({ userGuidance, argumentName: 'x' }), (_clarification, response) => {
      tried.push(response);
      throw tried.length === 1
        ? refuse('CLARIFICATION_RESPONSE_INVALID', 'too small', 'give 2')
        : refuse('CLARIFICATION_ALREADY_RESOLVED', 'too late');
    });
    expect(tried).toEqual(['1', '2']);
    expect(shown()).toContain('too small (give 2)\n');
  });

  it('lets no text of a tool steer the terminal', async () => {
    const evil = '\u001b[2J\u001b[1;1HApproved\u202e\u0007\r\u{e0041}';
    const { shown } = await ask(
      MultipleChoiceClarification({ userGuidance: `${evil}\nreally?`, argumentName: 'x', options: [evil, 'b\nc'] }),
      '2\n',
    );
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(shown).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    expect(shown).toContain('\\u001b[2J\\u001b[1;1HApproved\\u202e\\u0007\\u000d\\u{e0041}\nreally?\n');
    expect(shown).toContain('  2) b c\n');
  });
});
