import { Input, PlanBuilderV2 } from 'portia-ts';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { until } from '../../../test/lib/asking.ts';
import { testServer } from '../../../test/lib/server-for-tests.ts';

it('fails a run whose output its schema would take for ever to check, and goes on with everything else', async () => {
  const echo = new PlanBuilderV2('Say it again')
    .input({ name: 'text', schema: z.string() })
    .functionStep({ stepName: 'say', args: { text: Input('text') }, readOnly: true, function: ({ text }) => text })
    .build();
  const server = await testServer({ plans: { echo } });
  const as = await server.key('client');
  const endOf = async (text: string): Promise<{ state: string; error: unknown }> => {
    const outputSchema = { type: 'string', pattern: '^(a+)+$' };
    const body = { plan: 'echo', planRunInputs: { text }, outputSchema };
    const { id } = (await server.ask('POST', '/api/v1/runs', { as, body })).body;
    return until(async () => {
      const run = (await server.ask('GET', `/api/v1/runs/${id}`, { as })).body;
      return (run.state === 'COMPLETE' || run.state === 'FAILED') && run;
    }, 'the run ends');
  };
  expect(await endOf('aaa')).toMatchObject({ state: 'COMPLETE' });
  expect(await endOf(`${'a'.repeat(60)}!`)).toMatchObject({ state: 'FAILED' });
  const body = { plan: 'echo', planRunInputs: { text: 'a' }, outputSchema: { type: 'string', pattern: '(' } };
  expect(await server.ask('POST', '/api/v1/runs', { as, body })).toMatchObject({ status: 400 });
  await server.close();
});
