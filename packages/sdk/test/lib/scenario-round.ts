import type { StorageBackend } from '../../src/storage/storage-backend.ts';
import type { Scenario } from './scenario.ts';

/** Begins the one run of a store, or answers what it asks and goes on. Gives the state the run is left in. */
export async function oneRound(scenario: Scenario, url: string, storage: StorageBackend): Promise<string> {
  const portia = scenario.client(storage, url);
  const [stored] = (await portia.storage.listRuns()).items;
  if (!stored) return (await scenario.begin(portia)).state;
  const planRunId = stored.header.id;
  for (const clarification of (await portia.storage.getPlanRun(planRunId)).getOutstandingClarifications()) {
    await portia.resolveClarification({
      planRunId,
      clarificationId: clarification.id,
      response: scenario.answer(clarification),
    });
  }
  return (await portia.resume({ planRunId })).state;
}
