import { version } from '../version.ts';
import type { Command, Sheet } from './command.ts';
import { pad, wrap } from './view/text.ts';

const bin = 'npx portia-ts';

function columns(rows: readonly (readonly [string, string])[], sheet: Sheet): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  const rest = Math.max(24, Math.min(sheet.width, 110) - width - 4);
  return rows.flatMap(([left, right]) =>
    wrap(right, rest).map(
      (line, index) => `  ${index === 0 ? sheet.paint.cyan(pad(left, width)) : pad('', width)}  ${line}`,
    ),
  );
}

const titled = ({ name, args }: Command): string => (args ? `${name} ${args}` : name);

/** All commands, a line each. */
export function overview(commands: readonly Command[], sheet: Sheet): string[] {
  const { paint } = sheet;
  const rows = commands.filter(({ hidden }) => !hidden).map((command) => [titled(command), command.summary] as const);
  return [
    `${paint.bold('portia-ts')} ${paint.dim(version)}  plans people can read, runs that survive anything`,
    '',
    `${bin} COMMAND [options]`,
    '',
    ...columns(rows, sheet),
    '',
    `Each has its own help: ${bin} COMMAND --help`,
    paint.dim('Exit codes: 0 complete, 1 failed, 2 usage, 3 needs a person, 4 busy or conflict, 130 interrupted.'),
    paint.dim('Not a product of Portia Labs, whose open SDK it follows.'),
  ];
}

/** The commands of one group. */
export function groupHelp(name: string, commands: readonly Command[], sheet: Sheet): string[] {
  return [
    `${bin} ${sheet.paint.bold(name)} COMMAND [options]`,
    '',
    ...columns(
      commands.map((command) => [titled(command), command.summary] as const),
      sheet,
    ),
  ];
}

/** One command, with its options. */
export function commandHelp(command: Command, sheet: Sheet): string[] {
  const options = Object.entries(command.options).filter(([, { hidden }]) => !hidden);
  const rows = options.map(([name, { short, type, value = 'VALUE', help, many }]) => {
    const long = `${short ? `-${short}, ` : '    '}--${name}${type === 'text' ? ` ${value}` : ''}`;
    return [long, many ? `${help} (may be repeated)` : help] as const;
  });
  return [
    `${bin} ${sheet.paint.bold(titled(command))} [options]`,
    '',
    `${command.summary[0]?.toUpperCase()}${command.summary.slice(1)}.`,
    ...(command.details ?? []),
    '',
    ...columns(rows, sheet),
  ];
}
