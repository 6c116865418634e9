import type { Input } from './input.ts';

/** A word as a shell takes it. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** An address as it may be shown: whoever goes on puts the password in again. */
function withoutPassword(value: string): string {
  return value.replace(/^(postgres(?:ql)?:\/\/[^/?#]*?):[^@/?#]*@/i, '$1:PASSWORD@');
}

const places = ['storage', 'storage-class', 'storage-dir', 'organisation'] as const;
const means = [
  'tools',
  'model',
  'planning-model',
  'execution-model',
  'introspection-model',
  'summarizer-model',
  'llm-provider',
] as const;

/**
 * A command to go on with, as it is typed: it says where the store is if this one did and, when it drives a run, with
 * which tools and models.
 */
export function nextCommand(input: Input, words: readonly string[], drives = false): string {
  const carried = [...places, ...(drives ? means : [])].flatMap((name) => {
    const value = input.text(name);
    return value === undefined ? [] : [`--${name}`, quoted(withoutPassword(value))];
  });
  return ['npx portia-ts', ...words, ...carried].join(' ');
}
