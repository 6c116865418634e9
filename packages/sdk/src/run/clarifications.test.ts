import { describe, expect, it } from 'vitest';
import { answerAndResume, clientOf, codeOf, planOf, questionOf } from '../../test/lib/engine.ts';
import type { ClarificationHandler, OnError, OnResolution } from '../clarify/clarification-handler.ts';
import type { Portia } from '../client.ts';
import {
  ActionClarification,
  type Clarification,
  CustomClarification,
  InputClarification,
  MultipleChoiceClarification,
  UserVerificationClarification,
  ValueConfirmationClarification,
} from '../core/clarification.ts';
import { ClarificationUUID } from '../core/ids.ts';
import type { JsonValue } from '../core/json.ts';
import type { Step } from '../core/plan.ts';
import type { AnyTool } from '../core/tool.ts';
import type { ClarificationRequest } from './hooks.ts';
import { memoryStorage } from '../storage/memory/memory-storage.ts';
import { fakeClock } from '../testing/fake-clock.ts';
import { text, toolCall } from '../testing/script.ts';
import { scriptedModel } from '../testing/scripted-model.ts';
import { tool } from '../tool/tool.ts';

const kinds: Readonly<
  Record<string, { readonly make: () => Clarification; readonly fits: JsonValue; readonly doesNot: unknown }>
> = {
  Action: {
    make: () => ActionClarification({ userGuidance: 'go', actionUrl: 'https://example.org/' }),
    fits: 'done',
    doesNot: () => {},
  },
  Input: {
    make: () => InputClarification({ userGuidance: 'what', argumentName: 'a' }),
    fits: { deep: [1] },
    doesNot: null,
  },
  'Multiple Choice': {
    make: () => MultipleChoiceClarification({ userGuidance: 'which', argumentName: 'a', options: [50, 'x'] }),
    fits: 50,
    doesNot: '50',
  },
  'Value Confirmation': {
    make: () => ValueConfirmationClarification({ userGuidance: 'right?', argumentName: 'a' }),
    fits: true,
    doesNot: Symbol('no'),
  },
  'User Verification': {
    make: () => UserVerificationClarification({ userGuidance: 'ok?' }),
    fits: false,
    doesNot: 'no',
  },
  Custom: {
    make: () => CustomClarification({ userGuidance: 'pick', name: 'p', data: { of: [1] } }),
    fits: [1],
    doesNot: Number.NaN,
  },
};

/** A tool that asks once and then gives what it was told. */
function asking(make: () => Clarification | readonly Clarification[]): AnyTool {
  return tool({
    id: 'asker',
    description: 'asks',
    run: (_args, { clarifications }) =>
      clarifications.length === 0 ? make() : clarifications.map(({ response }) => response),
  });
}

const plan = planOf({ toolId: 'asker', output: '$told' });

async function asked(
  make: () => Clarification | readonly Clarification[],
  options: Parameters<typeof clientOf>[0] = {},
): Promise<{ portia: Portia; waiting: Awaited<ReturnType<Portia['runPlan']>> }> {
  const portia = clientOf({ tools: [asking(make)], ...options });
  return { portia, waiting: await portia.runPlan(plan, { endUser: 'ada' }) };
}

describe.each(Object.entries(kinds))('a question of kind %s', (category, { make, fits, doesNot }) => {
  it('waits, refuses what does not fit, and gives the answer to the tool', async () => {
    const { portia, waiting } = await asked(make);
    expect(waiting.state).toBe('NEED_CLARIFICATION');
    expect(questionOf(waiting)).toMatchObject({
      category,
      resolved: false,
      response: null,
      step: 0,
      planRunId: waiting.id,
      source: 'Asker',
    });
    const { items } = await portia.storage.listClarifications();
    const { task } = plan.steps[0] as Step;
    expect(items).toMatchObject([{ planId: plan.id, endUserId: 'ada', stepName: task, toolId: 'asker' }]);
    const refused = portia.resolveClarification({
      planRun: waiting,
      clarification: questionOf(waiting),
      response: doesNot,
    });
    await expect(refused).rejects.toMatchObject({ code: 'CLARIFICATION_RESPONSE_INVALID' });
    expect((await portia.storage.getPlanRun(waiting.id)).toJSON()).toEqual(waiting.toJSON());
    const done = await answerAndResume(portia, waiting, fits);
    expect(done.toJSON()).toMatchObject({ state: 'COMPLETE', outputs: { step_outputs: { $told: { value: [fits] } } } });
  });

  it('is answered in another process as well', async () => {
    const storage = memoryStorage();
    const { waiting } = await asked(make, { storage });
    const elsewhere = clientOf({ tools: [asking(make)], storage });
    expect((await answerAndResume(elsewhere, waiting, fits)).state).toBe('COMPLETE');
  });

  it('can be answered where the run is, at once, later, and by giving up', async () => {
    const method = `handle${category.replace(' ', '')}`;
    const handle = (
      ask: (clarification: Clarification, onResolution: OnResolution, onError: OnError) => unknown,
    ): ClarificationHandler => ({ [method]: ask }) as ClarificationHandler;
    const ways = {
      now: handle((clarification, onResolution) => void onResolution(clarification, fits)),
      awaited: handle(async (clarification, onResolution) => onResolution(clarification, fits)),
      later: handle((clarification, onResolution) => void setTimeout(() => void onResolution(clarification, fits), 10)),
    };
    for (const clarificationHandler of Object.values(ways)) {
      const { waiting: done } = await asked(make, { hooks: { clarificationHandler } });
      expect(done.toJSON()).toMatchObject({
        state: 'COMPLETE',
        outputs: { step_outputs: { $told: { value: [fits] } } },
      });
    }
    const givingUp = handle(
      (clarification, _onResolution, onError) => void onError(clarification, new Error('nobody is here')),
    );
    const { waiting: failed } = await asked(make, { hooks: { clarificationHandler: givingUp } });
    expect(failed.error).toEqual({ code: 'CLARIFICATION_FAILED', message: 'nobody is here', step: 0 });
  });

  it('is left open by a handler without a method for it', async () => {
    const { waiting } = await asked(make, { hooks: { clarificationHandler: {} } });
    expect(waiting.state).toBe('NEED_CLARIFICATION');
    expect(waiting.getOutstandingClarifications()).toHaveLength(1);
  });
});

describe('an answer', () => {
  const input = (): Clarification => InputClarification({ userGuidance: 'what', argumentName: 'a' });

  it('given twice is fine, another one is refused, before and after the run went on', async () => {
    const { portia, waiting } = await asked(input);
    const answer = (response: unknown): Promise<unknown> =>
      portia.resolveClarification({ planRun: waiting, clarification: questionOf(waiting), response });
    await answer({ a: 1, b: 2 });
    await answer({ b: 2, a: 1 });
    expect(await codeOf(answer('other'))).toBe('CLARIFICATION_ALREADY_RESOLVED');
    const done = await portia.resume({ planRun: waiting });
    await answer({ a: 1, b: 2 });
    expect(await codeOf(answer('other'))).toBe('CLARIFICATION_ALREADY_RESOLVED');
    expect((await portia.storage.getPlanRun(done.id)).toJSON()).toEqual(done.toJSON());
  });

  it('of two people at once counts only once', async () => {
    const { portia, waiting } = await asked(input);
    const both = ['x', 'y'].map((response) =>
      codeOf(portia.resolveClarification({ planRun: waiting, clarification: questionOf(waiting), response })),
    );
    expect((await Promise.all(both)).sort()).toEqual(['CLARIFICATION_ALREADY_RESOLVED', 'nothing was thrown']);
  });

  it('to a run that has ended without it comes too late', async () => {
    const { portia, waiting } = await asked(input);
    await portia.cancel({ planRun: waiting });
    const late = portia.resolveClarification({ planRun: waiting, clarification: questionOf(waiting), response: 1 });
    await expect(late).rejects.toMatchObject({ code: 'RUN_STATE_INVALID', message: expect.stringContaining('FAILED') });
  });

  it('needs a question of this run', async () => {
    const { portia, waiting } = await asked(input);
    const unknown = { planRun: waiting, clarificationId: ClarificationUUID.random(), response: 1 };
    expect(await codeOf(portia.resolveClarification(unknown))).toBe('CLARIFICATION_NOT_FOUND');
    expect(await codeOf(portia.resolveClarification({ planRun: waiting, response: 1 }))).toBe('ID_INVALID');
    expect(
      await codeOf(portia.errorClarification({ planRun: waiting, clarification: input(), error: new Error('x') })),
    ).toBe('CLARIFICATION_NOT_FOUND');
  });

  it('may be given up from outside, which fails the run', async () => {
    const { portia, waiting } = await asked(input);
    const failed = await portia.errorClarification({
      planRun: waiting,
      clarification: questionOf(waiting),
      error: new Error('nobody knows'),
    });
    expect(failed.error).toEqual({ code: 'CLARIFICATION_FAILED', message: 'nobody knows', step: 0 });
  });

  it('keeps who gave it, in what capacity and how', async () => {
    const { portia, waiting } = await asked(input);
    await portia.resolveClarification({
      planRun: waiting,
      clarification: questionOf(waiting),
      response: 1,
      resolvedBy: 'ada',
      via: 'api',
    });
    expect(await portia.storage.getClarifications(waiting.id)).toMatchObject([
      { resolvedBy: 'ada', resolvedAs: 'endUser', via: 'api', audience: 'endUser' },
    ]);
  });

  it('takes the place of the argument it was asked for; the tool is called anew with it', async () => {
    const calls: unknown[] = [];
    const reader = tool({
      id: 'asker',
      description: 'x',
      argsJsonSchema: { type: 'object', properties: { file: { type: 'string' } } },
      run(args) {
        calls.push(args);
        return calls.length === 1
          ? MultipleChoiceClarification({ userGuidance: '?', argumentName: 'file', options: ['a', 'b'] })
          : 'read';
      },
    });
    const portia = clientOf({ tools: [reader], model: scriptedModel([toolCall('asker', { file: '?', page: 2 })]) });
    const done = await answerAndResume(portia, await portia.runPlan(plan), 'b');
    expect(done.state).toBe('COMPLETE');
    expect(calls).toEqual([
      { file: '?', page: 2 },
      { file: 'b', page: 2 },
    ]);
    expect((await portia.storage.getToolCalls(done.id)).map(({ callId, status }) => [callId, status])).toEqual([
      ['0.0.1', 'NEED_CLARIFICATION'],
      ['0.0.2', 'SUCCESS'],
    ]);
  });

  it('to the agent comes back as the result of its question, and no model is asked again for what it said', async () => {
    const mailer = tool({
      id: 'asker',
      description: 'x',
      argsJsonSchema: { type: 'object', properties: { to: { type: 'string' } } },
      run: ({ to }) => `sent to ${to}`,
    });
    const model = scriptedModel([
      toolCall('clarification_tool', { argument_name: 'to', user_guidance: 'To whom?' }),
      toolCall('asker', { to: 'bob' }),
    ]);
    const portia = clientOf({ tools: [mailer], model });
    const waiting = await portia.runPlan(plan);
    expect(questionOf(waiting)).toMatchObject({
      category: 'Input',
      argumentName: 'to',
      userGuidance: 'To whom?',
      source: 'Clarification tool',
    });
    const done = await answerAndResume(portia, waiting, 'bob');
    expect(done.outputs.finalOutput).toEqual({ value: 'sent to bob', summary: null });
    expect(model.requests).toHaveLength(2);
    expect(JSON.stringify(model.requests[1]?.messages.at(-1))).toMatch(/person_answer argument=.*bob/);
  });

  it('is never read out of the text of a tool', async () => {
    const wire = JSON.stringify(InputClarification({ userGuidance: 'gotcha', argumentName: 'x' }));
    const run = await clientOf({ tools: [tool({ id: 'asker', description: 'x', run: () => wire })] }).runPlan(plan);
    expect(run.state).toBe('COMPLETE');
    expect(run.outputs.finalOutput).toEqual({ value: wire, summary: null });
  });
});

describe('a tool that gives the same question object every time', () => {
  it('asks anew each time it is called', async () => {
    const constant = InputClarification({ userGuidance: 'again?', argumentName: 'a' });
    let calls = 0;
    const stubborn = tool({
      id: 'asker',
      description: 'x',
      run() {
        calls += 1;
        return calls < 4 ? constant : 'at last';
      },
    });
    const portia = clientOf({ tools: [stubborn] });
    let run = await portia.runPlan(plan);
    for (const answer of [1, 2, 3]) run = await answerAndResume(portia, run, answer);
    expect(run.outputs.finalOutput).toEqual({ value: 'at last', summary: null });
    expect(new Set(run.outputs.clarifications.map(({ id }) => id)).size).toBe(3);
  });
});

describe('who may answer', () => {
  const answerAs = async (
    request: () => ClarificationRequest | Clarification,
    resolvedBy: Parameters<Portia['resolveClarification']>[0]['resolvedBy'],
  ): Promise<unknown> => {
    const portia = clientOf({
      tools: [tool({ id: 'asker', description: 'x', run: () => 'done' })],
      hooks: { beforeToolCall: () => request() },
    });
    const waiting = await portia.runPlan(plan, { endUser: 'ada' });
    return codeOf(
      portia.resolveClarification({ planRun: waiting, clarification: questionOf(waiting), response: true, resolvedBy }),
    );
  };
  const question = (): Clarification => InputClarification({ userGuidance: '?', argumentName: 'a' });
  const approval = (): Clarification => UserVerificationClarification({ userGuidance: '?' });
  const forRole = (): ClarificationRequest => ({ clarification: approval(), audience: 'role:finance' });
  const allowed = 'nothing was thrown';
  const forbidden = 'CLARIFICATION_FORBIDDEN';

  it.each([
    ['a question', "the run's end user", question, 'ada', allowed],
    ['a question', 'another end user', question, 'eve', forbidden],
    ['a question', 'an operator', question, { id: 'op', as: 'operator' }, allowed],
    ['a question', 'somebody with a role', question, { id: 'fin', as: 'role:finance' }, forbidden],
    ['an approval', "the run's end user", approval, 'ada', forbidden],
    ['an approval', 'an operator', approval, { id: 'op', as: 'operator' }, allowed],
    ['an approval', 'the host program', approval, undefined, allowed],
    ['a question for a role', 'somebody with it', forRole, { id: 'fin', as: 'role:finance' }, allowed],
    ['a question for a role', 'somebody with another', forRole, { id: 'hr', as: 'role:hr' }, forbidden],
    ['a question for a role', 'an operator', forRole, { id: 'op', as: 'operator' }, forbidden],
    ['a question for a role', "the run's end user", forRole, { id: 'ada', as: 'endUser' }, forbidden],
  ] as const)('%s: %s', async (_what, _who, request, resolvedBy, expected) => {
    expect(await answerAs(request, resolvedBy)).toBe(expected);
  });
});

describe('a question with an expiry', () => {
  const approving = (
    onExpiry?: ClarificationRequest['onExpiry'],
    clarification: () => Clarification = () => UserVerificationClarification({ userGuidance: 'ok?' }),
  ) => {
    const clock = fakeClock();
    let calls = 0;
    const refund = tool({ id: 'asker', description: 'x', run: () => (calls += 1) });
    let asked = 0;
    const beforeToolCall = (): ClarificationRequest | undefined => {
      asked += 1;
      return asked === 1
        ? { clarification: clarification(), expiresIn: 1_000, ...(onExpiry !== undefined && { onExpiry }) }
        : undefined;
    };
    return { portia: clientOf({ tools: [refund], clock, hooks: { beforeToolCall } }), clock, calls: () => calls };
  };

  it('can be answered until then, and not from then on', async () => {
    const { portia, clock, calls } = approving();
    const waiting = await portia.runPlan(plan);
    await clock.advance(999);
    const other = await portia.runPlan(plan);
    await clock.advance(1);
    const late = portia.resolveClarification({ planRun: waiting, clarification: questionOf(waiting), response: true });
    await expect(late).rejects.toMatchObject({ code: 'CLARIFICATION_EXPIRED' });
    expect(other.state).toBe('COMPLETE');
    expect(calls()).toBe(1);
  });

  it('fails the run when it is resumed afterwards, unless something else was laid down', async () => {
    const { portia, clock, calls } = approving();
    const waiting = await portia.runPlan(plan);
    expect((await portia.resume({ planRun: waiting })).state).toBe('NEED_CLARIFICATION');
    await clock.advance(1_000);
    expect((await portia.resume({ planRun: waiting })).error).toMatchObject({
      code: 'CLARIFICATION_EXPIRED',
      step: 0,
      message: expect.stringContaining('ok?'),
    });
    expect(calls()).toBe(0);
  });

  it('counts as refused where that was laid down', async () => {
    const { portia, clock, calls } = approving('refuse');
    const waiting = await portia.runPlan(plan);
    await clock.advance(1_000);
    const failed = await portia.resume({ planRun: waiting });
    expect(failed.error).toMatchObject({ code: 'APPROVAL_REFUSED', message: expect.stringContaining('in time') });
    expect(calls()).toBe(0);
    expect(await portia.storage.getClarifications(waiting.id)).toMatchObject([{ via: 'expiry', resolvedBy: null }]);
  });

  it('takes the default that was laid down', async () => {
    const { portia, clock, calls } = approving({ default: true });
    const waiting = await portia.runPlan(plan);
    await clock.advance(1_000);
    expect((await portia.resume({ planRun: waiting })).state).toBe('COMPLETE');
    expect(calls()).toBe(1);
  });

  it('fails the run where the default is no answer, or there is nothing to refuse', async () => {
    const choice = (): Clarification =>
      MultipleChoiceClarification({ userGuidance: 'which?', argumentName: 'a', options: [1, 2] });
    for (const policy of [{ default: 3 }, 'refuse'] as const) {
      const { portia, clock } = approving(policy, choice);
      const waiting = await portia.runPlan(plan);
      await clock.advance(1_000);
      expect((await portia.resume({ planRun: waiting })).error?.code).toBe('CLARIFICATION_EXPIRED');
    }
  });

  it('wakes a worker, which does what was laid down', async () => {
    const { portia, clock } = approving('refuse');
    const waiting = await portia.runPlan(plan);
    await portia.work({ untilIdle: true });
    expect((await portia.storage.getPlanRun(waiting.id)).state).toBe('NEED_CLARIFICATION');
    await clock.advance(1_000);
    expect(await portia.work({ untilIdle: true })).toMatchObject({ failed: 1 });
    expect((await portia.storage.getPlanRun(waiting.id)).error?.code).toBe('APPROVAL_REFUSED');
  });

  it('expires also while a handler has it, whose late answer is refused', async () => {
    const clock = fakeClock();
    let answer: (() => void | Promise<void>) | undefined;
    const portia = clientOf({
      tools: [tool({ id: 'asker', description: 'x', run: () => 'done' })],
      clock,
      hooks: {
        beforeToolCall: () => ({
          clarification: UserVerificationClarification({ userGuidance: 'ok?' }),
          expiresIn: 1_000,
        }),
        clarificationHandler: {
          handleUserVerification(clarification, onResolution) {
            answer = () => onResolution(clarification, true);
          },
        },
      },
    });
    const running = portia.runPlan(plan);
    while (!answer) await new Promise((resolve) => setTimeout(resolve, 1));
    await clock.advance(1_000);
    expect(await codeOf(Promise.resolve(answer()))).toBe('CLARIFICATION_EXPIRED');
    expect((await running).error?.code).toBe('CLARIFICATION_EXPIRED');
  });
});

describe('a clarification handler', () => {
  const input = (): Clarification => InputClarification({ userGuidance: 'what', argumentName: 'a' });

  it('that throws has given up', async () => {
    const clarificationHandler: ClarificationHandler = {
      handleInput() {
        throw new Error('the screen is gone');
      },
    };
    const { waiting } = await asked(input, { hooks: { clarificationHandler } });
    expect(waiting.error).toEqual({ code: 'CLARIFICATION_FAILED', message: 'the screen is gone', step: 0 });
  });

  it('hears that an answer does not fit, and may give another', async () => {
    const refusals: unknown[] = [];
    const clarificationHandler: ClarificationHandler = {
      async handleInput(clarification, onResolution) {
        refusals.push(await codeOf(Promise.resolve(onResolution(clarification, null))));
        await onResolution(clarification, 'better');
      },
    };
    const { waiting: done } = await asked(input, { hooks: { clarificationHandler } });
    expect(done.state).toBe('COMPLETE');
    expect(refusals).toEqual(['CLARIFICATION_RESPONSE_INVALID']);
  });

  it('that does not wait for the refusal of its answer brings nothing down', async () => {
    const stray: unknown[] = [];
    const listener = (reason: unknown): void => void stray.push(reason);
    process.on('unhandledRejection', listener);
    const clarificationHandler: ClarificationHandler = {
      handleInput(clarification, onResolution) {
        void onResolution(clarification, null);
        setTimeout(() => void onResolution(clarification, 'better'), 20);
      },
    };
    const { waiting: done } = await asked(input, { hooks: { clarificationHandler } });
    await new Promise((resolve) => setTimeout(resolve, 10));
    process.off('unhandledRejection', listener);
    expect(done.state).toBe('COMPLETE');
    expect(stray).toEqual([]);
  });

  it('is not needed when somebody answers from outside meanwhile', async () => {
    const storage = memoryStorage();
    const clarificationHandler: ClarificationHandler = { handleInput: () => {} };
    const portia = clientOf({ tools: [asking(input)], storage, hooks: { clarificationHandler } });
    const running = portia.runPlan(plan, { runKey: 'k' });
    const elsewhere = clientOf({ tools: [asking(input)], storage });
    let open: Awaited<ReturnType<typeof elsewhere.storage.listRuns>>['items'] = [];
    while (open.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      open = (await elsewhere.storage.listRuns({ states: ['NEED_CLARIFICATION'] })).items;
    }
    const [found] = open;
    if (!found) throw new Error('no run waits');
    const waiting = await elsewhere.storage.getPlanRun(found.header.id);
    await elsewhere.resolveClarification({
      planRun: waiting,
      clarification: questionOf(waiting),
      response: 'from outside',
    });
    expect((await running).toJSON()).toMatchObject({
      state: 'COMPLETE',
      outputs: { step_outputs: { $told: { value: ['from outside'] } } },
    });
  });

  it('may answer after the run was let go; the answer is on record then', async () => {
    let answer: (() => void | Promise<void>) | undefined;
    const clarificationHandler: ClarificationHandler = {
      handleInput(clarification, onResolution) {
        answer = () => onResolution(clarification, 'late');
      },
    };
    const controller = new AbortController();
    const portia = clientOf({ tools: [asking(input)], hooks: { clarificationHandler } });
    const running = portia.runPlan(plan, { signal: controller.signal });
    while (!answer) await new Promise((resolve) => setTimeout(resolve, 1));
    controller.abort();
    const left = await running;
    expect(left.state).toBe('NEED_CLARIFICATION');
    await answer();
    expect((await portia.storage.listRuns({ states: ['READY_TO_RESUME'] })).items).toHaveLength(1);
    expect((await portia.resume({ planRun: left })).state).toBe('COMPLETE');
  });

  it('resolves with the model answering nothing more', async () => {
    const model = scriptedModel([toolCall('clarification_tool', { argument_name: 'to' }), text('never')]);
    const mailer = tool({ id: 'asker', description: 'x', argsJsonSchema: { type: 'object' }, run: () => 'sent' });
    const clarificationHandler: ClarificationHandler = {
      handleInput: (clarification, _onResolution, onError) => onError(clarification, new Error('left')),
    };
    const run = await clientOf({ tools: [mailer], model, hooks: { clarificationHandler } }).runPlan(plan);
    expect(run.error?.code).toBe('CLARIFICATION_FAILED');
    expect(model.requests).toHaveLength(1);
  });
});
