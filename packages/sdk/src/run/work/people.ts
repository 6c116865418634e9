import {
  type Clarification,
  CustomClarification,
  InputClarification,
  isApproved,
  MultipleChoiceClarification,
  UserVerificationClarification,
} from '../../core/clarification.ts';
import { PortiaError } from '../../core/errors.ts';
import type { JsonObject, JsonValue } from '../../core/json.ts';
import type { StepOptions } from '../../core/plan-v2-steps.ts';
import type { WorkStep } from '../../core/program.ts';
import type { Schema } from '../../core/schema.ts';
import { checked, wordsFor } from '../agents/step-result.ts';
import { resolve, resolveText } from '../references.ts';
import type { Performed } from './performed.ts';
import { pause } from '../tool-retry.ts';
import { stepApprovalKey, type VisitRun } from '../visit-run.ts';
import { waiting } from '../waiting.ts';

type Of<Kind extends WorkStep['kind']> = Extract<WorkStep, { kind: Kind }>;

const done = (value: JsonValue): Performed => ({ kind: 'output', result: { value, summary: null } });

/** An answer as the step's output: what its schema makes of it. */
async function answered(visit: VisitRun, response: JsonValue, schema: Schema | undefined): Promise<Performed> {
  return done(schema ? await checked(schema, response, wordsFor(visit)) : response);
}

/** What a question of this visit is known by. */
const keyOf = (visit: VisitRun, what: string): string => `${what}:${visit.callId(0)}`;

/** Asks for a yes; a no ends the run. */
export async function performUserVerify(visit: VisitRun, work: Of<'user-verify'>): Promise<Performed> {
  const key = keyOf(visit, 'verify');
  const [asked] = visit.questions(key);
  if (!asked) {
    const userGuidance = await resolveText(visit, work.message);
    return ask(
      visit,
      key,
      UserVerificationClarification({ userGuidance, source: 'User verify step' }),
      work,
      'endUser',
    );
  }
  if (!asked.clarification.resolved) return waiting;
  if (isApproved(asked.clarification)) return done(true);
  return {
    kind: 'failed',
    error: visit.error('APPROVAL_REFUSED', `User rejected verification: ${asked.clarification.userGuidance}`),
  };
}

/** Asks for a value: free, or one of some options. */
export async function performUserInput(visit: VisitRun, work: Of<'user-input'>): Promise<Performed> {
  const key = keyOf(visit, 'input');
  const [asked] = visit.questions(key);
  if (asked) return asked.clarification.resolved ? answered(visit, asked.clarification.response, work.schema) : waiting;
  const userGuidance = await resolveText(visit, work.message);
  const options = work.options === undefined ? undefined : await resolve(visit, work.options);
  if (options !== undefined && !Array.isArray(options))
    throw wrongValue(visit, `offers ${shown(options)} to choose from`, 'a list');
  const fields = { userGuidance, argumentName: visit.instruction.output, source: 'User input step' };
  const question =
    options !== undefined && options.length > 0
      ? MultipleChoiceClarification({ ...fields, options: options as readonly JsonValue[] })
      : InputClarification(fields);
  return ask(visit, key, question, work, 'endUser');
}

/** Waits for a machine: a callback or a webhook that gives a value. */
export async function performWaitFor(visit: VisitRun, work: Of<'wait-for'>): Promise<Performed> {
  const key = keyOf(visit, 'wait-for');
  const [asked] = visit.questions(key);
  if (asked) return asked.clarification.resolved ? answered(visit, asked.clarification.response, work.schema) : waiting;
  const userGuidance = await resolveText(visit, work.message);
  return ask(
    visit,
    key,
    CustomClarification({ userGuidance, name: 'wait_for', source: 'Wait for step' }),
    work,
    'role:machine',
  );
}

type Asks = Pick<Of<'user-verify'>, 'audience' | 'expiresIn' | 'onExpiry'>;

function ask(
  visit: VisitRun,
  key: string,
  clarification: Clarification,
  work: Asks,
  audience: 'endUser' | 'role:machine',
): Performed {
  const { expiresIn, onExpiry } = work;
  visit.raise(key, [{ clarification, audience: work.audience, expiresIn, onExpiry }], { audience });
  return waiting;
}

function wrongValue({ instruction, driver }: VisitRun, what: string, wanted: string): PortiaError {
  return new PortiaError({
    code: 'OUTPUT_INVALID',
    message: `step ${instruction.key} ${what}`,
    hint: `refer to what gives ${wanted}`,
    planRunId: driver.id,
  });
}

const shown = (value: JsonValue | undefined): string => String(JSON.stringify(value)).slice(0, 200);

/** Short pauses are spent here; for long ones the run is left until its time has come. */
const longestNap = 2_000;

/** Sleeps: the time is settled once and stored, whatever happens meanwhile. */
export async function performSleep(visit: VisitRun, work: Of<'sleep'>): Promise<Performed> {
  const { driver } = visit;
  let until = visit.stored?.until;
  if (until === undefined) {
    const ms = await resolve(visit, work.ms);
    if (typeof ms !== 'number' || ms < 0)
      throw wrongValue(visit, `is to sleep for ${shown(ms)}`, 'milliseconds from 0');
    until = driver.now() + ms;
    driver.emit({ type: 'sleep-start', ...visit.place, until });
    await driver.commit();
  }
  const left = until - driver.now();
  if (left <= 0) return done(null);
  if (left > longestNap) return waiting;
  return (await pause(visit, left)) ? done(null) : waiting;
}

/** Asks for the approval of a step, where it wants one; gives what stands in its way, if anything does. */
export async function askForStep(
  visit: VisitRun,
  work: StepOptions,
  args: JsonObject,
  argsHash: string,
): Promise<Performed | undefined> {
  const { approval } = work;
  if (!approval) return undefined;
  const key = stepApprovalKey(visit);
  const [asked] = visit.questions(key);
  if (!asked) {
    // Nobody is asked only where it says so: what is neither true nor false is a mistake, and asked about.
    if (approval.when && (await approval.when(args)) === false) return undefined;
    const userGuidance = await resolveText(visit, approval.message);
    const { audience, expiresIn, onExpiry } = approval;
    const clarification = UserVerificationClarification({ userGuidance, source: 'Step approval' });
    const call = visit.callId(1);
    visit.raise(key, [{ clarification, audience, expiresIn, onExpiry }], {
      audience: 'operator',
      ...(argsHash !== '' && { approves: { call, argsHash } }),
    });
    return waiting;
  }
  if (!asked.clarification.resolved) return waiting;
  if (!isApproved(asked.clarification)) {
    const who = asked.resolvedBy === null ? '' : ` by ${asked.resolvedBy}`;
    return {
      kind: 'failed',
      error: visit.error('APPROVAL_REFUSED', `step ${visit.instruction.key} was refused${who}`),
    };
  }
  if (asked.approves && asked.approves.argsHash !== argsHash) {
    return {
      kind: 'failed',
      error: visit.error(
        'APPROVAL_REFUSED',
        `the arguments of step ${visit.instruction.key} are not those that were approved`,
      ),
    };
  }
  return undefined;
}
