import { createOpenAI } from '@ai-sdk/openai';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { configFor, modelNames, type ProviderName, secret, serve } from '../../test/lib/model-servers.ts';
import { Portia } from '../client.ts';
import { contentText } from '../core/content.ts';
import type { PortiaErrorCode } from '../core/errors.ts';
import { fromAiSdk } from '../model/ai-sdk/index.ts';
import { PlanBuilderV2 } from '../plan/builder-v2.ts';
import { fakeClock } from '../testing/fake-clock.ts';
import { fails, hangs, invalidJson, object, type ScriptedAnswer, status, text, truncated } from '../testing/script.ts';

const drivers: readonly (ProviderName | 'responses')[] = [
  'responses',
  'openai',
  'anthropic',
  'google',
  'mistralai',
  'amazon',
  'azure-openai',
  'grok',
  'groq',
];

interface Failure {
  readonly what: string;
  readonly answer: () => ScriptedAnswer;
  readonly code: PortiaErrorCode;
  /** What the message says. */
  readonly says: string;
  /** Requests of the failing step. */
  readonly requests: number;
}

const failures: readonly Failure[] = [
  { what: 'a rate limit', answer: () => status(429), code: 'MODEL_FAILED', says: 'status 429', requests: 4 },
  {
    what: 'a rate limit for an hour',
    answer: () => status(429, { retryAfterSeconds: 3600 }),
    code: 'MODEL_FAILED',
    says: 'status 429',
    requests: 1,
  },
  { what: 'overload', answer: () => status(529), code: 'MODEL_FAILED', says: 'status 529', requests: 4 },
  { what: 'an outage', answer: () => status(503), code: 'MODEL_FAILED', says: 'status 503', requests: 4 },
  {
    what: 'a refused key',
    answer: () => status(401, { message: `bad key ${secret}` }),
    code: 'MODEL_FAILED',
    says: 'bad key [redacted]',
    requests: 1,
  },
  { what: 'a body that is not JSON', answer: invalidJson, code: 'MODEL_FAILED', says: 'cannot be read', requests: 1 },
  {
    what: 'a connection that breaks in the middle',
    answer: truncated,
    code: 'MODEL_FAILED',
    says: 'could not be reached',
    requests: 4,
  },
  {
    what: 'a dropped connection',
    answer: () => fails('dropped'),
    code: 'MODEL_FAILED',
    says: 'could not be reached',
    requests: 4,
  },
  {
    what: 'a request that is too long',
    answer: () => status(400, { message: 'prompt is too long: 300000 tokens > 200000 maximum' }),
    code: 'MODEL_FAILED',
    says: 'too long',
    requests: 1,
  },
  {
    what: 'no answer in time',
    answer: hangs,
    code: 'MODEL_TIMEOUT',
    says: 'did not answer within 0.4 s',
    requests: 1,
  },
  {
    what: 'an answer that was cut off',
    answer: () => text('The answer begins with', { finishReason: 'length' }),
    code: 'MODEL_ANSWER_INVALID',
    says: 'half an answer (it was cut off at its output limit)',
    requests: 1,
  },
  {
    what: 'a content filter',
    answer: () => text('', { finishReason: 'content-filter' }),
    code: 'MODEL_ANSWER_INVALID',
    says: "no text (the provider's content filter stopped it)",
    requests: 1,
  },
];

/** A run whose third step asks a model that fails until it is mended. */
async function run(
  name: ProviderName | 'responses',
  failing: () => ScriptedAnswer,
  { schema, timeoutMs = 20_000 }: { schema?: z.ZodType; timeoutMs?: number } = {},
) {
  let broken = true;
  const mended = schema ? object({ amount: 3 }) : text('All is well.');
  const server = await serve(({ messages }) => {
    if (JSON.stringify(messages).includes('First task')) return text('The first.');
    return broken ? failing() : mended;
  });
  let effects = 0;
  const plan = new PlanBuilderV2('Three steps')
    .llmStep({ stepName: 'first', task: 'First task' })
    .functionStep({ stepName: 'effect', args: {}, function: () => (effects += 1) })
    .llmStep({ stepName: 'second', task: 'Second task', ...(schema && { outputSchema: schema }) })
    .build();
  const clock = fakeClock(Date.UTC(2026, 0, 5), { autoAdvance: true });
  const responses = createOpenAI({ apiKey: secret, baseURL: server.baseUrl })('gpt-4.1');
  const defaultModel = name === 'responses' ? fromAiSdk(responses, { clock, timeoutMs }) : modelNames[name];
  const config = configFor(server, { defaultModel, modelTimeoutMs: timeoutMs });
  const portia = new Portia({ config, plans: [plan], clock });
  const failed = await portia.runPlan(plan);
  const asked = server.requests.length - 1;
  broken = false;
  const retried = await portia.retry({ planRunId: failed.id });
  const again = server.requests.length - 1 - asked;
  await portia.close();
  return { failed, retried, asked, again, effects: () => effects, requests: server.requests };
}

describe.each(drivers)('a run whose model is of %s', (name) => {
  // Waiting costs time, and is the same for all.
  const known = failures.filter(({ answer }) => answer !== hangs || name === 'openai' || name === 'anthropic');

  it.each(known)('fails after $what, and goes on when that is over', async ({ answer, code, says, requests }) => {
    const timeoutMs = answer === hangs ? 400 : 20_000;
    const { failed, retried, asked, again, effects } = await run(name, answer, { timeoutMs });
    expect(failed.state).toBe('FAILED');
    expect(failed.error).toMatchObject({ code, step: 2 });
    // Mistral’s answers have no word for filters.
    if (!(name === 'mistralai' && says.includes('filter'))) expect(failed.error?.message).toContain(says);
    expect(inspect(failed, { depth: 20 }) + JSON.stringify(failed)).not.toContain(secret);
    expect(asked).toBe(requests);
    expect(retried.state).toBe('COMPLETE');
    expect(retried.outputs.finalOutput?.value).toBe('All is well.');
    // Neither the first answer nor the effect is paid twice.
    expect([again, effects()]).toEqual([1, 1]);
  });

  it('fails after answers that do not fit their schema, told what is wrong, and never takes one as it is', async () => {
    const { failed, retried, asked, requests } = await run(name, () => object({ amount: 'three' }), {
      schema: z.object({ amount: z.number() }),
    });
    expect(failed.state).toBe('FAILED');
    expect(failed.error?.code).toBe('MODEL_ANSWER_INVALID');
    expect(failed.error?.message).toContain('amount');
    expect(asked).toBe(2);
    expect(contentText(requests[2]?.messages.at(-1)?.content)).toContain('amount: Invalid input: expected number');
    expect(retried.outputs.finalOutput?.value).toEqual({ amount: 3 });
  });
});
