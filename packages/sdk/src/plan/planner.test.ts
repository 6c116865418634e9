import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { PortiaError } from '../core/errors.ts';
import type { JsonValue } from '../core/json.ts';
import type { Model } from '../core/model.ts';
import { PlanInput } from '../core/plan.ts';
import { object, text } from '../testing/script.ts';
import { scriptedModel } from '../testing/scripted-model.ts';
import { tool } from '../tool/tool.ts';
import { planQuery, type PlanQueryInput } from './planner.ts';

const search = tool({ id: 'search_tool', description: 'Searches', run: () => '' });
const Price = z.object({ amount_in_cents: z.number() });
const mail = tool({ id: 'mail', description: 'Sends', run: () => '' });

function step(output: string, inputs: readonly string[] = [], tool_id: string | null = 'search_tool'): JsonValue {
  return {
    task: `make ${output}`,
    inputs: inputs.map((name) => ({ name, description: '' })),
    tool_id,
    output,
    condition: null,
  };
}

const good = object({ steps: [step('$a'), step('$b', ['$a'], null)], error: null });

function run(model: Model, more: Partial<PlanQueryInput> = {}): ReturnType<typeof planQuery> {
  return planQuery({ model, query: 'find it', tools: [search, mail], now: 0, ...more });
}

async function failure(planning: Promise<unknown>): Promise<PortiaError> {
  return planning.then(
    () => expect.unreachable('planning should fail'),
    (error: PortiaError) => error,
  );
}

describe('planning a query', () => {
  it('makes a plan with all candidate tools, and the LLM tool where none is named', async () => {
    const model = scriptedModel([good]);
    const { requests } = model;
    const { plan, answers } = await run(model);
    expect(plan.planContext.toJSON()).toEqual({ query: 'find it', tool_ids: ['mail', 'search_tool'] });
    expect(plan.steps.map(({ toolId, output, condition }) => [toolId, output, condition])).toEqual([
      ['search_tool', '$a', null],
      ['llm_tool', '$b', null],
    ]);
    expect(answers).toHaveLength(1);
    expect(requests[0]?.schema?.name).toBe('plan');
    expect(requests[0]?.messages.map(({ role }) => role)).toEqual(['system', 'user']);
  });

  it('reads JSON in a fence, with words around it, and with keys left out that may be null', async () => {
    const bare = '{"steps":[{"task":"t","output":"$a","tool_id":"llm_tool"}]}';
    for (const written of [`\`\`\`json\n${bare}\n\`\`\``, `Here is the plan:\n${bare}\nGood luck!`, bare]) {
      const { plan } = await run(scriptedModel([written]));
      expect(plan.steps[0]?.toJSON()).toEqual({
        task: 't',
        inputs: [],
        tool_id: 'llm_tool',
        output: '$a',
        condition: null,
      });
    }
  });

  it('keeps plan inputs and the shape of the final output', async () => {
    const model = scriptedModel([object({ steps: [step('$a', ['$in'])], error: '' })]);
    const input = new PlanInput({ name: '$in', description: 'what' });
    const { plan } = await run(model, { planInputs: [input], structuredOutputSchema: Price });
    expect(plan.planInputs).toEqual([input]);
    expect(plan.structuredOutputSchema).toBe(Price);
    expect(JSON.stringify(model.requests)).not.toContain('amount_in_cents');
  });

  it('gives a plan that cannot be run back with all that is wrong, as the same conversation', async () => {
    const bad = { steps: [step('$a', ['$later'], 'serch_tool'), step('$later')], error: null };
    const model = scriptedModel([object(bad), good]);
    const { requests } = model;
    const { plan, answers } = await run(model);
    expect(plan.steps).toHaveLength(2);
    expect(answers).toHaveLength(2);
    const [first, second] = requests;
    expect(second?.messages.slice(0, 2)).toEqual(first?.messages);
    expect(second?.messages.slice(2)).toEqual([
      { role: 'assistant', content: JSON.stringify(bad) },
      {
        role: 'user',
        content:
          'That plan cannot be run:\n' +
          '- steps[0] names tool "serch_tool", which is not known (did you mean "search_tool"?)\n' +
          '- steps[0] has input "$later", which only a later step makes (steps[1])\n' +
          '- the known tools are search_tool, mail, llm_tool\n' +
          'Answer again with the whole plan, corrected.',
      },
    ]);
  });

  it('has the model repair two steps with one output', async () => {
    const model = scriptedModel([object({ steps: [step('$a'), step('$a')], error: null }), good]);
    const { requests } = model;
    await run(model);
    expect(requests[1]?.messages.at(-1)?.content).toContain(
      'steps[1] has output "$a" with no condition, as steps[0] has',
    );
  });

  it('does not accept a plan without steps', async () => {
    const model = scriptedModel([object({ steps: [], error: null }), good]);
    const { requests } = model;
    await run(model);
    expect(requests[1]?.messages.at(-1)?.content).toContain('there are no steps, and no error that says why');
  });

  it("fails at once with the model's own reason when it cannot plan", async () => {
    const model = scriptedModel([object({ steps: [], error: 'No tool can book flights.' })]);
    const { requests } = model;
    const error = await failure(run(model));
    expect([error.code, error.message]).toEqual(['PLANNING_FAILED', 'No tool can book flights.']);
    expect(requests).toHaveLength(1);
  });

  it('names the distinct problems in order after the last attempt', async () => {
    const model = scriptedModel([
      'Sorry?',
      object({ steps: [{ task: 1, output: '', schema: {} }, 'x'] }),
      text('{"steps":[', { finishReason: 'length' }),
    ]);
    const { requests } = model;
    const error = await failure(run(model));
    expect(error.code).toBe('PLANNING_FAILED');
    expect(error.details?.['problems']).toEqual([
      'the answer is not a JSON object',
      'steps[0].task must be a string that is not empty',
      'steps[0].output must be a string that is not empty',
      'steps[0] has keys it may not have: schema',
      'steps[1] is not an object',
      'the answer is not a JSON object (it was cut off at its output limit)',
    ]);
    expect(error.message).toContain('after 3 attempts: the answer is not a JSON object; steps[0].task must');
    expect(requests).toHaveLength(3);
  });

  it('says a problem once that comes again', async () => {
    const model = scriptedModel(['no', 'no', 'no']);
    const error = await failure(run(model));
    expect(error.message).toBe('no plan that can be run after 3 attempts: the answer is not a JSON object');
  });

  it('tries as often as it is told, with the signal it is given', async () => {
    const model = scriptedModel(['']);
    const { requests } = model;
    const { signal } = new AbortController();
    const error = await failure(run(model, { attempts: 1, signal }));
    expect(error.message).toContain('after 1 attempt:');
    expect(requests[0]?.signal).toBe(signal);
  });

  it('never sends an empty message back, nor a very long one whole', async () => {
    const model = scriptedModel(['', 'x'.repeat(1_000_000), good]);
    const { requests } = model;
    await run(model);
    expect(requests[1]?.messages[2]).toEqual({ role: 'assistant', content: '(no answer)' });
    expect(requests[2]?.messages[4]?.content.length).toBeLessThan(21_000);
  });

  it("tells the caller's own mistakes before a model is asked", async () => {
    const model = scriptedModel([]);
    const { requests } = model;
    expect((await failure(run(model, { query: ' ' }))).code).toBe('PLANNING_FAILED');
    const twice = [new PlanInput({ name: '$x' }), new PlanInput({ name: '$x' })];
    expect((await failure(run(model, { planInputs: twice }))).code).toBe('PLAN_INVALID');
    expect(requests).toHaveLength(0);
  });
});
