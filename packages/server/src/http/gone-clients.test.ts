import { connect } from 'node:net';
import { expect, it } from 'vitest';
import { until } from '../../test/lib/asking.ts';
import { overTheWire } from '../../test/lib/raw-http.ts';
import { refunds } from '../../test/lib/refunds.ts';
import { testServer } from '../../test/lib/server-for-tests.ts';

it.each([
  ['content-length: 1000', 'to a route', '/api/v1/runs'],
  ['transfer-encoding: chunked', 'to a route', '/api/v1/runs'],
  ['content-length: 1000', 'to the store', '/api/v1/storage/loadRun'],
  ['transfer-encoding: chunked', 'to the store', '/api/v1/storage/loadRun'],
  ['content-length: 1000', 'of Portia 0.9', '/api/v0/plans/'],
])('a client that goes away in the middle of a body (%s) %s is no fault of the server', async (length, _what, path) => {
  const log: string[] = [];
  const server = await testServer(refunds(), { work: false, log });
  const wire = await overTheWire(server.send);
  try {
    const as = await server.key('admin');
    for (const leave of ['destroy', 'resetAndDestroy'] as const) {
      const socket = connect(Number(new URL(wire.url).port), '127.0.0.1');
      const head = `POST ${path} HTTP/1.1\r\nhost: here\r\nauthorization: Api-Key ${as}\r\ncontent-type: application/json\r\n`;
      socket.write(`${head}${length}\r\n\r\n${length.endsWith('chunked') ? '9\r\n{"plan":"\r\n' : '{"plan":"'}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
      socket[leave]();
    }
    const lines = await until(async () => {
      const all = log.map((line) => JSON.parse(line) as { msg: string; status?: number; level: number });
      return all.filter(({ msg }) => msg === 'request').length === 2 && all;
    }, 'the requests are over');
    expect(lines.map(({ level, status }) => ({ level, status }))).toEqual([
      { level: 30, status: 400 },
      { level: 30, status: 400 },
    ]);
  } finally {
    await wire.close();
    await server.close();
  }
});
