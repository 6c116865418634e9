import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Visit, visitKey, Visits } from './visits.ts';

const visitOf = (step: number, visit: Visit['visit']): Visit => ({
  step,
  visit,
  startedAt: 0,
  until: undefined,
  begun: false,
  calls: [],
  lastCall: undefined,
  answers: undefined,
});

describe('visits in flight', () => {
  it('are found, and are gone once removed, in whatever order they come and go', () => {
    const name = fc.tuple(fc.nat(2), fc.constantFrom<Visit['visit']>(0, 1, '1.0:0'));
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), name), { maxLength: 30 }), (turns) => {
        const visits = new Visits();
        const known = new Map<string, Visit>();
        for (const [comes, [step, visit]] of turns) {
          const key = visitKey(step, visit);
          if (!comes) {
            visits.remove(step, visit);
            known.delete(key);
          } else if (!known.has(key)) {
            const added = visitOf(step, visit);
            visits.add(added);
            known.set(key, added);
          }
          expect(visits.size).toBe(known.size);
          expect(new Set(visits)).toEqual(new Set(known.values()));
          for (const one of known.values()) expect(visits.get(one.step, one.visit)).toBe(one);
          expect(visits.get(step, visit)).toBe(known.get(key));
        }
      }),
    );
  });
});
