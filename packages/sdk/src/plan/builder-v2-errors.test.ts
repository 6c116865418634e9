import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Portia } from '../client.ts';
import { Config } from '../config/config.ts';
import { PlanBuilderError, PortiaError } from '../core/errors.ts';
import { PlanV2 } from '../core/plan-v2.ts';
import { FirstOf, type StepV2 } from '../core/plan-v2-steps.ts';
import { Input, StepOutput, text } from '../core/reference.ts';
import { withJsonSchema } from '../core/schema.ts';
import { memoryStorage } from '../storage/memory/memory-storage.ts';
import { tool } from '../tool/tool.ts';
import { PlanBuilderV2 } from './builder-v2.ts';

// As JavaScript sees the builder: nothing is checked before it runs.
// biome-ignore lint/suspicious/noExplicitAny: see above
const builder = (label?: string): any => new PlanBuilderV2(label);
const one = (): number => 1;

/** The error of what is called, which has to be one of the builder's. */
function errorOf(build: () => unknown): PlanBuilderError {
  try {
    build();
  } catch (error) {
    expect(error).toBeInstanceOf(PlanBuilderError);
    expect(PortiaError.isInstance(error)).toBe(true);
    expect(error).toMatchObject({ name: 'PlanBuilderError', code: 'PLAN_INVALID' });
    return error as PlanBuilderError;
  }
  throw new Error('nothing was thrown');
}

describe('what is no option at all', () => {
  const cycle: Record<string, unknown> = {};
  cycle['again'] = cycle;
  // biome-ignore lint/suspicious/noExplicitAny: as JavaScript sees them
  const [output, input] = [StepOutput, Input] as any[];
  it.each([
    ['a step without options', () => builder().userVerify(), 'user-verify was given nothing'],
    ['a step with a number', () => builder().functionStep(7), 'function was given 7'],
    ['a final output', () => builder().functionStep({ function: one }).finalOutput(), 'finalOutput was given nothing'],
    ['an input', () => builder().input(null), 'input was given null'],
    ['a sub-plan', () => builder().addSubPlan(), 'addSubPlan was given nothing'],
    ['a reference with null', () => output('a', null), 'StepOutput takes no null'],
    ['a reference with a path that is no text', () => output('a', { path: 0 }), 'the path of StepOutput is 0'],
    ['a reference with an option there is not', () => output('a', { ful: true }), 'StepOutput takes no ful'],
    ['an input reference with one', () => input('a', { full: true }), 'Input takes no full'],
    ['a value that holds itself', () => builder().functionStep({ args: cycle, function: one }).build(), 'holds itself'],
  ])('%s', (_what, build, said) => {
    expect(errorOf(build).message).toContain(said);
  });
});

describe('blocks', () => {
  it('a loop has exactly one of while, doWhile and over', () => {
    expect(errorOf(() => builder().loop({ stepName: 'l', while: one, over: [1] })).message).toBe(
      'loop "l" is given while and over',
    );
    expect(errorOf(() => builder().loop({ doWhile: one, over: [1] })).hint).toContain('only one of');
    const none = errorOf(() => builder().loop({}).llmStep({ task: 'x' }).endLoop());
    expect(none.message).toBe('the loop opened at step 0 ("step_0") has no condition and nothing to go over');
    expect(none.hint).toContain('endLoop({ while, args })');
    expect(errorOf(() => builder().loop({ while: one }).endLoop({ while: one })).message).toContain(
      'a second condition',
    );
    expect(
      errorOf(() =>
        builder()
          .loop({ over: [1] })
          .endLoop({ while: one }),
      ).message,
    ).toContain('a second condition');
  });

  it.each([
    [
      'elseIf()',
      () => builder().elseIf({ condition: one }),
      'belongs to an if, but no block is open',
      'open one with if()',
    ],
    [
      'else()',
      () =>
        builder()
          .loop({ over: [1] })
          .else(),
      'belongs to an if, but the innermost open block is the loop opened at step 0',
      'call endLoop() first',
    ],
    [
      'endIf()',
      () => builder().parallel().endIf(),
      'belongs to an if, but the innermost open block is the parallel block',
      'call endParallel() first',
    ],
    [
      'endLoop()',
      () => builder().if({ condition: 'x' }).endLoop(),
      'belongs to a loop, but the innermost open block is the if',
      'call endIf() first',
    ],
    ['endLoop()', () => builder().endLoop(), 'belongs to a loop, but no block is open', 'open one with loop()'],
    ['branch()', () => builder().branch(), 'belongs to a parallel block', 'open one with parallel()'],
    [
      'endParallel()',
      () => builder().if({ condition: 'x' }).endParallel(),
      'belongs to a parallel block',
      'call endIf() first',
    ],
  ])('%s needs its block', (method, build, message, hint) => {
    const error = errorOf(build);
    expect(error.message).toContain(`${method} ${message}`);
    expect(error.hint).toBe(hint);
  });

  it('nothing follows the else of an if', () => {
    const open = () => builder().if({ condition: 'x' }).else();
    expect(errorOf(() => open().else()).message).toBe('else() follows the else of the if opened at step 0 ("step_0")');
    expect(errorOf(() => open().elseIf({ condition: 'y' })).message).toContain('elseIf() follows the else');
  });

  it('a parallel block has branches, and every step in it is in one', () => {
    expect(errorOf(() => builder().parallel().endParallel()).message).toContain('has no branches');
    expect(errorOf(() => builder().parallel().llmStep({ stepName: 'lost', task: 'x' })).message).toContain(
      'step "lost" stands in the parallel block',
    );
    expect(errorOf(() => builder().parallel().if({ condition: 'x' })).message).toContain('in none of its branches');
  });

  it('all are closed when the plan is built', () => {
    const error = errorOf(() =>
      builder()
        .loop({ over: [1] })
        .if({ condition: 'x' })
        .build(),
    );
    expect(error.message).toBe(
      'the plan ends while the if opened at step 1 ("step_1") and the loop opened at step 0 ("step_0") are open',
    );
    expect(error.hint).toBe('call endIf() before build()');
    expect(errorOf(() => builder().parallel().branch().build()).message).toContain('is open');
  });

  it('a step that was refused is not in the plan', () => {
    const built = builder().llmStep({ task: 'x' });
    expect(() => built.endIf()).toThrow(PlanBuilderError);
    expect(() => built.llmStep({})).toThrow(PlanBuilderError);
    expect(built.build().steps).toHaveLength(1);
  });
});

describe('references', () => {
  const start = () =>
    builder()
      .input({ name: 'country', schema: z.object({ code: z.string() }) })
      .llmStep({ stepName: 'price', task: 'x', outputSchema: z.object({ amount: z.number(), currency: z.string() }) })
      .llmStep({ stepName: 'words', task: 'x' });
  const problemOf = (build: () => unknown): string => {
    const { message, details = {} } = errorOf(build);
    expect(message).toMatch(/^the plan cannot be built: /);
    expect((details['problems'] as string[]).join('; ')).toBe(message.slice('the plan cannot be built: '.length));
    return message;
  };

  it.each([
    [
      'arguments',
      (b: ReturnType<typeof builder>) =>
        b.functionStep({ stepName: 'bad', function: one, args: { a: StepOutput('prise') } }),
    ],
    [
      'nested arguments',
      (b) => b.functionStep({ stepName: 'bad', function: one, args: { a: [{ b: StepOutput('prise') }] } }),
    ],
    ['texts', (b) => b.llmStep({ stepName: 'bad', task: text`${StepOutput('prise')}` })],
    ['plain template strings', (b) => b.llmStep({ stepName: 'bad', task: `Is ${StepOutput('prise')}` })],
    ["Python's templates", (b) => b.exit({ stepName: 'bad', message: "{{ StepOutput('prise') }}" })],
    ['inputs', (b) => b.reactAgentStep({ stepName: 'bad', task: 'x', inputs: [1, StepOutput('prise')] })],
    ['options', (b) => b.userInput({ stepName: 'bad', message: 'x', options: StepOutput('prise') })],
    ['lists to go over', (b) => b.loop({ stepName: 'bad', over: StepOutput('prise') }).endLoop()],
    [
      'initial values',
      (b) => b.loop({ stepName: 'bad', while: one, args: { a: 1 }, initial: { a: StepOutput('prise') } }).endLoop(),
    ],
    ['durations', (b) => b.sleep({ stepName: 'bad', ms: StepOutput('prise') })],
    [
      'approvals',
      (b) => b.functionStep({ stepName: 'bad', function: one, approval: { message: `${StepOutput('prise')}?` } }),
    ],
  ])('to steps that are not there are refused in %s', (_where, add) => {
    expect(problemOf(() => add(start()).build())).toContain(
      'step "bad" refers to step "prise", which is not in the plan (did you mean "price"?); it may refer to "price", "words"',
    );
  });

  it('are refused in conditions, which say what they are', () => {
    expect(
      problemOf(() =>
        start()
          .if({ condition: `${StepOutput('prise')} is high` })
          .endIf()
          .build(),
      ),
    ).toContain('step 2 (if) refers to step "prise"');
    expect(
      problemOf(() =>
        start()
          .loop({})
          .endLoop({ while: one, args: { a: StepOutput('prise') } })
          .build(),
      ),
    ).toContain('step 3 (end-loop) refers to step "prise"');
  });

  it('to inputs that are not there are refused', () => {
    expect(
      problemOf(() =>
        start()
          .llmStep({ stepName: 'bad', task: `${Input('contry')}` })
          .build(),
      ),
    ).toContain(
      'step "bad" refers to input "contry", which the plan does not have (did you mean "country"?); its inputs are "country"',
    );
    expect(
      problemOf(() =>
        builder()
          .llmStep({ task: `${Input('country')}` })
          .build(),
      ),
    ).toContain('it has none');
  });

  it('to later steps and to the step itself are refused', () => {
    const later = start()
      .llmStep({ stepName: 'bad', task: `${StepOutput('after')}` })
      .llmStep({ stepName: 'after', task: 'x' });
    expect(problemOf(() => later.build())).toContain('step "bad" refers to step "after", which comes later');
    expect(
      problemOf(() =>
        start()
          .llmStep({ stepName: 'bad', task: `${StepOutput('bad')}` })
          .build(),
      ),
    ).toContain('which is itself');
    expect(
      problemOf(() =>
        builder()
          .llmStep({ stepName: 'bad', task: `${StepOutput(1)}` })
          .llmStep({ task: 'x' })
          .build(),
      ),
    ).toContain('which comes later; no step before it has an output');
  });

  it('by index are checked, counted from either end', () => {
    expect(
      start()
        .llmStep({ task: `${StepOutput(0)} ${StepOutput(-2)}` })
        .build().steps,
    ).toHaveLength(3);
    expect(
      problemOf(() =>
        start()
          .llmStep({ task: `${StepOutput(7)}` })
          .build(),
      ),
    ).toContain('step 2 (llm) refers to step 7, but the plan has 3 steps');
    expect(
      problemOf(() =>
        start()
          .llmStep({ task: `${StepOutput(-4)}` })
          .build(),
      ),
    ).toContain('refers to step -4, but');
    expect(
      problemOf(() =>
        start()
          .llmStep({ task: `${StepOutput(-1)}` })
          .build(),
      ),
    ).toContain('refers to step -1, which is itself');
  });

  it('by default name are checked as by any other', () => {
    const unnamed = () => builder().functionStep({ function: one }).llmStep({ stepName: 'b', task: 'x' });
    const plan = unnamed().llmStep({ task: text`${StepOutput('step_0')}` });
    expect(plan.build().steps).toHaveLength(3);
    const wrong = unnamed().llmStep({ task: text`${StepOutput('step_1')}` });
    expect(problemOf(() => wrong.build())).toContain('refers to step "step_1", which is not in the plan');
  });

  it('into another branch are refused, inside the block and only there', () => {
    const parallel = () => start().parallel().branch().llmStep({ stepName: 'a', task: 'x' }).branch();
    const across = parallel()
      .llmStep({ stepName: 'bad', task: `${StepOutput('a')}` })
      .endParallel();
    expect(problemOf(() => across.build())).toContain(
      'step "bad" refers to step "a", which is in another branch of the parallel block opened at step 2; it may refer to "price", "words"',
    );
    const deep = parallel()
      .if({ condition: 'x' })
      .llmStep({ stepName: 'bad', task: `${StepOutput('a')}` })
      .endIf()
      .endParallel();
    expect(problemOf(() => deep.build())).toContain('another branch of the parallel block');
    const clauses = start()
      .if({ condition: 'x' })
      .llmStep({ stepName: 'a', task: 'x' })
      .else()
      .llmStep({ stepName: 'bad', task: `${StepOutput('a')}` });
    expect(problemOf(() => clauses.endIf().build())).toContain('another branch of the if opened at step 2');
    const elseIf = start()
      .if({ condition: 'x' })
      .llmStep({ stepName: 'a', task: 'x' })
      .elseIf({ condition: one, args: { a: StepOutput('a') } });
    expect(problemOf(() => elseIf.endIf().build())).toContain('step 4 (else-if) refers to step "a"');
    const after = parallel()
      .llmStep({ stepName: 'b', task: 'x' })
      .endParallel()
      .llmStep({ task: `${StepOutput('a')} ${StepOutput('b')}` });
    expect(after.build().steps).toHaveLength(9);
    const ifResult = start()
      .if({ condition: 'x' })
      .else()
      .functionStep({ function: one, args: { was: StepOutput(2) } })
      .endIf();
    expect(ifResult.build().steps).toHaveLength(6);
  });

  it.each([
    ['else', (b: ReturnType<typeof builder>) => b.if({ condition: 'x' }).else().endIf(), 3],
    ['end-if', (b) => b.if({ condition: 'x' }).else().endIf(), 4],
    ['parallel', (b) => b.parallel().branch().endParallel(), 2],
    ['branch', (b) => b.parallel().branch().endParallel(), 3],
    ['end-parallel', (b) => b.parallel().branch().endParallel(), 4],
    ['loop', (b) => b.loop({ doWhile: one }).endLoop(), 2],
    ['end-loop', (b) => b.loop({ over: [1] }).endLoop(), 3],
  ])('to the %s of a block are refused: it has no output', (kind, add, index) => {
    expect(
      problemOf(() =>
        add(start())
          .llmStep({ task: `${StepOutput(index)}` })
          .build(),
      ),
    ).toContain(`which is the ${kind} of a block and has no output`);
  });

  it('to what makes no output are refused', () => {
    expect(
      problemOf(() =>
        start()
          .sleep({ ms: 1 })
          .exit()
          .llmStep({ task: `${StepOutput(2)}${StepOutput(3)}` })
          .build(),
      ),
    ).toMatch(/which is a sleep and has no output.*which is an exit and has no output/);
  });

  it('to conditions, items and verifications are fine', () => {
    const plan = start()
      .if({ condition: one })
      .elseIf({ condition: one, args: { was: StepOutput(2) } })
      .endIf()
      .loop({ stepName: 'item', over: [1] })
      .functionStep({ function: one, args: { item: StepOutput('item') } })
      .endLoop()
      .userVerify({ stepName: 'sure', message: 'x' })
      .functionStep({
        function: one,
        args: {
          all: [
            StepOutput(2),
            StepOutput(3, { optional: true }),
            StepOutput('item', { optional: true }),
            StepOutput('sure'),
          ],
        },
      });
    expect(plan.build().steps).toHaveLength(10);
  });

  it('to what may not have run are refused unless they are marked, or what they name is merged', () => {
    const branched = () =>
      builder()
        .if({ stepName: 'rains', condition: one })
        .llmStep({ stepName: 'umbrella', task: 'x' })
        .elseIf({ condition: one })
        .llmStep({ stepName: 'coat', task: 'x' })
        .llmStep({ stepName: 'buttons', task: text`${StepOutput('coat')}` })
        .endIf({ stepName: 'worn', value: FirstOf('umbrella', 'coat') });
    const problem = (options?: object) =>
      problemOf(() =>
        branched()
          .functionStep({ stepName: 'go', function: one, args: { a: StepOutput('coat', options) } })
          .build(),
      );
    expect(problem()).toContain(
      'step "go" refers to step "coat", which may not have run: it is in a branch of the if opened at step 0. ' +
        'Mark the reference as { optional: true }, or merge the branches: endIf({ stepName, value: FirstOf(…) })',
    );
    for (const options of [{ optional: true }, { full: true }]) {
      const plan = branched().functionStep({ function: one, args: { a: StepOutput('coat', options) } });
      expect(plan.build().steps).toHaveLength(7);
    }
    expect(problemOf(() => branched().llmStep({ task: "{{ StepOutput('coat') }}" }).build())).toContain(
      'may not have run',
    );
    expect(
      problemOf(() =>
        branched()
          .llmStep({ task: text`${StepOutput(1)}` })
          .build(),
      ),
    ).toContain('may not have run');
    const fine = branched().functionStep({ function: one, args: { a: StepOutput('worn'), b: StepOutput('rains') } });
    expect(fine.build().steps).toHaveLength(7);
  });

  it('into a loop that need not go round are refused, into one that goes round once or more are not', () => {
    const after = (options: object, name: string) =>
      builder()
        .loop({ stepName: 'l', ...options } as never)
        .functionStep({ stepName: 'in', function: one })
        .endLoop({ stepName: 'end' })
        .functionStep({ stepName: 'go', function: one, args: { a: StepOutput(name) } })
        .build();
    const missing = 'which may not have run: it is in the loop opened at step 0, which need not go round';
    expect(problemOf(() => after({ over: [1] }, 'in'))).toContain(missing);
    expect(problemOf(() => after({ over: [1] }, 'l'))).toContain(missing);
    expect(problemOf(() => after({ while: one }, 'in'))).toContain(missing);
    expect(after({ while: one }, 'l').steps).toHaveLength(4);
    expect(after({ doWhile: one }, 'in').steps).toHaveLength(4);
    expect(after({ doWhile: one }, 'end').steps).toHaveLength(4);
  });

  it('to nothing in a value are refused where its schema is known', () => {
    const problem = (path: string, name = 'price') =>
      problemOf(() =>
        start()
          .llmStep({ stepName: 'bad', task: `${StepOutput(name, { path })}` })
          .build(),
      );
    expect(problem('amout')).toContain(
      'step "bad" refers to "amout" in the output of step "price", which its schema does not have (did you mean "amount"?); there are "amount", "currency"',
    );
    expect(problem('amount.cents')).toContain(
      '"amount.cents" in the output of step "price", which its schema does not have; nothing is there',
    );
    expect(problem('length', 'words')).toContain('"length" in the output of step "words"');
    expect(
      problemOf(() =>
        start()
          .llmStep({ task: `${Input('country', { path: 'cod' })}` })
          .build(),
      ),
    ).toContain('"cod" in input "country", which its schema does not have (did you mean "code"?)');
    expect(
      start()
        .llmStep({ task: `${StepOutput('price', { path: 'amount' })} ${Input('country', { path: 'code' })}` })
        .build().steps,
    ).toHaveLength(3);
  });

  it.each([
    [
      'tools',
      (b: ReturnType<typeof builder>, outputSchema: unknown) =>
        b.invokeToolStep({ stepName: 's', tool: tool({ id: 't', description: 'x', outputSchema, run: one } as never) }),
    ],
    ['tool steps', (b, outputSchema) => b.invokeToolStep({ stepName: 's', tool: 't', outputSchema })],
    ['functions', (b, outputSchema) => b.functionStep({ stepName: 's', function: one, outputSchema })],
    ['custom steps', (b, outputSchema) => b.addStep({ stepName: 's', run: one, outputSchema })],
    ['tool agents', (b, outputSchema) => b.singleToolAgentStep({ stepName: 's', tool: 't', task: 'x', outputSchema })],
    ['agents', (b, outputSchema) => b.reactAgentStep({ stepName: 's', task: 'x', outputSchema })],
    ['questions', (b, schema) => b.userInput({ stepName: 's', message: 'x', schema })],
    ['machines', (b, schema) => b.waitFor({ stepName: 's', message: 'x', schema })],
    [
      'sub-plans',
      (b, outputSchema) =>
        b.addSubPlan({ stepName: 's', plan: builder().llmStep({ task: 'x' }).finalOutput({ outputSchema }).build() }),
    ],
    ['verifications', (b) => b.userVerify({ stepName: 's', message: 'x' })],
    ['while loops', (b) => b.loop({ stepName: 's', while: one }).endLoop()],
    ['ends of do-whiles', (b) => b.loop({ doWhile: one }).endLoop({ stepName: 's' })],
  ])('look into what %s make', (_what, add) => {
    const made = add(builder(), z.object({ known: z.string() })).llmStep({
      task: `${StepOutput('s', { path: 'unknown' })}`,
    });
    expect(problemOf(() => made.build())).toContain('refers to "unknown" in the output of step "s"');
  });

  it('are not judged where a schema cannot say', () => {
    const transformed = z.object({ a: z.string().transform(Number) });
    const steps = builder()
      .functionStep({ stepName: 'f', function: one })
      .functionStep({ stepName: 't', function: one, outputSchema: transformed })
      .invokeToolStep({ stepName: 'tool', tool: 'search' })
      .loop({ stepName: 'item', over: [{ a: 1 }] })
      .endLoop()
      .if({ condition: 'x' })
      .endIf({ stepName: 'm', value: FirstOf('f') })
      .llmStep({
        task: ['f', 't', 'tool', 'item', 'm']
          .map((name) => `${StepOutput(name, { path: 'any.0', optional: true })}`)
          .join(),
      });
    expect(steps.build().steps).toHaveLength(8);
  });

  it('of FirstOf name known steps', () => {
    const merge = (value: unknown) =>
      start().if({ condition: 'x' }).llmStep({ stepName: 'a', task: 'x' }).endIf({ stepName: 'm', value }).build();
    expect(merge(FirstOf('a', 'words')).steps).toHaveLength(5);
    expect(problemOf(() => merge(FirstOf('a', 'b')))).toContain(
      'step "m" refers to step "b", which is not in the plan',
    );
    expect(errorOf(() => merge({ firstOf: [] })).hint).toBe('give FirstOf(…) with names of steps');
  });

  it('into the body of a loop need a condition at the end or an initial value', () => {
    const looped = (options: object) =>
      start()
        .loop({ stepName: 'l', ...options })
        .functionStep({ stepName: 'n', function: one })
        .endLoop()
        .functionStep({ stepName: 'later', function: one });
    expect(looped({ doWhile: one, args: { n: StepOutput('n') } }).build().steps).toHaveLength(6);
    expect(looped({ while: one, args: { n: [StepOutput('n')] }, initial: { n: 0 } }).build().steps).toHaveLength(6);
    expect(problemOf(() => looped({ while: one, args: { n: StepOutput('n') } }).build())).toContain(
      'step "l" refers to step "n", which comes later',
    );
    expect(
      problemOf(() => looped({ while: one, args: { n: StepOutput('later') }, initial: { n: 0 } }).build()),
    ).toContain('"later", which comes later');
    expect(problemOf(() => looped({ while: one, args: { a: StepOutput('n') }, initial: { n: 0 } }).build())).toMatch(
      /step "l" gives "n" an initial value, but its args have no "n": add it to args; step "l" refers to step "n", which comes later/,
    );
  });

  it('from the condition of a loop into a branch of its body are refused, whatever the loop begins with', () => {
    const looped = (options: object) =>
      start()
        .if({ condition: 'x' })
        .functionStep({ stepName: 'before', function: one })
        .endIf()
        .loop({ stepName: 'l', ...options })
        .if({ condition: 'x' })
        .functionStep({ stepName: 'n', function: one })
        .endIf()
        .endLoop();
    const perhaps = { n: StepOutput('n') };
    const [inBody, outside] = ['step 6', 'step 2'].map(
      (at) => `which may not have run: it is in a branch of the if opened at ${at}.`,
    );
    expect(problemOf(() => looped({ doWhile: one, args: perhaps }).build())).toContain(inBody);
    expect(problemOf(() => looped({ while: one, args: perhaps, initial: { n: 0 } }).build())).toContain(inBody);
    const before = { n: StepOutput('before') };
    expect(problemOf(() => looped({ while: one, args: before, initial: { n: 0 } }).build())).toContain(outside);
    const marked = { n: StepOutput('n', { optional: true }) };
    expect(looped({ while: one, args: marked, initial: { n: 0 } }).build().steps).toHaveLength(10);
  });

  it('name the steps nearest to them when there are many', () => {
    const many = builder();
    for (let index = 0; index < 50; index += 1) many.llmStep({ stepName: `s${index}`, task: 'x' });
    const message = problemOf(() => many.llmStep({ task: `${StepOutput('nothing like it')}` }).build());
    expect(message).toContain('"s49" and 10 more');
    expect(message).not.toContain('"s9"');
  });

  it('are all told at once', () => {
    const error = errorOf(() =>
      start()
        .llmStep({ task: `${StepOutput('x')}${Input('y')}` })
        .llmStep({ stepName: 'price', task: 'x' })
        .build(),
    );
    expect(error.details?.['problems']).toHaveLength(3);
    expect(error.details).toMatchObject({ inputs: ['country'], steps: ['price', 'words', 'step_2', 'price'] });
  });

  it('that cannot be read are refused, and values that are no JSON', () => {
    class Broken {
      toJSON(): never {
        throw new RangeError('broken');
      }
    }
    expect(() =>
      start()
        .functionStep({ function: one, args: { a: new Broken() } })
        .build(),
    ).toThrow(RangeError);
    const inList = start().functionStep({ stepName: 'bad', function: one, args: { a: [one] } });
    expect(errorOf(() => inList.build()).message).toBe('step "bad": args.a[0] is a function, which JSON cannot hold');
    expect(errorOf(() => start().llmStep({ stepName: 'bad', task: '{{ StepOutput() }}' }).build()).message).toContain(
      'step "bad": task: the reference in "{{ StepOutput() }}" cannot be read',
    );
    expect(
      errorOf(() =>
        start()
          .functionStep({ stepName: 'bad', function: one, args: { a: { b: one } } })
          .build(),
      ).message,
    ).toBe('step "bad": args.a.b is a function, which JSON cannot hold');
    expect(
      errorOf(() =>
        start()
          .functionStep({ stepName: 'bad', function: one, args: { a: [new Map()] } })
          .build(),
      ).message,
    ).toContain('step "bad": args.a[0] is a Map');
    expect(
      errorOf(() =>
        start()
          .userVerify({ stepName: 'bad', message: 'x', onExpiry: { default: 1n } })
          .build(),
      ).message,
    ).toContain('step "bad": onExpiry.default is a bigint');
  });
});

describe('names', () => {
  it('are unique, default names included', () => {
    const error = errorOf(() =>
      builder().llmStep({ stepName: 'a', task: 'x' }).llmStep({ stepName: 'a', task: 'y' }).build(),
    );
    expect(error.message).toContain('steps 0 and 1 are both named "a": give one of them another stepName');
    expect(
      errorOf(() => builder().llmStep({ stepName: 'step_1', task: 'x' }).llmStep({ task: 'y' }).build()).message,
    ).toContain('both named "step_1"');
    expect(errorOf(() => builder().input({ name: 'a' }).input({ name: 'a' })).message).toBe(
      'the plan has an input "a" already',
    );
  });
});

describe('options', () => {
  const base = { stepName: 's', task: 'x' };
  it.each([
    [
      'a missing function',
      () => builder().functionStep({ stepName: 's' }),
      'function of step 0 ("s") is missing',
      'give a function',
    ],
    [
      'a function that is none',
      () => builder().functionStep({ stepName: 's', function: 'x' }),
      'function of step 0 ("s") is "x"',
      'give a function',
    ],
    ['a missing task', () => builder().llmStep({}), 'task of step 0 ("step_0") is missing', 'give a text'],
    [
      'a task that is a list',
      () => builder().llmStep({ task: ['x'] }),
      'task of step 0 ("step_0") is a list',
      'give a text',
    ],
    ['a task that is a function', () => builder().llmStep({ task: one }), 'is a function', 'give a text'],
    ['a task that is a number', () => builder().llmStep({ task: 1n }), 'is 1', 'give a text'],
    ['a task that is one reference', () => builder().llmStep({ task: StepOutput('x') }), 'is an object', 'give a text'],
    ['a missing condition', () => builder().if({}), 'condition of step 0', 'give a function or a text'],
    ['a missing tool', () => builder().invokeToolStep({}), 'tool of step 0', 'give the id of a tool, or a tool'],
    ['an empty tool id', () => builder().invokeToolStep({ tool: '' }), 'is ""', 'give the id of a tool, or a tool'],
    [
      'tools that are none',
      () => builder().reactAgentStep({ task: 'x', tools: [1] }),
      'tools of step 0',
      'give a list of tool ids or tools',
    ],
    [
      'a schema that is none',
      () => builder().llmStep({ ...base, outputSchema: { type: 'object' } }),
      'outputSchema of step 0 ("s") is an object',
      'give a schema',
    ],
    [
      'a name that is empty',
      () => builder().llmStep({ stepName: '', task: 'x' }),
      'name of step 0 ("") is ""',
      'give a text',
    ],
    [
      'a name that is a number',
      () => builder().llmStep({ stepName: 5, task: 'x' }),
      'name of step 0 is 5',
      'give a text',
    ],
    [
      'no tool calls',
      () => builder().reactAgentStep({ task: 'x', toolCallLimit: 0 }),
      'toolCallLimit of step 0',
      'give a whole number of 1 or more',
    ],
    [
      'half a tool call',
      () => builder().reactAgentStep({ task: 'x', toolCallLimit: 1.5 }),
      'is 1.5',
      'give a whole number of 1 or more',
    ],
    [
      'no iterations',
      () => builder().loop({ over: [1], maxIterations: 0 }),
      'maxIterations of step 0',
      'give a whole number',
    ],
    [
      'endless iterations',
      () => builder().loop({ over: [1], maxIterations: Number.POSITIVE_INFINITY }),
      'maxIterations of step 0',
      'give a whole number',
    ],
    [
      'no concurrency',
      () => builder().loop({ over: [1], concurrency: 0 }),
      'concurrency of step 0',
      'give a whole number',
    ],
    [
      'concurrency of a while',
      () => builder().loop({ while: one, concurrency: 2 }),
      'has concurrency, which a while loop does not have',
      'it may have condition, args, ',
    ],
    [
      'negative concurrency',
      () => builder().parallel({ concurrency: -1 }),
      'concurrency of step 0',
      'give a whole number',
    ],
    [
      'another policy',
      () => builder().parallel({ onFailure: 'ignore' }),
      'onFailure of step 0',
      "give 'finish' or 'abort'",
    ],
    ['no time', () => builder().llmStep({ ...base, timeoutMs: 0 }), 'timeoutMs of step 0', 'give milliseconds above 0'],
    [
      'no expiry',
      () => builder().userVerify({ message: 'x', expiresIn: Number.NaN }),
      'expiresIn of step 0',
      'give milliseconds above 0',
    ],
    [
      'an expiry that is none',
      () => builder().userVerify({ message: 'x', onExpiry: 'approve' }),
      'onExpiry of step 0',
      "give 'fail', 'refuse' or { default }",
    ],
    [
      'an audience that is none',
      () => builder().userVerify({ message: 'x', audience: 'role:' }),
      'audience of step 0',
      "give 'endUser', 'operator'",
    ],
    [
      'negative sleep',
      () => builder().sleep({ ms: -1 }),
      'ms of step 0',
      'give milliseconds, 0 or more, or a reference',
    ],
    [
      'no attempts',
      () => builder().llmStep({ ...base, retry: { maxAttempts: 0 } }),
      'maxAttempts of retry of step 0',
      'give a whole number',
    ],
    [
      'a retry without attempts',
      () => builder().llmStep({ ...base, retry: {} }),
      'maxAttempts of retry of step 0 ("s") is missing',
      'give a whole number',
    ],
    [
      'a negative delay',
      () => builder().llmStep({ ...base, retry: { maxAttempts: 2, delayMs: -1 } }),
      'delayMs of retry',
      'give milliseconds, 0 or more',
    ],
    [
      'a shrinking pause',
      () => builder().llmStep({ ...base, retry: { maxAttempts: 2, backoff: 0.5 } }),
      'backoff of retry',
      'give a number of 1 or more',
    ],
    [
      'an approval without message',
      () => builder().llmStep({ ...base, approval: {} }),
      'message of approval of step 0 ("s") is missing',
      'give a text',
    ],
    [
      'an approval with a wrong condition',
      () => builder().llmStep({ ...base, approval: { message: 'x', when: true } }),
      'when of approval',
      'give a function',
    ],
    [
      'an approval that is none',
      () => builder().llmStep({ ...base, approval: true }),
      'approval of step 0',
      'give { message',
    ],
    [
      'options that are none',
      () => builder().userInput({ message: 'x', options: 'a' }),
      'options of step 0',
      'give a list, or a reference to one',
    ],
    ['nothing to go over', () => builder().loop({ over: 5 }), 'over of step 0', 'give a list, or a reference to one'],
    [
      'arguments that are a list',
      () => builder().functionStep({ function: one, args: [] }),
      'args of step 0',
      'give an object',
    ],
    [
      'an option there is not',
      () => builder().llmStep({ ...base, stepname: 'x' }),
      'has stepname, which a step of kind llm does not have',
      'it may have task, ',
    ],
  ])('refuse %s', (_what, build, message, hint) => {
    const error = errorOf(build);
    expect(error.message).toContain(message);
    if (hint === undefined) expect(error.hint).toBeUndefined();
    else expect(error.hint).toContain(hint);
  });

  const slow = { '~standard': { version: 1, vendor: 'slow', validate: () => Promise.reject(new Error('no')) } };
  it.each([
    ['no option', { options: [50, { a: 1 }] }, 70, 'is no answer to its question: 70 is not a supported option'],
    ['no value of the schema', { schema: z.number() }, 'x', 'does not fit its schema: '],
    ['an option that the schema refuses', { options: [1, 'x'], schema: z.number() }, 'x', 'does not fit its schema: '],
    ['empty', {}, null, 'is no answer to its question: an empty answer does not answer the question'],
    ['empty, of no options', { options: [] }, null, 'is no answer to its question: '],
  ])('refuse a default answer that is %s', (_what, asked, answer, said) => {
    const onExpiry = { default: answer };
    const { message } = errorOf(() =>
      builder()
        .userInput({ stepName: 's', message: 'x', ...asked, onExpiry })
        .build(),
    );
    expect(message).toContain(`step "s": onExpiry.default ${said}`);
  });

  it('refuse other default answers that do not fit, and leave those that cannot be told yet', () => {
    const onExpiry = { default: 'yes' };
    const asked = { stepName: 's', message: 'x', onExpiry };
    expect(errorOf(() => builder().userVerify(asked).build())).toMatchObject({
      message: 'step "s": onExpiry.default is no answer to its question: response must be a boolean value',
      hint: 'answer true or false',
    });
    expect(
      errorOf(() =>
        builder()
          .waitFor({ ...asked, schema: z.number() })
          .build(),
      ).message,
    ).toContain('step "s": onExpiry.default does not fit its schema: ');
    const approval = { message: 'x', onExpiry };
    expect(
      errorOf(() =>
        builder()
          .llmStep({ ...base, approval })
          .build(),
      ).message,
    ).toContain('step "s": approval.onExpiry.default is no answer');
    const told = builder()
      .input({ name: 'list' })
      .userInput({ message: 'x', onExpiry, options: ['yes', 'no'] })
      .userInput({ message: 'x', onExpiry, options: Input('list') })
      .userInput({ message: 'x', onExpiry, options: ['no', `${Input('list')}`] })
      .userInput({ message: 'x', onExpiry, schema: withJsonSchema(slow as never, {}) })
      .waitFor({ message: 'x', onExpiry: { default: null } })
      .userVerify({ message: 'x', onExpiry: { default: true } })
      .userVerify({ message: 'x', onExpiry: 'refuse' });
    expect(told.build().steps).toHaveLength(7);
  });

  it('refuse to refuse where no yes or no is asked for', () => {
    const asked = { stepName: 's', message: 'x', onExpiry: 'refuse' };
    const error = {
      message: `step "s": onExpiry is 'refuse', and the question asks for no yes or no: there is nothing to refuse`,
      hint: "give 'fail', or { default } with an answer",
    };
    expect(errorOf(() => builder().userInput(asked))).toMatchObject(error);
    expect(errorOf(() => builder().userInput({ ...asked, options: [true, false] }))).toMatchObject(error);
    expect(errorOf(() => builder().waitFor(asked))).toMatchObject(error);
    const approval = { message: 'x', onExpiry: 'refuse' };
    expect(
      builder()
        .llmStep({ ...base, approval })
        .build().steps,
    ).toHaveLength(1);
  });

  it('refuse inputs that make no sense', () => {
    expect(errorOf(() => builder().input({ name: 'n', schema: z.number(), defaultValue: 'x' })).message).toMatch(
      /^the default of input "n" does not fit its schema: /,
    );
    expect(errorOf(() => builder().input({}).build()).message).toBe('a plan input has no name');
    const reserved = errorOf(() => builder().input({ name: '__proto__' }).build());
    expect(reserved.message).toBe('a plan input cannot be named "__proto__"');
    expect(reserved.hint).toContain('another one');
    expect(errorOf(() => builder().input({ name: 'n', schema: {} }).build()).message).toBe(
      'schema of input "n" is not a schema',
    );
    expect(errorOf(() => builder().input({ name: 'n', defaultValue: new Map() }).build()).message).toContain(
      'the default of input "n" is a Map',
    );
    const later = {
      '~standard': {
        version: 1,
        vendor: 'slow',
        validate: async () => ({ issues: [{ message: 'no' }] }),
        jsonSchema: { input: () => ({}), output: () => ({}) },
      },
    };
    expect(builder().input({ name: 'n', schema: later, defaultValue: 1 }).build().planInputs).toHaveLength(1);
  });

  it('refuse final outputs and schemas that make no sense', () => {
    expect(errorOf(() => builder().finalOutput({ outputSchema: {} }).build()).message).toBe(
      'outputSchema of the final output is not a schema',
    );
    const error = errorOf(() => builder().llmStep({ task: 'x', outputSchema: z.date() }).build());
    expect(error.message).toContain('steps[0].outputSchema cannot be written as JSON Schema');
    expect(error.hint).toContain('withJsonSchema');
  });
});

describe('sub-plans', () => {
  const sub = () => builder('Sub').input({ name: 'city' }).input({ name: 'airport' }).llmStep({ task: 'x' }).build();

  it('cannot have an input of the plan around it, unless it is bound', () => {
    const error = errorOf(() => builder().input({ name: 'city' }).addSubPlan({ plan: sub() }));
    expect(error.message).toBe('the sub-plan "Sub" has an input "city", and so has the plan');
    expect(error.hint).toContain('inputValues: { city: Input("city") }');
  });

  it('stand more than once in a plan, each with values of its own, which have to fit', async () => {
    const twice = new PlanBuilderV2('twice')
      .input({ name: 'n', schema: z.number() })
      .functionStep({ stepName: 'double', args: { n: Input('n') }, readOnly: true, function: ({ n }) => n * 2 })
      .build();
    const plan = new PlanBuilderV2()
      .addSubPlan({ stepName: 'one', plan: twice, inputValues: { n: 1 } })
      .addSubPlan({ stepName: 'two', plan: twice, inputValues: { n: 20 } })
      .functionStep({
        args: { one: StepOutput('one'), two: StepOutput('two') },
        readOnly: true,
        function: ({ one, two }) => [one, two],
      })
      .build();
    const portia = new Portia({ config: new Config({ storage: memoryStorage() }), plans: [plan] });
    expect((await portia.runPlan(plan)).outputs.finalOutput?.value).toEqual([2, 40]);
    expect((await portia.runPlan(plan, { planRunInputs: { n: 3 } })).outputs.finalOutput?.value).toEqual([6, 40]);
    await portia.close();
    expect(
      errorOf(() =>
        builder()
          .input({ name: 'n' })
          .addSubPlan({ plan: twice, inputValues: { n: 'x' } }),
      ).message,
    ).toContain('the default of input "n"');
  });

  it('are given values only for inputs they have', () => {
    const error = errorOf(() => builder().addSubPlan({ plan: sub(), inputValues: { citi: 1 } }));
    expect(error.message).toBe('the sub-plan "Sub" has no input "citi" (did you mean "city"?)');
    expect(error.hint).toBe('its inputs are airport, city');
    expect(errorOf(() => builder().addSubPlan({ plan: builder().build(), inputValues: { anything: 1 } })).hint).toBe(
      'it has no inputs',
    );
  });

  it('are plans, and their defaults fit', () => {
    expect(errorOf(() => builder().addSubPlan({ plan: {} })).message).toBe('plan of addSubPlan() is no plan');
    const typed = builder().input({ name: 'n', schema: z.number() }).build();
    expect(errorOf(() => builder().addSubPlan({ plan: typed, inputValues: { n: 'x' } })).message).toContain(
      'the default of input "n"',
    );
    expect(errorOf(() => builder().addSubPlan({ plan: [{ kind: 'llm', name: 'x' }] })).message).toContain(
      'task of step 0 ("x") is missing',
    );
  });
});

describe('names of models', () => {
  it('are read when the plan is built', () => {
    const model = (name: unknown) =>
      errorOf(() => builder().llmStep({ stepName: 'a', task: 'x', model: name as string }));
    expect(model('nobody/x').message).toBe('model of step "a": the model "nobody/x" has the unknown provider "nobody"');
    expect(model(['openai/a', 'gpt-4.1']).message).toBe('model of step "a": "gpt-4.1" is not a model name');
    expect([model([]).message, model([]).hint]).toEqual([
      'model of step 0 ("a") is a list',
      expect.stringContaining('a text, or a list of texts'),
    ]);
    const plan = builder()
      .llmStep({ task: 'x', model: 'planning' })
      .reactAgentStep({ task: 'x', tools: [], model: ['openai/a', 'anthropic/b'] })
      .build();
    expect(plan.steps.map((step: StepV2) => 'model' in step && step.model)).toEqual([
      'planning',
      ['openai/a', 'anthropic/b'],
    ]);
  });
});

describe('PlanV2', () => {
  it('checks what it is made from as the builder does', () => {
    const step = { kind: 'llm', name: 'a', task: 'x', inputs: [] } as StepV2;
    expect(errorOf(() => new PlanV2({ steps: [step, step] })).message).toContain('both named "a"');
    expect(errorOf(() => new PlanV2({ steps: 'x' as never })).message).toBe('the steps of a plan are not a list');
    expect(errorOf(() => new PlanV2({ steps: [], label: 5 as never })).message).toBe(
      'the label of a plan is not a text',
    );
    expect(errorOf(() => new PlanV2({ steps: [{ kind: 'magic', name: 'a' } as never] })).message).toBe(
      'step 0 ("a") is of kind "magic", which there is not',
    );
    expect(errorOf(() => new PlanV2({ steps: [{ kind: 'loop', name: 'a' } as never] })).message).toBe(
      'type of step 0 ("a") is missing',
    );
    expect(errorOf(() => new PlanV2({ steps: [], planInputs: [{ name: 'a' }, { name: 'a' }] })).message).toBe(
      'two plan inputs are named "a"',
    );
    const loose = new PlanV2({ steps: [{ ...step, inputs: [{ a: undefined, b: 1 }], model: undefined } as StepV2] });
    expect(Object.keys(loose.steps[0] as object)).toEqual(['kind', 'name', 'task', 'inputs']);
    expect(loose.steps[0]).toEqual({ ...step, inputs: [{ b: 1 }] });
    expect(new PlanV2({ steps: [{ ...step, task: '{{ StepOutput(9) }}' } as StepV2] }).steps[0]).toMatchObject({
      task: '{{ StepOutput(9) }}',
    });
  });

  it('finds steps by name', () => {
    const plan = builder().llmStep({ stepName: 'a', task: 'x' }).llmStep({ stepName: 'b', task: 'x' }).build();
    expect([
      plan.idxByName('b'),
      plan.stepOutputName('b'),
      plan.stepOutputName(0),
      plan.stepOutputName(-1),
      plan.stepOutputName(plan.steps[0]),
    ]).toEqual([1, '$step_1_output', '$step_0_output', '$step_1_output', '$step_0_output']);
    expect(errorOf(() => plan.idxByName('c'))).toMatchObject({
      message: 'the plan has no step "c"',
      hint: 'its steps are a, b',
    });
    expect(errorOf(() => plan.stepOutputName(2)).message).toBe('the plan has no step 2');
    expect(errorOf(() => plan.stepOutputName('c')).message).toBe('the plan has no step "c"');
  });
});
