import type { Hono } from 'hono';
import { toolCallRecordFromWire } from 'portia-ts';
import type { Env } from '../../http/context.ts';
import { checkName } from '../../http/texts.ts';
import { documentsOf, jsonBody, router } from './requests.ts';

/** Tool calls that clients made, for the record of their runs. */
export function toolCalls(): Hono<Env> {
  const app = router();
  app.post('/tool-calls', async (context) => {
    const { end_user_id, ...rest } = await jsonBody(context);
    if (typeof end_user_id === 'string') checkName(end_user_id, 'end_user_id');
    // Nobody is an empty text here.
    const record = toolCallRecordFromWire({ ...rest, end_user_id: end_user_id === '' ? null : (end_user_id ?? null) });
    await documentsOf(context).recordToolCall(record);
    return context.json({}, 201);
  });
  return app;
}
