import type { Audience } from './clarification.ts';
import { PortiaError, type PortiaErrorCode } from './errors.ts';
import type { ClarificationUUID, PlanUUID } from './ids.ts';
import { freezeJson, type JsonObject, type JsonValue } from './json.ts';
import type { ModelAnswer, ModelMessage } from './model.ts';
import { type PackedEvent, packEvents, unpackEvent } from './packed-events.ts';
import type { ModelUsageTotals } from './run-state.ts';
import type { FrameChange } from './thread.ts';

/** The version of the event format this release writes. Older ones are read for ever. */
export const eventVersion = 1;

/** Why a run or a call failed. */
export interface RunError {
  readonly code: PortiaErrorCode;
  readonly message: string;
  /** The step that failed, counted from 0. */
  readonly step?: number;
  readonly toolCallId?: string;
}

/** What came out of a tool call. */
export type CallOutcome =
  | { readonly status: 'SUCCESS'; readonly value: JsonValue; readonly summary?: string }
  /** `soft` when the tool said that nothing happened. */
  | { readonly status: 'FAILED'; readonly error: RunError; readonly soft?: true }
  | { readonly status: 'NEED_CLARIFICATION'; readonly clarifications: readonly ClarificationUUID[] };

/** How an answer reached the run. */
export interface Resolution {
  readonly id: ClarificationUUID;
  readonly response: JsonValue;
  /** Who answered, as the caller named them; `null` when the host program did not say. */
  readonly resolvedBy: string | null;
  /** In what capacity; `null` when the host program did not say. */
  readonly as: Audience | null;
  /** By which way the answer came. */
  readonly via: 'library' | 'handler' | 'cli' | 'api' | 'mcp' | 'file' | 'expiry' | 'readiness';
}

/** Which visit of a step: a number in the run's own thread, else a text that begins with the thread's id. */
export type VisitId = number | string;

/** What happened to a run: the only thing that changes its state. Stored in order, once, for ever. */
export type RunEventBody =
  /** A driver took over; `resumed` when another one had begun. */
  | {
      readonly type: 'run-start';
      readonly epoch: number;
      readonly host: string;
      readonly version: string;
      /** The trace of whoever started the run; absent: one made from the run's id. */
      readonly traceId?: string;
    }
  | { readonly type: 'step-start'; readonly step: number; readonly visit?: VisitId }
  /** A model answered. `messages` are those sent that no earlier event of the same conversation holds. */
  | {
      readonly type: 'model-call-end';
      readonly step: number;
      readonly visit?: VisitId;
      /** Its number within the visit: `m<n>`, or `<call n>.m<n>` for one asked inside a tool call. */
      readonly call: string;
      readonly purpose: ModelPurpose;
      /** The one that answered. */
      readonly model: string;
      readonly messages?: readonly ModelMessage[];
      readonly answer: ModelAnswer;
      readonly ms: number;
      /** What it cost, in millionths of a US dollar; absent: the price was not known. */
      readonly microUsd?: number;
      /** Tokens as estimated, where the provider did not say. */
      readonly estimatedTokens?: number;
    }
  /** Arguments were settled and wait for an approval of exactly this call. */
  /** `cleared`: the hook has let it pass, and it waits only for others of its turn. */
  | ({ readonly type: 'tool-call-propose'; readonly cleared?: true } & CallIdentity)
  /** The intent of a call that may have effects; stored before the tool is called. */
  | ({ readonly type: 'tool-call-start' } & CallIdentity)
  /** The receipt. Calls without effects have no intent, so their receipt says all; `late` came after a new driver took over. */
  | {
      readonly type: 'tool-call-end';
      readonly step: number;
      readonly visit?: VisitId;
      readonly call: string;
      readonly tool?: string;
      readonly args?: JsonObject;
      readonly outcome: CallOutcome;
      readonly ms?: number;
      readonly late?: true;
      /** Of a call without an intent that was made more than once. */
      readonly attempts?: number;
    }
  /** It cannot be known whether a call happened; a person will say. */
  | {
      readonly type: 'tool-call-unknown';
      readonly step: number;
      readonly visit?: VisitId;
      readonly call: string;
      readonly reason: string;
    }
  /** An attempt failed before anything happened, and another is to be made: until then nothing is on its way. */
  | {
      readonly type: 'tool-call-retry';
      readonly step: number;
      readonly visit?: VisitId;
      readonly call: string;
      readonly reason: string;
    }
  /** The hook after a call let its value pass. */
  | { readonly type: 'tool-call-accept'; readonly step: number; readonly visit?: VisitId; readonly call: string }
  /** A person said to make an unknown call again, or a marked tool is called again with the same key. */
  | { readonly type: 'tool-call-repeat'; readonly step: number; readonly visit?: VisitId; readonly call: string }
  | ({ readonly type: 'clarification-raised' } & RaisedClarification)
  | ({ readonly type: 'clarification-resolved' } & Resolution)
  | {
      readonly type: 'step-end';
      readonly step: number;
      readonly visit?: VisitId;
      /** Absent when the output is the value of the last call of this visit. */
      readonly output?: StoredOutput;
      /** Only when the step has nothing to give: skipped by its condition or a hook. */
      readonly skipped?: 'condition' | 'hook';
      /** Where the thread goes on, when that is not the next step. */
      readonly next?: number;
      /** What a control step found: whether a condition held. */
      readonly result?: boolean;
      readonly frame?: FrameChange;
      readonly ms?: number;
      /** A hook is to be told of it. */
      readonly tell?: true;
    }
  /** The hook after a step was told of its end. */
  | { readonly type: 'step-told'; readonly step: number; readonly visit?: VisitId }
  /** A strand of a parallel block or a concurrent loop begins; `item` is what its iteration is about. */
  | {
      readonly type: 'thread-start';
      readonly thread: string;
      readonly step: number;
      readonly place: number;
      readonly next: number;
      readonly item?: JsonValue;
    }
  | { readonly type: 'thread-end'; readonly thread: string }
  /** A step sleeps. `until` is in epoch milliseconds. */
  | { readonly type: 'sleep-start'; readonly step: number; readonly visit?: VisitId; readonly until: number }
  /** Nothing can run until somebody answers, or until a time has come. */
  | { readonly type: 'run-wait' }
  | {
      readonly type: 'run-end';
      readonly state: 'COMPLETE' | 'FAILED';
      readonly finalOutput?: StoredOutput;
      readonly error?: RunError;
      /** Hooks are to be told: the one after steps of the step in which it failed, and the one after the run. */
      readonly tell?: { readonly step?: number; readonly visit?: VisitId; readonly run?: true };
    }
  /** The hook after the run was told of its end. */
  | { readonly type: 'run-told' }
  /** The run goes on with a later version of its plan, in which only steps ahead are different. */
  | {
      readonly type: 'plan-accept';
      readonly planId: PlanUUID;
      readonly changes: JsonValue;
      /** The defaults of inputs that the run was made without. */
      readonly inputs?: JsonObject;
      /** Of a run that had no plan before: what planning took of its budget. */
      readonly planning?: Readonly<ModelUsageTotals>;
    }
  /** A failed run goes on from the failed visit; `budget`: limits that take the place of those before. */
  | { readonly type: 'run-retry'; readonly by: string | null; readonly budget?: JsonObject };

/** The events of one type. */
export type EventOf<Type extends RunEventBody['type']> = Extract<RunEventBody, { type: Type }>;
/** An event of one type while it is put together. */
export type EventDraft<Type extends RunEventBody['type']> = {
  -readonly [Field in keyof EventOf<Type>]: EventOf<Type>[Field];
};

/** What a model call is for. */
export type ModelPurpose = 'planning' | 'execution' | 'introspection' | 'step-summary' | 'final-summary' | 'tool';

/** Which call, of which tool, with which arguments. */
export interface CallIdentity {
  readonly step: number;
  readonly visit?: VisitId;
  /** `<step>.<visit>.<n>`, n counted from 1 within the visit. */
  readonly call: string;
  readonly tool: string;
  readonly args: JsonObject;
}

/** A clarification with what Portia 0.9 documents cannot hold beside it. */
export interface RaisedClarification {
  readonly step: number;
  readonly visit?: VisitId;
  /** What raised it, unique within its visit, so that a resumed step finds its own question again. */
  readonly key: string;
  /** The wire form, without `plan_run_id`, `step` and the fields that say it is not answered yet. */
  readonly clarification: JsonObject;
  readonly audience: Audience;
  /** For an approval: the call it allows, and the hash of that call's arguments. */
  readonly approves?: { readonly call: string; readonly argsHash: string };
  /** For an approval of a model call: the messages it allows to be sent. */
  readonly sends?: readonly ModelMessage[];
  /** Epoch milliseconds after which it can no longer be answered. */
  readonly expiresAt?: number;
  /** What happens then; `fail` unless given. */
  readonly onExpiry?: ExpiryPolicy;
  /** The form it is a field of: declining one field declines them all. */
  readonly form?: string;
}

/** What an expired clarification does: fail the run, count as a refusal, or take an answer given beforehand. */
export type ExpiryPolicy = 'fail' | 'refuse' | { readonly default: JsonValue };

/** An output as events hold it: `memory` names a large value in agent memory. */
export type StoredOutput =
  | { readonly value: JsonValue; readonly summary?: string }
  | { readonly memory: string; readonly summary: string };

/** A stored event. */
export type RunEvent = RunEventBody & {
  readonly v: number;
  /** Its place in the run, from 1; also the id of a server-sent event. */
  readonly seq: number;
  /** Epoch milliseconds. */
  readonly at: number;
};

/** Something worth showing that is never stored: text as it comes, progress of a tool, a step without effects that begins. */
export type RunNotice = { readonly seq?: undefined; readonly at: number } & (
  | { readonly type: 'step-start'; readonly step: number; readonly visit?: VisitId }
  | ({ readonly type: 'tool-call-start' } & CallIdentity)
  | {
      readonly type: 'model-call-start';
      readonly step: number;
      readonly visit?: VisitId;
      readonly call: string;
      readonly purpose: ModelPurpose;
      readonly model: string;
    }
  /** Words of an answer as they come; `again` marks the first of a new attempt, which makes the earlier ones void. */
  | {
      readonly type: 'text-delta';
      readonly step: number;
      readonly visit?: VisitId;
      readonly call: string;
      readonly text: string;
      readonly again?: true;
    }
  | { readonly type: 'tool-progress'; readonly step: number; readonly call: string; readonly progress: JsonValue }
);

/** One write of a driver: the events that became true together. */
export interface Commit {
  /** Of the first event; the others follow it. */
  readonly seq: number;
  /** Epoch milliseconds, of all events in it. */
  readonly at: number;
  /** JSON text of an array: the events, the frequent ones in their packed form. */
  readonly events: string;
}

/** Packs events into one commit. Later versions put `{ "v": <version> }` before them; version 1 has no such mark. */
export function toCommit(seq: number, at: number, bodies: readonly RunEventBody[]): Commit {
  return { seq, at, events: packEvents(bodies) };
}

/**
 * The events of a commit, frozen.
 * @throws PortiaError `STORAGE_CORRUPT` for text that is not a list of events, or that a newer release wrote.
 */
export function fromCommit(commit: Commit): RunEvent[] {
  const packed = freezeJson(parseEvents(commit));
  const version = (packed[0] as { readonly v?: unknown } | undefined)?.v;
  if (version !== undefined) {
    throw corrupt(
      commit,
      `of version ${JSON.stringify(version)}`,
      'use the newer release of this library that wrote it',
    );
  }
  return packed.map((event, index) => {
    const body = unpackEvent(event, index, packed);
    if (!body) throw corrupt(commit, 'not a list of events', 'restore it from a copy');
    return Object.assign(body, { v: eventVersion, seq: commit.seq + index, at: commit.at });
  });
}

function parseEvents(commit: Commit): readonly PackedEvent[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(commit.events);
  } catch (cause) {
    throw corrupt(commit, 'not JSON', 'restore it from a copy', cause);
  }
  if (!Array.isArray(parsed)) throw corrupt(commit, 'not a list of events', 'restore it from a copy');
  return parsed as readonly PackedEvent[];
}

function corrupt(commit: Commit, what: string, hint: string, cause?: unknown): PortiaError {
  return new PortiaError({ code: 'STORAGE_CORRUPT', message: `the commit at ${commit.seq} is ${what}`, hint, cause });
}
