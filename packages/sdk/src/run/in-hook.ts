import { ensureError, PortiaError } from '../core/errors.ts';

/** What a hook threw, with the code it had or HOOK_FAILED: it fails the run, whatever the code says elsewhere. */
export class HookFailure extends PortiaError {}

/** Runs a hook. @throws HookFailure for whatever the hook throws. */
export async function inHook<T>(hook: () => T | Promise<T>): Promise<T> {
  try {
    return await hook();
  } catch (thrown) {
    const cause = ensureError(thrown);
    if (PortiaError.isInstance(cause))
      throw new HookFailure({ code: cause.code, message: cause.message, hint: cause.hint, cause });
    throw new HookFailure({ code: 'HOOK_FAILED', message: `a hook threw ${cause.name}: ${cause.message}`, cause });
  }
}
