import { describe, expect, it } from 'vitest';
import { InputClarification, UserVerificationClarification } from '../core/clarification.ts';
import type { JsonValue } from '../core/json.ts';
import { AgentMemoryValue, LocalDataValue } from '../core/output.ts';
import { Plan, ReadOnlyPlan, type ReadOnlyStep } from '../core/plan.ts';
import type { ReadOnlyPlanRun } from '../core/plan-run.ts';
import { silentLogger } from '../observe/logger.ts';
import { tool } from '../tool/tool.ts';
import { clarifyOnAllToolCalls, clarifyOnToolCalls, combineHooks, logStepOutputs } from './approval-hooks.ts';
import { BeforeStepExecutionOutcome, type ClarificationRequest, type ExecutionHooks } from './hooks.ts';

const refund = tool({ id: 'create_refund', description: '', run: () => 'done' });
const mail = tool({ id: 'mail', name: 'mail', description: '', run: () => 'done' });
const init = { task: 'Refund it', toolId: 'create_refund', output: '$refund' };
const plan = ReadOnlyPlan.fromPlan(new Plan({ planContext: { query: 'q', toolIds: [] }, steps: [init] }));
const step = plan.steps[0] as ReadOnlyStep;
const planRun = { id: 'prun-7d7b7a52-1d2e-4a35-9f56-2f4cdb0c9b01' } as unknown as ReadOnlyPlanRun;

type Before = NonNullable<ExecutionHooks['beforeToolCall']>;
const ask = async (
  hook: Before | undefined,
  of = refund,
  args: Record<string, JsonValue> = { charge: 'ch_1', amount: 5 },
) => (await hook?.(of, args, planRun, step)) as ClarificationRequest | undefined;

describe('clarifyOnToolCalls', () => {
  it('asks an operator to approve calls of the tools named, by id, as tools or as a list', async () => {
    for (const hook of [
      clarifyOnToolCalls('create_refund'),
      clarifyOnToolCalls(refund),
      clarifyOnToolCalls(['x', refund]),
    ]) {
      const asked = await ask(hook);
      expect(asked?.audience).toBe('operator');
      expect(asked?.clarification).toMatchObject({
        category: 'User Verification',
        resolved: false,
        source: 'User verification tool hook',
      });
      expect(await ask(hook, mail)).toBeUndefined();
    }
  });

  it('shows the name and all the arguments', async () => {
    const asked = await ask(clarifyOnToolCalls('create_refund'));
    expect(asked?.clarification.userGuidance).toBe(
      'May Create Refund (create_refund) be called with these arguments?\n{\n  "charge": "ch_1",\n  "amount": 5\n}',
    );
    const long = await ask(clarifyOnAllToolCalls(), mail, { text: 'x'.repeat(100_000) });
    expect(long?.clarification.userGuidance.length).toBeGreaterThan(100_000);
    expect(long?.clarification.userGuidance).toContain('May mail be called');
  });

  it('hides nothing of what a model wrote', async () => {
    const asked = await ask(clarifyOnAllToolCalls(), mail, { to: 'a\u202eb\n\u001b[2K', 'k\u200b': 1 });
    expect(asked?.clarification.userGuidance).toContain('"to": "a\\u202eb\\n\\u001b[2K",\n  "k\\u200b": 1');
  });

  it('takes words, audience and a time limit of your own', async () => {
    const hook = clarifyOnToolCalls('create_refund', {
      audience: 'role:finance',
      message: (_tool, args) => `Refund ${String(args['amount'])}?`,
      expiresIn: 1000,
      onExpiry: 'refuse',
    });
    const asked = await ask(hook);
    expect(asked).toMatchObject({ audience: 'role:finance', expiresIn: 1000, onExpiry: 'refuse' });
    expect(asked?.clarification.userGuidance).toMatch(
      /^Refund 5\?\nCreate Refund \(create_refund\) will be called with these arguments:\n\{/,
    );
    expect((await ask(clarifyOnAllToolCalls({ message: 'Sure?' })))?.clarification.userGuidance).toMatch(/^Sure\?\n/);
  });
});

describe('logStepOutputs', () => {
  it('logs what each step gave, cut where it is long', async () => {
    const lines: [string, unknown][] = [];
    const hook = logStepOutputs({ ...silentLogger, info: (message, fields) => void lines.push([message, fields]) });
    await hook(plan, planRun, step, LocalDataValue({ ok: true }));
    await hook(
      plan,
      planRun,
      step,
      AgentMemoryValue({ outputName: '$refund', planRunId: planRun.id, summary: 's'.repeat(2000) }),
    );
    expect(lines).toEqual([
      ['step "Refund it" (create_refund) gave $refund: {"ok":true}', { planRunId: planRun.id }],
      [`step "Refund it" (create_refund) gave $refund: ${'s'.repeat(1000)}…`, { planRunId: planRun.id }],
    ]);
  });
});

describe('combineHooks', () => {
  it('has only the points that some of the hooks have', () => {
    expect(combineHooks({}, {})).toEqual({});
    expect(Object.keys(combineHooks({ beforePlanRun: () => {} }, { afterToolCall: () => {} }))).toEqual([
      'beforePlanRun',
      'afterToolCall',
    ]);
  });

  it('calls all of them, in order, each on its own object', async () => {
    const calls: string[] = [];
    class Recorder implements ExecutionHooks {
      readonly #name: string;
      constructor(name: string) {
        this.#name = name;
      }
      async beforePlanRun() {
        await Promise.resolve();
        calls.push(`${this.#name} before run`);
      }
      beforeStepExecution() {
        calls.push(`${this.#name} before step`);
      }
      afterStepExecution() {
        calls.push(`${this.#name} after step`);
      }
      afterPlanRun() {
        calls.push(`${this.#name} after run`);
      }
      beforeToolCall() {
        calls.push(`${this.#name} before call`);
      }
      afterToolCall() {
        calls.push(`${this.#name} after call`);
      }
    }
    const hooks = combineHooks(new Recorder('a'), {}, new Recorder('b'));
    await hooks.beforePlanRun?.(plan, planRun);
    expect(await hooks.beforeStepExecution?.(plan, planRun, step)).toBe('CONTINUE');
    expect(await ask(hooks.beforeToolCall)).toBeUndefined();
    await hooks.afterToolCall?.(refund, 'x', planRun, step);
    await hooks.afterStepExecution?.(plan, planRun, step, LocalDataValue(1));
    await hooks.afterPlanRun?.(plan, planRun, undefined);
    const points = ['before run', 'before step', 'before call', 'after call', 'after step', 'after run'];
    expect(calls).toEqual(points.flatMap((point) => [`a ${point}`, `b ${point}`]));
  });

  it('leaves a step out when any of them says so', async () => {
    const hooks = combineHooks(
      { beforeStepExecution: () => BeforeStepExecutionOutcome.SKIP },
      { beforeStepExecution: () => BeforeStepExecutionOutcome.CONTINUE },
    );
    expect(await hooks.beforeStepExecution?.(plan, planRun, step)).toBe('SKIP');
  });

  it('lets the first clarification win and still asks the later ones', async () => {
    const first = InputClarification({ userGuidance: '1', argumentName: 'x' });
    const asked: string[] = [];
    const second = (): ClarificationRequest => {
      asked.push('second');
      return { clarification: UserVerificationClarification({ userGuidance: '2' }) };
    };
    const before = combineHooks({}, { beforeToolCall: () => first }, { beforeToolCall: second });
    expect(await ask(before.beforeToolCall)).toBe(first);
    const after = combineHooks({ afterToolCall: () => first }, { afterToolCall: second });
    expect(await after.afterToolCall?.(refund, 'x', planRun, step)).toBe(first);
    expect(asked).toEqual(['second', 'second']);
  });

  it('never asks for a call without a later hook having had its veto', async () => {
    const veto = (): never => {
      throw new Error('too much');
    };
    const hooks = combineHooks({ beforeToolCall: clarifyOnAllToolCalls() }, { beforeToolCall: veto });
    await expect(ask(hooks.beforeToolCall)).rejects.toThrow('too much');
  });

  it('shows a person the arguments as later hooks left them', async () => {
    const cap: Before = (_tool, args) => {
      args['amount'] = 1;
    };
    const asked = await ask(
      combineHooks({ beforeToolCall: clarifyOnAllToolCalls() }, { beforeToolCall: cap }).beforeToolCall,
    );
    expect(asked?.clarification.userGuidance).toContain('"amount": 1');
  });

  it('takes for each kind of question the first handler that answers it', async () => {
    const seen: string[] = [];
    const handler = (name: string) => ({ handleInput: () => void seen.push(name) });
    const custom = { handleCustom: () => void seen.push('custom') };
    const { clarificationHandler } = combineHooks(
      { clarificationHandler: custom },
      { clarificationHandler: handler('a') },
      { clarificationHandler: handler('b') },
    );
    expect(Object.keys(clarificationHandler ?? {})).toEqual(['handleInput', 'handleCustom']);
    clarificationHandler?.handleInput?.(
      {} as never,
      () => {},
      () => {},
    );
    clarificationHandler?.handleCustom?.(
      {} as never,
      () => {},
      () => {},
    );
    expect(seen).toEqual(['a', 'custom']);
  });
});
