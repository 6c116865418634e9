import { hashText } from '../../core/hash.ts';

/**
 * Ids of a server's tools, `mcp:<server>:<name>`: whatever is not a letter or a digit becomes `_`. Where two names come
 * out the same, those that had to be changed end in a piece of their hash. So an id depends on the names alone, never on
 * their order.
 */
export function toolIds(server: string, names: readonly string[]): ReadonlyMap<string, string> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(plain(name), (counts.get(plain(name)) ?? 0) + 1);
  const prefix = `mcp:${server.replaceAll(',', '_')}:`;
  return new Map(
    names.map((name) => {
      const id = plain(name);
      const collides = (counts.get(id) ?? 0) > 1 && id !== name;
      return [name, `${prefix}${id}${collides ? `_${hashText(name).slice(0, 8)}` : ''}`];
    }),
  );
}

/** A name for people, of what a server calls a tool: one line, without marks that a terminal or a page acts on. */
export function shownName(name: string): string {
  const line = name.replace(/[\p{Cc}\p{Cf}\p{Z}]+/gu, ' ').trim();
  return [...line].slice(0, 200).join('');
}

function plain(name: string): string {
  return name.replace(/[^\p{L}\p{N}]+/gu, '_');
}
