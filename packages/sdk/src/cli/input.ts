import { parseArgs } from 'node:util';
import { asFlag } from '../config/setting-reader.ts';
import { PortiaError } from '../core/errors.ts';
import { nearest } from '../core/nearest.ts';

/** An option of a command. */
export interface OptionSpec {
  readonly type: 'text' | 'flag';
  /** Its one-letter form. */
  readonly short?: string;
  /** It may be given more than once. */
  readonly many?: true;
  /** What its value is called in the help. */
  readonly value?: string;
  /** Not in the help: another name of an option. */
  readonly hidden?: true;
  readonly help: string;
}

/** The options of a command, by name. */
export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

/** The error for a command line that was not understood. */
export function usageError(message: string, hint?: string): PortiaError {
  return new PortiaError({ code: 'USAGE', message, hint });
}

/** What was typed after a command's name. */
export class Input {
  readonly positionals: readonly string[];
  readonly #texts: ReadonlyMap<string, readonly string[]>;
  readonly #flags: ReadonlySet<string>;

  constructor(
    positionals: readonly string[],
    texts: ReadonlyMap<string, readonly string[]>,
    flags: ReadonlySet<string>,
  ) {
    this.positionals = positionals;
    this.#texts = texts;
    this.#flags = flags;
  }

  flag(name: string): boolean {
    return this.#flags.has(name);
  }

  /** The value given last. */
  text(name: string): string | undefined {
    return this.#texts.get(name)?.at(-1);
  }

  texts(name: string): readonly string[] {
    return this.#texts.get(name) ?? [];
  }

  /** A whole number above 0. @throws PortiaError `USAGE`. */
  count(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const number = Number(text);
    if (!/^\d+$/.test(text) || number < 1)
      throw usageError(`--${name} needs a whole number above 0, not ${JSON.stringify(text)}`);
    return number;
  }

  /** A yes or a no. @throws PortiaError `USAGE`. */
  bool(name: string): boolean | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    try {
      return asFlag(text, name);
    } catch {
      throw usageError(`--${name} needs true or false, not ${JSON.stringify(text)}`);
    }
  }

  /** `key=value` pairs, split at the first `=`. @throws PortiaError `USAGE`. */
  pairs(name: string): ReadonlyMap<string, string> {
    return new Map(
      this.texts(name).map((text) => {
        const at = text.indexOf('=');
        if (at < 1) throw usageError(`--${name} needs name=value, not ${JSON.stringify(text)}`);
        return [text.slice(0, at), text.slice(at + 1)];
      }),
    );
  }
}

/**
 * Reads what was typed after a command's name.
 * @throws PortiaError `USAGE` for an unknown option, with the nearest known one, and for a value that is missing.
 */
export function readInput(args: readonly string[], specs: OptionSpecs, commandName: string): Input {
  const options = Object.fromEntries(
    Object.entries(specs).map(([name, { type, short }]) => [
      name,
      { type: type === 'text' ? ('string' as const) : ('boolean' as const), multiple: true, ...(short && { short }) },
    ]),
  );
  const { tokens } = parseArgs({ args: [...args], options, strict: false, allowPositionals: true, tokens: true });
  const positionals: string[] = [];
  const texts = new Map<string, string[]>();
  const flags = new Set<string>();
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind !== 'option') continue;
    const spec = Object.hasOwn(specs, token.name) ? specs[token.name] : undefined;
    if (!spec) throw unknownOption(token.rawName, token.name, specs, commandName);
    if (spec.type === 'flag') {
      if (token.value !== undefined) throw usageError(`--${token.name} takes no value`);
      flags.add(token.name);
      continue;
    }
    if (token.value === undefined || (!token.inlineValue && token.value.startsWith('--'))) {
      throw usageError(`--${token.name} needs a value`, `write --${token.name}=${spec.value ?? 'VALUE'}`);
    }
    const given = texts.get(token.name);
    if (given && !spec.many) throw usageError(`--${token.name} is given twice`);
    if (given) given.push(token.value);
    else texts.set(token.name, [token.value]);
  }
  return new Input(positionals, texts, flags);
}

function unknownOption(raw: string, name: string, specs: OptionSpecs, commandName: string): PortiaError {
  const known = Object.keys(specs).filter((option) => !specs[option]?.hidden);
  const meant = name.length > 1 ? nearest(name, known) : undefined;
  const help = `see npx portia-ts ${commandName} --help`;
  return usageError(`${commandName} has no option ${raw}`, meant ? `did you mean --${meant}? ${help}` : help);
}
