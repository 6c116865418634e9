#!/usr/bin/env node
import { runCommandLine } from './command-line.ts';
import { processIo } from './output.ts';

// `portia-ts runs list | head` closes our output before we are done with it: nobody is left to read, and that is fine.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  throw error;
});

process.exitCode = await runCommandLine(process.argv.slice(2), processIo());
// Connections that a provider's client keeps open for the next request are no reason to wait.
setTimeout(() => process.exit(), 200).unref();
