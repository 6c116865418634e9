import { describe, expect, it } from 'vitest';
import { LocalDataValue } from './output.ts';
import { newFork, newThread, type Thread } from './thread.ts';
import { allUntold, isFirst, markTold, nextUntold } from './untold.ts';

const ended = (step: number) => ({ step, visit: 0, output: LocalDataValue(step) });
const stepsOf = (thread: Thread) => allUntold(thread).map(({ step }) => step);

/** A thread whose strands 1 and 2 are at work; 0 has been merged, and 3 has ended. */
function forked(): { root: Thread; first: Thread; second: Thread } {
  const root = newThread('', undefined, 0, 0);
  const fork = newFork(5);
  root.fork = fork;
  fork.merged = 1;
  const strand = (place: number) => newThread(`5.0:${place}`, root, place, 6);
  const [first, second, third] = [strand(1), strand(2), strand(3)];
  fork.live.set(1, first);
  fork.live.set(2, second);
  fork.ended.set(3, third);
  fork.untold.push(ended(10));
  first.untold.push(ended(11));
  second.untold.push(ended(12));
  third.untold.push(ended(13));
  return { root, first, second };
}

describe('the ends of steps that a hook is to be told of', () => {
  it('come in the order of the plan, and none before what is still to come', () => {
    const { root, first, second } = forked();
    root.untold.push(ended(4));
    expect(stepsOf(root)).toEqual([4, 10, 11, 12, 13]);
    for (const step of [4, 10, 11]) {
      expect(nextUntold(root)?.step).toBe(step);
      expect(markTold(root, step, 0)).toBe(true);
    }
    // Strand 1 is at work: what its successors have ended waits.
    expect(nextUntold(root)).toBeUndefined();
    expect([isFirst(root), isFirst(first), isFirst(second)]).toEqual([true, true, false]);
    expect(stepsOf(root)).toEqual([12, 13]);
  });

  it('are found wherever they stand, by step and visit, once', () => {
    const { root } = forked();
    expect(markTold(root, 13, 0)).toBe(true);
    expect(markTold(root, 13, 0)).toBe(false);
    expect(markTold(root, 12, 1)).toBe(false);
    expect(stepsOf(root)).toEqual([10, 11, 12]);
  });

  it('are none where nothing ran, or where the next strand has not begun', () => {
    const root = newThread('', undefined, 0, 0);
    expect(nextUntold(root)).toBeUndefined();
    root.fork = newFork(5);
    expect(nextUntold(root)).toBeUndefined();
    expect(stepsOf(root)).toEqual([]);
  });
});
