import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { PlanRun } from '../../src/core/plan-run.ts';
import { memoryStorage } from '../../src/storage/memory/memory-storage.ts';
import { answerAndResume, questionOf } from '../lib/engine.ts';
import { startWorlds, type World, type Worlds } from '../lib/outside-world.ts';
import { cold, inline, killedEverywhere } from '../lib/scenario.ts';
import { vehicle } from './vehicle-assistant.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let worlds: Worlds;
beforeAll(async () => {
  worlds = await startWorlds();
});
afterAll(() => worlds.close());

const made = (world: World): unknown => world.effects.map(({ kind, body }) => [kind, body]);
/** Outputs of steps that did something; markers of control steps are left out. */
const outputs = (run: PlanRun): unknown =>
  Object.fromEntries(
    Object.entries(run.outputs.stepOutputs).flatMap(([name, output]) =>
      'value' in output && typeof output.value !== 'boolean' ? [[name, output.value]] : [],
    ),
  );

describe('a vehicle assistant', () => {
  it('answers a question, and runs no other branch', async () => {
    const { run } = await inline(vehicle({ said: 'How do I renew my licence?' }), worlds.fresh());
    expect(run.state).toBe('COMPLETE');
    expect(outputs(run)).toEqual({
      $step_0_output: 'instructions',
      $step_2_output: 'Here is how: found renew a licence',
    });
    expect(run.outputs.finalOutput?.value).toBe('Here is how: found renew a licence');
  });

  it('asks what is wanted where that is not clear, and takes the branch of the answer', async () => {
    const world = worlds.fresh();
    const scenario = vehicle({ said: 'other' });
    const storage = memoryStorage();
    const first = await scenario.begin(scenario.client(storage, world.url));
    expect(questionOf(first)).toMatchObject({
      category: 'Input',
      userGuidance: 'Do you want a licence, or to pay tax?',
      step: 0,
    });
    const second = await answerAndResume(scenario.client(storage, world.url), first, 'I want a licence');
    expect(questionOf(second)).toMatchObject({ userGuidance: 'What is your name?', step: 4 });
    const done = await answerAndResume(scenario.client(storage, world.url), second, 'Ada');
    expect(done.error).toBeUndefined();
    expect(outputs(done)).toEqual({
      $step_0_output: 'licence',
      $step_4_output: { name: 'Ada' },
      $step_5_output: { id: 'licence_1' },
    });
    // The run has passed the end of the block, and no other branch was begun.
    const events = await scenario.client(storage, world.url).storage.getEvents(done.id);
    const ended = events.flatMap((event) => (event.type === 'step-end' ? [event.step] : []));
    expect(ended.at(-1)).toBe(11);
    expect(ended.filter((step) => step >= 7 && step <= 10)).toEqual([]);
    expect(made(world)).toEqual([['licence', { name: 'Ada' }]]);
  });

  it.each([
    ['a question', { said: 'How do I renew my licence?' }, []],
    ['a licence, after a question inside its branch', { said: 'I want a licence' }, [['licence', { name: 'Ada' }]]],
    ['tax, after two questions', { said: 'other' }, [['tax', { name: 'Ada' }]]],
    ['nothing it can help with', { said: 'the weather' }, []],
  ])('comes to the same inline, after cold resumes, and killed at every write: %s', async (_what, options, effects) => {
    const expected = (await inline(vehicle(options), worlds.fresh())).document;
    expect(expected).toMatchObject({ state: 'COMPLETE' });
    expect((await cold(vehicle(options), worlds.fresh())).document).toEqual(expected);
    const asked = await killedEverywhere(
      vehicle(options),
      () => worlds.fresh(),
      ({ document }, world, where) => {
        expect(document, where).toEqual(expected);
        expect(made(world), where).toEqual(effects);
      },
    );
    expect(asked > 0).toBe(effects.length > 0);
  });
});
