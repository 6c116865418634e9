import type { Ids } from '../core/clock.ts';

/** Ids that count: the first run is `prun-00000000-0000-4000-8000-000000000001`. */
export function fakeIds(): Ids {
  const count = <Prefix extends string>(prefix: Prefix): (() => `${Prefix}-${string}`) => {
    let n = 0;
    return () => `${prefix}-00000000-0000-4000-8000-${String(++n).padStart(12, '0')}`;
  };
  return { plan: count('plan'), planRun: count('prun'), clarification: count('clar') };
}
