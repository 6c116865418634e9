// One of several processes that work on one store at once. Prints what it did as one line of JSON.
import { setTimeout as sleep } from 'node:timers/promises';
import { EndUser } from '../../src/core/end-user.ts';
import { fromCommit } from '../../src/core/event.ts';
import type { PlanRunUUID, PlanUUID } from '../../src/core/ids.ts';
import { diskStorage } from '../../src/storage/disk/disk-storage.ts';
import { postgresStorage } from '../../src/storage/postgres/index.ts';
import { sqliteStorage } from '../../src/storage/sqlite/index.ts';
import { sampleAnswer, sampleClaim, sampleHeader, stepCommit } from '../../src/testing/storage-contract/samples.ts';

const [kind, path = '', name = '', plan = '', run = '', rounds = '0'] = process.argv.slice(2);
const id = run as PlanRunUUID;
const storage =
  kind === 'sqlite' ? await sqliteStorage(path) : kind === 'postgres' ? await postgresStorage(path) : diskStorage(path);

const made = await storage.createRun(sampleHeader(plan as PlanUUID, { runKey: 'order-17' }));
const command = await storage.putCommand(
  id,
  sampleAnswer({ key: 'clar-3a6f0d8e-6f0c-4b39-8a0d-3b1c52d6d111', response: name }),
);
const written: string[] = [];
let claims = 0;
for (let round = 0; round < Number(rounds); round += 1) {
  await storage.saveEndUser(EndUser({ externalId: 'ada', additionalData: { [`${name}_${round}`]: name } }));
  // Nobody believes in anybody's heartbeat here, so that every driver is replaced in the middle of its work.
  const { claimed, driver } = await storage.claimRun(id, sampleClaim({ owner: name, isAlive: () => false }));
  if (!claimed) continue;
  claims += 1;
  const stored = await storage.loadRun(id);
  let seq = (stored?.commits ?? []).flatMap(fromCommit).length + 1;
  for (let step = 0; step < 20; step += 1) {
    const value = `${name}.${driver.epoch}.${step}`;
    if (
      !(await storage.append(
        id,
        driver.epoch,
        stepCommit(seq, 0, value),
        step === 10 ? { state: 'IN_PROGRESS', updatedAt: seq } : undefined,
      ))
    )
      break;
    written.push(value);
    seq += 1;
    if (step % 5 === 0) await sleep(1);
  }
}
await storage.close();
process.stdout.write(
  `${JSON.stringify({ created: made.created, made: made.header.id, response: command.type === 'answer' && command.response, claims, written })}\n`,
);
