// One round of a scenario in a process of its own. Prints the state it left the run in.
import { sqliteStorage } from '../../src/storage/sqlite/index.ts';
import type { StorageBackend } from '../../src/storage/storage-backend.ts';
import { gold } from '../scenarios/gold-purchase.ts';
import { refund } from '../scenarios/refund.ts';
import { oneRound } from './scenario-round.ts';

const [name, path = '', url = '', killBefore = '0'] = process.argv.slice(2);
const writes = new Set([
  'savePlan',
  'createRun',
  'claimRun',
  'append',
  'putCommand',
  'saveOutput',
  'saveEndUser',
  'releaseRun',
]);
let count = 0;

/** The store of a process that really dies before its n-th write. */
function dying(storage: StorageBackend): StorageBackend {
  return new Proxy(storage, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        if (writes.has(String(property))) count += 1;
        if (count === Number(killBefore)) process.kill(process.pid, 'SIGKILL');
        return (value as (...args: unknown[]) => unknown).apply(target, args);
      };
    },
  });
}

const scenario = name === 'gold' ? gold({ price: 1 }) : refund({ kind: 'built' });
const storage = await sqliteStorage(path);
const state = await oneRound(scenario, url, Number(killBefore) > 0 ? dying(storage) : storage);
await storage.close();
process.stdout.write(state);
