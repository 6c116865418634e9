import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Commit } from '../../core/event.ts';
import type { PlanRunUUID } from '../../core/ids.ts';
import type { RunHeader } from '../../core/run-state.ts';
import { planChange, planIn } from '../plan-now.ts';
import { commandIdentity, firstStatus } from '../records.ts';
import type { Command, DriverRecord, RunStatus, StoredRun } from '../storage-backend.ts';
import type { Files } from './files.ts';

/** What the journal of a run says. */
export interface Journal {
  readonly commits: readonly Commit[];
  readonly status: RunStatus;
  readonly driver: DriverRecord | undefined;
  /** Of the last driver; 0 before the first. */
  readonly epoch: number;
  /** Bytes of the last epoch's file that are whole lines. */
  readonly length: number;
}

/**
 * The folder of one run: `<root>/.journal/<id>/`.
 *
 * - `header.json`: made once; without it there is no run.
 * - `<epoch>.jsonl`: what one driver wrote. `[seq,at,events...]` is a commit; `{"status":…}` belongs to the commit in the
 *   next line; `{"owner":…,"expiresAt":…}` comes first, `{"expiresAt":…}` is a heartbeat, `{"released":true}` the end.
 *   An unfinished last line is ignored.
 * - `<epoch>.cut`: how many bytes of that file count, settled once the next epoch exists, by whoever comes first. What a
 *   replaced driver wrote behind it never happened.
 * - `commands/<n>.json`: what was said from outside, numbered from 1.
 * - `views/<hash>`: what was last written to the file for Portia 0.9.
 */
export class RunFolder {
  readonly id: PlanRunUUID;
  readonly path: string;
  readonly #files: Files;

  constructor(files: Files, id: PlanRunUUID) {
    this.id = id;
    this.path = join(files.journal, id);
    this.#files = files;
  }

  /**
   * Makes the run; `false` when it exists. Its first driver, and the journal of one that began elsewhere, are there
   * before it is: nobody comes in between.
   */
  create(
    header: RunHeader,
    init: { readonly driver?: DriverRecord | undefined; readonly before?: string | undefined },
  ): boolean {
    if (this.exists()) return false;
    for (const folder of ['commands', 'views']) this.#files.makeFolder(join(this.path, folder));
    if (init.before !== undefined) this.#files.create(this.epochPath(0), init.before);
    if (init.driver && !this.#files.create(this.epochPath(init.driver.epoch), driverLine(init.driver))) return false;
    return this.#files.create(join(this.path, 'header.json'), JSON.stringify(header));
  }

  /** Makes a run that was elsewhere before, with its last epoch and its commands; `false` when it exists. */
  import({ header, status, epoch = 0, commits, commands }: StoredRun): boolean {
    if (this.exists()) return false;
    for (const folder of ['commands', 'views']) this.#files.makeFolder(join(this.path, folder));
    const last = commits.at(-1);
    const lines = commits.map((commit) => journalLines(commit, commit === last ? status : undefined)).join('');
    // Until the header is there nobody looks at the rest, which an import that broke off may have left behind.
    this.#files.replace(this.epochPath(epoch), lines);
    for (const [index, command] of commands.entries())
      this.#files.replace(this.#commandPath(index + 1), JSON.stringify(command));
    return this.#files.create(join(this.path, 'header.json'), JSON.stringify(header));
  }

  /** Removes the run: first it is none any more, then its files go. */
  remove(): void {
    this.#files.remove(join(this.path, 'header.json'));
    this.#files.remove(this.path);
  }

  exists(): boolean {
    return existsSync(join(this.path, 'header.json'));
  }

  header(): RunHeader | undefined {
    return this.#files.readJson(join(this.path, 'header.json')) as RunHeader | undefined;
  }

  epochPath(epoch: number): string {
    return join(this.path, `${epoch}.jsonl`);
  }

  hasEpoch(epoch: number): boolean {
    return existsSync(this.epochPath(epoch));
  }

  /** The numbers of the epochs there are, from the first. */
  epochs(): readonly number[] {
    return this.#files
      .list(this.path)
      .filter((name) => /^\d+\.jsonl$/.test(name))
      .map((name) => Number.parseInt(name, 10))
      .sort((a, b) => a - b);
  }

  /** Begins an epoch; `false` when somebody else has. */
  begin(driver: DriverRecord): boolean {
    if (!this.#files.create(this.epochPath(driver.epoch), driverLine(driver))) return false;
    // From here on what the last driver wrote is settled, before anything is built on it.
    if (driver.epoch > 1) this.cut(driver.epoch - 1);
    return true;
  }

  /**
   * How many bytes of a finished epoch count. Settled now if it was not: all whole lines there are, or `length` of them.
   */
  cut(epoch: number, length?: number): number {
    const path = join(this.path, `${epoch}.cut`);
    let text = this.#files.read(path);
    if (text === undefined) {
      const whole = length ?? wholeLines(this.#files.readBytes(this.epochPath(epoch)) ?? Buffer.alloc(0));
      this.#files.create(path, String(whole));
      text = this.#files.read(path);
    }
    const cut = Number(text);
    if (text === undefined || !Number.isSafeInteger(cut)) throw this.#files.corrupt(path, 'it is not a number');
    return cut;
  }

  /**
   * Reads the whole journal; with `after`, without the commits before the one that holds the event `after + 1`.
   * @throws PortiaError `STORAGE_CORRUPT` naming the line.
   */
  read(header: RunHeader, after = 0): Journal {
    return this.#read(new JournalReader(this.#files, firstStatus(header), after));
  }

  /** Reads the journal but for its commits. */
  readStatus(header: RunHeader): Journal {
    return this.#read(new JournalReader(this.#files, firstStatus(header), undefined));
  }

  #read(reader: JournalReader): Journal {
    const epochs = this.epochs();
    for (const [index, epoch] of epochs.entries()) {
      const bytes = this.#files.readBytes(this.epochPath(epoch)) ?? Buffer.alloc(0);
      const length = index === epochs.length - 1 ? wholeLines(bytes) : this.cut(epoch);
      reader.read(this.epochPath(epoch), epoch, bytes.subarray(0, length));
    }
    return reader;
  }

  /** Commands from the n-th on, n counted from 0. */
  commands(from = 0): readonly Command[] {
    const found: Command[] = [];
    for (let number = from + 1; ; number += 1) {
      const command = this.#files.readJson(this.#commandPath(number));
      if (command === undefined) return found;
      found.push(command as Command);
    }
  }

  hasCommand(number: number): boolean {
    return existsSync(this.#commandPath(number));
  }

  /**
   * Adds a command, or gives the one that has its type and key. Numbers are taken one after the other, so whoever takes
   * the next one has seen all before.
   */
  put(command: Command): { readonly command: Command; readonly added: boolean } {
    const identity = commandIdentity(command);
    const text = JSON.stringify(command);
    const seen: Command[] = [];
    for (;;) {
      seen.push(...this.commands(seen.length));
      const taken = seen.find((other) => commandIdentity(other) === identity);
      if (taken) return { command: taken, added: false };
      if (this.#files.create(this.#commandPath(seen.length + 1), text))
        return { command: JSON.parse(text) as Command, added: true };
    }
  }

  #commandPath(number: number): string {
    return join(this.path, 'commands', `${number}.json`);
  }
}

function wholeLines(bytes: Buffer): number {
  return bytes.lastIndexOf(10) + 1;
}

/** The first line of an epoch. */
export function driverLine({ owner, expiresAt }: DriverRecord): string {
  return `${JSON.stringify({ owner, expiresAt })}\n`;
}

/** The line of a commit, and of the status that goes with it. */
export function journalLines(commit: Commit, status?: RunStatus): string {
  const line = `[${commit.seq},${commit.at},${commit.events.slice(1)}\n`;
  return status ? `${JSON.stringify({ status })}\n${line}` : line;
}

class JournalReader implements Journal {
  readonly commits: Commit[] = [];
  status: RunStatus;
  driver: DriverRecord | undefined;
  epoch = 0;
  length = 0;
  readonly #files: Files;
  readonly #after: number | undefined;
  #next: RunStatus | undefined;

  /** Without `after`, commits are only passed over. */
  constructor(files: Files, status: RunStatus, after: number | undefined) {
    this.#files = files;
    this.status = status;
    this.#after = after;
  }

  read(path: string, epoch: number, bytes: Buffer): void {
    this.epoch = epoch;
    this.length = bytes.length;
    this.driver = undefined;
    this.#next = undefined;
    const lines = bytes.toString('utf8').split('\n');
    for (let number = 0; number < lines.length - 1; number += 1) {
      const line = lines[number] as string;
      const where = `${path}, line ${number + 1},`;
      if (!line.startsWith('[')) this.#note(this.#files.parse(where, line) as Note);
      else if (this.#after === undefined) this.#settle(line);
      else this.#commit(path, where, line, this.#after);
    }
  }

  #commit(path: string, where: string, line: string, after: number): void {
    const [start, seq, at] = /^\[(\d+),(\d+),/.exec(line) ?? [];
    // What was seen before is not looked at again: following a long run costs little more than reading its file.
    const seen = start !== undefined && Number(seq) <= after + 1;
    if (seen) this.commits.length = 0;
    if (!seen || Number(seq) === after + 1) this.#files.parse(where, line);
    if (start === undefined) throw this.#files.corrupt(path, `${JSON.stringify(line.slice(0, 40))} is no commit`);
    this.commits.push({ seq: Number(seq), at: Number(at), events: `[${line.slice(start.length)}` });
    this.#settle(line);
  }

  /** A status counts with the commit that follows it. What releases before wrote does not say the plan: its event does. */
  #settle(line: string): void {
    const said = line.includes(planChange) ? planIn(line.replace(/^\[\d+,\d+,/, '[')) : undefined;
    const planId = this.#next?.planId ?? said ?? this.status.planId;
    if (this.#next || said) this.status = { ...(this.#next ?? this.status), ...(planId !== undefined && { planId }) };
    this.#next = undefined;
  }

  #note(note: Note): void {
    if ('status' in note) this.#next = note.status;
    else if ('owner' in note) this.driver = { owner: note.owner, epoch: this.epoch, expiresAt: note.expiresAt };
    else if ('released' in note) this.driver = undefined;
    else if ('expiresAt' in note && this.driver) this.driver = { ...this.driver, expiresAt: note.expiresAt };
  }
}

type Note =
  | { readonly status: RunStatus }
  | { readonly owner: string; readonly expiresAt: number }
  | { readonly expiresAt: number }
  | { readonly released: true };
