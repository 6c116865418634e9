import { InputClarification } from '../../core/clarification.ts';
import type { RunError } from '../../core/event.ts';
import { isPlainObject, type JsonObject, type JsonValue } from '../../core/json.ts';
import type { Model, ModelAnswer, ModelTool, ModelToolCall } from '../../core/model.ts';
import { textOf } from '../../core/output.ts';
import { jsonSchemaOf, type Schema } from '../../core/schema.ts';
import type { AnyTool } from '../../core/tool.ts';
import { jsonOf, whyNot } from '../../model/json-answer.ts';
import { toolToModelTool } from '../../tool/tool.ts';
import { askModel, type Conversation, conversation } from '../model-call.ts';
import type { Awaitable } from '../../storage/storage-backend.ts';
import type { CallResult } from '../tool-call.ts';
import { type NoTurn, takeUpTurn } from '../turn.ts';
import type { VisitRun } from '../visit-run.ts';
import { type Waiting, waiting } from '../waiting.ts';
import { refuseCutCalls } from './cut-calls.ts';
import { fillPlaceholders } from './prompts/placeholders.ts';
import { answerBlock, type PromptValue, toolBlock } from './prompts/prompt-data.ts';
import { afterError, askPersonTool, finalResult, reactPrompt } from './prompts/react.ts';
import { checked, fit, wordsFor } from './step-result.ts';

/** What a ReAct step is given. */
export interface ReActRequest {
  readonly task: string;
  readonly inputs: readonly PromptValue[];
  /** The whole values of the inputs, by name. */
  readonly values: ReadonlyMap<string, JsonValue>;
  readonly tools: readonly AnyTool[];
  readonly outputSchema?: Schema | undefined;
  readonly allowClarifications: boolean;
  /** Tool calls it may make in all. */
  readonly toolCallLimit: number;
  readonly model: Model;
}

/** What came of it. */
export type ReActResult =
  | Waiting
  | { readonly ok: true; readonly value: JsonValue }
  | { readonly ok: false; readonly error: RunError };

/**
 * Lets a model use several tools in turns until it gives its result. Its messages are stored as they grow: a step that
 * waited, or whose process died, goes on from where it was, and makes no call twice.
 */
export async function runReActAgent(visit: VisitRun, request: ReActRequest): Promise<ReActResult> {
  const tools = request.tools.map(toolToModelTool);
  const byName = new Map(request.tools.map((tool, index) => [(tools[index] as ModelTool).name, tool]));
  const { task, inputs, model, outputSchema } = request;
  const offered = [
    ...tools,
    ...(outputSchema ? [resultTool(outputSchema)] : []),
    ...(request.allowClarifications ? [askPersonTool] : []),
  ];
  const { endUser } = visit.run;
  const now = visit.driver.now();
  const { contextWindow } = model;
  const givesThroughTool = outputSchema !== undefined;
  const talk = conversation(reactPrompt({ task, inputs, endUser, now, contextWindow, givesThroughTool }));
  for (let calls = 0, idle = 0; ; ) {
    visit.asked += 1;
    const { driver, step, visit: number, asked } = visit;
    const answer = await askModel(
      { driver, step, visit: number, slot: `m${asked}`, purpose: 'execution' },
      request.model,
      talk,
      { tools: offered, toolChoice: 'auto' },
    );
    const wanted = answer.toolCalls ?? [];
    const isCut = refuseCutCalls(talk, answer);
    if (wanted.length === 0 || isCut) {
      const result = isCut ? undefined : await takeText(visit, answer, outputSchema);
      if (result !== undefined) return { ok: true, value: result };
      idle += 1;
      if (idle > 1) return { ok: false, error: noResult(visit, answer) };
      const content = givesThroughTool ? `Call ${finalResult} with the result.` : 'Give the result.';
      if (!isCut) talk.messages.push({ role: 'user', content });
      continue;
    }
    const turn = await takeTurn({ visit, request, byName, talk }, wanted, calls);
    if (turn === waiting) return waiting;
    if ('result' in turn) return { ok: true, value: turn.result };
    if ('error' in turn) return { ok: false, error: turn.error };
    calls = turn.calls;
    idle = 0;
  }
}

function noResult(visit: VisitRun, answer: ModelAnswer): RunError {
  const message = `the model gave no result in the form asked for, also when told to${whyNot(answer)}`;
  return visit.error('AGENT_FAILED', message);
}

type Turn = Waiting | { readonly result: JsonValue } | { readonly error: RunError } | { readonly calls: number };

/** What a turn works with. */
interface TurnRequest {
  readonly visit: VisitRun;
  readonly request: ReActRequest;
  readonly byName: ReadonlyMap<string, AnyTool>;
  readonly talk: Conversation;
}

/** Does what a model wants in one turn, in its order. Everything it tries counts, so that no loop is without end. */
async function takeTurn(turn: TurnRequest, wanted: readonly ModelToolCall[], before: number): Promise<Turn> {
  const { visit, request, talk } = turn;
  let calls = before;
  let result: JsonValue | undefined;
  const make = await turnOf(turn, wanted, request.toolCallLimit - before);
  if (make === waiting) return waiting;
  if ('error' in make) return { error: make.error };
  for (const [place, call] of wanted.entries()) {
    // Also where it was not offered: to a step that an earlier release began, it was.
    const isResult = call.name === finalResult && !turn.byName.has(finalResult);
    const taken = isResult ? await takeResult(visit, call, request.outputSchema) : undefined;
    if (taken && 'value' in taken) {
      result = taken.value;
      continue;
    }
    if (calls >= request.toolCallLimit) {
      return {
        error: visit.error('AGENT_LIMIT', `the agent made ${calls} tool calls, which is its limit, without a result`),
      };
    }
    calls += 1;
    const done = taken ? wrong(visit, taken.problem) : await (make.calls.get(call)?.() ?? attempt(turn, call, place));
    if (done === waiting) return waiting;
    if (done.ok) say(talk, call, textOf(done.value));
    else if (final.has(done.error.code)) return { error: done.error };
    else say(talk, call, done.error.message, true);
  }
  return result === undefined ? { calls } : { result };
}

/** How each call of a turn that a tool can be given is made. */
interface TurnOfCalls {
  readonly calls: ReadonlyMap<ModelToolCall, () => Awaitable<CallResult>>;
}

/** Takes up the calls of a turn, and makes them at once when none of them has effects and all can be made. */
async function turnOf(
  { visit, request, byName }: TurnRequest,
  wanted: readonly ModelToolCall[],
  limit: number,
): Promise<TurnOfCalls | NoTurn> {
  const counted = wanted.filter(({ name }) => name !== finalResult || byName.has(name)).slice(0, limit);
  const ready = counted.flatMap((call) => {
    const tool = byName.get(call.name);
    const filled = tool && fill(request, tool, call);
    return filled && 'args' in filled ? [{ call, tool, args: filled.args }] : [];
  });
  const turn = await takeUpTurn(visit, ready, ready.length === wanted.length);
  if (turn === waiting || 'ok' in turn) return turn;
  return { calls: new Map(ready.map(({ call }, index) => [call, () => turn.make(index)])) };
}

/** One call that a model wants and that no tool can be given. */
function attempt({ visit, request, byName }: TurnRequest, call: ModelToolCall, place: number): CallResult {
  if (call.name === askPersonTool.name && request.allowClarifications) {
    const told = askPerson(visit, call, place);
    return told === waiting ? waiting : { ok: true, value: told };
  }
  const tool = byName.get(call.name);
  if (!tool) return wrong(visit, `there is no tool ${call.name}`);
  const filled = fill(request, tool, call);
  return wrong(visit, 'problem' in filled ? filled.problem : 'it was not made');
}

function wrong(visit: VisitRun, message: string): CallResult {
  return { ok: false, soft: true, error: visit.error('TOOL_ARGS_INVALID', message) };
}

/** The arguments of a call, with inputs in place of their names. */
function fill(
  { values }: ReActRequest,
  tool: AnyTool,
  { args }: ModelToolCall,
): { readonly args: JsonObject } | { readonly problem: string } {
  if (!isPlainObject(args)) return { problem: 'the arguments must be a JSON object' };
  const filled = fillPlaceholders(args as JsonObject, values, toolToModelTool(tool).argsSchema);
  if (filled.unknown.length > 0) return { problem: `nothing is named ${filled.unknown.join(', ')}` };
  return { args: filled.args as JsonObject };
}

/** What a person decided, and what a hook broke, is not for the model to get round. */
const final: ReadonlySet<string> = new Set(['APPROVAL_REFUSED', 'CALL_STOPPED', 'HOOK_FAILED', 'TOOL_NOT_ALLOWED']);

/** What is said to a call is data: results and errors of tools, and people's answers, stand in blocks. */
function say(talk: Conversation, call: ModelToolCall, content: string, isError = false): void {
  talk.messages.push({
    role: 'tool',
    callId: call.id,
    toolName: call.name,
    content: isError
      ? `${toolBlock(content)}\n${afterError}`
      : call.name === askPersonTool.name
        ? answerBlock(content)
        : toolBlock(content),
    ...(isError && { isError: true as const }),
  });
}

function resultTool(schema: Schema): ModelTool {
  const result = jsonSchemaOf(schema, 'the result', 'input');
  return {
    name: finalResult,
    description: 'Gives the result and ends the task.',
    argsSchema: { type: 'object', properties: { result }, required: ['result'], additionalProperties: false },
  };
}

async function takeResult(
  visit: VisitRun,
  call: ModelToolCall,
  schema: Schema | undefined,
): Promise<{ readonly value: JsonValue } | { readonly problem: string }> {
  const given = isPlainObject(call.args) ? (call.args['result'] as JsonValue | undefined) : call.args;
  if (given === undefined) return { problem: 'give the result as { "result": … }' };
  if (!schema) return { value: given };
  const fitting = await fit(schema, given, wordsFor(visit));
  if (fitting) return fitting;
  try {
    return { value: await checked(schema, given, wordsFor(visit)) };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

/** A model that answers in words has given its result, unless it must have a form that the words do not have. */
async function takeText(
  visit: VisitRun,
  answer: ModelAnswer,
  schema: Schema | undefined,
): Promise<JsonValue | undefined> {
  const text = answer.text.trim();
  // Half an answer is no result.
  if (text === '' || whyNot(answer) !== '') return undefined;
  if (!schema) return text;
  const json = jsonOf(answer);
  return json === undefined ? undefined : (await fit(schema, json, wordsFor(visit)))?.value;
}

function askPerson(visit: VisitRun, call: ModelToolCall, place: number): string | Waiting {
  const guidance =
    isPlainObject(call.args) && typeof call.args['guidance'] === 'string' ? call.args['guidance'] : 'Please tell more.';
  const key = `agent:${visit.callId(0)}${visit.asked}.${place}`;
  const [asked] = visit.questions(key);
  if (asked) return asked.clarification.resolved ? textOf(asked.clarification.response) : waiting;
  const clarification = InputClarification({
    userGuidance: guidance,
    argumentName: 'react_agent_clarification',
    source: 'ReAct agent',
  });
  visit.raise(key, [{ clarification }], { audience: 'endUser' });
  return waiting;
}
