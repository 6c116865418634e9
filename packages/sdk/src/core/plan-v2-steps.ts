import type { Audience } from './clarification.ts';
import type { ExpiryPolicy } from './event.ts';
import type { Reference, Text } from './reference.ts';
import type { Schema } from './schema.ts';
import type { AnyTool, ToolRunContext } from './tool.ts';

/** A text that may hold references. Plain strings may hold them as templates. */
export type Template = string | Text;

/** Values with references in them, at any depth. */
export type Args = Readonly<Record<string, unknown>>;

/** How a step that failed softly, or timed out without effect, is tried again. */
export interface RetryPolicy {
  /** Attempts in all; 1 is no retry. */
  readonly maxAttempts: number;
  /** Milliseconds before the second attempt; 1,000 unless given. */
  readonly delayMs?: number | undefined;
  /** By what the pause grows each time; 2 unless given. */
  readonly backoff?: number | undefined;
}

/** An approval that is asked for before a step does anything. */
export interface ApprovalOptions {
  readonly message: Template;
  /** `operator` unless given. */
  readonly audience?: Audience | undefined;
  /** Milliseconds. */
  readonly expiresIn?: number | undefined;
  readonly onExpiry?: ExpiryPolicy | undefined;
  /** Asked only when this is true of the step's arguments; pure, its result is stored. */
  // biome-ignore lint/suspicious/noExplicitAny: the builder types it by the step's arguments
  readonly when?: ((args: any) => boolean | Promise<boolean>) | undefined;
}

/** What any step that does something may say. */
export interface StepOptions {
  readonly retry?: RetryPolicy | undefined;
  /** Milliseconds for one attempt; waiting for people does not count. */
  readonly timeoutMs?: number | undefined;
  readonly approval?: ApprovalOptions | undefined;
}

/** A function of a plan. Pure ones (`readOnly`) may be repeated; all others have effects, as tools have. */
// biome-ignore lint/suspicious/noExplicitAny: the builder types it by the step's arguments
export type StepFunction = (args: any, context: ToolRunContext) => unknown;
/** A condition: a pure function of its arguments, or a sentence that a model judges. */
// biome-ignore lint/suspicious/noExplicitAny: the builder types it by the step's arguments
export type Condition = ((args: any) => boolean | Promise<boolean>) | Template;

interface Named {
  readonly name: string;
}

/** One unit of a builder plan, as data and functions. Control steps count as steps. */
export type StepV2 = Named &
  (
    | ({ readonly kind: 'llm'; readonly task: Template; readonly inputs: readonly unknown[]; readonly outputSchema?: Schema | undefined; readonly systemPrompt?: string | undefined; readonly model?: string | undefined } & StepOptions)
    | ({ readonly kind: 'invoke-tool'; readonly tool: string | AnyTool; readonly args: Args; readonly outputSchema?: Schema | undefined } & StepOptions)
    | ({ readonly kind: 'function'; readonly function: StepFunction; readonly args: Args; readonly outputSchema?: Schema | undefined; readonly readOnly?: boolean | undefined; readonly idempotent?: boolean | undefined; readonly version?: string | undefined } & StepOptions)
    | ({ readonly kind: 'single-tool-agent'; readonly tool: string | AnyTool; readonly task: Template; readonly inputs: readonly unknown[]; readonly outputSchema?: Schema | undefined; readonly model?: string | undefined } & StepOptions)
    | ({ readonly kind: 'react-agent'; readonly tools: readonly (string | AnyTool)[]; readonly task: Template; readonly inputs: readonly unknown[]; readonly outputSchema?: Schema | undefined; readonly allowAgentClarifications: boolean; readonly toolCallLimit: number; readonly model?: string | undefined } & StepOptions)
    | { readonly kind: 'user-verify'; readonly message: Template; readonly audience?: Audience | undefined; readonly expiresIn?: number | undefined; readonly onExpiry?: ExpiryPolicy | undefined }
    | { readonly kind: 'user-input'; readonly message: Template; readonly options?: readonly unknown[] | Reference | undefined; readonly schema?: Schema | undefined; readonly audience?: Audience | undefined; readonly expiresIn?: number | undefined; readonly onExpiry?: ExpiryPolicy | undefined }
    | { readonly kind: 'if' | 'else-if'; readonly condition: Condition; readonly args: Args }
    | { readonly kind: 'else' }
    /** `value`: the first of these steps that has run gives the output of the block. */
    | { readonly kind: 'end-if'; readonly value?: FirstOf | undefined }
    | { readonly kind: 'loop'; readonly type: 'while' | 'do-while'; readonly condition?: Condition | undefined; readonly args: Args; readonly initial?: Args | undefined; readonly maxIterations: number }
    | { readonly kind: 'loop'; readonly type: 'for-each'; readonly over: unknown; readonly concurrency: number; readonly maxIterations: number }
    | { readonly kind: 'end-loop'; readonly condition?: Condition | undefined; readonly args?: Args | undefined }
    | { readonly kind: 'parallel'; readonly concurrency?: number | undefined; readonly onFailure: 'finish' | 'abort' }
    | { readonly kind: 'branch' }
    | { readonly kind: 'end-parallel' }
    | { readonly kind: 'exit'; readonly message: Template; readonly error: boolean }
    | { readonly kind: 'sub-plan'; readonly plan: unknown; readonly inputValues: Args }
    | { readonly kind: 'wait-for'; readonly message: Template; readonly schema?: Schema | undefined; readonly expiresIn?: number | undefined; readonly onExpiry?: ExpiryPolicy | undefined }
    | { readonly kind: 'sleep'; readonly ms: number | Reference }
    | ({ readonly kind: 'custom'; readonly run: StepFunction; readonly args: Args; readonly readOnly?: boolean | undefined; readonly version?: string | undefined } & StepOptions)
  );

/** Merges branches: the output of the first of these steps that has run. */
export interface FirstOf {
  readonly firstOf: readonly string[];
}
