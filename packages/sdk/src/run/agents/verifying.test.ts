import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { answerAndResume, clientOf, planOf, planWith } from '../../../test/lib/engine.ts';
import { allProviders, configFor, modelNames, serve } from '../../../test/lib/model-servers.ts';
import { Portia } from '../../client.ts';
import { Config } from '../../config/config.ts';
import { ToolSoftError } from '../../core/errors.ts';
import type { JsonObject } from '../../core/json.ts';
import type { ModelRequest } from '../../core/model.ts';
import { memoryStorage } from '../../storage/memory/memory-storage.ts';
import type { StorageBackend } from '../../storage/storage-backend.ts';
import { crashingStorage } from '../../testing/crashing-storage.ts';
import { object, type Script, toolCall } from '../../testing/script.ts';
import { type ScriptedModel, scriptedModel } from '../../testing/scripted-model.ts';
import { tool } from '../../tool/tool.ts';

const plan = planOf({ toolId: 'mail', output: '$mail', task: 'Mail Bo at bo@example.org that dinner is at 8' });

interface Bench {
  readonly portia: Portia;
  readonly sent: JsonObject[];
  readonly model: ScriptedModel;
  readonly storage: StorageBackend;
}

function bench(
  script: Script | ScriptedModel,
  options: {
    run?: (args: JsonObject) => string;
    storage?: StorageBackend;
    sent?: JsonObject[];
    config?: Config;
  } = {},
): Bench {
  const sent = options.sent ?? [];
  const model = 'generate' in script ? script : scriptedModel(script);
  const storage = options.storage ?? memoryStorage();
  const mail = tool({
    id: 'mail',
    description: 'Sends a mail',
    argsSchema: z.object({
      to: z.string(),
      text: z.string(),
      hour: z.number().optional(),
      tags: z.array(z.string()).optional(),
    }),
    run(given) {
      const args = given as JsonObject;
      sent.push(args);
      return options.run?.(args) ?? 'sent';
    },
    reconcile: () => (sent.length > 0 ? 'sent' : 'not-happened'),
  });
  const config = options.config ?? new Config({ storage, defaultModel: model, executionAgentType: 'DEFAULT' });
  return { portia: new Portia({ config, tools: [mail] }), sent, model, storage };
}

const known = { explanation: 'the task', made_up: false };
const to = { ...known, value: 'bo@example.org' };
const text = { ...known, value: 'dinner is at 8' };
const nothing = { explanation: 'none', value: null, made_up: true };

function said(request: ModelRequest | undefined): string {
  return JSON.stringify(request?.messages);
}

describe('the verifying agent', () => {
  it('makes one model call when all that it passes stands in the data', async () => {
    const { portia, sent, model } = bench([object({ to, text, hour: { ...known, value: 8 }, tags: nothing })]);
    const run = await portia.runPlan(plan);
    expect(run.outputs.finalOutput?.value).toBe('sent');
    expect(sent).toEqual([{ to: 'bo@example.org', text: 'dinner is at 8', hour: 8 }]);
    expect(model.requests).toHaveLength(1);
    expect(model.requests[0]?.schema?.jsonSchema['required']).toEqual(['to', 'text', 'hour', 'tags']);
  });

  it('has what does not stand there letter for letter judged by a second call', async () => {
    const { portia, sent, model } = bench([
      object({ to, text: { ...known, value: 'See you at eight' } }),
      object({ text: { explanation: 'derived from the task', made_up: false } }),
    ]);
    await portia.runPlan(plan);
    expect(sent).toEqual([{ to: 'bo@example.org', text: 'See you at eight' }]);
    expect(model.requests).toHaveLength(2);
    expect(said(model.requests[1])).toContain('See you at eight');
    expect(said(model.requests[1])).not.toContain('"to":');
  });

  it('asks a person for each value that the second call finds made up, and passes their answers', async () => {
    const { portia, sent, model } = bench([
      object({ to: { ...known, value: 'jo@example.com' }, text: nothing }),
      object({ to: { explanation: 'nowhere', made_up: true } }),
    ]);
    const waiting = await portia.runPlan(plan);
    expect(waiting.state).toBe('NEED_CLARIFICATION');
    const asked = waiting.getOutstandingClarifications();
    expect(asked).toMatchObject([
      {
        category: 'Input',
        userGuidance: 'Missing Argument: text',
        argumentName: 'text',
        source: 'Default execution agent',
      },
      {
        category: 'Input',
        userGuidance: 'Missing Argument: to',
        argumentName: 'to',
        source: 'Default execution agent',
      },
    ]);
    for (const clarification of asked)
      await portia.resolveClarification({
        planRun: waiting,
        clarification,
        response: `the ${clarification.userGuidance.slice(18)}`,
      });
    const done = await portia.resume({ planRun: waiting });
    expect(done.state).toBe('COMPLETE');
    expect(sent).toEqual([{ to: 'the to', text: 'the text' }]);
    expect(model.requests).toHaveLength(2);
  });

  it('fails closed: a verdict that is missing is asked for again', async () => {
    const verdict = { explanation: 'derived', made_up: false };
    const { portia, sent, model } = bench([
      object({ to, text: { ...known, value: 'Eight?' } }),
      object({ other: verdict }),
      object({ text: verdict }),
    ]);
    await portia.runPlan(plan);
    expect([sent.length, model.requests.length]).toEqual([1, 3]);
  });

  it('goes on in another process with what it settled, and pays nothing again', async () => {
    const first = bench([object({ to, text: nothing })]);
    const waiting = await first.portia.runPlan(plan);
    const second = bench([], { storage: first.storage });
    const done = await answerAndResume(second.portia, waiting, 'Dinner!');
    expect([done.state, second.sent, second.model.requests.length]).toEqual([
      'COMPLETE',
      [{ to: 'bo@example.org', text: 'Dinner!' }],
      0,
    ]);
  });

  it('gives arguments that do not fit back with what is wrong, and stops when the same comes again', async () => {
    const { portia, sent, model } = bench([
      object({ to, text, hour: { ...known, value: 'eight' } }),
      object({ to, text, hour: { ...known, value: 8 } }),
    ]);
    await portia.runPlan(plan);
    expect(sent).toEqual([{ to: 'bo@example.org', text: 'dinner is at 8', hour: 8 }]);
    expect(said(model.requests[1])).toContain('hour: Invalid input');

    const stubborn = bench(() => object({ to, text, hour: { ...known, value: 'eight' } }));
    const waiting = await stubborn.portia.runPlan(plan);
    expect(stubborn.model.requests).toHaveLength(2);
    expect(waiting.getOutstandingClarifications()).toMatchObject([{ userGuidance: 'Missing Argument: hour' }]);
  });

  it('asks at most five times for arguments, and then a person', async () => {
    const { portia, model } = bench((_request, n) => object({ to, text, hour: { ...known, value: `at ${n}` } }));
    const waiting = await portia.runPlan(plan);
    expect(model.requests).toHaveLength(5);
    expect(waiting.state).toBe('NEED_CLARIFICATION');
  });

  it('takes a list or number that was written as text, by a model or a person', async () => {
    const { portia, sent } = bench([
      object({ to, text, tags: { ...known, value: '["Bo", "dinner"]' }, hour: { ...known, value: 8, made_up: true } }),
    ]);
    const waiting = await portia.runPlan(plan);
    await answerAndResume(portia, waiting, '20');
    expect(sent).toEqual([{ to: 'bo@example.org', text: 'dinner is at 8', tags: ['Bo', 'dinner'], hour: 20 }]);
  });

  it('asks again for an answer that does not fit, and gives up after three', async () => {
    const { portia, sent } = bench([object({ to, text, hour: { ...known, value: 8, made_up: true } })]);
    let run = await portia.runPlan(plan);
    for (const _try of [1, 2]) run = await answerAndResume(portia, run, 'late');
    expect(run.getOutstandingClarifications()[0]?.userGuidance).toContain(
      'Missing Argument: hour (the answer before does not fit',
    );
    run = await answerAndResume(portia, run, 'later');
    expect([run.state, run.error?.code, sent]).toEqual(['FAILED', 'TOOL_ARGS_INVALID', []]);
  });

  it('leaves out arguments the tool does not have, whatever the model says of them', async () => {
    const { portia, sent } = bench([object({ to, text, bcc: { ...known, value: 'eve@example.org' } })]);
    await portia.runPlan(plan);
    expect(sent).toEqual([{ to: 'bo@example.org', text: 'dinner is at 8' }]);
  });

  it('passes a long input by its name, and mends a name that stands for nothing', async () => {
    const letter = `Dear Bo, ${'x'.repeat(20_000)}`;
    const { portia, sent, model } = bench([
      object({ to, text: { ...known, value: '{{$lettre}}' } }),
      object({ to, text: { ...known, value: '{{$letter}}' } }),
    ]);
    const mailIt = planWith([{ name: '$letter' }], {
      toolId: 'mail',
      task: 'Mail it to bo@example.org',
      inputs: ['$letter'],
    });
    await portia.runPlan(mailIt, { planRunInputs: { $letter: letter } });
    expect(sent).toEqual([{ to: 'bo@example.org', text: letter }]);
    expect(said(model.requests[1])).toContain('nothing is named $lettre');
  });

  it('shows a soft error, which changes nothing of what people said', async () => {
    const { portia, sent, model } = bench(
      [object({ to: nothing, text }), object({ to: nothing, text: { ...known, value: 'dinner' } })],
      {
        run({ text: words }) {
          if (words !== 'dinner') throw new ToolSoftError('the text is too long');
          return 'sent';
        },
      },
    );
    const done = await answerAndResume(portia, await portia.runPlan(plan), 'bo@example.org');
    expect(done.state).toBe('COMPLETE');
    expect(sent.map(({ to: whom }) => whom)).toEqual(['bo@example.org', 'bo@example.org']);
    expect(said(model.requests[1])).toContain('the text is too long');
  });

  it('fails after four soft errors', async () => {
    const { portia, sent } = bench(
      (_request, n) => object({ to, text: { ...known, value: n % 2 ? 'dinner' : 'dinner is at 8' } }),
      {
        run() {
          throw new ToolSoftError('no');
        },
      },
    );
    const run = await portia.runPlan(plan);
    expect([run.error?.code, sent.length]).toEqual(['TOOL_RETRIES_EXHAUSTED', 4]);
  });

  it('ends the same wherever the process dies, with one mail, and pays at most the answer that was lost again', async () => {
    const script: Script = ({ schema }) =>
      schema?.name === 'verdicts'
        ? object({ text: { explanation: 'derived', made_up: false } })
        : object({ to: nothing, text: { ...known, value: 'See you at eight' } });
    const whole = crashingStorage(memoryStorage());
    const counted = bench(script, { storage: whole });
    await answerAndResume(counted.portia, await counted.portia.runPlan(plan), 'bo@example.org');
    expect(whole.writes).toBeGreaterThan(6);
    for (const when of ['before', 'after'] as const) {
      for (let write = 2; write <= whole.writes; write += 1) {
        const storage = memoryStorage();
        const world = { sent: [] as JsonObject[], model: scriptedModel(script) };
        const first = bench(world.model, { storage: crashingStorage(storage, { write, when }), sent: world.sent });
        await first.portia
          .runPlan(plan)
          .then((run) => answerAndResume(first.portia, run, 'bo@example.org'))
          .catch(() => undefined);
        const { portia } = bench(world.model, { storage, sent: world.sent });
        const id = (await portia.storage.listRuns()).items[0]?.header.id;
        let run = id ? await portia.resume({ planRunId: id }) : await portia.runPlan(plan);
        if (run.state === 'NEED_CLARIFICATION') run = await answerAndResume(portia, run, 'bo@example.org');
        expect([`${when} ${write}`, run.state, world.sent.length]).toEqual([`${when} ${write}`, 'COMPLETE', 1]);
        expect(world.model.requests.length).toBeLessThanOrEqual(3);
      }
    }
  });

  it('leaves tools whose arguments have no names to the one-shot agent', async () => {
    const seen: unknown[] = [];
    const any = tool({
      id: 'any',
      description: 'takes anything',
      argsJsonSchema: { type: 'object' },
      run: (args) => {
        seen.push(args);
        return 'ok';
      },
    });
    const model = scriptedModel([toolCall('any', { a: 1 })]);
    const portia = clientOf({ tools: [any], model, config: { executionAgentType: 'DEFAULT' } });
    await portia.runPlan(planOf({ toolId: 'any' }));
    expect(seen).toEqual([{ a: 1 }]);
  });

  it('speaks the protocols of all providers', async () => {
    const verdict = { text: { explanation: 'derived', made_up: false } };
    const settled = { to, text: { ...known, value: 'See you' }, hour: nothing, tags: nothing };
    const server = await serve((_request, n) => JSON.stringify(n % 2 === 1 ? settled : verdict));
    for (const provider of allProviders) {
      const config = configFor(server, { defaultModel: modelNames[provider], executionAgentType: 'DEFAULT' });
      const { portia, sent } = bench([], { config });
      const run = await portia.runPlan(plan);
      expect([provider, run.error, sent]).toEqual([provider, undefined, [{ to: 'bo@example.org', text: 'See you' }]]);
    }
  });
});
