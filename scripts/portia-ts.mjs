#!/usr/bin/env node
// The command line on a clone: `npx portia-ts` in its folder finds this file through the `bin` of the root package.json,
// and `npm start` is its `demo`. Installs and builds when needed (on stderr) first.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureBuilt } from './ensure-installed.mjs';
import { root } from './lib/workspace.mjs';

try {
  await ensureBuilt();
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
await import(pathToFileURL(join(root, 'packages/sdk/dist/cli/main.js')).href);
