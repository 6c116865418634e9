import type { Audience, Clarification } from '../core/clarification.ts';
import type { ExpiryPolicy } from '../core/event.ts';
import type { JsonValue } from '../core/json.ts';
import type { Output } from '../core/output.ts';
import type { ReadOnlyPlan, ReadOnlyStep } from '../core/plan.ts';
import type { ReadOnlyPlanRun } from '../core/plan-run.ts';
import type { AnyTool } from '../core/tool.ts';
import type { ModelAnswerDraft, ModelCall } from './model-hooks.ts';
import type { ClarificationHandler } from '../clarify/clarification-handler.ts';

/** What `beforeStepExecution` may return: go on (also by returning nothing), or leave this step out. */
export const BeforeStepExecutionOutcome = { CONTINUE: 'CONTINUE', SKIP: 'SKIP' } as const;
/** What `beforeStepExecution` may return. */
export type BeforeStepExecutionOutcome = (typeof BeforeStepExecutionOutcome)[keyof typeof BeforeStepExecutionOutcome];

/** A clarification with a word on who may answer it and for how long. */
export interface ClarificationRequest {
  readonly clarification: Clarification;
  /** Default: `operator` for an approval of a tool call, `endUser` for all else. */
  readonly audience?: Audience | undefined;
  /** Milliseconds from now. */
  readonly expiresIn?: number | undefined;
  /** What happens then; `fail` unless given. */
  readonly onExpiry?: ExpiryPolicy | undefined;
  /** The form it is a field of: the answer `{ "decline": true }` to one field declines them all. */
  readonly form?: string | undefined;
}

/** What a tool hook may return to ask a person first. */
export type ToolHookResult = Clarification | ClarificationRequest | undefined | void;

/**
 * Your code at named points of a run; each may be async. Hooks see read-only views. A hook that throws fails the run
 * with `HOOK_FAILED` (or the PortiaError it threw). After a crash a hook may be called a second time for the same
 * point, but never for one that the record shows as passed.
 */
export interface ExecutionHooks {
  /**
   * An input of a run, before it is stored: what this returns takes its place. It is not checked against the plan's schema
   * again. Throwing makes no run.
   */
  runInput?(name: string, value: JsonValue): JsonValue;
  /** Once per run, before its first step; again when nothing of a step is on record yet after a crash or for a retry. */
  beforePlanRun?(plan: ReadOnlyPlan, planRun: ReadOnlyPlanRun): void | Promise<void>;
  /**
   * Once per visit of a step, before it does anything. Never while another `beforeStepExecution` or `beforeToolCall` of
   * the same run is asked: of the strands that stand at one, the first in the order of the plan comes next.
   */
  beforeStepExecution?(
    plan: ReadOnlyPlan,
    planRun: ReadOnlyPlanRun,
    step: ReadOnlyStep,
  ): BeforeStepExecutionOutcome | undefined | void | Promise<BeforeStepExecutionOutcome | undefined | void>;
  /**
   * After each finished step, in the order of the plan, one at a time, also where steps ran at once; on failure with the
   * error's text as the output; not when the step waits. At least once: a process that died before it was told leaves
   * it to the next one.
   */
  afterStepExecution?(
    plan: ReadOnlyPlan,
    planRun: ReadOnlyPlanRun,
    step: ReadOnlyStep,
    output: Output,
  ): void | Promise<void>;
  /**
   * After COMPLETE or FAILED, with the final output, which for a failed run is the error's text; not when the run waits,
   * or completes without any output. At least once: a run whose process died before it was told is found by a worker,
   * `resume` or `retry` of a client with this hook.
   */
  afterPlanRun?(plan: ReadOnlyPlan, planRun: ReadOnlyPlanRun, output: Output | undefined): void | Promise<void>;
  /**
   * Before every tool call of every kind of step. `args` may be changed in place: they are checked again and frozen
   * afterwards. Returning a User Verification makes it an approval of exactly this call with exactly these arguments;
   * any other clarification is answered first, and then the hook is asked again. Throwing fails the step.
   */
  beforeToolCall?(
    tool: AnyTool,
    args: Record<string, JsonValue>,
    planRun: ReadOnlyPlanRun,
    step: ReadOnlyStep,
  ): ToolHookResult | Promise<ToolHookResult>;
  /** After every tool call that gave a result. A clarification pauses the step; the tool is not called again. */
  afterToolCall?(
    tool: AnyTool,
    output: JsonValue,
    planRun: ReadOnlyPlanRun,
    step: ReadOnlyStep,
  ): ToolHookResult | Promise<ToolHookResult>;
  /**
   * What a tool gave, before it is stored or shown to anybody: what this returns takes its place. Also for the texts of
   * errors. It may be called more than once for one call, and must do the same each time.
   */
  toolOutput?(tool: AnyTool, output: JsonValue): JsonValue;
  /**
   * Before each model call of a run, also those that tools make with `ctx.model()`; not for one whose answer is on
   * record. And before each call of a planning, where there is no run yet, and no person can be asked. `call.messages` may be changed in place: what they say then is sent, and stored as far as they are new.
   * A User Verification lets a person approve the call; any other clarification is answered first, and then the hook is
   * asked again. Throwing fails the step.
   */
  beforeModelCall?(call: ModelCall, planRun: ReadOnlyPlanRun | undefined): ToolHookResult | Promise<ToolHookResult>;
  /**
   * After each model call that gave an answer, once. `answer` may be changed in place before it is stored and used. A
   * clarification pauses the step; the answer is kept, and used after anything but a no.
   */
  afterModelCall?(
    answer: ModelAnswerDraft,
    call: ModelCall,
    planRun: ReadOnlyPlanRun | undefined,
  ): ToolHookResult | Promise<ToolHookResult>;
  /**
   * Reads strictly as if in sequence: a branch, a round of a concurrent loop, or a call beside others of an agent's turn
   * begins only when all that come before it have ended, or wait for a person or a time. Nothing of a run is done at
   * once then. False unless given: hooks before steps and calls are asked one at a time, while the work goes on at once.
   */
  readonly inPlanOrder?: boolean | undefined;
  /** Answers clarifications in this process, as they are raised. */
  readonly clarificationHandler?: ClarificationHandler | undefined;
}
