import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { normalised, planOf } from '../../test/lib/engine.ts';
import { brokenForOnce, driveToEnd, everyClient, type Person, World } from '../../test/lib/every-kind.ts';
import { fold } from '../core/apply.ts';
import { ToolHardError, ToolSoftError } from '../core/errors.ts';
import type { PlanRunUUID } from '../core/ids.ts';
import type { JsonObject } from '../core/json.ts';
import type { Plan } from '../core/plan.ts';
import type { PlanRun } from '../core/plan-run.ts';
import type { RunState } from '../core/run-state.ts';
import type { AnyTool } from '../core/tool.ts';
import { compile } from '../plan/compile.ts';
import { memoryStorage } from '../storage/memory/memory-storage.ts';
import type { StorageBackend } from '../storage/storage-backend.ts';
import { type CrashPoint, crashingStorage } from '../testing/crashing-storage.ts';
import { tool } from '../tool/tool.ts';
import { eventsOf } from './drive.ts';
import { DriverPool } from './driver-pool.ts';

/** The state as the last driver of each run had it. */
const live = new Map<PlanRunUUID, RunState>();
beforeAll(() => {
  const { add } = DriverPool.prototype;
  vi.spyOn(DriverPool.prototype, 'add').mockImplementation(function (this: DriverPool, driver) {
    live.set(driver.id, driver.state);
    return add.call(this, driver);
  });
});
afterAll(() => vi.restoreAllMocks());

/** Tools that fail: for good, softly before the third call of a visit, until the run is retried, or in what they give. */
const failing: readonly AnyTool[] = [
  tool({
    id: 'breaker',
    description: 'breaks',
    run: () => {
      throw new ToolHardError('broken');
    },
  }),
  tool({
    id: 'flaky',
    description: 'works at the third try',
    run(_args, { callId }) {
      if (!callId.endsWith('.3')) throw new ToolSoftError('not yet');
      return 'at last';
    },
  }),
  tool({
    id: 'stumbler',
    description: 'works once the run was retried',
    run(_args, { callId }) {
      if (callId.split('.')[1] === '0') throw new ToolHardError(brokenForOnce);
      return 'up again';
    },
  }),
  tool({ id: 'hollow', description: 'gives what JSON cannot hold', readOnly: true, run: () => new Map() }),
];

const acting = ['stamper', 'mailer', 'mailer', 'payer', 'asker', 'refunder'] as const;
const other = ['reader', 'reader', 'adder', 'lister', 'reporter', 'flaky', 'stumbler', 'llm'] as const;
const ending = ['breaker', 'hollow'] as const;

interface Line {
  readonly toolId: (typeof acting | typeof other | typeof ending)[number];
  readonly condition: string | null;
  readonly uses: number;
}

const line: fc.Arbitrary<Line> = fc.record({
  toolId: fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...acting) },
    { weight: 7, arbitrary: fc.constantFrom(...other) },
    { weight: 1, arbitrary: fc.constantFrom(...ending) },
  ),
  condition: fc.option(fc.constantFrom('if it is over 100', 'if it is 3'), { freq: 4 }),
  uses: fc.nat(6),
});
const crash: fc.Arbitrary<CrashPoint> = fc.record({
  write: fc.integer({ min: 1, max: 16 }),
  when: fc.constantFrom('before', 'after'),
});
const story = fc.record({
  lines: fc.array(line, { minLength: 1, maxLength: 7 }),
  crashes: fc.array(crash, { minLength: 1, maxLength: 4 }),
  refuses: fc.uniqueArray(fc.nat(6), { maxLength: 1 }),
  approves: fc.boolean(),
});

function toPlan(lines: readonly Line[]): Plan {
  return planOf(
    ...lines.map(({ toolId, condition, uses }, index) => ({
      ...(toolId !== 'llm' && { toolId }),
      ...(condition !== null && { condition }),
      // Steps that may be left out give nothing that others could rely on.
      inputs: uses < index && lines[uses]?.condition === null ? [`$out${uses}`] : [],
    })),
  );
}

async function toEnd(
  plan: Plan,
  person: Person,
  approves: boolean,
  storages: readonly StorageBackend[],
  world: World,
): Promise<PlanRun> {
  for (const [index, storage] of storages.entries()) {
    const portia = everyClient(storage, world, { tools: failing, approves });
    try {
      const [stored] = (await portia.storage.listRuns()).items;
      const id = stored?.header.id ?? (await portia.runPlan(plan)).id;
      return await driveToEnd(portia, id, world, person);
    } catch (error) {
      if (index === storages.length - 1 || !(storage as { readonly crashed?: boolean }).crashed) throw error;
    }
  }
  throw new Error('the last process may not die');
}

/** What the ledger may show otherwise after a crash is left out: only a call of which nobody knew is asked about. */
function essence(run: PlanRun): JsonObject {
  return { ...normalised(run), error: (run.error as unknown as JsonObject) ?? null };
}

describe('a random plan', () => {
  it('ends the same however often its process dies on the way, and makes every effect once', {
    timeout: 120_000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(story, async ({ lines, crashes, refuses, approves }) => {
        const plan = toPlan(lines);
        const person: Person = { habit: 'looks it up', refuses: new Set(refuses) };
        const calm = new World();
        const expected = await toEnd(plan, person, approves, [memoryStorage()], calm);
        const stormy = new World();
        const storage = memoryStorage();
        const dying = crashes.map((point) => crashingStorage(storage, point));
        const run = await toEnd(plan, person, approves, [...dying, storage], stormy);
        expect(essence(run)).toEqual(essence(expected));
        const sorted = (world: World): string[] => world.effects.map((effect) => effect.tool).sort();
        expect(sorted(stormy)).toEqual(sorted(calm));
        expect(stormy.modelCalls).toBeLessThanOrEqual(calm.modelCalls + crashes.length);

        const stored = await storage.loadRun(run.id);
        if (!stored) throw new Error('the run is not stored');
        expect(fold(stored.header, compile(plan), eventsOf(stored))).toEqual(live.get(run.id));
        live.clear();
      }),
      { numRuns: 400, verbose: 1 },
    );
  });
});
