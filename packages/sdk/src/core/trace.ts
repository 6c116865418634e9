import { hexHash } from './hash.ts';

/**
 * A `traceparent` as W3C Trace Context has it, of version 00: `00-<trace id>-<parent id>-<flags>`; `undefined` for what is
 * none, which is then as if it had not been sent. Of a later version, what version 00 knows.
 */
export function readTraceparent(given: unknown): string | undefined {
  if (typeof given !== 'string') return undefined;
  const [, version, traceId = '', parentId = '', flags = '', rest] =
    /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.{0,500})?$/.exec(given) ?? [];
  if (version === undefined || version === 'ff' || (version === '00' && rest !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(parentId)) return undefined;
  return `00-${traceId}-${parentId}-${version === '00' ? flags : sampledOnly(flags)}`;
}

/** The trace id in a `traceparent` that was read: 32 hexadecimal digits. */
export function traceIdIn(traceparent: string): string {
  return traceparent.slice(3, 35);
}

/** What of a run says which trace it belongs to. */
export interface Traced {
  readonly id: string;
  readonly traceparent?: string | undefined;
}

/** The trace a run belongs to: that of the request that started it, else one of its own, made from its id. */
export function traceIdOf({ id, traceparent }: Traced): string {
  return traceparent === undefined ? hexHash(`${id}/trace`).slice(0, 32) : traceIdIn(traceparent);
}

/**
 * What a call of a run sends on as `traceparent`. Its parent id is made from the name of the call, so that it is the same
 * in every process and at every attempt. A trace of the run's own counts as sampled: who is told that it is not records
 * nothing.
 */
export function traceparentFor(run: Traced, call: string): string {
  const flags = run.traceparent?.slice(-2) ?? '01';
  return `00-${traceIdOf(run)}-${hexHash(`${run.id}/${call}/span`).slice(0, 16)}-${flags}`;
}

/** Later versions may mean something else by the other flags. */
function sampledOnly(flags: string): string {
  return Number.parseInt(flags, 16) % 2 === 1 ? '01' : '00';
}
