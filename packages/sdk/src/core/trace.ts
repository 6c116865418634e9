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

// Keys and values of a member as W3C Trace Context has them.
const member =
  /^[a-z0-9][a-z0-9_\-*/]{0,240}(?:@[a-z0-9][a-z0-9_\-*/]{0,13})?=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/**
 * A `tracestate` as W3C Trace Context has it: up to 32 members in up to 512 characters, each key once; `undefined` for
 * what is none, or empty, which is then as if it had not been sent.
 */
export function readTracestate(given: unknown): string | undefined {
  if (typeof given !== 'string' || given.length > 512) return undefined;
  const members = given
    .split(',')
    .map((one) => one.replace(/^[ \t]+|[ \t]+$/g, ''))
    .filter((one) => one !== '');
  const keys = new Set(members.map((one) => one.slice(0, one.indexOf('='))));
  if (members.length > 32 || keys.size < members.length || !members.every((one) => member.test(one))) return undefined;
  return members.length === 0 ? undefined : members.join(',');
}

/** The trace id in a `traceparent` that was read: 32 hexadecimal digits. */
export function traceIdIn(traceparent: string): string {
  return traceparent.slice(3, 35);
}

/** What of a run says which trace it belongs to. */
export interface Traced {
  readonly id: string;
  readonly traceparent?: string | undefined;
  /** Of whoever gave `traceparent`. */
  readonly tracestate?: string | undefined;
}

/** What a call sends on, as headers of these names. */
export interface TraceContext {
  readonly traceparent: string;
  readonly tracestate?: string;
}

/** The trace a request belongs to, as it says itself. Without a valid `traceparent`, its `tracestate` means nothing. */
export function readTrace(traceparent: unknown, tracestate: unknown): Partial<TraceContext> {
  const parent = readTraceparent(traceparent);
  if (parent === undefined) return {};
  const state = readTracestate(tracestate);
  return { traceparent: parent, ...(state !== undefined && { tracestate: state }) };
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

/** What a call of a run sends on: {@link traceparentFor}, and the `tracestate` of whoever started the run as it came. */
export function traceContextFor(run: Traced, call: string): TraceContext {
  const { tracestate } = run;
  return { traceparent: traceparentFor(run, call), ...(tracestate !== undefined && { tracestate }) };
}

/** Later versions may mean something else by the other flags. */
function sampledOnly(flags: string): string {
  return Number.parseInt(flags, 16) % 2 === 1 ? '01' : '00';
}
