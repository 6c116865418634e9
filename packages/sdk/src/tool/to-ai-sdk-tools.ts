import { type Clarification, clarificationToWire } from '../core/clarification.ts';
import { defaultEndUserId, EndUser, mergeEndUser } from '../core/end-user.ts';
import { ensureError, PortiaError, ToolHardError, ToolSoftError } from '../core/errors.ts';
import { hashText } from '../core/hash.ts';
import { PlanRunUUID } from '../core/ids.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { Model } from '../core/model.ts';
import { type Schema, validate } from '../core/schema.ts';
import type { AnyTool } from '../core/tool.ts';
import { silentLogger } from '../observe/logger.ts';
import { callOutside, readyOutside } from '../run/call-outside.ts';
import { ToolLimits } from '../run/limits.ts';
import { systemClock } from '../run/system-clock.ts';
import type { StorageBackend } from '../storage/storage-backend.ts';
import { argsJsonSchemaOf, checkTool, modelToolName } from './tool.ts';

/** A call that is to be allowed, or not. */
export interface AiSdkToolCall {
  readonly tool: AnyTool;
  readonly args: JsonObject;
  readonly endUser: EndUser;
  /** The AI SDK's id of the call. */
  readonly toolCallId: string;
}

/** Where and for whom {@link toAiSdkTools} has tools called. */
export interface ToAiSdkOptions {
  /** On whose behalf; the default end user unless given. */
  readonly endUser?: string | EndUser | undefined;
  /**
   * Asked before each call of a tool that is not read-only: only the literal `true` lets it be made. Without it such
   * tools are refused. Where the AI SDK's own `needsApproval` asks a person first, `() => true` says so.
   */
  readonly approve?: ((call: AiSdkToolCall) => boolean | Promise<boolean>) | undefined;
  /** What tools that ask a model get; without it they fail. */
  readonly model?: Model | undefined;
  /**
   * Names the conversation. With the AI SDK's id of a call it makes the idempotency key, so that a call which is made
   * again in the same conversation has the same key. A new one unless given.
   */
  readonly conversationId?: string | undefined;
  /** Hears of the progress tools report. */
  readonly onProgress?: ((toolId: string, progress: JsonValue) => void) | undefined;
}

/** A tool as the AI SDK takes it; described by its shape, so that any version fits. */
export interface AiSdkExecutableTool {
  readonly description: string;
  readonly title: string;
  readonly inputSchema: AiSdkInputSchema;
  execute(
    input: unknown,
    options: { readonly toolCallId: string; readonly abortSignal?: AbortSignal | undefined },
  ): Promise<JsonValue>;
}

/** Arguments that are checked, and described as JSON Schema: a Standard Schema, and what `jsonSchema()` makes. */
export interface AiSdkInputSchema extends Schema<JsonObject> {
  readonly '~standard': Schema<JsonObject>['~standard'] & {
    readonly jsonSchema: { input(): Record<string, unknown>; output(): Record<string, unknown> };
  };
}

/**
 * Tools of ours for the AI SDK's `generateText` and `streamText`: an object by name, the names as models accept them.
 * Time limits, `maxConcurrency`, `perMinute`, `retry` and schemas hold as in a run.
 *
 * There is no run, so there is no ledger, and nobody is there to be asked. What needs a person is refused: a tool with
 * effects that `approve` does not allow (`APPROVAL_REFUSED`), one that asks a question or wants a sign-in first
 * (`PERSON_NEEDED`, the questions in its details). The AI SDK hands such errors to the model, and to you as `tool-error`.
 *
 * @throws PortiaError `TOOL_DUPLICATE` when two tools get the same name, `TOOL_INVALID` for one that cannot work.
 */
export function toAiSdkTools(
  tools: Iterable<AnyTool>,
  options: ToAiSdkOptions = {},
): Record<string, AiSdkExecutableTool> {
  const host = new Host(options);
  const made: Record<string, AiSdkExecutableTool> = {};
  for (const tool of tools) {
    checkTool(tool);
    const name = modelToolName(tool.id);
    if (Object.hasOwn(made, name))
      throw new PortiaError({
        code: 'TOOL_DUPLICATE',
        message: `two tools would be called ${name}; one is ${tool.id}`,
      });
    made[name] = {
      description: tool.description,
      title: tool.name,
      inputSchema: inputSchemaOf(tool),
      execute: (input, { toolCallId, abortSignal }) => host.call(tool, input as JsonObject, toolCallId, abortSignal),
    };
  }
  return made;
}

/** What `asSchema` of the AI SDK knows its own schemas by. */
const ownSchema = Symbol.for('vercel.ai.schema');

/** The arguments are handed on as they came: the call itself makes of them what the tool's schema gives. */
function inputSchemaOf(tool: AnyTool): AiSdkInputSchema {
  const jsonSchema = argsJsonSchemaOf(tool);
  const problems = async (value: unknown): Promise<readonly string[]> => {
    const checked = tool.argsSchema ? await validate(tool.argsSchema, value) : { ok: true as const };
    return checked.ok ? [] : checked.issues;
  };
  const made = {
    [ownSchema]: true,
    _type: undefined,
    jsonSchema,
    async validate(value: unknown) {
      const issues = await problems(value);
      return issues.length === 0 ? { success: true, value } : { success: false, error: new Error(issues.join('; ')) };
    },
    '~standard': {
      version: 1 as const,
      vendor: 'portia-ts',
      async validate(value: unknown) {
        const issues = await problems(value);
        return issues.length === 0
          ? { value: value as JsonObject }
          : { issues: issues.map((message) => ({ message })) };
      },
      jsonSchema: { input: () => ({ ...jsonSchema }), output: () => ({ ...jsonSchema }) },
    },
  };
  return made;
}

type Saved = Parameters<StorageBackend['saveEndUser']>;

class Host {
  readonly #options: ToAiSdkOptions;
  readonly #planRunId = PlanRunUUID.random();
  readonly #toolLimits = new ToolLimits(systemClock);
  #endUser: EndUser;

  constructor(options: ToAiSdkOptions) {
    const { endUser = defaultEndUserId } = options;
    this.#options = options;
    this.#endUser = EndUser(typeof endUser === 'string' ? { externalId: endUser } : endUser);
  }

  async call(tool: AnyTool, args: JsonObject, toolCallId: string, signal: AbortSignal | undefined): Promise<JsonValue> {
    const { conversationId = this.#planRunId, model, onProgress } = this.#options;
    const outside = {
      planRunId: this.#planRunId,
      endUser: this.#endUser,
      signal,
      callId: toolCallId,
      idempotencyKey: hashText(`${conversationId}/${toolCallId}`),
      model,
      onProgress: (progress: JsonValue) => onProgress?.(tool.id, progress),
    };
    await this.#allow(tool, args, toolCallId);
    const ready = await readyOutside(tool, outside);
    if (!ready.ready) throw notReady(tool, ready.clarifications ?? [], ready.reason);
    const runtime = {
      storage: { saveEndUser: (...saved: Saved) => this.#keep(...saved) },
      toolLimits: this.#toolLimits,
    };
    try {
      const result = await callOutside({ ...runtime, logger: silentLogger, clock: systemClock }, tool, args, outside);
      if (result.kind === 'value') return result.value;
      if (result.kind === 'clarifications') throw needsPerson(tool, result.clarifications);
      throw new ToolSoftError(result.message);
    } catch (error) {
      throw inWords(tool, ensureError(error));
    }
  }

  async #allow(tool: AnyTool, args: JsonObject, toolCallId: string): Promise<void> {
    if (tool.readOnly === true) return;
    const { approve } = this.#options;
    const answer = await approve?.({ tool, args, endUser: this.#endUser, toolCallId });
    if (answer === true) return;
    throw new PortiaError({
      code: 'APPROVAL_REFUSED',
      message: approve
        ? `the call of ${tool.id} was not approved; it was not made`
        : `${tool.id} has effects, and nothing here approves calls; it was not made`,
      hint: approve ? undefined : 'give toAiSdkTools approve, or call the tool in a plan run',
    });
  }

  #keep(...saved: Saved): EndUser {
    this.#endUser = mergeEndUser(this.#endUser, ...saved);
    return this.#endUser;
  }
}

function notReady(tool: AnyTool, asked: readonly Clarification[], reason = 'it does not say why'): PortiaError {
  if (asked.length > 0) return needsPerson(tool, asked);
  return new PortiaError({ code: 'TOOL_NOT_READY', message: `${tool.id} cannot be called: ${reason}` });
}

function needsPerson(tool: AnyTool, asked: readonly Clarification[]): PortiaError {
  return new PortiaError({
    code: 'PERSON_NEEDED',
    message: `${tool.id} needs a person, and nobody can be asked here: ${asked.map(({ userGuidance }) => userGuidance).join('; ')}`,
    hint: 'call it in a plan run, where people can answer; the questions are in details.clarifications',
    details: { clarifications: asked.map(clarificationToWire) },
  });
}

/** A model that reads the error must not take a call that may have happened for one that did not. */
function inWords(tool: AnyTool, error: Error): Error {
  const settled = error instanceof ToolSoftError || error instanceof ToolHardError || tool.readOnly || tool.idempotent;
  const certain = !PortiaError.isInstance(error) || (error.code !== 'TOOL_FAILED' && error.code !== 'TOOL_TIMEOUT');
  if (settled || certain) return error;
  return new PortiaError({
    code: error.code as 'TOOL_FAILED',
    message: `${error.message}. It is not known whether the call happened: do not make it again`,
    cause: error,
  });
}
