import type { Logger } from '../../observe/logger.ts';
import type { Command, Context } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { withClient } from '../open-client.ts';
import { modelOptions, storeOptions, toolOptions } from '../options.ts';
import { writeJson, writeLines } from '../output.ts';
import { plainLine } from '../../clarify/plain-text.ts';
import type { WorkCounts } from '../../run/worker.ts';

/** Drives the runs of the store that are ready. */
export const workCommand: Command = {
  name: 'work',
  summary: 'drive runs that are ready, until ctrl-C: started and answered ones, and those whose driver died',
  words: [0, 0],
  options: {
    'until-idle': { type: 'flag', help: 'end when nothing is ready' },
    concurrency: { type: 'text', value: 'N', help: 'how many runs at once (10)' },
    ...toolOptions,
    ...modelOptions,
    ...storeOptions,
  },
  async run(context) {
    const { input, io, interrupt, json } = context;
    interrupt.arm();
    const untilIdle = input.flag('until-idle');
    const concurrency = input.count('concurrency');
    const logs = input.text('log-level') ?? input.text('default-log-level');
    return withClient(
      context,
      async (portia) => {
        if (!json && !untilIdle)
          writeLines(io.err, [
            `working on ${portia.config.storage.name}; ctrl-C ends it, and every run stays resumable`,
          ]);
        const counts = await portia.work({ concurrency, untilIdle, signal: interrupt.signal });
        if (json) writeJson(io.out, counts);
        else writeLines(io.err, [countsLine(counts)]);
        if (interrupt.by) return interrupt.by === 'SIGINT' ? exitCodes.interrupted : exitCodes.terminated;
        return exitCodes.complete;
      },
      logs === undefined ? { logger: runLines(context) } : {},
    );
  },
};

function countsLine({ complete, failed, waiting, refused }: WorkCounts): string {
  return `${complete} complete · ${failed} failed · ${waiting} left waiting for a person · ${refused} that cannot be driven here`;
}

/** What the library logs about runs as lines for people: a line when one begins, waits or ends. */
function runLines({ io, json }: Context): Logger {
  const nothing = (): void => {};
  const { paint } = io.err;
  const say = (message: string, fields: Readonly<Record<string, unknown>> = {}): void => {
    if (json) return;
    const mark =
      message === 'run complete' ? paint.green('✓') : message === 'run failed' ? paint.red('✗') : paint.dim('·');
    const why = fields['error'] === undefined ? '' : `: ${plainLine(String(fields['error']))}`;
    writeLines(io.err, [
      `${paint.dim(new Date().toISOString().slice(11, 19))} ${mark} ${message}${why} ${paint.dim(String(fields['planRunId'] ?? ''))}`,
    ]);
  };
  return { trace: nothing, debug: nothing, info: say, warn: say, error: say };
}
