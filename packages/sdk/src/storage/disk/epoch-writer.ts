import { closeSync, existsSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import type { Files } from './files.ts';
import type { RunFolder } from './run-folder.ts';

/** How many files are kept open for writing at once. */
const mostOpen = 200;
const open = new Set<EpochWriter>();

/** Appends to the file of one epoch: one write for each, refused once the next epoch has begun. */
export class EpochWriter {
  readonly epoch: number;
  readonly #files: Files;
  readonly #folder: RunFolder;
  readonly #path: string;
  readonly #next: string;
  #length: number;
  #descriptor: number | undefined;
  #lost = false;
  #broken = false;

  constructor(files: Files, folder: RunFolder, epoch: number, length: number) {
    this.epoch = epoch;
    this.#files = files;
    this.#folder = folder;
    this.#path = folder.epochPath(epoch);
    this.#next = folder.epochPath(epoch + 1);
    this.#length = length;
  }

  /** Whether another driver has taken over. */
  isReplaced(): boolean {
    return this.#lost || existsSync(this.#next);
  }

  /** Writes whole lines. `false`: another driver has taken over, and they do not count. */
  append(lines: string): boolean {
    if (this.#lost) return false;
    if (this.#broken) throw this.#files.failed(this.#path, new Error('an earlier write failed halfway'));
    const before = this.#length;
    this.#write(Buffer.from(lines));
    if (!existsSync(this.#next)) return true;
    // The next epoch began meanwhile. Its driver has settled how much of this file counts, or this does.
    this.#lost = true;
    this.close();
    return this.#folder.cut(this.epoch, before) >= this.#length;
  }

  #write(bytes: Buffer): void {
    try {
      const descriptor = this.#open();
      const written = writeSync(descriptor, bytes);
      if (written === bytes.length) {
        this.#length += written;
        return;
      }
      throw Object.assign(new Error('the disk took only a part of it'), { code: 'ENOSPC' });
    } catch (error) {
      this.#takeBack();
      throw this.#files.failed(this.#path, error);
    }
  }

  /** What was written of lines that failed halfway must not become the beginning of others. */
  #takeBack(): void {
    try {
      if (this.#descriptor !== undefined) ftruncateSync(this.#descriptor, this.#length);
    } catch {
      this.#broken = true;
    }
  }

  #open(): number {
    if (this.#descriptor !== undefined) return this.#descriptor;
    this.#descriptor = openSync(this.#path, 'a');
    open.add(this);
    const [oldest] = open;
    if (open.size > mostOpen) oldest?.close();
    return this.#descriptor;
  }

  close(): void {
    open.delete(this);
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }
}
