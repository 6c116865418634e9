import { PortiaError } from '../../core/errors.ts';
import { PlanRunState } from '../../core/run-state.ts';
import type { PlanRun } from '../../core/plan-run.ts';
import type { HttpServer } from './server-options.ts';
import { type SignInFlow, SignIns, type WaitingRun } from './sign-ins.ts';

/** What of a client the callback needs. */
export interface SignInClient {
  resolveClarification(options: {
    readonly planRunId: string;
    readonly clarificationId: string;
    readonly response: unknown;
    readonly resolvedBy: string;
  }): Promise<PlanRun>;
  resume(options: { readonly planRunId: string }): Promise<PlanRun>;
}

/** What is known of the browser that came back. */
export interface CallbackOptions {
  /**
   * The client whose runs wait: their questions are answered, and the runs go on. A function is asked once the sign-in is
   * kept, for a client whose tools can only now be listed; should it have none, the runs stay noted for the next sign-in.
   */
  readonly portia?: SignInClient | (() => Promise<SignInClient | undefined>) | undefined;
  /** Whether the runs are driven here; true unless given. Say false where workers drive them. */
  readonly resume?: boolean | undefined;
  /**
   * The end user your page knows the browser to be. When given, a sign-in that was begun for somebody else is refused,
   * so that nobody can be lured into lending their account to another.
   */
  readonly endUserId?: string | undefined;
}

/** What came of a sign-in. */
export interface CallbackResult {
  readonly server: string;
  readonly endUserId: string;
  /** The runs that waited for it. */
  readonly planRunIds: readonly string[];
  /** Resolves when the runs driven here have ended or wait again. Never rejects. */
  readonly done: Promise<void>;
}

/**
 * The same as `McpToolRegistry.handleOAuthCallback`, for servers whose tools were not listed here: any process that shares
 * their secrets may take a browser back. @throws PortiaError `SIGN_IN_FAILED`.
 */
export function completeSignIn(
  servers: Iterable<HttpServer>,
  url: string | URL,
  options: CallbackOptions = {},
): Promise<CallbackResult> {
  const desks = [...servers].flatMap((server) => {
    const { oauth, secrets } = server;
    return oauth && secrets ? [{ signIns: new SignIns(server, oauth, secrets) }] : [];
  });
  return handleCallback(desks, url, options);
}

/** Where people sign in to a server; `undefined` for one that needs no sign-in. */
interface SignInDesk {
  readonly signIns: SignIns | undefined;
}

/** @throws PortiaError `SIGN_IN_FAILED`. */
export async function handleCallback(
  servers: readonly SignInDesk[],
  callbackUrl: string | URL,
  options: CallbackOptions,
): Promise<CallbackResult> {
  const { searchParams } = new URL(callbackUrl, 'http://localhost');
  const { signIns, flow } = await findFlow(servers, searchParams.get('state'));
  if (options.endUserId !== undefined && options.endUserId !== flow.endUserId) {
    throw refused(`the sign-in to ${signIns.server} was begun for somebody else`);
  }
  const code = searchParams.get('code');
  if (code === null) {
    const reason = /^[\w.-]{1,80}$/.exec(searchParams.get('error') ?? '')?.[0] ?? 'it brought no code';
    throw refused(`the sign-in to ${signIns.server} was not granted: ${reason}`);
  }
  await signIns.redeem(flow, code, searchParams.get('iss') ?? undefined);
  const { portia: given, resume = true } = options;
  const portia = typeof given === 'function' ? await given() : given;
  const hasNone = typeof given === 'function' && !portia;
  const waiting = hasNone ? [] : await signIns.takeWaiting(flow.endUserId);
  const answered = portia ? await answer(portia, waiting, flow.endUserId) : [];
  const done = portia && resume ? goOn(portia, answered) : Promise.resolve();
  return {
    server: signIns.server,
    endUserId: flow.endUserId,
    planRunIds: [...new Set(waiting.map(({ planRunId }) => planRunId))],
    done,
  };
}

async function findFlow(
  servers: readonly SignInDesk[],
  state: string | null,
): Promise<{ readonly signIns: SignIns; readonly flow: SignInFlow }> {
  for (const { signIns } of servers) {
    const flow = state === null ? undefined : await signIns?.takeFlow(state);
    if (signIns && flow) return { signIns, flow };
  }
  throw refused('this address belongs to no sign-in that is open');
}

/** Answers the questions; what needs no answer any more is left alone. Gives the runs that can go on. */
async function answer(
  portia: SignInClient,
  waiting: readonly WaitingRun[],
  endUserId: string,
): Promise<readonly string[]> {
  const ready = new Set<string>();
  for (const { planRunId, clarificationId } of waiting) {
    try {
      const run = await portia.resolveClarification({
        planRunId,
        clarificationId,
        response: 'complete',
        resolvedBy: endUserId,
      });
      if (run.state === PlanRunState.READY_TO_RESUME) ready.add(planRunId);
    } catch (error) {
      if (!PortiaError.isInstance(error)) throw error;
    }
  }
  return [...ready];
}

async function goOn(portia: SignInClient, planRunIds: readonly string[]): Promise<void> {
  await Promise.all(planRunIds.map((planRunId) => portia.resume({ planRunId }).then(ignore, ignore)));
}

/** How a run ends stands in its record; one that somebody else drives needs nobody here. */
function ignore(): void {}

function refused(message: string): PortiaError {
  return new PortiaError({
    code: 'SIGN_IN_FAILED',
    message,
    hint: 'begin the sign-in again from the question of the run',
  });
}
