import { ClarificationUUID, PlanRunUUID } from '../../core/ids.ts';
import type { Command } from '../../storage/storage-backend.ts';
import { codeOf, copyOf, now, sampleAnswer, spoil, storedRun } from './samples.ts';
import type { Open, TestFunctions } from './subject.ts';

const cancel: Command = { type: 'cancel', key: 'cancel.0', at: now, by: 'ada', reason: null };
const receipt: Command = {
  type: 'receipt',
  key: '1.0.1',
  at: now + 2,
  outcome: { status: 'SUCCESS', value: { id: 7 } },
};

/** What is said to a run from outside its driver. */
export function commandTests(open: Open, test: TestFunctions): void {
  test.describe('commands', () => {
    givingTests(open, test);
    hearingTests(open, test);
  });
}

function givingTests(open: Open, { it, expect }: TestFunctions): void {
  it('keeps answers, cancels and receipts in the order they were given, whoever drives the run', () =>
    open(async ({ storage }) => {
      const { id } = await storedRun(storage);
      const commands = [
        sampleAnswer({ at: now + 9 }),
        cancel,
        receipt,
        sampleAnswer({ response: { picked: [1, null] } }),
      ];
      for (const command of commands) expect(await storage.putCommand(id, command)).toEqual(command);
      await storage.releaseRun(id, 1);
      expect((await storage.loadRun(id))?.commands).toEqual(commands);
      expect(await codeOf(async () => storage.putCommand(PlanRunUUID.random(), cancel))).toBe('PLAN_RUN_NOT_FOUND');
    }));

  it('takes one command for each type and key, and gives the one that stands', () =>
    open(async ({ storage }) => {
      const { id } = await storedRun(storage);
      const other = await storedRun(storage, { planId: (await storage.loadRun(id))?.header.planId } as never);
      const key = ClarificationUUID.random();
      const first = sampleAnswer({ key, response: 50 });
      await storage.putCommand(id, first);
      expect(await storage.putCommand(id, sampleAnswer({ key, response: 100, at: now + 5 }))).toEqual(first);
      expect(await storage.putCommand(other.id, sampleAnswer({ key, response: 100 }))).toEqual(
        sampleAnswer({ key, response: 100 }),
      );
      const odd: Command = { ...receipt, key };
      expect(await storage.putCommand(id, odd)).toEqual(odd);
      expect((await storage.loadRun(id))?.commands).toEqual([first, odd]);
    }));

  it('takes one of many answers that are given at once, and tells all which', () =>
    open(async ({ storage }) => {
      const { id } = await storedRun(storage);
      const key = ClarificationUUID.random();
      const answers = Array.from({ length: 8 }, (_, response) => sampleAnswer({ key, response }));
      const standing = await Promise.all(answers.map(async (answer) => storage.putCommand(id, answer)));
      expect(new Set(standing.map((command) => JSON.stringify(command))).size).toBe(1);
      expect((await storage.loadRun(id))?.commands).toEqual([standing[0]]);
    }));
}

function hearingTests(open: Open, { it, expect }: TestFunctions): void {
  it('gives new commands of the runs that are asked for, each once', () =>
    open(async ({ storage }) => {
      const runs = [await storedRun(storage), await storedRun(storage), await storedRun(storage)];
      const [a, b, c] = runs.map(({ id }) => id) as [PlanRunUUID, PlanRunUUID, PlanRunUUID];
      const early = sampleAnswer();
      await storage.putCommand(a, early);
      await storage.putCommand(c, early);
      const first = await storage.pollCommands([a, b], undefined);
      expect(first.commands).toEqual([{ id: a, command: early }]);
      const nothing = await storage.pollCommands([a, b], first.mark);
      expect(nothing.commands).toEqual([]);
      await storage.putCommand(b, cancel);
      await storage.putCommand(a, cancel);
      await storage.putCommand(a, cancel);
      const next = await storage.pollCommands([a, b, PlanRunUUID.random()], nothing.mark);
      expect([...next.commands].sort((x, y) => (x.id === b ? -1 : y.id === b ? 1 : 0))).toEqual([
        { id: b, command: cancel },
        { id: a, command: cancel },
      ]);
      expect((await storage.pollCommands([a, b], next.mark)).commands).toEqual([]);
      expect((await storage.pollCommands([], undefined)).commands).toEqual([]);
      expect((await storage.pollCommands([c], undefined)).commands).toEqual([{ id: c, command: early }]);
    }));

  it('tells those who watch of new commands', () =>
    open(async ({ storage }) => {
      const { id } = await storedRun(storage);
      const heard: string[] = [];
      storage.watch((run, what) => heard.push(`${what} ${run}`));
      await storage.putCommand(id, cancel);
      await storage.putCommand(id, cancel);
      expect(heard).toEqual([`command ${id}`]);
    }));

  it('shares no live objects of commands', () =>
    open(async ({ storage }) => {
      const { id } = await storedRun(storage);
      const command = sampleAnswer({ response: { deep: [1] } });
      const given = copyOf(command);
      const stored = await storage.putCommand(id, given);
      spoil(given);
      spoil(stored);
      spoil((await storage.loadRun(id))?.commands);
      spoil((await storage.pollCommands([id], undefined)).commands);
      expect((await storage.loadRun(id))?.commands).toEqual([command]);
    }));
}
