import type { Hono } from 'hono';
import { demand } from '../../auth/principal.ts';
import type { ControlStore } from '../../control/control-store.ts';
import type { Env } from '../../http/context.ts';
import { agentMemory } from './agent-memory.ts';
import { endUsers } from './end-users.ts';
import { planRuns } from './plan-runs.ts';
import { plans } from './plans.ts';
import { remoteTools } from './remote-tools.ts';
import { router } from './requests.ts';
import { toolCalls } from './tool-calls.ts';

/** `/api/v0`: the protocol of Portia's own cloud, for clients of Portia 0.9. */
export function v0(control: ControlStore | undefined): Hono<Env> {
  const app = router();
  app.use('*', async (context, next) => {
    demand(context.get('principal'), 'store');
    await next();
  });
  for (const one of [plans(), planRuns(), agentMemory(), endUsers(), toolCalls(), remoteTools(control)])
    app.route('/', one);
  return app;
}
