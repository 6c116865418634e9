import type { ClarificationHandler } from '../clarify/clarification-handler.ts';
import { plainLine, plainText } from '../clarify/plain-text.ts';
import { type Audience, UserVerificationClarification } from '../core/clarification.ts';
import type { ExpiryPolicy } from '../core/event.ts';
import type { JsonValue } from '../core/json.ts';
import { serializeValue } from '../core/output.ts';
import type { AnyTool } from '../core/tool.ts';
import type { Logger } from '../observe/logger.ts';
import {
  BeforeStepExecutionOutcome,
  type ClarificationRequest,
  type ExecutionHooks,
  type ToolHookResult,
} from './hooks.ts';

type Hook<Name extends keyof ExecutionHooks> = NonNullable<ExecutionHooks[Name]>;

/** Who approves a tool call, with which words, and for how long. */
export interface ApprovalOptions {
  /** `operator` unless given. */
  readonly audience?: Audience | undefined;
  /** What the person is asked; the tool's name and the arguments are always shown below it. */
  readonly message?: string | ((tool: AnyTool, args: Readonly<Record<string, JsonValue>>) => string) | undefined;
  /** Milliseconds to answer in; no limit unless given. */
  readonly expiresIn?: number | undefined;
  /** What happens then; the run fails unless given. */
  readonly onExpiry?: ExpiryPolicy | undefined;
}

/**
 * A `beforeToolCall` hook: calls of these tools wait until a person has approved exactly this call with exactly these
 * arguments. A "no" fails the run with `APPROVAL_REFUSED`, and the tool is not called.
 */
export function clarifyOnToolCalls(
  tools: AnyTool | string | readonly (AnyTool | string)[],
  options: ApprovalOptions = {},
): Hook<'beforeToolCall'> {
  const list = (Array.isArray(tools) ? tools : [tools]) as readonly (AnyTool | string)[];
  const ids = new Set(list.map((item) => (typeof item === 'string' ? item : item.id)));
  return (tool, args) => (ids.has(tool.id) ? approvalOf(tool, args, options) : undefined);
}

/** A `beforeToolCall` hook: every tool call waits for a person's approval. */
export function clarifyOnAllToolCalls(options: ApprovalOptions = {}): Hook<'beforeToolCall'> {
  return (tool, args) => approvalOf(tool, args, options);
}

function approvalOf(
  tool: AnyTool,
  args: Readonly<Record<string, JsonValue>>,
  options: ApprovalOptions,
): ClarificationRequest {
  const { audience = 'operator', message, expiresIn, onExpiry } = options;
  const asked = typeof message === 'function' ? message(tool, args) : message;
  const name = tool.name === tool.id ? tool.id : `${tool.name} (${tool.id})`;
  const call = plainLine(name);
  // Arguments come from a model: what is shown must be all of it, with nothing hidden in it.
  const shown = plainText(JSON.stringify(args, null, 2));
  const userGuidance =
    asked === undefined
      ? `May ${call} be called with these arguments?\n${shown}`
      : `${plainText(asked)}\n${call} will be called with these arguments:\n${shown}`;
  return {
    clarification: UserVerificationClarification({ userGuidance, source: 'User verification tool hook' }),
    audience,
    expiresIn,
    onExpiry,
  };
}

const longestLogged = 1000;

/** An `afterStepExecution` hook that logs what each step gave, cut at 1,000 characters. */
export function logStepOutputs(logger: Logger): Hook<'afterStepExecution'> {
  return (_plan, planRun, step, output) => {
    const text = serializeValue(output);
    const shown = text.length <= longestLogged ? text : `${text.slice(0, longestLogged)}…`;
    const by = step.toolId ? ` (${step.toolId})` : '';
    logger.info(`step "${step.task}"${by} gave ${step.output}: ${shown}`, { planRunId: planRun.id });
  };
}

/**
 * Several sets of hooks as one. Each point calls them all, in order; a step is left out when any of them says so. Of
 * several clarifications before or after a tool call the first wins. When a later hook changes the arguments of a call
 * after an earlier one has asked about it, the earlier one is asked again, so that a person is shown what will run.
 */
export function combineHooks(...hooks: readonly ExecutionHooks[]): ExecutionHooks {
  const having = <Name extends keyof ExecutionHooks>(name: Name): readonly ExecutionHooks[] =>
    hooks.filter((one) => one[name]);
  const combined: { -readonly [Name in keyof ExecutionHooks]: ExecutionHooks[Name] } = {};
  const beforeRun = having('beforePlanRun');
  if (beforeRun.length > 0) {
    combined.beforePlanRun = async (plan, planRun) => {
      for (const one of beforeRun) await one.beforePlanRun?.(plan, planRun);
    };
  }
  const beforeStep = having('beforeStepExecution');
  if (beforeStep.length > 0) combined.beforeStepExecution = allBeforeStep(beforeStep);
  const afterStep = having('afterStepExecution');
  if (afterStep.length > 0) {
    combined.afterStepExecution = async (plan, planRun, step, output) => {
      for (const one of afterStep) await one.afterStepExecution?.(plan, planRun, step, output);
    };
  }
  const afterRun = having('afterPlanRun');
  if (afterRun.length > 0) {
    combined.afterPlanRun = async (plan, planRun, output) => {
      for (const one of afterRun) await one.afterPlanRun?.(plan, planRun, output);
    };
  }
  const beforeCall = having('beforeToolCall');
  if (beforeCall.length > 0) combined.beforeToolCall = allBeforeCall(beforeCall);
  const afterCall = having('afterToolCall');
  if (afterCall.length > 0) combined.afterToolCall = allAfterCall(afterCall);
  addModelHooks(combined, having);
  if (having('inPlanOrder').length > 0) combined.inPlanOrder = true;
  const handlers = hooks.flatMap(({ clarificationHandler }) => (clarificationHandler ? [clarificationHandler] : []));
  return handlers.length > 0 ? { ...combined, clarificationHandler: combineHandlers(handlers) } : combined;
}

function addModelHooks(
  combined: { -readonly [Name in keyof ExecutionHooks]: ExecutionHooks[Name] },
  having: (name: keyof ExecutionHooks) => readonly ExecutionHooks[],
): void {
  const outputs = having('toolOutput');
  if (outputs.length > 0) {
    combined.toolOutput = (tool, output) =>
      outputs.reduce((value, one) => one.toolOutput?.(tool, value) ?? null, output);
  }
  const inputs = having('runInput');
  if (inputs.length > 0) {
    combined.runInput = (name, input) => inputs.reduce((value, one) => one.runInput?.(name, value) ?? null, input);
  }
  const before = having('beforeModelCall');
  if (before.length > 0) {
    combined.beforeModelCall = (call, planRun) => firstOf(before, (one) => one.beforeModelCall?.(call, planRun));
  }
  const after = having('afterModelCall');
  if (after.length > 0) {
    combined.afterModelCall = (answer, call, planRun) =>
      firstOf(after, (one) => one.afterModelCall?.(answer, call, planRun));
  }
}

/** Asks all of them, in order; what the first one asks is asked. */
async function firstOf(
  hooks: readonly ExecutionHooks[],
  ask: (one: ExecutionHooks) => ToolHookResult | Promise<ToolHookResult>,
): Promise<ToolHookResult> {
  let first: ToolHookResult;
  for (const one of hooks) {
    const asked = await ask(one);
    first ||= asked;
  }
  return first;
}

function allBeforeStep(hooks: readonly ExecutionHooks[]): Hook<'beforeStepExecution'> {
  return async (plan, planRun, step) => {
    const outcomes: unknown[] = [];
    for (const one of hooks) outcomes.push(await one.beforeStepExecution?.(plan, planRun, step));
    return outcomes.includes(BeforeStepExecutionOutcome.SKIP)
      ? BeforeStepExecutionOutcome.SKIP
      : BeforeStepExecutionOutcome.CONTINUE;
  };
}

function allBeforeCall(hooks: readonly ExecutionHooks[]): Hook<'beforeToolCall'> {
  return async (tool, args, planRun, step) => {
    let first: { readonly one: ExecutionHooks; readonly asked: ToolHookResult; readonly about: string } | undefined;
    for (const one of hooks) {
      const asked = await one.beforeToolCall?.(tool, args, planRun, step);
      if (asked && !first) first = { one, asked, about: JSON.stringify(args) };
    }
    if (!first || first.about === JSON.stringify(args)) return first?.asked;
    return (await first.one.beforeToolCall?.(tool, args, planRun, step)) ?? first.asked;
  };
}

function allAfterCall(hooks: readonly ExecutionHooks[]): Hook<'afterToolCall'> {
  return async (tool, output, planRun, step) => {
    let first: ToolHookResult;
    for (const one of hooks) {
      const asked = await one.afterToolCall?.(tool, output, planRun, step);
      first ||= asked;
    }
    return first;
  };
}

/** For each kind of question, the first handler that answers it. */
function combineHandlers(handlers: readonly ClarificationHandler[]): ClarificationHandler {
  const kinds = [
    'handleAction',
    'handleInput',
    'handleMultipleChoice',
    'handleValueConfirmation',
    'handleUserVerification',
    'handleCustom',
  ] as const;
  const combined: Record<string, unknown> = {};
  for (const kind of kinds) {
    const handler = handlers.find((one) => one[kind]);
    const method = handler?.[kind];
    if (method) combined[kind] = method.bind(handler as never);
  }
  return combined;
}
