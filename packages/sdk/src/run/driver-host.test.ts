import { execFileSync } from 'node:child_process';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { isAlive, newOwner, retireOwner } from './driver-host.ts';

const driver = (owner: string): Parameters<typeof isAlive>[0] => ({ owner, epoch: 1, expiresAt: 0 });
const parts = (owner: string): [host: string, process: string, thread: string, token: string] =>
  owner.split('/') as [string, string, string, string];

describe('whether a driver is alive', () => {
  it('is known of those of this process: until they are retired', () => {
    const owner = newOwner();
    expect(isAlive(driver(owner))).toBe(true);
    retireOwner(owner);
    expect(isAlive(driver(owner))).toBe(false);
    expect(new Set([newOwner(), newOwner(), newOwner()]).size).toBe(3);
  });

  it('is known of other processes of this host', () => {
    const [host] = parts(newOwner());
    expect(isAlive(driver(`${host}/${process.ppid}./0/x`))).toBe(true);
    const gone = Number(execFileSync(process.execPath, ['-p', 'process.pid'], { encoding: 'utf8' }));
    expect(isAlive(driver(`${host}/${gone}./0/x`))).toBe(false);
  });

  it.runIf(process.platform === 'linux')('is not taken from another process that has its number by now', () => {
    const [host] = parts(newOwner());
    expect(isAlive(driver(`${host}/${process.ppid}.1/0/x`))).toBe(false);
  });

  it('is not known of other hosts, nor of other threads of this process', () => {
    const [host, own, , token] = parts(newOwner());
    expect(isAlive(driver(`elsewhere/${own}/0/${token}`))).toBeUndefined();
    expect(isAlive(driver(`${host}/${own}/7/${token}`))).toBeUndefined();
    expect(isAlive(driver('nonsense'))).toBeUndefined();
  });

  it('is not guessed by a thread that shares nothing with the driver but the process', async () => {
    const [, , thread] = parts(newOwner());
    const worker = new Worker(
      "require('node:worker_threads').parentPort.postMessage(String(globalThis[Symbol.for('portia-ts.thread')]))",
      { eval: true },
    );
    const other = await new Promise((resolve) => worker.once('message', resolve));
    await worker.terminate();
    expect(other).not.toBe(thread);
    expect(parts(newOwner())[2]).toBe(thread);
  });
});
