/**
 * Every code an error of this library can carry. The same code stands in `planRun.error`, in HTTP problems and in
 * `--json` output; a code never changes its meaning.
 */
export const portiaErrorCodes = {
  ID_INVALID: 'An id is malformed or has the wrong prefix.',
  PLAN_INVALID: 'A plan cannot be run as written: a duplicate output, an unknown tool, a reference to nothing.',
  PLAN_NOT_FOUND: 'No plan with this id is stored.',
  PLAN_CHANGED: 'The plan is not the one that was stored, or that the run began with.',
  PLAN_NOT_REGISTERED: 'The plan has functions or tools of its own, and this client does not know it.',
  PLANNING_FAILED: 'The planning agent made no plan that can be run.',
  PLAN_RUN_INVALID: 'A run document cannot be read.',
  PLAN_RUN_NOT_FOUND: 'No run with this id is stored.',
  INPUT_MISSING: 'A plan input has neither a value nor a default.',
  INPUT_INVALID: 'Plan inputs were given in a form that cannot be read.',
  REFERENCE_MISSING: 'A step refers to a value that is not there when it runs.',
  RUN_BUSY: 'Another driver is alive and advancing this run.',
  RUN_CANCELLED: 'The run was cancelled.',
  RUN_FILE_CHANGED: 'Somebody else changed the file of a run in a way that cannot be taken over.',
  RUN_STATE_INVALID: 'The run is not in a state that allows this.',
  RUN_KEY_CONFLICT: 'The run key belongs to a run of another plan, or of another end user.',
  DRIVER_LOST: 'Another driver has taken over this run; what this one writes is refused.',
  STEP_FAILED: 'A step failed for a reason without a code of its own.',
  HOOK_FAILED: 'A hook threw an error.',
  TOOL_NOT_FOUND: 'No tool with this id is registered.',
  TOOL_DUPLICATE: 'A tool with this id is registered already.',
  TOOL_INVALID: 'A tool is defined in a way that cannot work.',
  PERSON_NEEDED: 'A tool needs a person, and nobody can be asked where it is called.',
  TOOL_NOT_READY: 'A tool is not ready and asks nobody for anything.',
  TOOL_ARGS_INVALID: 'The arguments of a tool call do not fit its schema.',
  TOOL_CALL_INVALID: 'A tool call record cannot be read.',
  BUDGET_EXCEEDED: 'A budget leaves no room for the next call.',
  PRICE_UNKNOWN: 'A budget in dollars is set, and the price of a model is not known.',
  LOOP_LIMIT: 'A loop ran as often as it may.',
  RUN_EXITED: 'The plan ended the run with an error.',
  TOOL_FAILED: 'A tool failed for good.',
  TOOL_RETRIES_EXHAUSTED: 'A tool failed softly more often than it may.',
  TOOL_TIMEOUT: 'A tool did not answer in time.',
  MCP_FAILED: 'An MCP server cannot be reached, or does not do what the protocol says.',
  SIGN_IN_REQUIRED: 'Somebody has to sign in first; the page is in the details.',
  SIGN_IN_FAILED: 'A sign-in could not be begun, or was not granted.',
  OUTPUT_NOT_JSON: 'A value is not something JSON can hold.',
  OUTPUT_INVALID: 'A value does not fit its schema.',
  TOOL_NOT_ALLOWED: 'The end user may not have this tool called.',
  CALL_STOPPED: 'A person stopped the run at a call whose outcome is unknown.',
  APPROVAL_REFUSED: 'A person refused an approval.',
  AGENT_FAILED: 'An agent gave no usable answer.',
  AGENT_LIMIT: 'An agent used all the turns it may take.',
  MODEL_FAILED: 'A model call failed.',
  MODEL_TIMEOUT: 'A model did not answer in time.',
  MODEL_ANSWER_INVALID: 'A model answered with something that does not fit what was asked for.',
  MODEL_KEY_MISSING: 'No key for the model provider is set.',
  MODEL_UNKNOWN: 'A model name cannot be read or has an unknown provider.',
  PACKAGE_MISSING: 'An optional package is not installed.',
  CLARIFICATION_INVALID: 'A clarification cannot be read.',
  CLARIFICATION_NOT_FOUND: 'The run has no clarification with this id.',
  CLARIFICATION_ALREADY_RESOLVED: 'The clarification was answered before, and differently.',
  CLARIFICATION_RESPONSE_INVALID: 'The response does not fit the clarification.',
  CLARIFICATION_FORBIDDEN: 'This person may not answer this clarification.',
  CLARIFICATION_EXPIRED: 'The clarification expired before it was answered.',
  CLARIFICATION_FAILED: 'A clarification handler reported an error.',
  END_USER_INVALID: 'An end user document cannot be read.',
  CONFIG_INVALID: 'A setting has a value that cannot be used.',
  CONFIG_NOT_FOUND: 'A setting that is needed is not set.',
  STORAGE_FAILED: 'The storage could not read or write.',
  STORAGE_CORRUPT: 'A stored document is damaged.',
  CONTENT_ERASED: 'The contents were erased on behalf of the end user they belonged to.',
  UNAUTHENTICATED: 'The request carries no key, or one that is unknown, expired or revoked.',
  FORBIDDEN: 'The key does not allow this.',
  NOT_FOUND: 'There is nothing at this address, or nothing with this id or name.',
  REQUEST_INVALID: 'A request cannot be read: a field is missing, unknown or of the wrong form.',
  REQUEST_TOO_LARGE: 'The body of a request is larger than the server takes.',
  RATE_LIMITED: 'Too many requests in a short time.',
  IDEMPOTENCY_CONFLICT: 'The idempotency key belongs to another request, or to one that is still at work.',
  USAGE: 'The command line was not understood.',
  INTERRUPTED: 'Work was stopped from outside before it had a result; a run stays resumable.',
  INTERNAL: 'Something happened that was not foreseen: a defect.',
} as const;

/** A stable, machine-readable reason. */
export type PortiaErrorCode = keyof typeof portiaErrorCodes;

/** What every {@link PortiaError} is made from. */
export interface PortiaErrorInit {
  readonly code: PortiaErrorCode;
  /** What was wrong and where; safe to show to the caller. */
  readonly message: string;
  /** What to do next, for the developer. */
  readonly hint?: string | undefined;
  readonly cause?: unknown;
  /** The run this happened in. */
  readonly planRunId?: string | undefined;
  /** Machine-readable particulars, such as the names that are known. */
  readonly details?: Readonly<Record<string, unknown>> | undefined;
}

const marker = Symbol.for('portia-ts.error');

/** The base of every error this library throws. Tell them apart by `code`, not by class or message. */
export class PortiaError extends Error {
  readonly code: PortiaErrorCode;
  readonly hint: string | undefined;
  readonly planRunId: string | undefined;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(init: PortiaErrorInit) {
    super(init.message, init.cause === undefined ? undefined : { cause: init.cause });
    this.name = new.target.name;
    this.code = init.code;
    this.hint = init.hint;
    this.planRunId = init.planRunId;
    this.details = init.details;
    Object.defineProperty(this, marker, { value: true });
  }

  /** Whether a value is a PortiaError, also one made by another copy of this package. */
  static isInstance(value: unknown): value is PortiaError {
    return typeof value === 'object' && value !== null && marker in value;
  }
}

/**
 * Thrown by a tool to say: nothing happened, and trying again may help. The agent is shown the message and may
 * call the tool again; that is a new call.
 */
export class ToolSoftError extends PortiaError {
  constructor(message: string, options: { cause?: unknown; hint?: string } = {}) {
    super({ code: 'TOOL_RETRIES_EXHAUSTED', message, ...options });
  }
}

/** Thrown by a tool to say: this failed for good, do not try again. The step fails. */
export class ToolHardError extends PortiaError {
  constructor(message: string, options: { cause?: unknown; hint?: string } = {}) {
    super({ code: 'TOOL_FAILED', message, ...options });
  }
}

/** Thrown by the plan builder, and by plans made from data, for a plan that cannot be run as written. */
export class PlanBuilderError extends PortiaError {
  constructor(message: string, options: Omit<PortiaErrorInit, 'code' | 'message' | 'planRunId'> = {}) {
    super({ code: 'PLAN_INVALID', message, ...options });
  }
}

/** Any thrown value as an Error, so that the rest of the code need not ask. */
export function ensureError(thrown: unknown): Error {
  if (thrown instanceof Error || PortiaError.isInstance(thrown)) return thrown;
  return new Error(
    typeof thrown === 'string' ? thrown : `a value that is not an Error was thrown: ${safeText(thrown)}`,
  );
}

function safeText(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}
