import { readdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import type { RootFolder } from './root-folder.ts';

/** Folders that hold other people's files by the thousand. */
export const skippedFolders: ReadonlySet<string> = new Set(['node_modules', '.git']);

const mostEntries = 20_000;
const deepest = 12;
const mostHits = 50;

/** What a search found: paths relative to the root, with `/`; `complete` unless it hit a limit. */
export interface FoundFiles {
  readonly paths: readonly string[];
  readonly complete: boolean;
}

/**
 * Looks for files of this name below the root, nearest folders first, names in order. It follows no links, skips
 * `node_modules` and `.git`, and stops after 20,000 entries, 12 levels or 50 hits.
 */
export async function findFile(root: RootFolder, name: string, signal: AbortSignal): Promise<FoundFiles> {
  const paths: string[] = [];
  let folders = [root.path];
  let seen = 0;
  for (let depth = 0; folders.length > 0; depth += 1) {
    if (depth > deepest) return { paths, complete: false };
    const below: string[] = [];
    for (const folder of folders) {
      signal.throwIfAborted();
      for (const entry of await entriesOf(folder)) {
        seen += 1;
        if (seen > mostEntries || paths.length >= mostHits) return { paths, complete: false };
        if (entry.isDirectory() && !skippedFolders.has(entry.name)) below.push(join(folder, entry.name));
        else if (entry.isFile() && entry.name === name)
          paths.push(relative(root.path, join(folder, name)).split(sep).join('/'));
      }
    }
    folders = below;
  }
  return { paths, complete: true };
}

async function entriesOf(folder: string): Promise<{ name: string; isFile(): boolean; isDirectory(): boolean }[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch {
    // A folder that may not be read holds nothing that may be read.
    return [];
  }
}
