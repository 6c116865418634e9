import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { EndUser, type EndUserField, endUserFromWire, endUserToWire } from '../../core/end-user.ts';
import { hashText } from '../../core/hash.ts';
import type { JsonObject } from '../../core/json.ts';
import { mergedEndUser } from '../records.ts';
import type { EndUserStore } from '../storage-backend.ts';
import type { Files } from './files.ts';
import { endUserReserved, fileName, portiaFileName } from './names.ts';

/** Of how many end users the log is remembered. */
const mostKnown = 1000;

/** One line of the log of an end user. `file`: taken over from a file that somebody else wrote, by its hash. */
interface Saved {
  readonly user: JsonObject;
  readonly file?: string;
  /** The fields that it replaces; all unless given. */
  readonly only?: readonly EndUserField[];
}

/** What a log says, as far as it was read: `length` bytes of it. */
interface Folded {
  length: number;
  user: EndUser | undefined;
  /** Hashes of all the files that this log has led to, and of those it took over. */
  readonly files: Set<string>;
}

/**
 * End users. What counts is the log of their saves, `<root>/.journal/end-users/<name>.jsonl`: saves are only ever added,
 * so none is lost however many processes save at once. `<root>/<external_id>.json` is what Portia 0.9 reads; a change
 * made there by somebody else is taken over as a save.
 */
export class DiskEndUsers implements EndUserStore {
  readonly #files: Files;
  readonly #folder: string;
  /** Logs are only ever added to, so what was read of one need not be read again. */
  readonly #known = new Map<string, Folded>();

  constructor(files: Files) {
    this.#files = files;
    this.#folder = join(files.journal, 'end-users');
    files.makeFolder(this.#folder);
  }

  saveEndUser(given: EndUser, only?: readonly EndUserField[]): EndUser {
    const user = EndUser(given);
    const { externalId } = user;
    this.#takeOver(externalId, this.#fold(externalId));
    this.#append(externalId, { user: endUserToWire(user), ...(only && { only }) });
    for (;;) {
      const { length, user: merged = user } = this.#fold(externalId);
      this.#files.replace(this.#filePath(externalId), fileText(merged));
      // Somebody who saved after the log was read here may have written the file before it was written here.
      if (this.#fold(externalId).length === length) return merged;
    }
  }

  getEndUser(externalId: string): EndUser | undefined {
    const folded = this.#fold(externalId);
    this.#takeOver(externalId, folded);
    return this.#fold(externalId).user;
  }

  /** The ids of all end users, those that only Portia 0.9 knows included, in their order as texts. */
  ids(): readonly string[] {
    const ids = new Set<string>();
    for (const name of this.#files.list(this.#folder)) {
      if (!name.endsWith('.jsonl')) continue;
      const [, first] = (this.#files.read(join(this.#folder, name)) ?? '').split('\n');
      const saved = first ? parsed(first) : undefined;
      if (saved) ids.add(endUserFromWire(saved.user).externalId);
    }
    for (const name of this.#files.list(this.#files.root)) {
      if (!name.endsWith('.json') || endUserReserved.test(name)) continue;
      const id = idIn(this.#files.read(join(this.#files.root, name)) ?? '');
      if (id !== undefined && this.getEndUser(id)) ids.add(id);
    }
    return [...ids].sort();
  }

  /** Takes over a file that did not come from the log. One that cannot be read is left alone. */
  #takeOver(externalId: string, folded: Folded): void {
    const text = this.#readFile(externalId);
    if (text === undefined) return;
    const file = hashText(text);
    if (folded.files.has(file)) return;
    let user: EndUser;
    try {
      user = endUserFromWire(JSON.parse(text) as JsonObject);
    } catch {
      return;
    }
    if (user.externalId !== externalId) return;
    const saved: Saved = { user: endUserToWire(user), file };
    const begun = folded.length > 0 || !this.#files.create(this.#logPath(externalId), line(saved));
    if (begun) this.#append(externalId, saved);
  }

  #append(externalId: string, saved: Saved): void {
    const path = this.#logPath(externalId);
    try {
      appendFileSync(path, line(saved));
    } catch (error) {
      throw this.#files.failed(path, error);
    }
  }

  #fold(externalId: string): Folded {
    const folded = this.#known.get(externalId) ?? { length: 0, user: undefined, files: new Set() };
    const bytes = this.#files.readFrom(this.#logPath(externalId), folded.length);
    const whole = bytes.lastIndexOf(10) + 1;
    for (const text of bytes.toString('utf8', 0, whole).split('\n')) {
      const saved = text === '' ? undefined : parsed(text);
      if (saved) take(folded, saved);
    }
    folded.length += whole;
    if (this.#known.size >= mostKnown) this.#known.clear();
    if (folded.length > 0) this.#known.set(externalId, folded);
    return folded;
  }

  #logPath(externalId: string): string {
    return join(this.#folder, `${fileName(externalId)}.jsonl`);
  }

  #filePath(externalId: string): string {
    return join(this.#files.root, `${fileName(externalId, endUserReserved)}.json`);
  }

  /** The file, also under the name Portia 0.9 gives it where that differs only by a colon. */
  #readFile(externalId: string): string | undefined {
    const portia = portiaFileName(externalId, endUserReserved);
    return (
      this.#files.read(this.#filePath(externalId)) ??
      (portia === undefined ? undefined : this.#files.read(join(this.#files.root, `${portia}.json`)))
    );
  }
}

/** Begins with a line break, so that a line which was cut off spoils only itself. */
function line(saved: Saved): string {
  return `\n${JSON.stringify(saved)}\n`;
}

/** The id of the end user that a file describes, if it describes one. */
function idIn(text: string): string | undefined {
  try {
    return endUserFromWire(JSON.parse(text) as JsonObject).externalId;
  } catch {
    return undefined;
  }
}

function parsed(text: string): Saved | undefined {
  try {
    return JSON.parse(text) as Saved;
  } catch {
    return undefined;
  }
}

function take(folded: Folded, saved: Saved): void {
  if (saved.file !== undefined) {
    if (folded.files.has(saved.file)) return;
    folded.files.add(saved.file);
  }
  folded.user = mergedEndUser(folded.user, endUserFromWire(saved.user), saved.only);
  folded.files.add(hashText(fileText(folded.user)));
}

function fileText(user: EndUser): string {
  return JSON.stringify(endUserToWire(user), null, 4);
}
