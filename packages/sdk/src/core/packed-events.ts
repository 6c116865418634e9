import type { CallOutcome, EventOf, RunEventBody } from './event.ts';
import type { JsonObject, JsonValue } from './json.ts';

/**
 * How events are written into a commit: the kinds that are in every run as a letter and their fields by position, the
 * others as they are. What is written is never read differently: a letter and a position keep their meaning for ever,
 * and a new field comes last.
 */
export type PackedEvent = readonly [letter: string, ...fields: JsonValue[]] | JsonObject;

/** How one kind is written: `fields` in the order in which `pack` puts them, with `?` where they may be absent. */
interface Form {
  readonly letter: string;
  readonly type: RunEventBody['type'];
  readonly fields: readonly string[];
}

const forms = [
  { letter: 'r', type: 'run-start', fields: ['epoch', 'host', 'version', 'traceId?'] },
  { letter: 'b', type: 'tool-call-start', fields: ['step', 'call', 'tool', 'args', 'visit?'] },
  {
    letter: 'e',
    type: 'tool-call-end',
    fields: ['step', 'call', 'outcome', 'tool?', 'ms?', 'args?', 'visit?', 'late?', 'attempts?'],
  },
  {
    letter: 's',
    type: 'step-end',
    fields: ['step', 'ms?', 'output?', 'visit?', 'skipped?', 'next?', 'result?', 'frame?', 'tell?'],
  },
  {
    letter: 'q',
    type: 'clarification-raised',
    fields: [
      'step',
      'key',
      'clarification',
      'audience',
      'visit?',
      'approves?',
      'expiresAt?',
      'onExpiry?',
      'sends?',
      'form?',
    ],
  },
  { letter: 'a', type: 'clarification-resolved', fields: ['id', 'response', 'via', 'resolvedBy', 'as'] },
  { letter: 'w', type: 'run-wait', fields: [] },
  { letter: 'z', type: 'run-end', fields: ['state', 'finalOutput?', 'error?', 'tell?'] },
] as const satisfies readonly Form[];

type Written = (typeof forms)[number];
type Bare<Name> = Name extends `${infer Field}?` ? Field : Name;
/** Fields of events that no form writes. There are none, or the reader of each does not compile. */
type Forgotten = {
  [F in Written as F['type']]: Exclude<keyof EventOf<F['type']>, 'type' | Bare<F['fields'][number]>>;
}[Written['type']];
type Complete = [Forgotten] extends [never] ? Form : Forgotten;

/** How each kind is read: the names of its fields, in their order. */
const readers = new Map(
  forms.map((form: Complete) => {
    const fields = form.fields.map((field) => ({ name: field.replace('?', ''), optional: field.endsWith('?') }));
    return [form.letter as unknown, { type: form.type, fields }];
  }),
);

/** The events of a commit as JSON text. */
export function packEvents(bodies: readonly RunEventBody[]): string {
  return JSON.stringify(bodies.map(pack));
}

/** Written out kind by kind, because it is done for every step. */
function pack(body: RunEventBody, index: number, bodies: readonly RunEventBody[]): unknown {
  switch (body.type) {
    case 'run-start':
      return cut(['r', body.epoch, body.host, body.version, body.traceId]);
    case 'tool-call-start':
      return cut(['b', body.step, body.call, body.tool, body.args, body.visit]);
    case 'tool-call-end':
      return cut([
        'e',
        body.step,
        body.call,
        packOutcome(body.outcome, index, bodies),
        body.tool,
        body.ms,
        body.args,
        body.visit,
        body.late,
        body.attempts,
      ]);
    case 'step-end':
      return cut([
        's',
        body.step,
        body.ms,
        body.output,
        body.visit,
        body.skipped,
        body.next,
        body.result,
        body.frame,
        body.tell,
      ]);
    case 'clarification-raised':
      return packQuestion(body);
    case 'clarification-resolved':
      return ['a', body.id, body.response, body.via, body.resolvedBy, body.as];
    case 'run-wait':
      return ['w'];
    case 'run-end':
      return cut(['z', body.state, body.finalOutput, body.error, body.tell]);
    default:
      return body;
  }
}

/** Leaves out what is absent at the end; JSON has `null` for what is absent in between. */
function cut(packed: unknown[]): unknown[] {
  while (packed[packed.length - 1] === undefined) packed.pop();
  return packed;
}

/** `[value]` or `[value, summary]` of a success; of questions their number, when they stand next in the commit. */
function packOutcome(outcome: CallOutcome, index: number, bodies: readonly RunEventBody[]): unknown {
  if (outcome.status === 'SUCCESS')
    return outcome.summary === undefined ? [outcome.value] : [outcome.value, outcome.summary];
  if (outcome.status === 'FAILED') return outcome;
  const follow = outcome.clarifications.every((id, n) => {
    const next = bodies[index + 1 + n];
    return next?.type === 'clarification-raised' && next.clarification['id'] === id;
  });
  return follow ? outcome.clarifications.length : outcome;
}

function unpackOutcome(packed: JsonValue, index: number, events: readonly PackedEvent[]): unknown {
  if (Array.isArray(packed)) {
    const [value, summary] = packed as readonly JsonValue[];
    return { status: 'SUCCESS', value, ...(summary !== undefined && { summary }) };
  }
  if (typeof packed !== 'number') return packed;
  const next = events.slice(index + 1, index + 1 + packed) as readonly (readonly JsonValue[])[];
  return { status: 'NEED_CLARIFICATION', clarifications: next.map((raised) => (raised[3] as unknown as Question)[0]) };
}

/** What every question has by position; what only some have by name. */
type Question = readonly [id: string, category: string, guidance: string, more: JsonObject];

function packQuestion(body: EventOf<'clarification-raised'>): unknown[] {
  const { id, category, user_guidance, ...more } = body.clarification;
  const question = [id, category, user_guidance, more];
  return cut([
    'q',
    body.step,
    body.key,
    question,
    body.audience,
    body.visit,
    body.approves,
    body.expiresAt,
    body.onExpiry,
    body.sends,
    body.form,
  ]);
}

function unpackQuestion(packed: JsonValue): JsonObject {
  const [id, category, user_guidance, more] = packed as unknown as Question;
  return { id, category, user_guidance, ...more };
}

/** An event from its packed form, as an object of its own; `undefined` for what is none. */
export function unpackEvent(
  event: PackedEvent,
  index: number,
  events: readonly PackedEvent[],
): RunEventBody | undefined {
  if (!Array.isArray(event)) return { ...event } as unknown as RunEventBody;
  const reader = readers.get(event[0]);
  if (!reader) return undefined;
  const body: Record<string, unknown> = { type: reader.type };
  let position = 0;
  for (const { name, optional } of reader.fields) {
    position += 1;
    const value = (event[position] ?? null) as JsonValue;
    if (value === null && optional) continue;
    if (name === 'outcome') body[name] = unpackOutcome(value, index, events);
    else if (name === 'clarification') body[name] = unpackQuestion(value);
    else body[name] = value;
  }
  return body as unknown as RunEventBody;
}
