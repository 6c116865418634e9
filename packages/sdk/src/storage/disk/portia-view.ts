import { rmSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { hashText } from '../../core/hash.ts';
import type { PlanRunUUID } from '../../core/ids.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Files } from './files.ts';

/** A file that somebody else has changed. */
export interface Edit {
  readonly text: string;
  /** Up to which event it showed the run before; more than one where that is not known, the likeliest first. */
  readonly seqs: readonly number[];
  /** Epoch milliseconds. */
  readonly at: number;
}

/** For how long another process may be between remembering a file and writing it. Milliseconds. */
const sweepAfterMs = 60_000;
const patience = new Int32Array(new SharedArrayBuffer(4));

/**
 * `<root>/prun-<uuid>.json`: the run as Portia 0.9 reads it.
 *
 * Before it is written, its hash is remembered as a file, `<root>/.journal/<id>/views/<hash>`, which holds the number of
 * the last event it shows. So whatever process wrote it last, it is known for one of ours; anything else is an edit.
 */
export class PortiaView {
  readonly path: string;
  readonly #files: Files;
  readonly #memory: string;
  /** What the file looked like when it was last found to be in order. */
  #known: string | undefined;
  /** What it looked like when somebody else's change was last found in it. */
  #edit: string | undefined;
  /** The hash that was last remembered here. */
  #hash: string | undefined;

  constructor(files: Files, id: PlanRunUUID) {
    this.#files = files;
    this.path = join(files.root, `${id}.json`);
    this.#memory = join(files.journal, id, 'views');
  }

  write(document: JsonObject, seq: number): void {
    const text = JSON.stringify(document, null, 4);
    const hash = hashText(text);
    this.#files.replace(join(this.#memory, hash), String(seq));
    this.#files.replace(this.path, text);
    this.#known = lookOf(this.#files.stat(this.path));
    this.#forgetOthers(hash);
  }

  /** Takes a file that somebody else wrote for the one that belongs there. */
  accept(text: string, seq: number): void {
    const hash = hashText(text);
    this.#files.replace(join(this.#memory, hash), String(seq));
    this.#forgetOthers(hash);
  }

  #forgetOthers(hash: string): void {
    const previous = this.#hash;
    this.#hash = hash;
    for (const other of this.#files.list(this.#memory)) {
      if (other === hash) continue;
      const path = join(this.#memory, other);
      const stat = this.#files.stat(path);
      if (other === previous || (stat && Date.now() - stat.mtimeMs > sweepAfterMs)) rmSync(path, { force: true });
    }
  }

  /** Whether the file looks as it never did before: cheap, and to be asked often. */
  isNews(): boolean {
    const look = lookOf(this.#files.stat(this.path));
    return look !== undefined && look !== this.#known && look !== this.#edit;
  }

  /** What somebody else has written there, if anybody has. A file that is gone is no edit. */
  edited(): Edit | undefined {
    for (let attempt = 0; ; attempt += 1) {
      const stat = this.#files.stat(this.path);
      const look = lookOf(stat);
      if (!stat || look === this.#known) return undefined;
      const text = this.#files.read(this.path);
      if (text === undefined) return undefined;
      if (this.#files.stat(join(this.#memory, hashText(text)))) {
        this.#known = look;
        return undefined;
      }
      // Another process may have written it again meanwhile, or an editor be in the middle of its own writing.
      if (attempt === 3 || look === this.#edit) {
        this.#edit = look;
        return { text, seqs: this.#shown(), at: Math.round(stat.mtimeMs) };
      }
      Atomics.wait(patience, 0, 0, 10);
    }
  }

  #shown(): readonly number[] {
    const seqs = this.#files.list(this.#memory).map((hash) => Number(this.#files.read(join(this.#memory, hash)) ?? 0));
    return [...new Set(seqs)].sort((a, b) => b - a);
  }
}

function lookOf(stat: Stats | undefined): string | undefined {
  return stat && `${stat.ino}.${stat.mtimeMs}.${stat.size}`;
}
