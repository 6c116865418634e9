import type { PlanUUID } from '../../core/ids.ts';
import { codeOf, copyOf, now, samplePlan, spoil } from './samples.ts';
import type { Open, TestFunctions } from './subject.ts';

/** Plans are stored once, and found by id and by query. */
export function planTests(open: Open, { describe, it, expect }: TestFunctions): void {
  describe('plans', () => {
    it('gives a plan back as it was stored, with what stands beside it', () =>
      open(async ({ storage }) => {
        const plan = samplePlan({ query: 'Wie viel? 多少? 🪙', beside: { labels: ['a', null, 1.5, true] } });
        await storage.savePlan(plan);
        expect(await storage.getPlan(plan.id)).toEqual(plan);
        expect((await storage.getPlan(samplePlan().id)) ?? null).toBe(null);
      }));

    it('stores a plan once, and refuses another one under its id', () =>
      open(async ({ storage }) => {
        const plan = samplePlan();
        await storage.savePlan(plan);
        await storage.savePlan({ ...plan, createdAt: now + 5 });
        expect((await storage.getPlan(plan.id))?.createdAt).toBe(now);
        const changed = { ...plan, hash: 'second', document: { ...plan.document, steps: [] } };
        expect(await codeOf(() => storage.savePlan(changed))).toBe('PLAN_CHANGED');
        expect(await storage.getPlan(plan.id)).toEqual(plan);
        expect((await storage.listPlans({})).items.length).toBe(1);
      }));

    it('refuses ids that are not ids, and finds nothing under them', () =>
      open(async ({ storage }) => {
        const id = '../../escaped' as PlanUUID;
        expect(await codeOf(() => storage.savePlan({ ...samplePlan(), id }))).toBe('ID_INVALID');
        expect((await storage.getPlan(id)) ?? null).toBe(null);
      }));

    it('lists plans newest first, and by their exact query', () =>
      open(async ({ storage }) => {
        const plans = ['gold', 'Gold', 'gold', 'gold price'].map((query, age) =>
          samplePlan({ query, createdAt: now + age }),
        );
        for (const plan of plans) await storage.savePlan(plan);
        const ids = plans.map(({ id }) => id);
        expect((await storage.listPlans({})).items.map(({ id }) => id)).toEqual([...ids].reverse());
        expect((await storage.listPlans({ query: 'gold' })).items.map(({ id }) => id)).toEqual([ids[2], ids[0]]);
        expect((await storage.listPlans({ query: 'silver' })).items).toEqual([]);
      }));

    it('pages through plans without repeating or losing any while new ones are stored', () =>
      open(async ({ storage }) => {
        const plans = [0, 1, 2, 3, 4].map((age) => samplePlan({ createdAt: now + age }));
        for (const plan of plans) await storage.savePlan(plan);
        const first = await storage.listPlans({ limit: 2 });
        await storage.savePlan(samplePlan({ createdAt: now + 9 }));
        const second = await storage.listPlans({ limit: 2, cursor: first.cursor as string });
        const third = await storage.listPlans({ limit: 2, cursor: second.cursor as string });
        const seen = [first, second, third].flatMap(({ items }) => items.map(({ id }) => id));
        expect(seen).toEqual(plans.map(({ id }) => id).reverse());
        expect(third.cursor).toBe(undefined);
        expect(await codeOf(() => storage.listPlans({ cursor: 'nonsense' }))).toBe('CONFIG_INVALID');
      }));

    it('shares no live objects', () =>
      open(async ({ storage }) => {
        const plan = samplePlan({ beside: { list: [{ deep: 1 }] } });
        const given = copyOf(plan);
        await storage.savePlan(given);
        spoil(given);
        const got = await storage.getPlan(plan.id);
        expect(got).toEqual(plan);
        spoil(got);
        expect(await storage.getPlan(plan.id)).toEqual(plan);
      }));
  });
}
