import { loadEnvironment } from '../open-client.ts';
import { ageOf } from '../age.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { usageError } from '../input.ts';
import { modelOptions, placeOptions } from '../options.ts';
import { writeJson, writeLines } from '../output.ts';
import { loadServer } from '../../server-package.ts';
import { serverSettings } from '../store-settings.ts';

/** Runs a server until it is stopped. */
export const serveCommand: Command = {
  name: 'serve',
  summary: 'run a server: runs live here, and other processes and people reach them',
  details: [
    'portia.config.ts (or .mjs, .js) of the folder says which tools and plans it has.',
    'Without keys nobody comes in: npx portia-ts keys create makes one; --no-auth is for loopback only.',
  ],
  words: [0, 0],
  options: {
    port: { type: 'text', value: 'N', help: 'the port (18999); 0 takes a free one' },
    host: { type: 'text', value: 'ADDRESS', help: 'the address to listen on (127.0.0.1)' },
    'no-auth': { type: 'flag', help: 'whoever reaches the port may do everything; on a loopback address only' },
    config: { type: 'text', value: 'FILE', help: 'the config module' },
    concurrency: { type: 'text', value: 'N', help: 'how many runs at once (10); 0 only answers requests' },
    'max-body': { type: 'text', value: 'BYTES', help: 'the largest body that is taken (32 MiB)' },
    'rate-limit': { type: 'text', value: 'N', help: 'requests a second of one key (2000)' },
    'trust-proxy': {
      type: 'text',
      value: 'N',
      help: 'how many proxies before it are believed, in X-Forwarded-For (0)',
    },
    'prune-after': { type: 'text', value: 'AGE', help: 'remove finished runs this long after their last change: 90d' },
    cors: {
      type: 'text',
      many: true,
      value: 'ORIGIN',
      help: 'pages of this origin may use the API; may be given more than once',
    },
    'public-url': {
      type: 'text',
      value: 'URL',
      help: 'how browsers reach it, for sign-ins: https://portia.example.org',
    },
    'private-webhooks': { type: 'flag', help: 'webhooks may go to private addresses' },
    ...modelOptions,
    ...placeOptions,
  },
  async run({ input, io, interrupt, json }) {
    loadEnvironment(input);
    interrupt.arm();
    const { serve } = await loadServer();
    const starting = serve({
      port: portOf(input.text('port')),
      host: input.text('host'),
      noAuth: input.flag('no-auth'),
      configFile: input.text('config'),
      concurrency: input.text('concurrency') === '0' ? 0 : input.count('concurrency'),
      maxBodyBytes: input.count('max-body'),
      rateLimit: input.count('rate-limit'),
      trustProxy: input.text('trust-proxy') === '0' ? 0 : input.count('trust-proxy'),
      pruneAfterMs: ageOf(input, 'prune-after'),
      corsOrigins: input.texts('cors'),
      publicUrl: input.text('public-url'),
      privateWebhooks: input.flag('private-webhooks') ? true : undefined,
      logLevel: logLevelOf(input.text('log-level') ?? input.text('default-log-level')),
      settings: await serverSettings(input),
      signal: interrupt.signal,
    });
    const running = await starting.catch((error: unknown) => {
      if (!interrupt.by) throw error;
    });
    if (!running) return interrupt.by === 'SIGINT' ? exitCodes.interrupted : exitCodes.terminated;
    if (json) writeJson(io.out, { url: running.url, storage: running.storage });
    else
      writeLines(io.err, [
        `serving ${running.storage} on ${running.url}; ctrl-C ends it, and every run stays resumable`,
      ]);
    await interrupt.happened();
    await running.close();
    return exitCodes.complete;
  },
};

function portOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535)
    throw usageError(`--port needs a port from 0 to 65535, not ${JSON.stringify(text)}`);
  return port;
}

/** The words of the library, as the server's log has them. */
function logLevelOf(text: string | undefined): string | undefined {
  const level = text?.trim().toLowerCase();
  const names: Readonly<Record<string, string>> = { warning: 'warn', critical: 'fatal' };
  if (level === undefined) return undefined;
  const name = names[level] ?? level;
  if (['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'].includes(name)) return name;
  throw usageError(`--log-level knows no ${JSON.stringify(text)}`, 'use TRACE, DEBUG, INFO, WARNING, ERROR or SILENT');
}
