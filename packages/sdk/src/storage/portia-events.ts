import type { RunEventBody, RunEvent } from '../core/event.ts';
import { type JsonValue, sameJson } from '../core/json.ts';
import type { RunState } from '../core/run-state.ts';

/**
 * Those of the events a document tells of that are not on record yet. Documents come one after the other and each tells
 * of everything; a journal tells each thing once.
 */
export function missingEvents(
  known: readonly RunEvent[],
  told: readonly RunEventBody[],
  state: RunState,
): readonly RunEventBody[] {
  const missing: RunEventBody[] = [];
  const ended = lastEnds(known);
  const ids = new Set(known.map(idOf));
  // A step that is told anew takes those after it along: the run goes on behind the last one.
  let anew = false;
  for (const event of told) {
    if (event.type === 'step-end') {
      const before = ended.get(event.step);
      anew ||= before === undefined || !sameEnd(before, event);
      if (anew) missing.push(event);
    } else if (event.type === 'clarification-raised' || event.type === 'clarification-resolved') {
      if (!ids.has(idOf(event))) missing.push(event);
    }
  }
  // An answer comes from outside, and may come while a run waits.
  const isWork = missing.some(({ type }) => type !== 'clarification-resolved');
  return [...begin(known, told, state, isWork), ...missing, ...end(known, told, state, missing.length > 0)];
}

type StepEnd = Extract<RunEventBody, { readonly type: 'step-end' }>;

function lastEnds(known: readonly RunEvent[]): ReadonlyMap<number, StepEnd> {
  const ends = new Map<number, StepEnd>();
  for (const event of known) if (event.type === 'step-end') ends.set(event.step, event);
  return ends;
}

function sameEnd(a: StepEnd, b: StepEnd): boolean {
  return a.skipped === b.skipped && sameJson((a.output ?? null) as JsonValue, (b.output ?? null) as JsonValue);
}

function idOf(event: RunEventBody): string | undefined {
  if (event.type === 'clarification-raised') return `raised ${String(event.clarification['id'])}`;
  return event.type === 'clarification-resolved' ? `resolved ${event.id}` : undefined;
}

/** The run begins, or goes on after it waited or had ended. */
function begin(
  known: readonly RunEvent[],
  told: readonly RunEventBody[],
  { state }: RunState,
  isWork: boolean,
): readonly RunEventBody[] {
  const start = told.find((event) => event.type === 'run-start');
  if (!start) return [];
  const isFirst = !known.some((event) => event.type === 'run-start');
  const goesOn = !told.some((event) => event.type === 'run-end' || event.type === 'run-wait');
  return isFirst || (state !== 'IN_PROGRESS' && (goesOn || isWork)) ? [start] : [];
}

/** The run waits or ends, unless that is how it stands already. */
function end(
  known: readonly RunEvent[],
  told: readonly RunEventBody[],
  { state }: RunState,
  isNews: boolean,
): readonly RunEventBody[] {
  const last = told.at(-1);
  if (last?.type === 'run-end') {
    const before = known.findLast(({ type }) => type === 'run-end');
    const same = before?.type === 'run-end' && before.state === last.state && state === last.state && !isNews;
    return same && sameJson((before.finalOutput ?? null) as JsonValue, (last.finalOutput ?? null) as JsonValue)
      ? []
      : [last];
  }
  if (last?.type !== 'run-wait') return [];
  return isNews || (state !== 'NEED_CLARIFICATION' && state !== 'READY_TO_RESUME') ? [last] : [];
}
