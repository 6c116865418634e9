import { InputClarification } from '../../core/clarification.ts';
import { ensureError, PortiaError } from '../../core/errors.ts';
import { isPlainObject, type JsonObject } from '../../core/json.ts';
import type { ModelAnswer, ModelTool, ModelToolCall } from '../../core/model.ts';
import { textOf } from '../../core/output.ts';
import type { AnyTool } from '../../core/tool.ts';
import { whyNot } from '../../model/json-answer.ts';
import { toolToModelTool } from '../../tool/tool.ts';
import { askModel, type Conversation, conversation } from '../model-call.ts';
import type { StepInput } from '../step-inputs.ts';
import type { CallResult, MadeCall } from '../tool-call.ts';
import { takeUpTurn } from '../turn.ts';
import type { VisitRun } from '../visit-run.ts';
import { type Waiting, waiting } from '../waiting.ts';
import { refuseCutCalls } from './cut-calls.ts';
import { executionPrompt } from './prompts/execution.ts';
import { fillPlaceholders } from './prompts/placeholders.ts';
import { answerBlocks, toolBlock } from './prompts/prompt-data.ts';
import { maxSoftErrors, outOfAttempts, promptInput, type ToolTask } from './tool-task.ts';

/** One model call settles the arguments; soft errors are shown to the model, which may try again. */
export async function runOneShotAgent(visit: VisitRun, work: ToolTask): Promise<CallResult> {
  const { tool, inputs } = work;
  const asksPeople = visit.run.runtime.config.argumentClarificationsEnabled;
  const tools: ModelTool[] = [toolToModelTool(tool), ...(asksPeople ? [clarificationTool] : [])];
  const talk = conversation(executionPrompt({ ...promptInput(visit, work), canAskPeople: asksPeople }));
  let softErrors = 0;
  let idleTurns = 0;
  for (;;) {
    const answer = await ask(visit, work, talk, tools);
    const turn = await takeTurn(visit, tool, talk, answer, inputs);
    if (turn === waiting) return waiting;
    if (turn === 'told') continue;
    if (turn === 'idle') {
      idleTurns += 1;
      if (idleTurns > 1) return noCall(visit, tool, answer);
      continue;
    }
    if (turn.ok || !turn.soft) return turn;
    softErrors += 1;
    if (softErrors >= maxSoftErrors) return outOfAttempts(visit, tool, turn);
  }
}

function ask(
  visit: VisitRun,
  { tool, model }: ToolTask,
  talk: Conversation,
  tools: readonly ModelTool[],
): Promise<ModelAnswer> {
  visit.asked += 1;
  const { driver, step, visit: number, asked } = visit;
  return askModel({ driver, step, visit: number, slot: `m${asked}`, purpose: 'execution' }, model, talk, {
    tools,
    toolChoice: 'auto',
    ...(!tool.readOnly && { parallelToolCalls: false as const }),
  });
}

function noCall(visit: VisitRun, tool: AnyTool, answer: ModelAnswer): CallResult {
  const said = answer.text === '' ? '' : `: ${answer.text.slice(0, 500)}`;
  const message = `the model did not call ${tool.id}${whyNot(answer)}${said}`;
  return { ok: false, soft: false, error: visit.error('AGENT_FAILED', message) };
}

/** `idle`: the model called nothing, or its calls were cut off. `told`: it asked a person and has the answer. */
type Turn = CallResult | 'idle' | 'told';

/** Makes the calls of one answer, in order. Several values become a list; the first call that fails ends the turn. */
async function takeTurn(
  visit: VisitRun,
  tool: AnyTool,
  talk: Conversation,
  answer: ModelAnswer,
  inputs: readonly StepInput[],
): Promise<Turn> {
  const calls = answer.toolCalls ?? [];
  if (calls.length === 0) {
    talk.messages.push({
      role: 'user',
      content: `Call ${toolToModelTool(tool).name} if you have what it needs; else say in one sentence what is missing.`,
    });
    return 'idle';
  }
  if (refuseCutCalls(talk, answer)) return 'idle';
  const wanted = calls.map((call) => wantedCall(visit, tool, call, inputs));
  const ready = wanted.flatMap((one) => ('args' in one ? [{ tool, args: one.args }] : []));
  const turn = await takeUpTurn(visit, ready, ready.length === calls.length);
  if (turn === waiting || 'ok' in turn) return turn;
  const made: MadeCall[] = [];
  let failed: Extract<CallResult, { ok: false }> | undefined;
  let place = 0;
  for (const [index, call] of calls.entries()) {
    if (call.name === clarificationTool.name) {
      const told = askPerson(visit, call);
      if (told === waiting) return waiting;
      talk.messages.push({ role: 'tool', callId: call.id, toolName: call.name, content: told });
      continue;
    }
    const one = wanted[index] as Wanted;
    const at = 'args' in one ? place++ : 0;
    const result: CallResult = failed ?? ('args' in one ? await turn.make(at) : one);
    if (result === waiting) return waiting;
    talk.messages.push(toolMessage(call, result));
    if (result.ok) made.push({ args: turn.argsOf(at), value: result.value });
    else failed = result;
  }
  if (failed) return failed;
  const [first, ...more] = made;
  if (!first) return 'told';
  if (more.length === 0) return { ok: true, value: first.value };
  return { ok: true, value: Object.freeze(made.flatMap(({ value }) => value)), calls: made };
}

/** A call that can be made, or what is wrong with it. */
type Wanted = { readonly args: JsonObject } | Extract<CallResult, { ok: false }>;

function wantedCall(visit: VisitRun, tool: AnyTool, call: ModelToolCall, inputs: readonly StepInput[]): Wanted {
  const { name } = toolToModelTool(tool);
  if (call.name !== name) return invalidCall(visit, `there is no tool ${call.name}; call ${name}`);
  if (!isPlainObject(call.args)) return invalidCall(visit, `the arguments of ${name} must be a JSON object`);
  const values = new Map(inputs.map((input) => [input.name, input.value]));
  const filled = fillPlaceholders(call.args as JsonObject, values, toolToModelTool(tool).argsSchema);
  if (filled.unknown.length > 0) return invalidCall(visit, `nothing is named ${filled.unknown.join(', ')}`);
  return { args: filled.args as JsonObject };
}

function invalidCall(visit: VisitRun, message: string): Extract<CallResult, { ok: false }> {
  return { ok: false, soft: true, error: visit.error('TOOL_ARGS_INVALID', message) };
}

const afterError = 'Change what this names; do not make the same call again.';

function toolMessage(call: ModelToolCall, result: Exclude<CallResult, Waiting>): Conversation['messages'][number] {
  const base = { role: 'tool' as const, callId: call.id, toolName: call.name };
  return result.ok
    ? { ...base, content: toolBlock(textOf(result.value)) }
    : { ...base, content: `${toolBlock(result.error.message)}\n${afterError}`, isError: true };
}

/** Lets the agent ask for an argument instead of making one up. */
const clarificationTool: ModelTool = {
  name: 'clarification_tool',
  description: 'Asks the person for the value of an argument that is not known. Use it instead of guessing.',
  argsSchema: {
    type: 'object',
    properties: {
      argument_name: { type: 'string', description: 'The argument whose value is missing' },
      user_guidance: { type: 'string', description: 'The question to the person, in one sentence' },
    },
    required: ['argument_name'],
    additionalProperties: false,
  },
};

/** The question of an agent; the person's answer comes back as the result, so that the agent calls its tool with it. */
function askPerson(visit: VisitRun, call: ModelToolCall): string | Waiting {
  const args = isPlainObject(call.args) ? call.args : {};
  const argumentName =
    typeof args['argument_name'] === 'string' && args['argument_name'] !== '' ? args['argument_name'] : 'value';
  const guidance =
    typeof args['user_guidance'] === 'string' ? args['user_guidance'] : `Missing Argument: ${argumentName}`;
  const key = `agent:${visit.callId(0)}${visit.asked}:${argumentName}`;
  const [asked] = visit.questions(key);
  if (!asked) {
    const clarification = InputClarification({ userGuidance: guidance, argumentName, source: 'Clarification tool' });
    visit.raise(key, [{ clarification }], { audience: 'endUser' });
    return waiting;
  }
  if (!asked.clarification.resolved) return waiting;
  return answerBlocks([{ argumentName, question: guidance, response: asked.clarification.response }]).join('');
}

/** The error of a step as its run shows it. */
export function asStepError(visit: VisitRun, thrown: unknown): Extract<CallResult, { ok: false }> {
  if (PortiaError.isInstance(thrown))
    return { ok: false, soft: false, error: visit.error(thrown.code, thrown.message) };
  const message = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : ensureError(thrown).message;
  return { ok: false, soft: false, error: visit.error('STEP_FAILED', message) };
}
