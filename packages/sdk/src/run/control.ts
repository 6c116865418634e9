import { ensureError, PortiaError } from '../core/errors.ts';
import type { RunEventBody } from '../core/event.ts';
import type { JsonValue } from '../core/json.ts';
import { shown } from '../core/plan-v2-fields.ts';
import type { Condition } from '../core/plan-v2-steps.ts';
import type {
  ControlInstruction,
  EndLoopInstruction,
  EndSubPlanInstruction,
  ExitInstruction,
  IfInstruction,
  LoopInstruction,
} from '../core/program.ts';
import { isReference } from '../core/reference.ts';
import type { RunState } from '../core/run-state.ts';
import { exitTarget, type Frame, lastValueOf, type Thread, valueSeen, visitName } from '../core/thread.ts';
import { judgeSentence } from './agents/condition.ts';
import { checked, fit, wordsFor } from './agents/step-result.ts';
import { visitField } from './driver.ts';
import { fittingInput } from './plan-run-inputs.ts';
import { resolve, resolveArgs, resolveText } from './references.ts';
import type { DrivenRun } from './runtime.ts';
import { fullValue } from './step-inputs.ts';
import { VisitRun } from './visit-run.ts';

type StepEndBody = Extract<RunEventBody, { type: 'step-end' }>;
type Move = Omit<StepEndBody, 'type' | 'step' | 'visit'>;
type Change = NonNullable<Move['frame']>;

/** Whether an exit is taken: a strand beside this one may have ended what it is to end. */
type MayExit = (exit: ExitInstruction) => boolean;

/** What a control step does to the run when it ends more than its own step. */
export type ControlEnd = 'next' | { readonly exit: string; readonly error: boolean };

/** Executes a step that only steers, except the ones that fork. One event says where the thread goes on. */
export async function steer(
  run: DrivenRun,
  thread: Thread,
  instruction: ControlInstruction,
  mayExit: MayExit,
): Promise<ControlEnd> {
  const visit = new VisitRun(run, instruction, visitName(thread, thread.counts.get(instruction.index) ?? 0), thread);
  if (instruction.op === 'exit') return leave(visit, thread, instruction, mayExit);
  const move = await decide(visit, thread, instruction);
  run.driver.emit({ type: 'step-end', step: instruction.index, ...visitField(visit.visit), ...move });
  return 'next';
}

function decide(
  visit: VisitRun,
  thread: Thread,
  instruction: Exclude<ControlInstruction, { op: 'exit' }>,
): Move | Promise<Move> {
  const after = instruction.index + 1;
  const frame = thread.frames.at(-1);
  switch (instruction.op) {
    case 'if':
    case 'else-if':
      return clause(visit, instruction, frame);
    case 'else':
      return taken(frame)
        ? { next: instruction.end, result: false }
        : { result: true, frame: { top: ifFrame(frame, true) } };
    case 'end-if':
      return { ...firstOf(visit, thread, instruction.value), frame: { pop: true } };
    case 'loop':
      return enterLoop(visit, instruction, frame);
    case 'end-loop':
      return endLoop(visit, instruction, frame);
    case 'branch':
    case 'end-parallel':
    case 'parallel':
      return { next: after, result: true };
    case 'sub-plan':
      return enterSubPlan(visit, instruction);
    case 'end-sub-plan':
      return leaveSubPlan(visit, thread, instruction);
  }
}

const taken = (frame: Frame | undefined): boolean => frame?.kind === 'if' && frame.taken;

function ifFrame(frame: Frame | undefined, isTaken: boolean): Frame {
  return { kind: 'if', step: frame?.step ?? -1, taken: isTaken };
}

/** A clause whose block is settled already is passed over without being judged. */
async function clause(visit: VisitRun, instruction: IfInstruction, frame: Frame | undefined): Promise<Move> {
  if (instruction.op === 'else-if' && taken(frame)) return { next: instruction.end };
  const holds = await judge(visit, instruction.condition, instruction.args);
  const change: Frame = {
    kind: 'if',
    step: instruction.op === 'if' ? instruction.index : (frame?.step ?? -1),
    taken: holds,
  };
  return {
    result: holds,
    frame: instruction.op === 'if' ? { push: change } : { top: change },
    ...(!holds && { next: instruction.otherwise }),
  };
}

function firstOf(visit: VisitRun, thread: Thread, value: { readonly firstOf: readonly string[] } | undefined): Move {
  if (!value) return { result: true };
  const { program } = visit.driver.state;
  for (const name of value.firstOf) {
    const step = visit.scope.steps.get(name);
    const output = step === undefined ? undefined : valueSeen(program, thread, visit.step, step);
    if (output && 'value' in output) return { output: { value: output.value } };
    if (output) return { output: { memory: output.outputName, summary: output.summary } };
  }
  return { output: { value: null } };
}

async function enterLoop(visit: VisitRun, loop: LoopInstruction, top: Frame | undefined): Promise<Move> {
  const inside = top?.kind === 'loop' && top.step === loop.index ? top : undefined;
  const iteration = inside?.iteration ?? 0;
  const change = (items?: readonly JsonValue[]): Change =>
    inside ? { advance: true } : { push: { kind: 'loop', step: loop.index, iteration: 1, ...(items && { items }) } };
  if (loop.type === 'for-each') {
    const items = inside?.items ?? (await itemsOf(visit, loop));
    const item = items[iteration];
    if (iteration >= items.length)
      return { next: loop.end + 1, result: false, ...(inside && { frame: { pop: true } }) };
    checkBound(loop, iteration, visit);
    return { output: { value: item ?? null }, frame: change(items) };
  }
  checkBound(loop, iteration, visit);
  const holds =
    loop.type === 'do-while' ||
    (await judge(visit, loop.condition as Condition, loop.args, iteration === 0 ? loop.initial : undefined));
  if (!holds) return { next: loop.end + 1, result: false, ...(inside && { frame: { pop: true } }) };
  return { result: true, frame: change() };
}

function checkBound(loop: LoopInstruction, iteration: number, visit: VisitRun): void {
  if (iteration < loop.maxIterations) return;
  throw new PortiaError({
    code: 'LOOP_LIMIT',
    message: `loop ${visit.instruction.key} has run ${iteration} times, which is its limit`,
    hint: 'give the loop a higher maxIterations, or a condition that ends it',
    planRunId: visit.driver.id,
  });
}

/** What a for-each goes through: a list, or one text. @throws PortiaError `REFERENCE_MISSING`, `OUTPUT_INVALID`. */
export async function itemsOf(visit: VisitRun, loop: LoopInstruction): Promise<readonly JsonValue[]> {
  const items = await resolve(visit, loop.over);
  if (typeof items === 'string') return [items];
  if (Array.isArray(items)) return items;
  throw new PortiaError({
    code: 'OUTPUT_INVALID',
    message: `loop ${visit.instruction.key} goes over ${items === null ? 'null' : typeof items}, which is no list`,
    hint: isReference(loop.over) ? `check what ${loop.over.toString()} gives` : 'give a list',
    planRunId: visit.driver.id,
  });
}

async function endLoop(visit: VisitRun, instruction: EndLoopInstruction, frame: Frame | undefined): Promise<Move> {
  const loop = visit.driver.state.program.instructions[instruction.start] as LoopInstruction;
  if (loop.type !== 'do-while') return { next: instruction.start, result: true };
  const condition = instruction.condition ?? (loop.condition as Condition);
  const args = instruction.condition ? instruction.args : loop.args;
  const again = await judge(visit, condition, args);
  if (again && frame?.kind === 'loop') checkBound(loop, frame.iteration, visit);
  return again ? { next: instruction.start, result: true } : { result: false, frame: { pop: true } };
}

async function enterSubPlan(
  visit: VisitRun,
  instruction: Extract<ControlInstruction, { op: 'sub-plan' }>,
): Promise<Move> {
  const { defaults, index } = instruction;
  const bound = { ...(await resolveArgs(visit, instruction.inputs)) };
  for (const { name, schema } of instruction.checks) {
    const value = bound[name];
    if (value !== undefined && schema) bound[name] = await fittingInput(name, schema, value);
  }
  return { result: true, frame: { push: { kind: 'sub-plan', step: index, inputs: { ...defaults, ...bound } } } };
}

/** What a sub-plan gives: what its last step made, in the schema of its final output; or the message of its exit. */
async function leaveSubPlan(visit: VisitRun, thread: Thread, { schema }: EndSubPlanInstruction): Promise<Move> {
  const { program } = visit.driver.state;
  const { lastStep } = thread;
  const last = lastStep === undefined ? undefined : lastValueOf(thread, lastStep);
  const frame = { pop: true } as const;
  const isShaped = schema && lastStep !== undefined && program.instructions[lastStep]?.op !== 'exit';
  if (last && isShaped) {
    const value = await fullValue(visit.run.runtime.storage, visit.driver.state, last);
    const what = wordsFor(visit);
    const fitting = await fit(schema, value, what);
    return { output: fitting ?? { value: await checked(schema, value, what) }, frame };
  }
  if (!last) return { output: { value: null }, frame };
  return 'value' in last
    ? { output: { value: last.value }, frame }
    : { output: { memory: last.outputName, summary: last.summary }, frame };
}

/** Ends the plan, or the sub-plan it stands in, with a message as the outcome. */
async function leave(
  visit: VisitRun,
  thread: Thread,
  instruction: ExitInstruction,
  mayExit: MayExit,
): Promise<ControlEnd> {
  const message = await resolveText(visit, instruction.message);
  // A strand beside this one has ended it meanwhile.
  if (!mayExit(instruction)) return 'next';
  if (instruction.error || instruction.end === undefined) {
    if (!instruction.error) {
      visit.driver.emit({
        type: 'step-end',
        step: instruction.index,
        ...visitField(visit.visit),
        output: { value: message },
        next: exitTarget,
      });
    }
    return { exit: message, error: instruction.error };
  }
  visit.driver.emit({
    type: 'step-end',
    step: instruction.index,
    ...visitField(visit.visit),
    output: { value: message },
    ...wayOut(visit.driver.state, thread, instruction.end),
  });
  return 'next';
}

/** Leads a thread to the end of the sub-plan it stands in, out of all blocks between. */
export function wayOut(
  { program }: RunState,
  { frames }: Thread,
  end: number,
): { readonly next: number; readonly frame?: { readonly drop: number } } {
  const last = program.instructions[end];
  const entered =
    last?.op === 'end-sub-plan'
      ? frames.findLastIndex(({ kind, step }) => kind === 'sub-plan' && step === last.start)
      : -1;
  const drop = frames.length - 1 - entered;
  return { next: end, ...(drop > 0 && { frame: { drop } }) };
}

/** Whether a condition holds: by its function, or by what a model makes of its sentence. */
async function judge(
  visit: VisitRun,
  condition: Condition,
  args: Readonly<Record<string, unknown>>,
  initial?: Readonly<Record<string, unknown>>,
): Promise<boolean> {
  const values = initial
    ? { ...(await resolveArgs(visit, without(args, initial))), ...(await resolveArgs(visit, initial)) }
    : await resolveArgs(visit, args);
  if (typeof condition === 'function') return truthOf(visit.instruction.key, condition, values);
  return judgeSentence(visit, await resolveText(visit, condition), values);
}

/** What a condition says. One that says neither is a mistake, and no branch is taken by mistake. */
async function truthOf(
  key: string,
  condition: Extract<Condition, (args: never) => unknown>,
  values: Readonly<Record<string, JsonValue>>,
): Promise<boolean> {
  let said: unknown;
  try {
    said = await condition(values);
  } catch (thrown) {
    const cause = ensureError(thrown);
    if (PortiaError.isInstance(cause)) throw cause;
    const message = `the condition of ${key} threw ${cause.name}: ${cause.message}`;
    throw new PortiaError({ code: 'STEP_FAILED', message, cause });
  }
  if (typeof said === 'boolean') return said;
  throw new PortiaError({
    code: 'OUTPUT_INVALID',
    message: `the condition of ${key} gave ${shown(said)}, which is neither true nor false`,
    hint: 'give a boolean, such as amount > 0 or name !== undefined',
  });
}

/** The arguments that have no initial value. */
function without(
  args: Readonly<Record<string, unknown>>,
  initial: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(args).filter(([key]) => !Object.hasOwn(initial, key)));
}
