import type { PlanRun } from '../core/plan-run.ts';

/** How a command ends. */
export const exitCodes = {
  complete: 0,
  failed: 1,
  usage: 2,
  needsPerson: 3,
  conflict: 4,
  interrupted: 130,
  terminated: 143,
} as const;

const usage: ReadonlySet<string> = new Set([
  'USAGE',
  'ID_INVALID',
  'CONFIG_INVALID',
  'CONFIG_NOT_FOUND',
  'MODEL_UNKNOWN',
  'MODEL_KEY_MISSING',
  'INPUT_MISSING',
  'INPUT_INVALID',
  'PLAN_INVALID',
  'CLARIFICATION_RESPONSE_INVALID',
]);

const conflict: ReadonlySet<string> = new Set([
  'RUN_BUSY',
  'DRIVER_LOST',
  'RUN_KEY_CONFLICT',
  'RUN_STATE_INVALID',
  'RUN_FILE_CHANGED',
  'PLAN_CHANGED',
  'CLARIFICATION_ALREADY_RESOLVED',
  'CLARIFICATION_EXPIRED',
]);

/** The exit code for an error that kept a command from its work. */
export function exitCodeOfError(code: string | undefined): number {
  if (code === undefined) return exitCodes.failed;
  if (usage.has(code)) return exitCodes.usage;
  return conflict.has(code) ? exitCodes.conflict : exitCodes.failed;
}

/** The exit code for a run as it was left. */
export function exitCodeOfRun(
  { state }: Pick<PlanRun, 'state'>,
  interruptedBy: 'SIGINT' | 'SIGTERM' | undefined,
): number {
  if (state === 'COMPLETE') return exitCodes.complete;
  if (state === 'FAILED') return exitCodes.failed;
  if (interruptedBy) return interruptedBy === 'SIGINT' ? exitCodes.interrupted : exitCodes.terminated;
  return state === 'NEED_CLARIFICATION' ? exitCodes.needsPerson : exitCodes.conflict;
}
