import type { Input } from './input.ts';

/** A word as a shell takes it. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

const places = ['storage', 'storage-class', 'storage-dir'] as const;
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
    return value === undefined ? [] : [`--${name}`, quoted(value)];
  });
  return ['npx portia-ts', ...words, ...carried].join(' ');
}
