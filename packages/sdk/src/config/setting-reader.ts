import { PortiaError } from '../core/errors.ts';
import { nearest } from '../core/nearest.ts';
import { type ConfigOptions, optionNames } from './config-options.ts';

/** A setting that was found, and where: `openaiApiKey` or `OPENAI_API_KEY`. */
export interface Found<T> {
  readonly value: T;
  readonly where: string;
  readonly inCode: boolean;
}

/** Reads settings: from the options, else from the environment. Empty texts count as not given. */
export class SettingReader {
  readonly #options: Readonly<Record<string, unknown>>;
  readonly #env: Readonly<Record<string, string | undefined>>;

  /** @throws PortiaError `CONFIG_INVALID` for an option that does not exist. */
  constructor(options: ConfigOptions) {
    this.#options = options as Readonly<Record<string, unknown>>;
    this.#env = options.env ?? {};
    for (const name of Object.keys(options)) {
      if (!optionNames.includes(name)) throw unknownName(name, optionNames, 'an option');
    }
  }

  /** The raw setting, whatever its type. */
  find(option: string, envNames: readonly string[] = []): Found<unknown> | undefined {
    const given = this.#options[option];
    if (given !== undefined && given !== null && given !== '') return { value: given, where: option, inCode: true };
    for (const name of envNames) {
      const value = this.#env[name]?.trim();
      if (value) return { value, where: name, inCode: false };
    }
    return undefined;
  }

  foundText(option: string, envNames: readonly string[] = []): Found<string> | undefined {
    const found = this.find(option, envNames);
    if (!found) return undefined;
    if (typeof found.value !== 'string') throw invalid(found.where, `is ${describe(found.value)}, not a string`);
    return found as Found<string>;
  }

  text(option: string, envNames: readonly string[] = []): string | undefined {
    return this.foundText(option, envNames)?.value;
  }

  /** A web address without a slash at its end. */
  url(option: string, envNames: readonly string[] = []): string | undefined {
    return this.foundUrl(option, envNames)?.value;
  }

  /** A web address without a slash at its end, and where it was found. */
  foundUrl(option: string, envNames: readonly string[] = []): Found<string> | undefined {
    const found = this.foundText(option, envNames);
    if (!found) return undefined;
    const protocol = URL.canParse(found.value) ? new URL(found.value).protocol : '';
    if (protocol !== 'http:' && protocol !== 'https:')
      throw invalid(found.where, 'is not a web address', 'give an http(s) URL');
    return { ...found, value: found.value.replace(/\/+$/, '') };
  }

  /** A whole number, at least 1. */
  count(option: string, envNames: readonly string[]): number | undefined {
    const found = this.find(option, envNames);
    if (!found) return undefined;
    const number = typeof found.value === 'string' && /^\d+$/.test(found.value) ? Number(found.value) : found.value;
    if (typeof number !== 'number' || !Number.isSafeInteger(number) || number < 1) {
      throw invalid(found.where, `is ${describe(found.value)}, not a whole number above 0`);
    }
    return number;
  }

  flag(option: string, envNames: readonly string[]): boolean | undefined {
    const found = this.find(option, envNames);
    return found && asFlag(found.value, found.where);
  }

  choice<T extends string>(
    option: string,
    envNames: readonly string[],
    choices: Readonly<Record<string, T>>,
  ): T | undefined {
    const found = this.foundText(option, envNames);
    return found && asChoice(found.value, found.where, choices);
  }

  /** Switches from variables that begin with `prefix`, by the rest of their names. */
  flagsByPrefix(prefix: string): [name: string, on: boolean][] {
    return Object.keys(this.#env)
      .filter((name) => name.startsWith(prefix) && name.length > prefix.length && this.#env[name]?.trim())
      .map((name) => [name.slice(prefix.length), asFlag(this.#env[name]?.trim(), name)]);
  }
}

const on = new Set(['true', '1', 'yes', 'on']);
const off = new Set(['false', '0', 'no', 'off']);

/** A yes or no, as code or the environment writes it. @throws PortiaError `CONFIG_INVALID` */
export function asFlag(value: unknown, where: string): boolean {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'string' && on.has(value.toLowerCase())) return true;
  if (typeof value === 'string' && off.has(value.toLowerCase())) return false;
  throw invalid(where, `is ${describe(value)}, not true or false`);
}

/** One of the choices, written in any case and with `-` or `_`. @throws PortiaError `CONFIG_INVALID` */
export function asChoice<T extends string>(text: string, where: string, choices: Readonly<Record<string, T>>): T {
  const name = text.trim().toUpperCase().replaceAll('-', '_');
  const chosen = Object.hasOwn(choices, name) ? choices[name] : undefined;
  if (chosen === undefined) {
    throw invalid(
      where,
      `is ${JSON.stringify(text)}`,
      `give one of ${[...new Set(Object.values(choices))].join(', ')}`,
    );
  }
  return chosen;
}

/** The error for a setting that cannot be used. */
export function invalid(where: string, what: string, hint?: string): PortiaError {
  return new PortiaError({
    code: 'CONFIG_INVALID',
    message: `the setting ${where} ${what}`,
    hint,
    details: { setting: where },
  });
}

/** The error for a name that does not exist, with the one it was probably meant to be. */
export function unknownName(name: string, known: readonly string[], what: string): PortiaError {
  const near = nearest(name.replace(/[-_]/g, ''), known);
  return new PortiaError({
    code: 'CONFIG_INVALID',
    message: `${JSON.stringify(name)} is not ${what} of Config`,
    hint: near ? `did you mean ${near}?` : `those that exist are ${known.join(', ')}`,
    details: { setting: name, known },
  });
}

// Only the kind of a value is told: it might be a secret in the wrong place.
function describe(value: unknown): string {
  if (typeof value === 'string') return 'a text';
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : `of type ${typeof value}`;
}
