import { PlanRunUUID } from '../../core/ids.ts';
import { systemClock } from '../../run/system-clock.ts';
import type { Command, Context } from '../command.ts';
import { type Stage, stageClient } from '../demo/stage.ts';
import type { WorkerMessage } from '../demo/worker-process.ts';
import { exitCodes } from '../exit-codes.ts';
import { modelOptions, placeOptions } from '../options.ts';
import { toldError } from '../output.ts';

/** Milliseconds the first worker stays inside its write: long enough to be killed there, well below the tool's time. */
const holdMs = 20_000;

/** Drives the run of the demo in a process of its own, which can be killed. */
export const demoWorkerCommand: Command = {
  name: 'demo-worker',
  args: 'RUN_ID',
  summary: 'drive the run of the demo',
  words: [1, 1],
  hidden: true,
  options: {
    stage: { type: 'text', value: 'JSON', help: 'where and how the demo plays' },
    hold: { type: 'flag', help: 'stay inside the write' },
    ...modelOptions,
    ...placeOptions,
  },
  async run(context) {
    try {
      await driveForDemo(context);
      return exitCodes.complete;
    } catch (error) {
      await say({ type: 'failed', error: toldError(error) });
      return exitCodes.failed;
    } finally {
      if (process.connected) process.disconnect();
    }
  },
};

async function driveForDemo({ input, interrupt }: Context): Promise<void> {
  const { signal } = interrupt;
  // Ctrl-C reaches every process of the terminal; the one that started this one decides what it means.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => interrupt.stop());
  process.on('disconnect', () => interrupt.stop());
  const planRunId = PlanRunUUID.fromString(input.positionals[0] ?? '');
  const stage = JSON.parse(input.text('stage') ?? '{}') as Stage;
  const portia = await stageClient(input, stage, async (callId, callSignal) => {
    await say({ type: 'inside', callId });
    await systemClock.sleep(input.flag('hold') ? holdMs : stage.fast ? 5 : 600, callSignal);
  });
  try {
    for (;;) {
      const run = await portia.resume({ planRunId, signal });
      if (signal.aborted) return;
      if (run.state !== 'NEED_CLARIFICATION') break;
      await say({ type: 'waiting' });
      await told(signal);
      if (signal.aborted) return;
    }
    await say({ type: 'ended' });
  } finally {
    await portia.close();
  }
}

function say(message: WorkerMessage): Promise<void> {
  return new Promise((resolve) => {
    if (!process.connected || !process.send) return resolve();
    process.send(message, () => resolve());
  });
}

/** Waits until it is told to go on, or to stop. */
function told(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    process.once('message', () => resolve());
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
