import { InputClarification } from '../../core/clarification.ts';
import type { JsonObject, JsonValue } from '../../core/json.ts';
import type { ModelMessage, ModelTool } from '../../core/model.ts';
import { cutText } from '../../model/tokens.ts';
import { complaintAbout, isRepairable } from '../../model/repair.ts';
import { dataBlock } from '../../model/data-block.ts';
import { toolToModelTool } from '../../tool/tool.ts';
import { askModel, type Conversation, conversation } from '../model-call.ts';
import { type CallResult, callTool } from '../tool-call.ts';
import type { VisitRun } from '../visit-run.ts';
import { type Waiting, waiting } from '../waiting.ts';
import { argumentNames, type CheckedArgs, checkArguments, isRequired } from './argument-check.ts';
import { askStructured } from './ask-structured.ts';
import type { ExecutionPromptInput } from './prompts/execution.ts';
import {
  argumentsPrompt,
  argumentsSchema,
  parseArguments,
  parseVerdicts,
  type SettledArgument,
  verdictsPrompt,
  verdictsSchema,
} from './prompts/verified-arguments.ts';
import { answersSoFar, maxSoftErrors, outOfAttempts, promptInput, type ToolTask } from './tool-task.ts';
import { isTraceable } from './traceable.ts';

/** How often the arguments are asked for before people are asked about what still does not fit. */
const maxParserCalls = 5;
/** How often people are asked for one argument, when what they say does not fit. */
const maxQuestions = 3;

interface Desk extends ToolTask {
  readonly offered: ModelTool;
  readonly names: readonly string[];
  readonly values: ReadonlyMap<string, JsonValue>;
  readonly prompt: ExecutionPromptInput;
  readonly talk: Conversation;
}

/** Arguments as they would be passed, and the names of those that people have to be asked about, with why. */
interface Draft extends CheckedArgs {
  readonly doubtful: ReadonlyMap<string, string>;
}

/**
 * The verifying agent (`executionAgentType: 'DEFAULT'`). One model call settles all arguments and says which of them it
 * made up. Values that stand letter for letter in what the step was given need no second look; others are judged by
 * one more call. A made-up value, or one that does not fit, is asked of a person, whose answer takes its place. Then
 * the tool is called with exactly these arguments; no model comes in between.
 */
export async function runVerifyingAgent(visit: VisitRun, work: ToolTask): Promise<CallResult> {
  const desk = deskOf(visit, work);
  for (let softErrors = 0; ; ) {
    const draft = await settle(visit, desk);
    const asked = askAbout(visit, draft);
    if (asked) return asked;
    const result = await callTool(visit, work.tool, draft.args);
    if (result === waiting || result.ok || !result.soft) return result;
    softErrors += 1;
    if (softErrors >= maxSoftErrors) return outOfAttempts(visit, work.tool, result);
    desk.talk.messages.push(failure(draft.args, result.error.message));
  }
}

function deskOf(visit: VisitRun, work: ToolTask): Desk {
  const offered = toolToModelTool(work.tool);
  const prompt = promptInput(visit, work);
  return {
    ...work,
    offered,
    names: argumentNames(offered),
    values: new Map(work.inputs.map(({ name, value }) => [name, value])),
    prompt,
    talk: conversation(argumentsPrompt(prompt)),
  };
}

function failure(args: JsonObject, message: string): ModelMessage {
  const shown = cutText(message, 10_000);
  const block = dataBlock('tool_output', shown, { arguments: cutText(JSON.stringify(args), 2_000) });
  return { role: 'user', content: `The call failed. Change what the error names.\n${block}` };
}

/** Asks for the arguments until they fit the tool's schema, or until asking again is no use. */
async function settle(visit: VisitRun, desk: Desk): Promise<Draft> {
  let before = '';
  for (let calls = 1; ; calls += 1) {
    const settled = await askForArguments(visit, desk, calls);
    if (!settled) continue;
    const answers = answersOf(visit, desk);
    const checked = await checkArguments(desk.tool, argsOf(desk, settled, answers), desk.values);
    const doubtful = madeUpOf(desk, settled, answers);
    const wrong = [...checked.problems].filter(([name]) => !doubtful.has(name));
    const said = JSON.stringify([...settled]);
    // Who says the same again will not do better, and what a person said is theirs to mend.
    const isFinal = calls >= maxParserCalls || said === before || wrong.every(([name]) => answers.has(name));
    if (!isFinal) {
      before = said;
      desk.talk.messages.push(complaint(wrong));
      continue;
    }
    for (const [name, why] of checked.problems) if (!doubtful.has(name)) doubtful.set(name, why);
    for (const name of await judged(visit, desk, checked.args, answers, doubtful)) doubtful.set(name, 'it is made up');
    return { ...checked, doubtful };
  }
}

async function askForArguments(
  visit: VisitRun,
  { model, offered, names, talk }: Desk,
  calls: number,
): Promise<ReadonlyMap<string, SettledArgument> | undefined> {
  visit.asked += 1;
  const { driver, step, visit: number, asked } = visit;
  const at = { driver, step, visit: number, slot: `m${asked}`, purpose: 'execution' as const };
  const answer = await askModel(at, model, talk, { schema: argumentsSchema(offered) });
  try {
    return parseArguments(answer, names);
  } catch (error) {
    if (calls >= maxParserCalls || !isRepairable(error)) throw error;
    talk.messages.push(complaintAbout(error));
    return undefined;
  }
}

function complaint(wrong: readonly (readonly [name: string, problem: string])[]): ModelMessage {
  const list = wrong.map(([name, problem]) => (name === '' ? problem : `${name}: ${problem}`)).join('\n');
  return {
    role: 'user',
    content: `These do not fit:\n${dataBlock('tool_output', list)}\nAnswer again with all arguments; mark as made up what has no source.`,
  };
}

/** What people said about arguments of this step. */
function answersOf(visit: VisitRun, { names }: Desk): ReadonlyMap<string, JsonValue> {
  const given = answersSoFar(visit).map(({ argumentName, response }) => [argumentName, response] as const);
  return new Map(given.filter(([name]) => names.includes(name)));
}

/** The arguments to pass: a person's word over the model's; an optional one without a value is left out. */
function argsOf(
  { names, offered }: Desk,
  settled: ReadonlyMap<string, SettledArgument>,
  answers: ReadonlyMap<string, JsonValue>,
): JsonObject {
  const args: Record<string, JsonValue> = {};
  for (const name of names) {
    const value = answers.has(name) ? answers.get(name) : settled.get(name)?.value;
    if (value === undefined || (value === null && !isRequired(offered, name))) continue;
    args[name] = value;
  }
  return args;
}

function madeUpOf(
  { offered }: Desk,
  settled: ReadonlyMap<string, SettledArgument>,
  answers: ReadonlyMap<string, JsonValue>,
): Map<string, string> {
  const doubtful = new Map<string, string>();
  for (const [name, { value, madeUp }] of settled) {
    const isLeftOut = value === null && !isRequired(offered, name);
    if (madeUp && !isLeftOut && !answers.has(name)) doubtful.set(name, 'it is made up');
  }
  return doubtful;
}

/** Of the values that do not stand in the data, those that a second reading finds to be made up. */
async function judged(
  visit: VisitRun,
  { prompt, model }: Desk,
  args: JsonObject,
  answers: ReadonlyMap<string, JsonValue>,
  doubtful: ReadonlyMap<string, string>,
): Promise<readonly string[]> {
  const texts = [
    prompt.task,
    ...[...prompt.inputs, ...prompt.earlier].map(({ text }) => text),
    JSON.stringify(prompt.endUser),
  ];
  const open = Object.entries(args).filter(
    ([name, value]) => !answers.has(name) && !doubtful.has(name) && !isTraceable(value, texts),
  );
  if (open.length === 0) return [];
  const names = open.map(([name]) => name);
  return askStructured(visit, {
    model,
    purpose: 'execution',
    messages: verdictsPrompt(prompt, Object.fromEntries(open)),
    schema: verdictsSchema(names),
    read: (answer) => parseVerdicts(answer, names),
  });
}

/** Puts what is missing before a person, all of it at once; nothing to do when nothing is. */
function askAbout(visit: VisitRun, { doubtful }: Draft): CallResult | Waiting | undefined {
  let isAsked = false;
  for (const [name, why] of doubtful) {
    if (name === '') return cannotAsk(visit, why);
    const key = `argument:${visit.callId(0)}:${name}`;
    const asked = visit.questions(key);
    const last = asked.at(-1);
    if (last && !last.clarification.resolved) {
      isAsked = true;
      continue;
    }
    if (asked.length >= maxQuestions) return cannotAsk(visit, `${name}: ${why}`);
    const again = last ? ` (the answer before does not fit: ${cutText(why, 300)})` : '';
    const clarification = InputClarification({
      userGuidance: `Missing Argument: ${name}${again}`,
      argumentName: name,
      source: 'Default execution agent',
    });
    visit.raise(key, [{ clarification }], { audience: 'endUser' });
    isAsked = true;
  }
  return isAsked ? waiting : undefined;
}

function cannotAsk(visit: VisitRun, why: string): CallResult {
  return { ok: false, soft: false, error: visit.error('TOOL_ARGS_INVALID', `the arguments do not fit: ${why}`) };
}
