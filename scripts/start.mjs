// `npm start`: the main job on a fresh clone. Installs and builds when needed (on stderr), then runs `portia-ts demo`
// with the given arguments and passes its exit code on. A run that is killed by a signal ends with 128 + its number.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { ensureBuilt } from './ensure-installed.mjs';
import { root } from './lib/workspace.mjs';

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

await ensureBuilt().catch((error) => fail(error.message));
const main = join(root, 'packages/sdk/dist/cli/main.js');
if (!existsSync(main)) fail('The command line is not part of this build: packages/sdk/src/cli/main.ts is missing.');

// The child is in the same terminal and gets ctrl-C itself; we only wait for how it ends.
for (const signal of ['SIGINT', 'SIGQUIT']) process.on(signal, () => {});
const child = spawn(process.execPath, [main, 'demo', ...process.argv.slice(2)], { stdio: 'inherit' });
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('error', (error) => fail(error.message));
child.on('close', (code, signal) => {
  process.exitCode = code ?? 128 + constants.signals[signal];
});
