import { describe, expect, it } from 'vitest';
import { answerAndResume, clientOf, codeOf, planOf, questionOf } from '../../test/lib/engine.ts';
import { ActionClarification, InputClarification } from '../core/clarification.ts';
import { ToolHardError } from '../core/errors.ts';
import { PlanRunUUID } from '../core/ids.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { PlanRun } from '../core/plan-run.ts';
import type { ReadyResponse } from '../core/tool.ts';
import type { LogFields, Logger } from '../observe/logger.ts';
import { silentLogger } from '../observe/logger.ts';
import { memoryStorage } from '../storage/memory/memory-storage.ts';
import { object } from '../testing/script.ts';
import { scriptedModel } from '../testing/scripted-model.ts';
import { tool } from '../tool/tool.ts';

const one = tool({ id: 'one', description: 'gives 1', readOnly: true, run: () => 1 });
const plan = planOf({ toolId: 'one', output: '$a' }, { toolId: 'one', output: '$b' });

/** A tool that is ready once its world says so. */
function signIn(world: { response: ReadyResponse; asked: number }): ReturnType<typeof tool> {
  return tool({
    id: 'mail',
    description: 'needs a sign-in',
    ready() {
      world.asked += 1;
      return world.response;
    },
    run: () => 'sent',
  });
}

const askToSignIn = (): ReadyResponse => ({
  ready: false,
  clarifications: [ActionClarification({ userGuidance: 'Sign in', actionUrl: 'https://auth.example.org/start' })],
});

describe('the state of a run', () => {
  it('is NOT_STARTED when it is created, and stays so until it is resumed', async () => {
    const portia = clientOf({ tools: [one] });
    const run = await portia.createPlanRun(plan);
    expect(run.state).toBe('NOT_STARTED');
    expect((await portia.storage.getPlanRun(run.id)).state).toBe('NOT_STARTED');
    expect((await portia.resume({ planRun: run })).state).toBe('COMPLETE');
  });

  it('is IN_PROGRESS while steps execute', async () => {
    const states: string[] = [];
    const portia = clientOf({
      tools: [one],
      hooks: { afterStepExecution: (_plan, run) => void states.push(run.state) },
    });
    await portia.runPlan(plan);
    expect(states).toEqual(['IN_PROGRESS', 'IN_PROGRESS']);
  });

  it('is COMPLETE after the last step, which stays the current one', async () => {
    const run = await clientOf({ tools: [one] }).runPlan(plan);
    expect(run).toMatchObject({ state: 'COMPLETE', currentStepIndex: 1 });
  });

  it('is COMPLETE at once without steps, and without a final output', async () => {
    const run = await clientOf().runPlan(planOf());
    expect(run.state).toBe('COMPLETE');
    expect(run.outputs.finalOutput).toBeNull();
  });

  it('is NEED_CLARIFICATION while a question is open, READY_TO_RESUME once the last one is answered', async () => {
    let asked = 0;
    const asker = tool({
      id: 'asker',
      description: 'asks twice at once',
      run(_args, { clarifications }) {
        asked += 1;
        if (clarifications.length > 0) return clarifications.map(({ response }) => response);
        return ['first', 'second'].map((name) => InputClarification({ userGuidance: name, argumentName: name }));
      },
    });
    const portia = clientOf({ tools: [asker] });
    const waiting = await portia.runPlan(planOf({ toolId: 'asker', output: '$a' }));
    expect(waiting).toMatchObject({ state: 'NEED_CLARIFICATION', currentStepIndex: 0 });
    const [first, second] = waiting.getOutstandingClarifications();
    const half = await portia.resolveClarification({ planRun: waiting, clarification: first, response: 1 });
    expect(half.state).toBe('NEED_CLARIFICATION');
    const ready = await portia.resolveClarification({ planRun: waiting, clarification: second, response: 2 });
    expect(ready.state).toBe('READY_TO_RESUME');
    const done = await portia.resume({ planRun: waiting });
    expect(done.toJSON()).toMatchObject({ state: 'COMPLETE', outputs: { step_outputs: { $a: { value: [1, 2] } } } });
    expect(asked).toBe(2);
  });

  it('is FAILED with the error as output of the step and of the run', async () => {
    const broken = tool({
      id: 'broken',
      description: 'fails',
      run: () => {
        throw new ToolHardError('no such customer');
      },
    });
    const run = await clientOf({ tools: [one, broken] }).runPlan(
      planOf({ toolId: 'one', output: '$a' }, { toolId: 'broken', output: '$b' }),
    );
    expect(run.toJSON()).toMatchObject({
      state: 'FAILED',
      current_step_index: 1,
      outputs: {
        step_outputs: { $a: { value: 1 }, $b: { value: 'no such customer' } },
        final_output: { value: 'no such customer' },
      },
    });
  });
});

describe('the condition of a step', () => {
  const conditional = planOf(
    { toolId: 'one', output: '$a' },
    { toolId: 'one', output: '$b', condition: 'if $a is 2' },
    { toolId: 'one', output: '$c' },
  );

  it('skips it, with a marker that is never the final output', async () => {
    const model = scriptedModel([object({ outcome: 'SKIP', reason: 'it is 1' })]);
    const run = await clientOf({ tools: [one], model }).runPlan(
      planOf({ toolId: 'one', output: '$a' }, { toolId: 'one', output: '$b', condition: 'if $a is 2' }),
    );
    expect(run.outputs.stepOutputs['$b']).toEqual({ value: 'Tool execution skipped', summary: 'it is 1' });
    expect(run.outputs.finalOutput).toEqual({ value: 1, summary: null });
  });

  it('ends the run, with what the steps before it gave', async () => {
    const model = scriptedModel([object({ outcome: 'COMPLETE', reason: 'nothing left' })]);
    const ended: unknown[] = [];
    const portia = clientOf({
      tools: [one],
      model,
      hooks: { afterPlanRun: (_plan, run, output) => void ended.push([run.state, output]) },
    });
    const run = await portia.runPlan(conditional);
    expect(run.state).toBe('COMPLETE');
    expect(Object.keys(run.outputs.stepOutputs)).toEqual(['$a', '$b']);
    expect(run.outputs.stepOutputs['$b']).toEqual({
      value: 'Tool execution skipped and completed the plan run',
      summary: 'nothing left',
    });
    expect(run.outputs.finalOutput).toEqual({ value: 1, summary: null });
    expect(ended).toEqual([['COMPLETE', { value: 1, summary: null }]]);
  });

  it('that ends the run at its first step leaves no final output, and afterPlanRun is not called', async () => {
    const model = scriptedModel([object({ outcome: 'COMPLETE', reason: 'nothing to do' })]);
    let ended = 0;
    const portia = clientOf({ tools: [one], model, hooks: { afterPlanRun: () => void (ended += 1) } });
    const run = await portia.runPlan(
      planOf({ toolId: 'one', output: '$a', condition: 'never' }, { toolId: 'one', output: '$b' }),
    );
    expect(run.state).toBe('COMPLETE');
    expect(run.outputs.finalOutput).toBeNull();
    expect(ended).toBe(0);
  });
});

describe('resuming', () => {
  it('a finished run gives it back as it is, with a warning', async () => {
    const warnings: string[] = [];
    const logger: Logger = {
      ...silentLogger,
      warn: (message: string, _fields?: LogFields) => void warnings.push(message),
    };
    const storage = memoryStorage();
    const portia = clientOf({ tools: [one], storage, logger });
    const done = await portia.runPlan(plan);
    const events = await portia.storage.getEvents(done.id);
    const again = await portia.resume({ planRun: done });
    expect(again.toJSON()).toEqual(done.toJSON());
    expect(await portia.storage.getEvents(done.id)).toEqual(events);
    expect(warnings).toEqual([expect.stringContaining('COMPLETE already')]);
  });

  it('needs a run or its id, in its form', async () => {
    const portia = clientOf();
    expect(await codeOf(portia.resume({}))).toBe('ID_INVALID');
    expect(await codeOf(portia.resume({ planRunId: 'plan-7d7b7a52-1d2e-4a35-9f56-2f4cdb0c9b01' }))).toBe('ID_INVALID');
    expect(await codeOf(portia.resume({ planRunId: PlanRunUUID.random() }))).toBe('PLAN_RUN_NOT_FOUND');
  });

  it('a waiting run again and again changes nothing', async () => {
    const asker = tool({
      id: 'asker',
      description: 'asks',
      run: () => InputClarification({ userGuidance: 'Who?', argumentName: 'who' }),
    });
    const portia = clientOf({ tools: [asker] });
    const waiting = await portia.runPlan(planOf({ toolId: 'asker', output: '$a' }));
    const events = await portia.storage.getEvents(waiting.id);
    for (let time = 0; time < 3; time += 1) {
      expect((await portia.resume({ planRun: waiting })).toJSON()).toEqual(waiting.toJSON());
    }
    expect(await portia.storage.getEvents(waiting.id)).toEqual(events);
  });

  it('twice at once lets one drive; the other hears RUN_BUSY', async () => {
    let calls = 0;
    const slow = tool({
      id: 'slow',
      description: 'takes a while',
      async run() {
        calls += 1;
        await new Promise((resolve) => setTimeout(resolve, 20));
        return calls;
      },
    });
    const portia = clientOf({ tools: [slow] });
    const run = await portia.createPlanRun(planOf({ toolId: 'slow', output: '$a' }));
    const both = await Promise.allSettled([portia.resume({ planRun: run }), portia.resume({ planRun: run })]);
    const outcomes = both.map((one) =>
      one.status === 'fulfilled' ? one.value.state : (one.reason as { code: string }).code,
    );
    expect(outcomes.sort()).toEqual(['COMPLETE', 'RUN_BUSY']);
    expect(calls).toBe(1);
  });

  it('with a tool that is not registered here leaves the run as it is', async () => {
    const storage = memoryStorage();
    const run = await clientOf({ tools: [one], storage }).createPlanRun(plan);
    const elsewhere = clientOf({ storage });
    await expect(elsewhere.resume({ planRun: run })).rejects.toMatchObject({
      code: 'TOOL_NOT_FOUND',
      message: expect.stringContaining('"one"'),
    });
    expect((await elsewhere.storage.getPlanRun(run.id)).state).toBe('NOT_STARTED');
    expect((await clientOf({ tools: [one], storage }).resume({ planRun: run })).state).toBe('COMPLETE');
  });

  it('refuses a plan with an unknown tool before anything is stored', async () => {
    const portia = clientOf({ tools: [one] });
    await expect(portia.runPlan(planOf({ toolId: 'onne', output: '$a' }))).rejects.toMatchObject({
      code: 'PLAN_INVALID',
      message: expect.stringContaining('did you mean "one"'),
    });
    expect((await portia.storage.listRuns()).items).toEqual([]);
  });
});

describe('the readiness of tools', () => {
  const mailPlan = planOf(
    { toolId: 'one', output: '$a' },
    { toolId: 'mail', output: '$b' },
    { toolId: 'mail', output: '$c' },
  );

  it('is asked for before anything runs, once per tool, and what they need is a question of the step that needs it', async () => {
    const world = { response: askToSignIn(), asked: 0 };
    const portia = clientOf({ tools: [one, signIn(world)] });
    const waiting = await portia.runPlan(mailPlan);
    expect(waiting.state).toBe('NEED_CLARIFICATION');
    expect(waiting.outputs.stepOutputs).toEqual({});
    expect(questionOf(waiting)).toMatchObject({ category: 'Action', step: 1, source: 'Mail' });
    expect(world.asked).toBe(1);
  });

  it('does not keep hooks from being asked before the step that waits', async () => {
    const world = { response: askToSignIn(), asked: 0 };
    const steps: number[] = [];
    const portia = clientOf({
      tools: [one, signIn(world)],
      hooks: { beforeStepExecution: (_plan, run) => void steps.push(run.currentStepIndex) },
    });
    const waiting = await portia.runPlan(mailPlan);
    world.response = { ready: true };
    const done = await answerAndResume(portia, waiting, 'done');
    expect(done.state).toBe('COMPLETE');
    expect(steps).toEqual([0, 1, 2]);
  });

  it('resolves what asked for no confirmation as soon as the tool is ready', async () => {
    const world = { response: askToSignIn(), asked: 0 };
    const portia = clientOf({ tools: [one, signIn(world)] });
    const waiting = await portia.runPlan(mailPlan);
    world.response = { ready: true };
    const done = await portia.resume({ planRun: waiting });
    expect(done.state).toBe('COMPLETE');
    expect(done.outputs.clarifications).toMatchObject([{ resolved: true, response: 'complete' }]);
    expect(await portia.storage.getClarifications(done.id)).toMatchObject([{ via: 'readiness', resolvedBy: null }]);
  });

  it('never confirms for a person what asks for confirmation', async () => {
    const asking = ActionClarification({
      userGuidance: 'Sign in',
      actionUrl: 'https://auth.example.org/',
      requireConfirmation: true,
    });
    const world = { response: { ready: false, clarifications: [asking] } as ReadyResponse, asked: 0 };
    const portia = clientOf({ tools: [one, signIn(world)] });
    const waiting = await portia.runPlan(mailPlan);
    world.response = { ready: true };
    const still = await portia.resume({ planRun: waiting });
    expect(still.state).toBe('NEED_CLARIFICATION');
    expect((await answerAndResume(portia, still, true)).state).toBe('COMPLETE');
  });

  it('that is missing without a question stops the run with the reason', async () => {
    const reasons: [ReadyResponse, string][] = [
      [{ ready: false }, 'mail is not ready and does not say why'],
      [{ ready: false, reason: 'no licence' }, 'mail is not ready: no licence'],
    ];
    for (const [response, message] of reasons) {
      const run = await clientOf({ tools: [one, signIn({ response, asked: 0 })] }).runPlan(mailPlan);
      expect(run.error).toMatchObject({ code: 'TOOL_NOT_READY', message, step: 1 });
      expect(Object.keys(run.outputs.stepOutputs)).toEqual(['$b']);
    }
  });

  it('that cannot be told is no readiness: an error, or no answer in time', async () => {
    const throwing = tool({
      id: 'mail',
      description: 'x',
      ready: () => {
        throw new Error('offline');
      },
      run: () => 1,
    });
    const hanging = tool({
      id: 'mail',
      description: 'x',
      timeoutMs: 20,
      ready: () => new Promise<ReadyResponse>(() => {}),
      run: () => 1,
    });
    expect((await clientOf({ tools: [one, throwing] }).runPlan(mailPlan)).error).toMatchObject({
      code: 'TOOL_NOT_READY',
      message: 'mail is not ready: offline',
    });
    expect((await clientOf({ tools: [one, hanging] }).runPlan(mailPlan)).error).toMatchObject({
      code: 'TOOL_NOT_READY',
      message: expect.stringContaining('20 ms'),
    });
  });

  it('is asked for again when the run is resumed, only of the steps that are left', async () => {
    const world = { response: { ready: true } as ReadyResponse, asked: 0 };
    const asker = tool<JsonObject, JsonValue>({
      id: 'asker',
      description: 'asks',
      run: (_args, { clarifications }) =>
        clarifications[0]?.response ?? InputClarification({ userGuidance: '?', argumentName: 'a' }),
    });
    const portia = clientOf({ tools: [one, asker, signIn(world)] });
    const waiting = await portia.runPlan(
      planOf({ toolId: 'mail', output: '$a' }, { toolId: 'asker', output: '$b' }, { toolId: 'one', output: '$c' }),
    );
    expect(world.asked).toBe(1);
    expect((await answerAndResume(portia, waiting, 'x')).state).toBe('COMPLETE');
    expect(world.asked).toBe(1);
  });

  it('is waited for by waitForReady', async () => {
    const world = { response: askToSignIn(), asked: 0 };
    const portia = clientOf({ tools: [one, signIn(world)] });
    const waiting = await portia.runPlan(mailPlan);
    const ready = portia.waitForReady({ planRun: waiting, backoffTimeSeconds: 0.01 });
    world.response = { ready: true };
    expect((await ready).state).toBe('READY_TO_RESUME');
    await expect(
      portia.waitForReady({ planRun: (await portia.resume({ planRun: waiting })) as PlanRun }),
    ).rejects.toMatchObject({ code: 'RUN_STATE_INVALID' });
  });

  it('is given up by waitForReady after its retries', async () => {
    const portia = clientOf({ tools: [one, signIn({ response: askToSignIn(), asked: 0 })] });
    const waiting = await portia.runPlan(mailPlan);
    const options = { planRun: waiting, backoffTimeSeconds: 0.001, backoffStartTimeSeconds: 0, maxRetries: 3 };
    await expect(portia.waitForReady(options)).rejects.toMatchObject({
      code: 'RUN_STATE_INVALID',
      message: expect.stringContaining('max retries'),
    });
    expect((await portia.storage.getPlanRun(waiting.id)).state).toBe('NEED_CLARIFICATION');
  });
});
