import type { PortiaError, PortiaErrorCode } from 'portia-ts';

/** What an error says to whoever asked. */
export interface Words {
  readonly message: string;
  readonly hint: string | undefined;
}

/** Codes whose messages name files and hosts of this machine, which are for its log and not for whoever asks. */
const ofThisMachine: ReadonlySet<PortiaErrorCode> = new Set(['STORAGE_FAILED', 'STORAGE_CORRUPT']);

/** Whether an error is told in full to the log only. */
export function isOfThisMachine({ code }: PortiaError): boolean {
  return ofThisMachine.has(code);
}

type Hint = string | ((error: PortiaError) => string | undefined);

/** The hints of the library are for programs that use it: here is what to do over HTTP. Those that hold there, too, stay. */
const hints: { readonly [Code in PortiaErrorCode]?: Hint } = {
  PLAN_NOT_FOUND:
    'a plan has to be stored first; GET /api/v1/plans lists those that are, GET /api/v1/registered-plans those that have a name',
  PLAN_NOT_REGISTERED: 'whoever runs this server has to register the plan there',
  PLAN_CHANGED: ({ hint, details, planRunId }) =>
    details === undefined && planRunId === undefined
      ? hint
      : 'whoever runs this server has to register the earlier version beside the later one',
  PLAN_RUN_NOT_FOUND: 'check the id; a run that this key may not see is answered like one that is not there',
  RUN_STATE_INVALID: ({ hint, details }) =>
    details?.['state'] === undefined ? hint : 'a run that waits goes on by itself when what it asks is answered',
  RUN_BUSY:
    'follow it at GET /api/v1/runs/{runId}/events; answers and a cancel are taken all the same, and the run is taken over when that process dies',
  DRIVER_LOST: 'nothing is lost: another process drives the run, and GET /api/v1/runs/{runId} shows how it stands',
  CLARIFICATION_NOT_FOUND: 'GET /api/v1/runs/{runId}/clarifications lists those of the run that this key may see',
  CLARIFICATION_FORBIDDEN:
    'operators answer with a key of the scope operator, roles with one of role:<name>, end users with a token of their own',
  CLARIFICATION_EXPIRED: 'the run goes on by itself, with what was laid down for this case',
  BUDGET_EXCEEDED: ({ details }) => {
    if (details?.['scope'] === 'client')
      return 'all of what this server may spend is used up: ask whoever runs it; runs that were started go on when there is more';
    if (details?.['scope'] === 'planning') return 'start a run of the query, with a larger budget: POST /api/v1/runs';
    return 'retry the run with more: POST /api/v1/runs/{runId}/retry with { "budget": { … } }; what is done is kept';
  },
  MODEL_KEY_MISSING: forTheServer,
  MODEL_FAILED: forTheServer,
  MODEL_TIMEOUT: forTheServer,
  MODEL_ANSWER_INVALID: forTheServer,
  PACKAGE_MISSING: forTheServer,
  CONFIG_NOT_FOUND: forTheServer,
};

function forTheServer({ hint }: PortiaError): string | undefined {
  return hint && `for whoever runs this server: ${hint}`;
}

/** What an error says over HTTP. `store` is the name of the store, which may be a path of this machine. */
export function wordsFor(error: PortiaError, store: string | undefined): Words {
  if (isOfThisMachine(error))
    return { message: 'the store did not do what was asked; the log of the server says why', hint: undefined };
  // Where to sign in is in the log: whoever does it lends an account.
  if (error.code === 'SIGN_IN_REQUIRED') {
    const message = 'somebody has to sign in to an MCP server of this server first; its log says where';
    return { message, hint: undefined };
  }
  const { message, code } = error;
  const hint = hints[code] ?? error.hint;
  return {
    message:
      store !== undefined && message.startsWith(`${store} `) ? `the store${message.slice(store.length)}` : message,
    hint: typeof hint === 'function' ? hint(error) : hint,
  };
}
