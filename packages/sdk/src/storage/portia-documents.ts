import { clarificationFromWire } from '../core/clarification.ts';
import { PortiaError } from '../core/errors.ts';
import { type RunEventBody, toCommit } from '../core/event.ts';
import type { PlanRunUUID, PlanUUID } from '../core/ids.ts';
import { isPlainObject, type JsonObject, type JsonValue, toJson } from '../core/json.ts';
import { LocalDataValue } from '../core/output.ts';
import { type PlanRun, planRunView } from '../core/plan-run.ts';
import type { ToolCallRecord } from '../core/tool-call.ts';
import { planForReading, storedBuilder } from '../plan/plan-record.ts';
import { eventsOf as storedEventsOf, foldStored, notFound } from '../run/drive.ts';
import { planIdOf } from './plan-now.ts';
import { sameForPortia } from './disk/edits.ts';
import { eventsOf, portiaVersion } from './disk/portia-run.ts';
import { readDocument, withAnswers, withOptions, withTypes } from './portia-document.ts';
import { missingEvents } from './portia-events.ts';
import type { Claim, DriverRecord, StorageBackend, StoredRun } from './storage-backend.ts';
import { openClarificationsIn } from './open-clarifications.ts';

/** A run as a client of Portia 0.9 reads it. */
export interface RecordedRun {
  readonly id: PlanRunUUID;
  /** The run document of Portia 0.9, in which values keep the JSON type they were written with. */
  readonly document: JsonObject;
}

/** Under this name a run keeps the document its client wrote; no name that a client can send has a line break. */
const documentName = 'portia-0.9\ndocument';
/** The driver of such runs: whoever writes the documents. It is never found dead, so that no worker takes them up. */
const owner = 'portia-0.9/client/elsewhere';
/** Milliseconds: a thousand years. */
const forEver = 1_000 * 365 * 24 * 3_600 * 1_000;

/**
 * The runs of clients of Portia 0.9, which drive their runs themselves and write whole documents. Such a run gets a
 * journal like any other, so that it is listed, read and answered like any other, and the document as it was written
 * beside it.
 */
export class PortiaDocuments {
  readonly #storage: StorageBackend;
  /** The last write of each run, in this process: writes of one run come one after the other. */
  readonly #writing = new Map<PlanRunUUID, Promise<unknown>>();

  constructor(storage: StorageBackend) {
    this.#storage = storage;
  }

  /** The run as it stands, answers given here included. @throws PortiaError `PLAN_RUN_NOT_FOUND`. */
  async get(id: PlanRunUUID): Promise<RecordedRun> {
    const stored = await this.#storage.loadRun(id);
    if (!stored) throw notFound(id);
    return { id, document: await this.#documentOf(stored) };
  }

  /** Whether a client of Portia 0.9 drives this run. @throws PortiaError `PLAN_RUN_NOT_FOUND`. */
  async isTheirs(id: PlanRunUUID): Promise<boolean> {
    // What the journal says is not needed.
    const stored = await this.#storage.loadRun(id, Number.MAX_SAFE_INTEGER);
    if (!stored) throw notFound(id);
    return (await this.#storage.getOutput(id, documentName)) !== undefined;
  }

  /**
   * Stores a run as its client says it stands; the first time it is made.
   * @throws PortiaError `PLAN_RUN_INVALID` for what is no run document, `PLAN_NOT_FOUND`, and `RUN_STATE_INVALID` for a
   * run that is driven here, or is of a builder plan: then nothing is changed, and only what says so is taken.
   * `RUN_CANCELLED` when somebody cancelled the run meanwhile: it is ended then.
   */
  put(id: PlanRunUUID, given: JsonObject): Promise<void> {
    return this.#alone(id, () => this.#put(id, given));
  }

  /** Puts a tool call into the ledger of a run. @throws PortiaError as {@link put}. */
  recordToolCall(record: ToolCallRecord): Promise<void> {
    const id = record.planRunId;
    return this.#alone(id, async () => {
      const stored = await this.#storage.loadRun(id);
      if (!stored) throw notFound(id);
      const before = await this.#written(stored);
      if (!before) throw drivenHere(id, 'it is driven by this server');
      const calls = [...storedEventsOf(stored)].filter(
        (event) => event.type === 'tool-call-end' && event.step === record.step,
      ).length;
      const event = callEvent(record, calls + 1);
      await this.#append(stored, [event], stored.status.state);
    });
  }

  async #put(id: PlanRunUUID, given: JsonObject): Promise<void> {
    const known = await this.#storage.getOutput(id, documentName);
    const document = withOptions(toJson({ ...given, id }) as JsonObject, known?.value as JsonObject | undefined);
    const run = readDocument(document);
    const record = await this.#storage.getPlan(run.planId);
    if (!record) throw planNotFound(run.planId);
    const stored = (await this.#storage.loadRun(id)) ?? undefined;
    const before = stored && (await this.#written(stored));
    const changesNothing = async (): Promise<boolean> =>
      stored !== undefined && sameForPortia(await this.#documentOf(stored), document);
    if (stored && !before && !isImported(stored)) {
      if (await changesNothing()) return;
      throw drivenHere(id, 'it is driven by this server');
    }
    if (stored && before && (await this.#isCancelled(stored, before))) {
      if (await changesNothing()) return;
      throw cancelled(id);
    }
    if (storedBuilder(record)) throw drivenHere(id, 'its plan was made with the builder, and runs here only');
    if (stored && (stored.header.planId !== run.planId || stored.header.endUserId !== run.endUserId))
      throw drivenHere(id, 'neither its plan nor its end user can become another');
    const held = stored ? await this.#held(stored) : await this.#created(run);
    const kept = before ? (withTypes(before, document) as JsonObject) : document;
    await this.#storage.saveOutput(id, documentName, LocalDataValue(kept));
    const plan = planForReading(record);
    const told = eventsOf(readDocument(kept), plan, 'api');
    const missing = missingEvents([...storedEventsOf(held)], told, foldStored(held, plan));
    const events = missing.length === 0 && held.status.state !== run.state ? told.slice(-1) : missing;
    await this.#append(held, events, run.state);
  }

  async #created(run: PlanRun): Promise<StoredRun> {
    const { id, planId, endUserId, planRunInputs: inputs } = run;
    await this.#storage.createRun({ id, planId, endUserId, createdAt: Date.now(), inputs }, claimNow());
    const stored = await this.#storage.loadRun(id);
    if (!stored) throw notFound(id);
    return stored;
  }

  /** Whether somebody cancelled the run; then its client hears of it now, and the run is ended. */
  async #isCancelled(stored: StoredRun, before: JsonObject): Promise<boolean> {
    const { state, error } = stored.status;
    if (error?.code === 'RUN_CANCELLED') return true;
    const { id } = stored.header;
    const command = stored.commands.find(({ type }) => type === 'cancel');
    if (command?.type !== 'cancel' || state === 'COMPLETE' || state === 'FAILED') return false;
    const message = command.reason ?? 'the run was cancelled';
    const value = { value: message, summary: null };
    const outputs = { ...(before['outputs'] as JsonObject | undefined), final_output: value };
    await this.#storage.saveOutput(id, documentName, LocalDataValue({ ...before, state: 'FAILED', outputs }));
    await this.#append(
      stored,
      [{ type: 'run-end', state: 'FAILED', error: { code: 'RUN_CANCELLED', message } }],
      'FAILED',
    );
    return true;
  }

  /** The run, with its client as driver: one that had ended is taken up again. */
  async #held(stored: StoredRun): Promise<StoredRun> {
    if (stored.driver?.owner === owner) return stored;
    const { id } = stored.header;
    const { claimed, driver } = await this.#storage.claimRun(id, claimNow());
    if (!claimed) throw drivenHere(id, `it is driven by ${driver.owner}`);
    return { ...stored, driver };
  }

  async #append(stored: StoredRun, events: readonly RunEventBody[], state: PlanRun['state']): Promise<void> {
    const { id } = stored.header;
    const isOver = state === 'COMPLETE' || state === 'FAILED';
    if (events.length === 0) {
      if (isOver) await this.#storage.releaseRun(id, epochOf(stored));
      return;
    }
    const last = [...storedEventsOf(stored)].at(-1)?.seq ?? 0;
    const at = Date.now();
    const error = events.findLast((event) => event.type === 'run-end')?.error;
    const asks = openClarificationsIn([...storedEventsOf(stored), ...events.map((event) => ({ ...event, at }))], state);
    const done = await this.#storage.append(
      id,
      epochOf(stored),
      toCommit(last + 1, at, events),
      { state, updatedAt: at, asks, ...(error && state === 'FAILED' && { error }) },
      isOver,
    );
    if (!done) throw drivenHere(id, 'somebody else writes it at this moment');
  }

  /** What its client wrote, unless this server has taken the run up since, for a retry. */
  async #written(stored: StoredRun): Promise<JsonObject | undefined> {
    const output = await this.#storage.getOutput(stored.header.id, documentName);
    if (!output) return undefined;
    for (const event of storedEventsOf(stored))
      if ((event.type === 'run-start' && event.epoch > 0) || event.type === 'run-retry') return undefined;
    return output.value as JsonObject;
  }

  async #documentOf(stored: StoredRun): Promise<JsonObject> {
    const written = await this.#written(stored);
    if (written) return withAnswers(written, stored);
    const record = await this.#storage.getPlan(planIdOf(stored));
    if (!record) throw planNotFound(planIdOf(stored));
    return planRunView(foldStored(stored, planForReading(record))).toJSON();
  }

  async #alone<T>(id: PlanRunUUID, work: () => Promise<T>): Promise<T> {
    const mine = (this.#writing.get(id) ?? Promise.resolve()).then(work, work);
    this.#writing.set(id, mine);
    try {
      return await mine;
    } finally {
      if (this.#writing.get(id) === mine) this.#writing.delete(id);
    }
  }
}

/** Whether a run was brought here from Portia 0.9, and nobody has driven it since: its own client may go on with it. */
function isImported(stored: StoredRun): boolean {
  let begun = false;
  for (const event of storedEventsOf(stored)) {
    if (event.type === 'run-retry' || (event.type === 'run-start' && event.version !== portiaVersion)) return false;
    begun ||= event.type === 'run-start';
  }
  return begun;
}

function claimNow(): Claim {
  return {
    owner,
    now: Date.now(),
    ttlMs: forEver,
    isAlive: (driver: DriverRecord) => driver.owner !== owner && undefined,
  };
}

function epochOf({ driver, epoch }: StoredRun): number {
  return driver?.epoch ?? epoch ?? 0;
}

function callEvent({ toolName, step, status, input, output, latencySeconds }: ToolCallRecord, n: number): RunEventBody {
  const args = isPlainObject(input) ? (input as JsonObject) : { value: input };
  const text = typeof output === 'string' ? output : JSON.stringify(output);
  return {
    type: 'tool-call-end',
    step,
    call: `${step}.0.${n}`,
    tool: toolName,
    args,
    outcome:
      status === 'FAILED'
        ? { status, error: { code: 'TOOL_FAILED', message: text, step } }
        : status === 'NEED_CLARIFICATION'
          ? { status, clarifications: idsIn(output) }
          : { status: 'SUCCESS', value: output },
    ms: Math.round(Math.max(0, latencySeconds) * 1_000),
  };
}

function idsIn(output: JsonValue): ReturnType<typeof clarificationFromWire>['id'][] {
  const list = Array.isArray(output) ? output : [output];
  return list.flatMap((one) => {
    try {
      return [clarificationFromWire(one as JsonObject).id];
    } catch {
      return [];
    }
  });
}

function drivenHere(id: PlanRunUUID, why: string): PortiaError {
  return new PortiaError({
    code: 'RUN_STATE_INVALID',
    message: `run ${id} cannot be written by a client of Portia 0.9: ${why}`,
    hint: 'its clarifications are answered, and it is resumed, with the API of this server',
    planRunId: id,
  });
}

function cancelled(id: PlanRunUUID): PortiaError {
  return new PortiaError({ code: 'RUN_CANCELLED', message: `run ${id} was cancelled`, planRunId: id });
}

function planNotFound(id: PlanUUID): PortiaError {
  return new PortiaError({
    code: 'PLAN_NOT_FOUND',
    message: `Plan with id ${id} not found.`,
    hint: 'store the plan first',
  });
}
