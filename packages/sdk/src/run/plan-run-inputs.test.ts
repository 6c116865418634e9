import { describe, expect, it } from 'vitest';
import { clientOf, codeOf, planOf, planWith } from '../../test/lib/engine.ts';
import { type LogFields, type Logger, silentLogger } from '../observe/logger.ts';
import { text } from '../testing/script.ts';
import { scriptedModel } from '../testing/scripted-model.ts';
import { tool } from '../tool/tool.ts';

const one = tool({ id: 'one', description: 'gives 1', readOnly: true, run: () => 1 });

describe('run inputs', () => {
  const words = planWith([{ name: '$who' }, { name: '$how', value: 'politely' }], {
    output: '$a',
    inputs: ['$who', '$how'],
  });
  const inputsOf = async (planRunInputs: unknown, of = words): Promise<unknown> => {
    const portia = clientOf();
    const run = await portia.createPlanRun(of, { planRunInputs: planRunInputs as never });
    return Object.fromEntries(Object.entries(run.planRunInputs).map(([name, { value }]) => [name, value]));
  };

  it('are taken by name or as a list, over the defaults of the plan', async () => {
    expect(await inputsOf({ $who: 'ada' })).toEqual({ $who: 'ada', $how: 'politely' });
    expect(
      await inputsOf([
        { name: '$how', value: 1 },
        { name: '$who', value: [2] },
      ]),
    ).toEqual({ $who: [2], $how: 1 });
  });

  it('may be null, which counts as given', async () => {
    expect(await inputsOf({ $who: null, $how: null })).toEqual({ $who: null, $how: null });
  });

  it.each([[undefined], [{}], [[]], [null]])('that are missing are named, and nothing is stored: %j', async (given) => {
    const portia = clientOf();
    const missing = planWith([{ name: '$b' }, { name: '$a' }, { name: '$c', value: 1 }], { output: '$x' });
    const refused = portia.runPlan(missing, { planRunInputs: given as never });
    await expect(refused).rejects.toMatchObject({
      code: 'INPUT_MISSING',
      message: 'Missing required plan input values: $b, $a',
      details: { missing: ['$b', '$a'] },
    });
    expect((await portia.storage.listRuns()).items).toEqual([]);
  });

  it.each([['text'], [7], [[{ value: 1 }]], [[{ name: '$who' }]], [new Map()]])(
    'in a form that cannot be read are refused: %s',
    async (given) => {
      expect(await codeOf(inputsOf(given))).toBe('INPUT_INVALID');
    },
  );

  it('that JSON cannot hold are refused with their path', async () => {
    await expect(inputsOf({ $who: { at: [new Map()] } })).rejects.toMatchObject({
      code: 'OUTPUT_NOT_JSON',
      message: expect.stringContaining('$who.at[0]'),
    });
  });

  it('that nobody declared are left out, with a warning', async () => {
    const warnings: string[] = [];
    const logger: Logger = {
      ...silentLogger,
      warn: (message: string, _fields?: LogFields) => void warnings.push(message),
    };
    const portia = clientOf({ logger });
    const run = await portia.createPlanRun(words, { planRunInputs: { $who: 'ada', $what: 1, toString: 2 } });
    await portia.createPlanRun(planOf(), { planRunInputs: { $what: 1 } });
    expect(Object.keys(run.planRunInputs)).toEqual(['$who', '$how']);
    expect(warnings).toEqual([
      'Ignoring unknown plan input: $what',
      'Ignoring unknown plan input: toString',
      'Inputs are not required for this plan but plan inputs were provided',
    ]);
  });

  it('win over step outputs of the same name', async () => {
    const model = scriptedModel([text('said')]);
    const portia = clientOf({ tools: [one], model });
    const clash = planWith([{ name: '$a' }], { toolId: 'one', output: '$a' }, { output: '$b', inputs: ['$a'] });
    await portia.runPlan(clash, { planRunInputs: { $a: 'given' } });
    expect(JSON.stringify(model.requests[0])).toContain('given');
  });

  it('of a plan are not changed by running it', async () => {
    const portia = clientOf({ model: scriptedModel(() => text('said')) });
    await portia.runPlan(words, { planRunInputs: { $who: 'secret' } });
    expect(JSON.stringify(await portia.storage.getPlan(words.id))).not.toContain('secret');
  });
});
