// Goes on with a run that waited for a sign-in, in a process of its own. Prints what became of it.
import type { PlanRunUUID } from '../../src/core/ids.ts';
import { sqliteStorage } from '../../src/storage/sqlite/index.ts';
import { remoteClient } from './browser-login.ts';

const [path = '', planRunId = '', shop = '{}', browsers = '{}'] = process.argv.slice(2);
const portia = remoteClient(JSON.parse(shop), JSON.parse(browsers), await sqliteStorage(path));
const done = await portia.resume({ planRunId: planRunId as PlanRunUUID });
await portia.close();
process.stdout.write(JSON.stringify([done.state, done.outputs.finalOutput?.value]));
