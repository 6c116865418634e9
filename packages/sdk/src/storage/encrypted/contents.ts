import { EndUser } from '../../core/end-user.ts';
import { PortiaError } from '../../core/errors.ts';
import type { Commit } from '../../core/event.ts';
import type { PlanRunUUID } from '../../core/ids.ts';
import type { JsonValue } from '../../core/json.ts';
import { LocalDataValue } from '../../core/output.ts';
import type { RunHeader } from '../../core/run-state.ts';
import { commandIdentity } from '../records.ts';
import type { Command, RunStatus } from '../storage-backend.ts';
import { isSealed, type Sealer } from './keys.ts';

/** What sealed inputs stand under. */
const sealedName = 'portia:sealed';
/** What stands in lists for what can no longer be read. */
const erasedText = '(erased)';

/** What shows whether a run is sealed: its inputs, its error, or a commit of it. */
interface MayBeSealed {
  readonly header: RunHeader;
  readonly status: RunStatus;
  readonly commits?: readonly Commit[] | undefined;
}

/** Whether something of a run is sealed. */
export function isSealedRun({ header, status, commits = [] }: MayBeSealed): boolean {
  return (
    isSealed(header.inputs[sealedName]?.value) ||
    isSealed(status.error?.message) ||
    commits.some(({ events }) => isSealed(events))
  );
}

/** Seals and opens each kind of content; what is not content stays as it is, so that it can be listed and ordered. */
export class Contents {
  readonly #sealer: Sealer;

  constructor(sealer: Sealer) {
    this.#sealer = sealer;
  }

  /** Everything but the inputs stays: ids, times, run key, labels, schema. */
  async sealHeader(header: RunHeader): Promise<RunHeader> {
    if (Object.keys(header.inputs).length === 0) return header;
    const seal = await this.#sealer.seal(header.endUserId);
    const sealed = seal(JSON.stringify(header.inputs), `the inputs of ${header.id}`);
    return { ...header, inputs: { [sealedName]: LocalDataValue(sealed) } };
  }

  /** `forgiving`: what was erased is left out, as lists do. */
  async openHeader(header: RunHeader, forgiving = false): Promise<RunHeader> {
    const sealed = header.inputs[sealedName]?.value;
    if (!isSealed(sealed)) return header;
    const text = await this.#open(header.endUserId, sealed, `the inputs of ${header.id}`, header.id, forgiving);
    return { ...header, inputs: text === undefined ? {} : (JSON.parse(text) as RunHeader['inputs']) };
  }

  /** State, times, code and step stay; the message of an error may quote what a tool said. */
  async sealStatus(endUserId: string, id: PlanRunUUID, status: RunStatus): Promise<RunStatus> {
    const { error } = status;
    if (!error) return status;
    const seal = await this.#sealer.seal(endUserId);
    return { ...status, error: { ...error, message: seal(JSON.stringify(error.message), `the error of ${id}`) } };
  }

  async openStatus(endUserId: string, id: PlanRunUUID, status: RunStatus, forgiving = false): Promise<RunStatus> {
    const { error } = status;
    if (!error || !isSealed(error.message)) return status;
    const text = await this.#open(endUserId, error.message, `the error of ${id}`, id, forgiving);
    const message = text === undefined ? erasedText : (JSON.parse(text) as string);
    return { ...status, error: { ...error, message } };
  }

  async sealCommit(endUserId: string, id: PlanRunUUID, { seq, at, events }: Commit): Promise<Commit> {
    const seal = await this.#sealer.seal(endUserId);
    return { seq, at, events: seal(events, `event ${seq} of ${id}`) };
  }

  async openCommit(endUserId: string, id: PlanRunUUID, { seq, at, events }: Commit): Promise<Commit> {
    return { seq, at, events: await this.#sealer.open(endUserId, events, `event ${seq} of ${id}`) };
  }

  /** Type, key and time stay: what makes it the one command of its kind. */
  async sealCommand(endUserId: string, id: PlanRunUUID, command: Command): Promise<Command> {
    const seal = await this.#sealer.seal(endUserId);
    const { type, key, at } = command;
    const sealed = seal(JSON.stringify(command), whatOf(id, command));
    if (type === 'answer') return { type, key, at, response: sealed, resolvedBy: null, as: null, via: command.via };
    if (type === 'cancel') return { type, key, at, by: null, reason: sealed };
    return { type, key, at, outcome: { sealed } };
  }

  async openCommand(endUserId: string, id: PlanRunUUID, command: Command): Promise<Command> {
    const sealed = sealedOf(command);
    if (!isSealed(sealed)) return command;
    return JSON.parse(await this.#sealer.open(endUserId, sealed, whatOf(id, command))) as Command;
  }

  async sealOutput(endUserId: string, id: PlanRunUUID, name: string, output: LocalDataValue): Promise<LocalDataValue> {
    const seal = await this.#sealer.seal(endUserId);
    const { value, summary } = output;
    return LocalDataValue(seal(JSON.stringify({ value, summary }), `output ${JSON.stringify(name)} of ${id}`));
  }

  async openOutput(endUserId: string, id: PlanRunUUID, name: string, output: LocalDataValue): Promise<LocalDataValue> {
    if (!isSealed(output.value)) return output;
    const text = await this.#sealer.open(endUserId, output.value, `output ${JSON.stringify(name)} of ${id}`);
    const { value, summary } = JSON.parse(text) as { value: JsonValue; summary: string | null };
    return LocalDataValue(value, summary);
  }

  /** The id stays, and the names of additional data: field by field, so that saves can still merge. */
  async sealEndUser(user: EndUser): Promise<EndUser> {
    const seal = await this.#sealer.seal(user.externalId);
    return mapped(user, async (text, field) => (text === '' ? '' : seal(JSON.stringify(text), fieldOf(user, field))));
  }

  async openEndUser(user: EndUser): Promise<EndUser> {
    return mapped(user, async (text, field) => {
      if (!isSealed(text)) return text;
      const opened = await this.#open(user.externalId, text, fieldOf(user, field), undefined, true);
      return opened === undefined ? '' : (JSON.parse(opened) as string);
    });
  }

  async #open(
    endUserId: string,
    sealed: string,
    what: string,
    planRunId: string | undefined,
    forgiving: boolean,
  ): Promise<string | undefined> {
    try {
      return await this.#sealer.open(endUserId, sealed, what);
    } catch (error) {
      if (!PortiaError.isInstance(error) || error.code !== 'CONTENT_ERASED') throw error;
      if (forgiving) return undefined;
      const { code, message, hint } = error;
      throw new PortiaError({ code, message, hint, planRunId });
    }
  }
}

function whatOf(id: PlanRunUUID, command: Command): string {
  return `command ${commandIdentity(command)} of ${id}`;
}

function sealedOf(command: Command): unknown {
  if (command.type === 'answer') return command.response;
  return command.type === 'cancel' ? command.reason : command.outcome['sealed'];
}

function fieldOf({ externalId }: EndUser, field: string): string {
  return `${field} of end user ${JSON.stringify(externalId)}`;
}

async function mapped(user: EndUser, map: (text: string, field: string) => Promise<string>): Promise<EndUser> {
  const additionalData: Record<string, string | null> = {};
  for (const [key, text] of Object.entries(user.additionalData))
    additionalData[key] = text === null ? null : await map(text, `additional data ${JSON.stringify(key)}`);
  return EndUser({
    externalId: user.externalId,
    name: await map(user.name, 'name'),
    email: await map(user.email, 'email'),
    phoneNumber: await map(user.phoneNumber, 'phone number'),
    additionalData,
  });
}
