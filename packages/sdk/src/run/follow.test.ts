import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { answerAndResume, clientOf, codeOf, planOf } from '../../test/lib/engine.ts';
import { InputClarification } from '../core/clarification.ts';
import type { RunEvent, RunNotice } from '../core/event.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import { type Logger, silentLogger } from '../observe/logger.ts';
import { memoryStorage } from '../storage/memory/memory-storage.ts';
import { sqliteStorage } from '../storage/sqlite/index.ts';
import { fails, text } from '../testing/script.ts';
import { scriptedModel } from '../testing/scripted-model.ts';
import { tool } from '../tool/tool.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'portia-start-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const one = tool({ id: 'one', description: 'gives 1', readOnly: true, run: () => 1 });
const plan = planOf({ toolId: 'one', output: '$a' });
const asker = tool<JsonObject, JsonValue>({
  id: 'asker',
  description: 'asks',
  run: (_args, { clarifications }) =>
    clarifications.find(({ resolved }) => resolved)?.response ??
    InputClarification({ userGuidance: '?', argumentName: 'a' }),
});

describe('following a run', () => {
  const seqs = (signals: readonly (RunEvent | RunNotice)[]): number[] =>
    signals.flatMap(({ seq }) => (seq === undefined ? [] : [seq]));
  const collect = async (signals: AsyncIterable<RunEvent | RunNotice>): Promise<(RunEvent | RunNotice)[]> => {
    const all: (RunEvent | RunNotice)[] = [];
    for await (const signal of signals) all.push(signal);
    return all;
  };

  it('gives what happened and what happens, without gaps, and ends with the run', async () => {
    const portia = clientOf({ tools: [asker, one] });
    const waiting = await portia.runPlan(planOf({ toolId: 'asker', output: '$a' }, { toolId: 'one', output: '$b' }));
    const following = collect(portia.events(waiting.id));
    const done = await answerAndResume(portia, waiting, 1);
    const signals = await following;
    const stored = await portia.storage.getEvents(done.id);
    expect(seqs(signals)).toEqual(stored.map(({ seq }) => seq));
    expect(signals.filter(({ seq }) => seq !== undefined)).toEqual(stored);
    expect(signals.at(-1)?.type).toBe('run-end');
    expect(signals.some(({ seq, type }) => seq === undefined && type === 'tool-call-start')).toBe(true);
  });

  it('ends wherever it is taken up in a run that is over, also when hooks were told of the end after it', async () => {
    const stores = [memoryStorage(), await sqliteStorage(join(folder, 'over.db'))];
    for (const storage of stores) {
      const portia = clientOf({ tools: [one], storage, hooks: { afterPlanRun() {} } });
      const { id } = await portia.runPlan(plan);
      const stored = await portia.storage.getEvents(id);
      expect(stored.slice(-2).map(({ type }) => type)).toEqual(['run-end', 'run-told']);
      for (const { seq } of stored)
        expect(seqs(await collect(portia.events(id, { after: seq }))).at(0)).toBe(stored[seq]?.seq);
    }
  });

  it('can be taken up where it was left, by another client and while it goes on', async () => {
    const path = join(folder, 'events.db');
    const slow = tool({ id: 'one', description: 'x', readOnly: true, run: async () => sleep(5, 1) });
    const steps = Array.from({ length: 12 }, (_, index) => ({
      toolId: 'one',
      output: `$${index}`,
      ...(index % 3 === 0 && { condition: 'yes' }),
    }));
    const introspection = scriptedModel(() => ({
      kind: 'answer',
      text: '',
      toolCalls: [],
      object: { outcome: 'CONTINUE', reason: 'yes' },
      options: {},
    }));
    const portia = clientOf({ tools: [slow], storage: await sqliteStorage(path), models: { introspection } });
    const watcher = clientOf({ tools: [slow], storage: await sqliteStorage(path) });
    const run = await portia.createPlanRun(planOf(...steps));
    const running = portia.resume({ planRun: run });
    const seen: number[] = [];
    let after = 0;
    for (let part = 0; part < 50; part += 1) {
      let count = 0;
      let ended = false;
      for await (const signal of (part % 2 === 0 ? portia : watcher).events(run.id, { after })) {
        if (signal.seq === undefined) continue;
        seen.push(signal.seq);
        after = signal.seq;
        ended = signal.type === 'run-end';
        count += 1;
        if (count === 3) break;
      }
      if (ended) break;
    }
    await running;
    const stored = await portia.storage.getEvents(run.id);
    expect(seen).toEqual(stored.map(({ seq }) => seq));
    await portia.close();
    await watcher.close();
  });

  it('of a finished run ends at once, after what was asked for', async () => {
    const portia = clientOf({ tools: [one] });
    const done = await portia.runPlan(plan);
    const stored = await portia.storage.getEvents(done.id);
    expect(seqs(await collect(portia.events(done.id)))).toEqual(stored.map(({ seq }) => seq));
    expect(await collect(portia.events(done.id, { after: stored.length }))).toEqual([]);
    expect(await codeOf(collect(portia.events('prun-7d7b7a52-1d2e-4a35-9f56-2f4cdb0c9b01')))).toBe(
      'PLAN_RUN_NOT_FOUND',
    );
  });

  it('goes on through a retry', async () => {
    let down = true;
    const portia = clientOf({ model: scriptedModel(() => (down ? fails('overloaded') : text('up'))) });
    const failed = await portia.runPlan(planOf({ output: '$a' }));
    down = false;
    const done = await portia.retry({ planRun: failed });
    const types = (await collect(portia.events(done.id))).map(({ type }) => type);
    expect(types.filter((type) => type === 'run-end' || type === 'run-retry')).toEqual([
      'run-end',
      'run-retry',
      'run-end',
    ]);
  });

  it('stops with its signal, and leaving it changes nothing about the run', async () => {
    const portia = clientOf({ tools: [asker] });
    const waiting = await portia.runPlan(planOf({ toolId: 'asker', output: '$a' }));
    const controller = new AbortController();
    const following = collect(portia.events(waiting.id, { signal: controller.signal }));
    await sleep(20);
    controller.abort();
    expect(seqs(await following)).toEqual((await portia.storage.getEvents(waiting.id)).map(({ seq }) => seq));
    expect((await portia.storage.getPlanRun(waiting.id)).toJSON()).toEqual(waiting.toJSON());
  });

  it('by somebody who throws harms no run', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const logger: Logger = {
      ...silentLogger,
      info: () => {
        throw new Error('the log is full');
      },
      debug: () => {
        throw new Error('the log is full');
      },
    };
    const portia = clientOf({ tools: [one], logger });
    const run = await portia.runPlan(plan);
    expect(warn).toHaveBeenCalledWith(expect.objectContaining({ message: 'the log is full' }));
    warn.mockRestore();
    expect(run.state).toBe('COMPLETE');
    expect((await portia.storage.getPlanRun(run.id)).state).toBe('COMPLETE');
  });
});
