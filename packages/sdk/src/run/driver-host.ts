import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { hashText } from '../core/hash.ts';
import type { DriverRecord } from '../storage/storage-backend.ts';

/**
 * Whose process a driver is. An owner is `<host>/<pid>.<start>/<thread>/<token>`: on the same host it can be told
 * whether that process still lives, and in the same thread whether that driver is still at work.
 */

const liveKey: unique symbol = Symbol.for('portia-ts.live-drivers') as never;
const threadKey: unique symbol = Symbol.for('portia-ts.thread') as never;
/** What all copies of this package in one thread share; threads have a global object each. */
const shelf = globalThis as { [liveKey]?: Set<string>; [threadKey]?: string };

/** The drivers at work in this thread. */
function live(): Set<string> {
  shelf[liveKey] ??= new Set();
  return shelf[liveKey];
}

/** Tells this thread from the others of its process. */
function thisThread(): string {
  shelf[threadKey] ??= globalThis.crypto.randomUUID().slice(0, 8);
  return shelf[threadKey];
}

function readText(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}

interface Identity {
  /** The same for processes that see each other's pids: host name, boot and pid namespace. */
  readonly host: string;
  readonly process: string;
  readonly salt: string;
}

let known: Identity | undefined;

function identity(): Identity {
  known ??= {
    host: hashText(
      [
        hostname(),
        readText(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')),
        readText(() => readlinkSync('/proc/self/ns/pid')),
      ].join('\n'),
    ).slice(0, 12),
    process: `${process.pid}.${startOf(process.pid)}`,
    salt: globalThis.crypto.randomUUID().slice(0, 8),
  };
  return known;
}

/** When a process began, in the kernel's ticks; empty where that cannot be read. Tells a pid used again. */
function startOf(pid: number): string {
  const stat = readText(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

let drivers = 0;

/** A name for a new driver in this process. It counts as alive until {@link retireOwner}. */
export function newOwner(): string {
  drivers += 1;
  const { host, process, salt } = identity();
  const owner = `${host}/${process}/${thisThread()}/${salt}${drivers.toString(36)}`;
  live().add(owner);
  return owner;
}

/** How the owners of all drivers of this host begin: whether they live can be told here. */
export function ownersHere(): string {
  return `${identity().host}/`;
}

/** The driver no longer advances its run. */
export function retireOwner(owner: string): void {
  live().delete(owner);
}

/** Whether a driver is alive, as far as this process can know it; `undefined`: only its heartbeat tells. */
export function isAlive(driver: DriverRecord): boolean | undefined {
  const [ownerHost, ownerProcess, thread] = driver.owner.split('/');
  const here = identity();
  if (ownerHost !== here.host || ownerProcess === undefined) return undefined;
  // Of another thread of this process only the heartbeat tells.
  if (ownerProcess === here.process) return thread === thisThread() ? live().has(driver.owner) : undefined;
  const [pid, start] = ownerProcess.split('.');
  return processExists(Number(pid), start ?? '');
}

function processExists(pid: number, start: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  if (start === '') return true;
  const now = readText(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  const zombie = now.slice(now.lastIndexOf(')') + 2).startsWith('Z');
  return !zombie && startOf(pid) === start;
}
