import type { Clarification } from './clarification.ts';
import type { EndUser } from './end-user.ts';
import type { PlanRunUUID } from './ids.ts';
import type { JsonObject, JsonValue } from './json.ts';
import type { Model } from './model.ts';
import type { RetryPolicy } from './plan-v2-steps.ts';
import type { Schema } from './schema.ts';

/** What a tool is told about the call it is in. */
export interface ToolRunContext {
  /** The same on every attempt of this call: give it to the other side so that it can tell a repetition. */
  readonly idempotencyKey: string;
  /** `<step>.<visit>.<n>`. */
  readonly callId: string;
  /** 1, or more when this very call is made again with the same key, as after a crash. */
  readonly attempt: number;
  /** Whether the call may be made again in doubt, as the tool is marked where it is registered: read-only or idempotent. */
  readonly repeatable: boolean;
  readonly planRunId: PlanRunUUID;
  /** The W3C trace context of this call: give it to the other side as the header `traceparent`. */
  readonly traceparent: string;
  /** What goes with it as the header `tracestate`, where whoever started the run gave one. */
  readonly tracestate?: string | undefined;
  readonly endUser: EndUser;
  /** The clarifications of this step visit, answered ones included. */
  readonly clarifications: readonly Clarification[];
  /** Aborted when the call times out or the run is cancelled. */
  readonly signal: AbortSignal;
  /** The model the run uses for tools: the default model, or the one named; of a list, the first that answers. */
  model(name?: string | readonly string[]): Model;
  /** Shows progress to whoever watches the run; never stored. */
  progress(progress: JsonValue): void;
  /** Changes these keys of the end user's `additionalData`, and no others; saved after the call, and never the reason that a call fails. */
  updateEndUser(additionalData: Readonly<Record<string, string | null>>): void;
}

/** What a tool's `ready` is told. */
export interface ToolReadyContext {
  readonly planRunId: PlanRunUUID;
  readonly endUser: EndUser;
  readonly signal: AbortSignal;
}

/** Whether a tool can be called now; if not, what a person has to do first. */
export interface ReadyResponse {
  readonly ready: boolean;
  readonly clarifications?: readonly Clarification[];
  /** Why not, in words. */
  readonly reason?: string;
}

/** What a tool gives back: a JSON value, or questions that must be answered before it can work. */
export type ToolResult<Out> = Out | Clarification | readonly Clarification[];

/** What became of a call that may have happened: its receipt, that it did not happen, or that nobody knows. */
export type Reconciled<Out> = Out | 'not-happened' | 'unknown';

/**
 * How a call that failed is made again, with the same arguments and the same idempotency key, before a step or a person
 * hears of it. Only where that is safe: after a soft error, which says that nothing happened; after any other error and
 * after a time-out only of a tool that is marked `readOnly` or `idempotent`. A hard error is final.
 */
export interface ToolRetry extends RetryPolicy {
  /** Only after failures for which it says yes; after all that are safe unless given. */
  readonly when?: ((error: Error) => boolean) | undefined;
}

/**
 * Something that can be called, with a schema. Functions ({@link tool}), classes and MCP tools are all this.
 *
 * A tool has effects unless it is marked: `readOnly` (no effect; may be repeated freely) or `idempotent` (the same
 * idempotency key has the same effect). After a crash in the middle of a call, a marked tool is called again; one
 * with `reconcile` is asked; for any other a person decides.
 */
export interface Tool<Args = never, Out = unknown, Input = unknown> {
  /** Unique in a registry; no commas. */
  readonly id: string;
  readonly name: string;
  readonly description: string;
  /** Absent: the tool takes no arguments. `Args` is what it gives, `Input` what it accepts. */
  readonly argsSchema?: Schema<Args, Input> | undefined;
  /** The JSON Schema of the arguments, when `argsSchema` cannot give it. */
  readonly argsJsonSchema?: JsonObject | undefined;
  /** What comes out: a type and a description, in words, for planners. */
  readonly outputDescription?: readonly [type: string, description: string] | undefined;
  /** The shape of the result; a result that does not fit is an error (`OUTPUT_INVALID`). */
  readonly outputSchema?: Schema<Out> | undefined;
  readonly readOnly?: boolean | undefined;
  readonly idempotent?: boolean | undefined;
  /** Whether it may destroy or overwrite something, where somebody said so; for hooks that ask before such calls. */
  readonly destructive?: boolean | undefined;
  /** Whether the result should be summarised for later prompts. */
  readonly shouldSummarize?: boolean | undefined;
  /** Milliseconds an attempt may take; 60,000 unless given. */
  readonly timeoutMs?: number | undefined;
  /** Unless given, only an idempotent tool is called again in doubt: three attempts, without a pause. */
  readonly retry?: ToolRetry | undefined;
  /** Calls at once, over all runs of a client. */
  readonly maxConcurrency?: number | undefined;
  /** Calls in any minute, over all runs of a client. */
  readonly perMinute?: number | undefined;
  ready?(context: ToolReadyContext): ReadyResponse | Promise<ReadyResponse>;
  /** Looks up a call that may have happened, by its idempotency key. */
  reconcile?(args: Args, context: ToolRunContext): Reconciled<Out> | Promise<Reconciled<Out>>;
  run(args: Args, context: ToolRunContext): ToolResult<Out> | Promise<ToolResult<Out>>;
  /**
   * The form a question of this tool is a field of, where it asks with several at once: the answer `{ "decline": true }` to
   * one field then declines all, and the tool is called again with that answer to each.
   */
  formOf?(question: Clarification): string | undefined;
  /** Lets go of what it holds open, such as a connection; called when a client that has it closes. It may be called again. */
  close?(): void | Promise<void>;
}

/** A tool of any type, as registries and the engine hold it. */
// biome-ignore lint/suspicious/noExplicitAny: tools of all argument types live together; arguments are checked at the call
export type AnyTool = Tool<any, any>;

/** Longest rendered description a tool may have, in characters. */
export const maxToolDescription = 16_384;
