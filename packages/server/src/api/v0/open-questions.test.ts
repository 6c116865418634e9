import { setImmediate } from 'node:timers/promises';
import { ActionClarification, PlanRunUUID } from 'portia-ts';
import { expect, it } from 'vitest';
import { ControlStore } from '../../control/control-store.ts';
import { sqliteSql } from '../../control/sql.ts';
import { OpenQuestions } from './open-questions.ts';

const secret = 'https://example.org/sign-in?state=only-for-ada';

/** Two processes on one control store that answers late: what one does comes between what the other does. */
async function twoProcesses() {
  const inner = await sqliteSql(':memory:');
  const sql: typeof inner = {
    ...inner,
    async all(statement, values) {
      await setImmediate();
      return inner.all(statement, values);
    },
  };
  const control = await ControlStore.open(sql, 'a secret of this test');
  const asked = { organisation: 'default', planRunId: PlanRunUUID.random(), endUserId: 'ada-of-acme', tool: 'mailbox' };
  return { sql: inner, asked, processes: [new OpenQuestions(control), new OpenQuestions(control)] as const };
}

const question = (): ActionClarification => ActionClarification({ userGuidance: 'Sign in', actionUrl: secret });

it('of many that ask the same at once all get one question, and all hear when it is settled', async () => {
  const { asked, processes } = await twoProcesses();
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, n) =>
      processes[n % 2]?.ask(asked, [question()], n % 3 === 0 ? 'call' : 'readiness'),
    ),
  );
  const ids = new Set(answers.map((one) => one?.[0]?.['id']));
  expect(ids.size).toBe(1);
  await processes[0].ask(asked, [question()], 'call');
  const still = await Promise.all(processes.map((one) => one.stillToDo(asked, async () => [])));
  expect(still.map(([one]) => one?.['id'])).toEqual([...ids, ...ids]);
  const resolved = async (): Promise<string[]> => [...ids].map(String);
  expect(await Promise.all(processes.map((one) => one.stillToDo(asked, resolved)))).toEqual([[], []]);
  expect(await processes[1].toDo(asked)).toEqual([]);
  // What is asked after that is another question.
  const [again] = await processes[1].ask(asked, [question()], 'call');
  expect(ids).not.toContain(again?.['id']);
});

it('tells nobody who reads the control store what was asked, or whom', async () => {
  const { sql, asked, processes } = await twoProcesses();
  await processes[0].ask(asked, [question()], 'readiness');
  const rows = JSON.stringify(await sql.all('SELECT * FROM control.tool_questions'));
  for (const word of ['only-for-ada', 'Sign in', 'ada-of-acme', 'mailbox', asked.planRunId])
    expect(rows).not.toContain(word);
});
