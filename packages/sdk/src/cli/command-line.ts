import { PortiaError } from '../core/errors.ts';
import { nearest } from '../core/nearest.ts';
import type { Command, Io } from './command.ts';
import { commands } from './commands.ts';
import { exitCodeOfError, exitCodes } from './exit-codes.ts';
import { commandHelp, groupHelp, overview } from './help.ts';
import { readInput, usageError } from './input.ts';
import { Interrupt } from './interrupt.ts';
import { toldError, writeError, writeLines } from './output.ts';

/** Runs what was typed, and gives the exit code. */
export async function runCommandLine(args: readonly string[], io: Io): Promise<number> {
  const json = args.includes('--json');
  const interrupt = new Interrupt();
  try {
    return await dispatch(args, io, interrupt, json);
  } catch (thrown) {
    if (interrupt.by) {
      writeError(io.err, { code: 'INTERRUPTED', message: 'stopped before there was a run' }, json);
      return interrupt.by === 'SIGINT' ? exitCodes.interrupted : exitCodes.terminated;
    }
    if (process.env['PORTIA_DEBUG'] && thrown instanceof Error) io.err.write(`${thrown.stack}\n`);
    writeError(io.err, toldError(thrown), json);
    return exitCodeOfError(PortiaError.isInstance(thrown) ? thrown.code : undefined);
  } finally {
    interrupt.disarm();
  }
}

async function dispatch(args: readonly string[], io: Io, interrupt: Interrupt, json: boolean): Promise<number> {
  const [first] = args;
  if (first === undefined) {
    writeLines(io.err, overview(commands, io.err));
    return exitCodes.usage;
  }
  if (first === '--version' || first === '-v') return dispatch(['version', ...args.slice(1)], io, interrupt, json);
  if (first === '--help' || first === '-h' || first === 'help') return help(args.slice(1), io);
  const found = findCommand(args);
  if (!found) {
    help([first], { ...io, out: io.err });
    return exitCodes.usage;
  }
  const { command, rest } = found;
  const input = readInput(rest, command.options, command.name);
  if (input.flag('help')) {
    writeLines(io.out, commandHelp(command, io.out));
    return exitCodes.complete;
  }
  const [least, most] = command.words;
  const words = input.positionals.length;
  if (words < least)
    throw usageError(`${command.name} needs ${command.args ?? 'more'}`, `see npx portia-ts ${command.name} --help`);
  if (words > most) {
    const extra = JSON.stringify(input.positionals[most]);
    const hint = command.args === 'QUERY' ? 'put the query in quotes' : `see npx portia-ts ${command.name} --help`;
    throw usageError(`${command.name} does not know what to do with ${extra}`, hint);
  }
  return command.run({ input, io, interrupt, json, reads: command.reads ?? false });
}

/** Names people know from elsewhere. */
const otherNames: Readonly<Record<string, readonly string[]>> = {
  'list-tools': ['tools', 'list'],
  clars: ['clarifications'],
};

/** The command that is meant; `undefined` when only a group of them is named and nothing follows. */
function findCommand(
  typed: readonly string[],
): { readonly command: Command; readonly rest: readonly string[] } | undefined {
  const args = [...(otherNames[typed[0] ?? ''] ?? typed.slice(0, 1)), ...typed.slice(1)];
  for (const length of [2, 1]) {
    const command = commands.find(({ name }) => name === args.slice(0, length).join(' '));
    if (command) return { command, rest: args.slice(length) };
  }
  const [first = '', second] = args;
  const group = commands
    .filter(({ name }) => name.startsWith(`${first} `))
    .map(({ name }) => name.slice(first.length + 1));
  if (group.length > 0) {
    if (second === undefined || second === '--help' || second === '-h') return undefined;
    const near = nearest(second, group);
    throw usageError(
      `${first} has no command ${JSON.stringify(second)}`,
      `${near ? `did you mean ${first} ${near}? ` : ''}it has ${group.join(', ')}`,
    );
  }
  const names = [...new Set(commands.filter(({ hidden }) => !hidden).map(({ name }) => name.split(' ')[0] ?? ''))];
  const near = nearest(first, names);
  throw usageError(
    `there is no command ${JSON.stringify(first)}`,
    `${near ? `did you mean ${near}? ` : ''}see npx portia-ts help`,
  );
}

function help(words: readonly string[], io: Io): number {
  const named = words.filter((word) => !word.startsWith('-'));
  if (named.length === 0) {
    writeLines(io.out, overview(commands, io.out));
    return exitCodes.complete;
  }
  const command =
    commands.find(({ name }) => name === named.slice(0, 2).join(' ')) ?? commands.find(({ name }) => name === named[0]);
  if (command) {
    writeLines(io.out, commandHelp(command, io.out));
    return exitCodes.complete;
  }
  const group = commands.filter(({ name, hidden }) => name.startsWith(`${named[0]} `) && !hidden);
  if (group.length === 0) findCommand(named);
  writeLines(io.out, groupHelp(String(named[0]), group, io.out));
  return exitCodes.complete;
}
