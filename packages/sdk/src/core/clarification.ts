import { PortiaError } from './errors.ts';
import { ClarificationUUID, PlanRunUUID } from './ids.ts';
import { isPlainObject, type JsonObject, type JsonValue, sameJson, toJson } from './json.ts';

/** The six kinds of question, as they stand in `category`. */
export type ClarificationCategory =
  | 'Action'
  | 'Input'
  | 'Multiple Choice'
  | 'Value Confirmation'
  | 'User Verification'
  | 'Custom';

interface ClarificationFields {
  readonly id: ClarificationUUID;
  readonly planRunId: PlanRunUUID | null;
  readonly response: JsonValue;
  /** The step that asks, counted from 0. */
  readonly step: number | null;
  /** The question, in words. */
  readonly userGuidance: string;
  readonly resolved: boolean;
  /** Who asks, in words: a tool, an agent, a hook. */
  readonly source: string | null;
  /** The wire form (Portia 0.9). */
  toJSON(): JsonObject;
}

/** The person does something elsewhere (signs in, pays) at `actionUrl`. */
export interface ActionClarification extends ClarificationFields {
  readonly category: 'Action';
  readonly actionUrl: string;
  /** Whether the person has to say that it is done. */
  readonly requireConfirmation: boolean;
}
/** The person types a value. */
export interface InputClarification extends ClarificationFields {
  readonly category: 'Input';
  readonly argumentName: string;
}
/** The person picks one of the options. */
export interface MultipleChoiceClarification extends ClarificationFields {
  readonly category: 'Multiple Choice';
  readonly argumentName: string;
  readonly options: readonly JsonValue[];
}
/** The person confirms a value. */
export interface ValueConfirmationClarification extends ClarificationFields {
  readonly category: 'Value Confirmation';
  readonly argumentName: string;
}
/** The person says yes or no; only the literal `true` is a yes. */
export interface UserVerificationClarification extends ClarificationFields {
  readonly category: 'User Verification';
}
/** A question of the user's own making. */
export interface CustomClarification extends ClarificationFields {
  readonly category: 'Custom';
  readonly name: string;
  readonly data: JsonObject;
}

/** A typed question to a person. Told apart by `category`, never by class. */
export type Clarification =
  | ActionClarification
  | InputClarification
  | MultipleChoiceClarification
  | ValueConfirmationClarification
  | UserVerificationClarification
  | CustomClarification;

/** Whether an answer says: I do not want to answer this. People may have typed it. */
export function isDecline(answer: JsonValue): boolean {
  if (typeof answer === 'string') return /^\s*\{\s*"decline"\s*:\s*true\s*\}\s*$/.test(answer);
  return sameJson(answer, { decline: true });
}

/** Who may answer: the run's end user, an operator, or people with a role. */
export type Audience = 'endUser' | 'operator' | `role:${string}`;

type Common = {
  readonly id?: ClarificationUUID | undefined;
  readonly planRunId?: PlanRunUUID | null | undefined;
  readonly response?: JsonValue | undefined;
  readonly step?: number | null | undefined;
  readonly resolved?: boolean | undefined;
  readonly source?: string | null | undefined;
  readonly userGuidance: string;
};

const brand = Symbol.for('portia-ts.clarification');

class ClarificationData {
  constructor(fields: object) {
    Object.assign(this, fields);
    Object.defineProperty(this, brand, { value: true });
    Object.freeze(this);
  }

  toJSON(): JsonObject {
    return clarificationToWire(this as unknown as Clarification);
  }
}

function make<C extends Clarification>(category: C['category'], init: Common, own: object): C {
  if (typeof init.userGuidance !== 'string') throw invalid(`a ${category} clarification needs userGuidance`);
  return new ClarificationData({
    id: init.id ?? ClarificationUUID.random(),
    planRunId: init.planRunId ?? null,
    category,
    response: toJson(init.response, 'response'),
    step: init.step ?? null,
    userGuidance: init.userGuidance,
    resolved: init.resolved ?? false,
    source: init.source ?? null,
    ...own,
  }) as unknown as C;
}

function invalid(message: string, hint?: string): PortiaError {
  return new PortiaError({ code: 'CLARIFICATION_INVALID', message, hint });
}

function text(value: unknown, name: string, category: string): string {
  if (typeof value !== 'string' || value === '') throw invalid(`a ${category} clarification needs ${name}`);
  return value;
}

/** Asks the person to do something at a web address. @throws PortiaError `CLARIFICATION_INVALID` unless http(s). */
export function ActionClarification(
  init: Common & { readonly actionUrl: string; readonly requireConfirmation?: boolean },
): ActionClarification {
  const url = URL.canParse(init.actionUrl) ? new URL(init.actionUrl) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw invalid(`actionUrl ${JSON.stringify(init.actionUrl)} is not a web address`, 'give an http(s) URL');
  }
  return make('Action', init, { actionUrl: url.href, requireConfirmation: init.requireConfirmation ?? false });
}

/** Asks the person for a value. */
export function InputClarification(init: Common & { readonly argumentName: string }): InputClarification {
  return make('Input', init, { argumentName: text(init.argumentName, 'argumentName', 'Input') });
}

/** Asks the person to pick an option. @throws PortiaError `CLARIFICATION_INVALID` for a response outside the options. */
export function MultipleChoiceClarification(
  init: Common & { readonly argumentName: string; readonly options: readonly unknown[] },
): MultipleChoiceClarification {
  if (!Array.isArray(init.options)) throw invalid('a Multiple Choice clarification needs options');
  const made = make<MultipleChoiceClarification>('Multiple Choice', init, {
    argumentName: text(init.argumentName, 'argumentName', 'Multiple Choice'),
    options: toJson(init.options, 'options'),
  });
  if (made.resolved) checkResponse(made, made.response, 'CLARIFICATION_INVALID');
  return made;
}

/** Asks the person to confirm a value. */
export function ValueConfirmationClarification(
  init: Common & { readonly argumentName: string },
): ValueConfirmationClarification {
  return make('Value Confirmation', init, {
    argumentName: text(init.argumentName, 'argumentName', 'Value Confirmation'),
  });
}

/** Asks the person for a yes or a no. */
export function UserVerificationClarification(init: Common): UserVerificationClarification {
  const made = make<UserVerificationClarification>('User Verification', init, {});
  if (made.response !== null && typeof made.response !== 'boolean') {
    throw invalid('response must be a boolean value or None', 'give true, false or null');
  }
  return made;
}

/** Asks a question of your own making; `data` is for the page that shows it. */
export function CustomClarification(
  init: Common & { readonly name: string; readonly data?: Readonly<Record<string, unknown>> },
): CustomClarification {
  return make('Custom', init, {
    name: text(init.name, 'name', 'Custom'),
    data: toJson(init.data ?? {}, 'data'),
  });
}

/** Whether a value is a clarification made by this library. Data that only looks like one is not. */
export function isClarification(value: unknown): value is Clarification {
  return typeof value === 'object' && value !== null && brand in value;
}

/** Whether a yes was given: the literal `true`, and nothing else. */
export function isApproved(clarification: Clarification): boolean {
  return clarification.resolved && clarification.response === true;
}

/** Whether a verification was answered with anything but a yes. */
export function isRefused(clarification: Clarification): boolean {
  return clarification.category === 'User Verification' && clarification.resolved && clarification.response !== true;
}

/**
 * The response as it is stored, checked against the clarification.
 * @throws PortiaError `CLARIFICATION_RESPONSE_INVALID` saying what would fit.
 */
export function checkResponse(
  clarification: Clarification,
  response: unknown,
  code: 'CLARIFICATION_RESPONSE_INVALID' | 'CLARIFICATION_INVALID' = 'CLARIFICATION_RESPONSE_INVALID',
): JsonValue {
  const refuse = (message: string, hint: string): PortiaError =>
    new PortiaError({ code, message, hint, planRunId: clarification.planRunId ?? undefined });
  const given = json(response, refuse);
  switch (clarification.category) {
    case 'Multiple Choice':
      if (!clarification.options.some((option) => sameJson(option, given))) {
        throw refuse(
          `${JSON.stringify(given)} is not a supported option`,
          `choose one of ${clarification.options.map((option) => JSON.stringify(option)).join(', ')}`,
        );
      }
      return given;
    case 'User Verification':
      if (typeof given !== 'boolean') throw refuse('response must be a boolean value', 'answer true or false');
      return given;
    case 'Input':
      if (given === null) throw refuse('an empty answer does not answer the question', 'give a value');
      return given;
    default:
      return given;
  }
}

function json(response: unknown, refuse: (message: string, hint: string) => PortiaError): JsonValue {
  try {
    return toJson(response, 'response');
  } catch (error) {
    throw refuse((error as Error).message, 'answer with something JSON can hold');
  }
}

/** The same clarification, answered. */
export function resolved(clarification: Clarification, response: JsonValue): Clarification {
  return new ClarificationData({ ...clarification, response, resolved: true }) as unknown as Clarification;
}

/** The same clarification, placed in a run at a step. */
export function placed(clarification: Clarification, planRunId: PlanRunUUID, step: number): Clarification {
  return new ClarificationData({ ...clarification, planRunId, step }) as unknown as Clarification;
}

/** The wire form of Portia 0.9, keys in its order. */
export function clarificationToWire(clarification: Clarification): JsonObject {
  return {
    id: clarification.id,
    plan_run_id: clarification.planRunId,
    category: clarification.category,
    response: clarification.response,
    step: clarification.step,
    user_guidance: clarification.userGuidance,
    resolved: clarification.resolved,
    source: clarification.source,
    ...ownWireFields(clarification),
  };
}

function ownWireFields(clarification: Clarification): JsonObject {
  switch (clarification.category) {
    case 'Action':
      return { action_url: clarification.actionUrl, require_confirmation: clarification.requireConfirmation };
    case 'Multiple Choice':
      return { argument_name: clarification.argumentName, options: clarification.options };
    case 'Input':
    case 'Value Confirmation':
      return { argument_name: clarification.argumentName };
    case 'Custom':
      return { name: clarification.name, data: clarification.data };
    default:
      return {};
  }
}

/**
 * Reads the wire form, discriminated by `category`.
 * @throws PortiaError `CLARIFICATION_INVALID` for an unknown category or a field of the wrong type, `ID_INVALID` for a malformed id.
 */
export function clarificationFromWire(wire: JsonObject): Clarification {
  const { id, plan_run_id: run = null, response = null, step = null, resolved = false, source = null } = wire;
  if (step !== null && typeof step !== 'number') throw invalid('step of a clarification is neither a number nor null');
  const common: Common = {
    id: id === undefined ? undefined : ClarificationUUID.fromWire(id),
    planRunId: run === null ? null : PlanRunUUID.fromWire(run),
    response,
    step,
    userGuidance: wireText(wire, 'user_guidance'),
    resolved: flag(resolved, 'resolved'),
    source: source === null ? null : wireText(wire, 'source'),
  };
  switch (wire['category']) {
    case 'Action':
      return ActionClarification({
        ...common,
        actionUrl: wireText(wire, 'action_url'),
        requireConfirmation: flag(wire['require_confirmation'] ?? false, 'require_confirmation'),
      });
    case 'Input':
      return InputClarification({ ...common, argumentName: wireText(wire, 'argument_name') });
    case 'Multiple Choice':
      return MultipleChoiceClarification({
        ...common,
        argumentName: wireText(wire, 'argument_name'),
        options: wire['options'] as readonly JsonValue[],
      });
    case 'Value Confirmation':
      return ValueConfirmationClarification({ ...common, argumentName: wireText(wire, 'argument_name') });
    case 'User Verification':
      return UserVerificationClarification(common);
    case 'Custom':
      return CustomClarification({ ...common, name: wireText(wire, 'name'), data: wireData(wire['data']) });
    default:
      throw invalid(`unknown clarification category ${JSON.stringify(wire['category'] ?? null)}`);
  }
}

function wireText(wire: JsonObject, key: string): string {
  const value = wire[key];
  if (typeof value !== 'string') throw invalid(`a clarification needs ${key} as a string`);
  return value;
}

function flag(value: JsonValue, key: string): boolean {
  if (typeof value !== 'boolean') throw invalid(`${key} of a clarification is not a boolean`);
  return value;
}

function wireData(value: JsonValue = {}): JsonObject {
  if (!isPlainObject(value)) throw invalid('data of a Custom clarification is not an object');
  return value as JsonObject;
}
