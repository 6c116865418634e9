import type { CallOutcome, RunEventBody } from './event.ts';
import type { JsonObject, JsonValue } from './json.ts';

/**
 * How events are written into a commit: the kinds that are in every run as a letter and their fields by position, the
 * others as they are. What is written is never read differently: a letter and a position keep their meaning for ever,
 * and a new field comes last.
 */
export type PackedEvent = readonly [letter: string, ...fields: JsonValue[]] | JsonObject;

/** A field whose value is written in a shorter form, which may depend on the events beside it in the commit. */
interface Short {
  pack(value: unknown, index: number, bodies: readonly RunEventBody[]): unknown;
  unpack(value: JsonValue, index: number, packed: readonly PackedEvent[]): unknown;
}

interface Field {
  readonly name: string;
  readonly optional: boolean;
  readonly short: Short | undefined;
}

interface Form {
  readonly type: RunEventBody['type'];
  readonly letter: string;
  readonly fields: readonly Field[];
}

type Clarification = readonly [id: string, category: string, guidance: string, more: JsonObject];

/** `[value]` or `[value, summary]` of a success; of questions their number, when they stand next in the commit. */
const outcome: Short = {
  pack(value, index, bodies) {
    const outcome = value as CallOutcome;
    if (outcome.status === 'SUCCESS') return outcome.summary === undefined ? [outcome.value] : [outcome.value, outcome.summary];
    if (outcome.status === 'FAILED') return outcome;
    const ids = outcome.clarifications;
    const follow = ids.every((id, n) => {
      const next = bodies[index + 1 + n];
      return next?.type === 'clarification-raised' && next.clarification['id'] === id;
    });
    return follow ? ids.length : outcome;
  },
  unpack(value, index, packed) {
    if (Array.isArray(value)) {
      const [result, summary] = value as readonly JsonValue[];
      return summary === undefined ? { status: 'SUCCESS', value: result } : { status: 'SUCCESS', value: result, summary };
    }
    if (typeof value !== 'number') return value;
    const next = packed.slice(index + 1, index + 1 + value) as readonly (readonly JsonValue[])[];
    return { status: 'NEED_CLARIFICATION', clarifications: next.map((raised) => (raised[3] as unknown as Clarification)[0]) };
  },
};

/** What every question has by position; what only some have by name. */
const clarification: Short = {
  pack(value) {
    const { id, category, user_guidance, ...more } = value as JsonObject;
    return [id, category, user_guidance, more];
  },
  unpack(value) {
    const [id, category, user_guidance, more] = value as unknown as Clarification;
    return { id, category, user_guidance, ...more };
  },
};

/** Names end in `?` when the field may be absent. */
function form(type: RunEventBody['type'], letter: string, names: readonly string[], shorts: Readonly<Record<string, Short>> = {}): Form {
  const fields = names.map((name) => ({ name: name.replace('?', ''), optional: name.endsWith('?'), short: shorts[name] }));
  return { type, letter, fields };
}

const forms: readonly Form[] = [
  form('run-start', 'r', ['epoch', 'host', 'version']),
  form('tool-call-start', 'b', ['step', 'call', 'tool', 'args', 'visit?']),
  form('tool-call-end', 'e', ['step', 'call', 'outcome', 'tool?', 'ms?', 'args?', 'visit?', 'late?'], { outcome }),
  form('step-end', 's', ['step', 'ms?', 'output?', 'visit?', 'skipped?', 'next?', 'result?', 'frame?']),
  form(
    'clarification-raised',
    'q',
    ['step', 'key', 'clarification', 'audience', 'visit?', 'approves?', 'expiresAt?', 'onExpiry?'],
    { clarification },
  ),
  form('clarification-resolved', 'a', ['id', 'response', 'via', 'resolvedBy', 'as']),
  form('run-wait', 'w', []),
  form('run-end', 'z', ['state', 'finalOutput?', 'error?']),
];
const byType: ReadonlyMap<string, Form> = new Map(forms.map((form) => [form.type, form]));
const byLetter: ReadonlyMap<unknown, Form> = new Map(forms.map((form) => [form.letter, form]));

/** The events of a commit as JSON text. */
export function packEvents(bodies: readonly RunEventBody[]): string {
  return JSON.stringify(bodies.map(pack));
}

function pack(body: RunEventBody, index: number, bodies: readonly RunEventBody[]): unknown {
  const form = byType.get(body.type);
  if (!form) return body;
  const packed: unknown[] = [form.letter];
  let absent = 0;
  for (const { name, short } of form.fields) {
    const value = (body as unknown as Readonly<Record<string, unknown>>)[name];
    if (value === undefined) {
      absent += 1;
      continue;
    }
    for (; absent > 0; absent -= 1) packed.push(null);
    packed.push(short ? short.pack(value, index, bodies) : value);
  }
  return packed;
}

/** The events that were packed; `undefined` for what is none. */
export function unpackEvent(event: PackedEvent, index: number, packed: readonly PackedEvent[]): RunEventBody | undefined {
  if (!Array.isArray(event)) return event as unknown as RunEventBody;
  const form = byLetter.get(event[0]);
  if (!form) return undefined;
  const body: Record<string, unknown> = { type: form.type };
  for (const [position, { name, optional, short }] of form.fields.entries()) {
    const value = (event[position + 1] ?? null) as JsonValue;
    if (value === null && optional) continue;
    body[name] = short ? short.unpack(value, index, packed) : value;
  }
  return body as unknown as RunEventBody;
}
