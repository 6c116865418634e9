import { expect, it } from 'vitest';
import { serverLog } from './server-log.ts';

it('writes what an error says and where, and nothing of the requests and headers that programs hang on theirs', () => {
  const lines: string[] = [];
  const config = { headers: { authorization: 'Bearer hunter2' }, data: 'hunter2' };
  const cause = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED', config });
  const err = Object.assign(new Error('the session store is away', { cause }), { request: config });
  serverLog('info', { write: (line) => void lines.push(line) }).error({ err }, 'not foreseen');
  expect(JSON.parse(lines.join(''))).toMatchObject({
    msg: 'not foreseen',
    err: {
      type: 'Error',
      message: 'the session store is away',
      stack: expect.stringContaining('server-log.test'),
      cause: { message: 'connect ECONNREFUSED', code: 'ECONNREFUSED' },
    },
  });
  expect(lines.join('')).not.toContain('hunter2');
});
