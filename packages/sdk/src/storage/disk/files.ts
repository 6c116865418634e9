import {
  closeSync,
  fstatSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { PortiaError } from '../../core/errors.ts';

/** Temporary files older than this were left by a process that died. Milliseconds. */
const leftBehindMs = 3_600_000;
let temporaries = 0;

/** Reading and writing files whole: nobody ever sees half of one. */
export class Files {
  readonly root: string;
  /** Where what is not Portia's stands. */
  readonly journal: string;
  readonly #temporary: string;

  constructor(root: string) {
    this.root = root;
    this.journal = join(root, '.journal');
    this.#temporary = join(this.journal, 'tmp');
    this.#guard(this.#temporary, () => mkdirSync(this.#temporary, { recursive: true }));
    this.#sweep();
  }

  #sweep(): void {
    for (const name of this.list(this.#temporary)) {
      const path = join(this.#temporary, name);
      const stat = this.stat(path);
      if (stat && Date.now() - stat.mtimeMs > leftBehindMs) rmSync(path, { force: true });
    }
  }

  /** Replaces a file, or makes it. */
  replace(path: string, text: string): void {
    const temporary = this.#written(path, text);
    this.#guard(path, () => renameSync(temporary, path));
  }

  /** Makes a file unless it exists; of several that try, one does. */
  create(path: string, text: string): boolean {
    const temporary = this.#written(path, text);
    try {
      linkSync(temporary, path);
      return true;
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false;
      throw this.failed(path, error);
    } finally {
      rmSync(temporary, { force: true });
    }
  }

  #written(path: string, text: string): string {
    temporaries += 1;
    const temporary = join(this.#temporary, `${process.pid}-${temporaries}-${Math.random().toString(36).slice(2)}`);
    return this.#guard(path, () => {
      try {
        writeFileSync(temporary, text, { flag: 'wx' });
      } catch (error) {
        rmSync(temporary, { force: true });
        throw error;
      }
      return temporary;
    });
  }

  makeFolder(path: string): void {
    this.#guard(path, () => mkdirSync(path, { recursive: true }));
  }

  /** Removes a file, or a folder with all that is in it, if it is there. */
  remove(path: string): void {
    this.#guard(path, () => rmSync(path, { recursive: true, force: true }));
  }

  /** The text of a file; undefined when there is none. */
  read(path: string): string | undefined {
    return this.readBytes(path)?.toString('utf8');
  }

  /** What stands in a file from a byte on; nothing when there is no file or no more of it. */
  readFrom(path: string, offset: number): Buffer {
    return this.#guard(path, () => {
      const descriptor = ifThere(() => openSync(path, 'r'));
      if (descriptor === undefined) return Buffer.alloc(0);
      try {
        const bytes = Buffer.alloc(Math.max(0, fstatSync(descriptor).size - offset));
        return bytes.subarray(0, readSync(descriptor, bytes, 0, bytes.length, offset));
      } finally {
        closeSync(descriptor);
      }
    });
  }

  readBytes(path: string): Buffer | undefined {
    return this.#guard(path, () => ifThere(() => readFileSync(path)));
  }

  /** The names in a folder; none when it does not exist. */
  list(path: string): readonly string[] {
    return this.#guard(path, () => ifThere(() => readdirSync(path)) ?? []);
  }

  stat(path: string): Stats | undefined {
    return this.#guard(path, () => statSync(path, { throwIfNoEntry: false }));
  }

  /** A file as JSON; undefined when there is none. @throws PortiaError `STORAGE_CORRUPT`. */
  readJson(path: string): unknown {
    const text = this.read(path);
    return text === undefined ? undefined : this.parse(path, text);
  }

  parse(path: string, text: string): unknown {
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw this.corrupt(path, cause instanceof Error ? cause.message : String(cause), cause);
    }
  }

  corrupt(path: string, why: string, cause?: unknown): PortiaError {
    return new PortiaError({
      code: 'STORAGE_CORRUPT',
      message: `${path} cannot be read: ${why}`,
      hint: 'restore the file from a copy, or remove it; nothing else is affected',
      cause,
    });
  }

  failed(path: string, cause: unknown): PortiaError {
    if (PortiaError.isInstance(cause)) return cause;
    const full = codeOf(cause) === 'ENOSPC' || codeOf(cause) === 'EDQUOT';
    return new PortiaError({
      code: 'STORAGE_FAILED',
      message: `${path} could not be read or written: ${cause instanceof Error ? cause.message : String(cause)}`,
      hint: full ? 'make room on the disk' : `check that ${dirname(path)} is a folder that can be written`,
      cause,
    });
  }

  #guard<T>(path: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw this.failed(path, error);
    }
  }
}

function ifThere<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}
