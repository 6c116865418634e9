import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Portia } from '../../client.ts';
import { PortiaError } from '../../core/errors.ts';
import { PlanRunUUID } from '../../core/ids.ts';
import type { Plan } from '../../core/plan.ts';
import type { PlanRun } from '../../core/plan-run.ts';
import { systemClock } from '../../run/system-clock.ts';
import { version } from '../../version.ts';
import type { Command, Context } from '../command.ts';
import { nextCommand } from '../command-text.ts';
import { Director } from '../demo/director.ts';
import { FollowedRun } from '../demo/followed-run.ts';
import { demoQuestion, isDemoQuestion } from '../demo/recording.ts';
import { answerFile, demoDir, demoResult, type Stage, stageClient } from '../demo/stage.ts';
import { exitCodeOfRun, exitCodes } from '../exit-codes.ts';
import { Input } from '../input.ts';
import { configOf, loadEnvironment } from '../open-client.ts';
import { commonOptions, modelOptions } from '../options.ts';
import { writeJson, writeLines } from '../output.ts';
import { hasSqlite } from '../store-settings.ts';
import { makePlanHere } from '../planning.ts';
import { openQuestions } from '../questions-of.ts';
import { LiveView } from '../view/live-view.ts';
import { planTable } from '../view/plan-table.ts';
import { Progress } from '../view/progress.ts';
import { closingLines } from '../view/run-view.ts';
import { wrap } from '../view/text.ts';

/** Shows the whole thing: plan, run, a killed process, and the one that takes over. */
export const demoCommand: Command = {
  name: 'demo',
  args: '[QUESTION]',
  summary: 'see it all: a plan, its run, a worker killed inside a write, and the one that takes over',
  details: [
    'Without a key a scripted model and recorded search results stand in. With OPENAI_API_KEY (and TAVILY_API_KEY for',
    'web search) it is done for real, for any question. The run is printed on stdout as JSON.',
  ],
  words: [0, 1],
  options: {
    fast: { type: 'flag', help: 'no pauses for reading' },
    'no-crash': { type: 'flag', help: 'kill nothing' },
    resume: { type: 'text', value: 'RUN_ID', help: 'go on with a demo that was stopped' },
    'no-env': { type: 'flag', help: 'do not read .env' },
    ...modelOptions,
    ...commonOptions,
  },
  async run(context) {
    const { input, interrupt } = context;
    loadEnvironment(input);
    interrupt.arm();
    const question = input.positionals[0] ?? demoQuestion;
    const stage = await setStage(context, question);
    await mkdir(stage.dir, { recursive: true });
    introduce(context, stage, question);
    const portia = await stageClient(input, stage);
    try {
      return await play(context, portia, stage, question);
    } finally {
      await portia.close();
    }
  },
};

/** What this demo is typed as, so that what it says can be typed again. */
const self = process.env['npm_lifecycle_event'] === 'start' ? 'npm start --' : 'npx portia-ts demo';
const selfAlone = self.replace(/ --$/, '');

async function setStage({ input }: Context, question: string): Promise<Stage> {
  const { models, tavilyApiKey } = await configOf(input, { storage: 'memory' });
  const isReal = models.default !== undefined;
  if (!isReal && !isDemoQuestion(question)) {
    throw new PortiaError({
      code: 'MODEL_KEY_MISSING',
      message: 'the scripted model that stands in knows only its own question, and no key of a model provider is set',
      hint: `set OPENAI_API_KEY (and TAVILY_API_KEY for web search) in the environment or in .env, or ask its own question: ${selfAlone}`,
    });
  }
  const search = isReal && tavilyApiKey ? 'tavily' : isDemoQuestion(question) ? 'recorded' : 'none';
  const storage = (await hasSqlite()) ? `sqlite:${join(demoDir, 'portia.db')}` : `disk:${demoDir}`;
  return { dir: demoDir, storage, isReal, search, fast: input.flag('fast') };
}

function introduce({ io, json }: Context, stage: Stage, question: string): void {
  if (json) return;
  const { paint } = io.err;
  const notes = {
    scripted:
      'No model key is set: a scripted model and recorded search results stand in. With OPENAI_API_KEY (and TAVILY_API_KEY) the same command does it for real.',
    recorded: 'TAVILY_API_KEY is not set: recorded search results stand in for web search.',
    none: 'TAVILY_API_KEY is not set: there is no web search; the model goes by what it knows.',
    tavily: '',
  };
  const note = stage.isReal ? notes[stage.search] : notes.scripted;
  writeLines(io.err, [
    `${paint.bold('Portia for TypeScript')} ${paint.dim(version)}`,
    ...(note ? wrap(note, io.err.width).map(paint.dim) : []),
    '',
    paint.bold(question),
    '',
  ]);
}

async function play(context: Context, portia: Portia, stage: Stage, question: string): Promise<number> {
  const { io, input, interrupt, json } = context;
  const { err, out } = io;
  const { plan, run } = await prepare(context, portia, stage, question);
  const progress = new Progress(plan, portia.tools, err.paint);
  const view = new LiveView(json ? { ...err, isLive: false, write: () => {} } : err, progress);
  const past = await portia.storage.getEvents(run.id);
  for (const event of past) progress.take(event);
  const followed = new FollowedRun(portia, run.id, view, past);
  const workerArgs = [run.id, '--stage', JSON.stringify(stage), '--no-env', ...modelArgs(context)];
  const director = new Director(
    { context, stage, portia, planRunId: run.id, view, progress, followed, workerArgs },
    past.length > 0,
  );
  let failed = false;
  try {
    const isFresh = past.length === 0;
    failed = (await director.play(isFresh && !input.flag('no-crash'))) === 'failed';
  } catch (error) {
    if (!interrupt.by) throw error;
  } finally {
    await followed.close();
    view.stop();
    await director.close();
  }
  const left = await portia.storage.getPlanRun(run.id);
  if (!json) writeLines(err, [...closingLines(left, err), ...(await openLines(context, portia, stage, left)), '']);
  writeJson(out, left);
  if (!json) writeLines(err, nextLines(context, stage, left));
  return failed ? exitCodes.failed : exitCodeOfRun(left, interrupt.by);
}

/** The run to play: a new one of a plan that is made and shown now, or one that was stopped. */
async function prepare(
  context: Context,
  portia: Portia,
  stage: Stage,
  question: string,
): Promise<{ readonly plan: Plan; readonly run: PlanRun }> {
  const { io, input, interrupt, json } = context;
  const stopped = input.text('resume');
  if (stopped !== undefined) {
    const run = await portia.storage.getPlanRun(PlanRunUUID.fromString(stopped));
    return { run, plan: await portia.storage.getPlan(run.planId) };
  }
  await rm(join(stage.dir, answerFile), { force: true });
  const query = stage.isReal
    ? `${question}\n\nWrite the answer to the file ${answerFile}, as the last step.`
    : question;
  const plan = await makePlanHere({ ...context, input }, portia, query);
  if (!json) writeLines(io.err, [...planTable(plan, portia.tools, io.err), '']);
  await systemClock.sleep(stage.fast ? 20 : 3_000, interrupt.signal);
  return {
    plan,
    run: await portia.createPlanRun(plan, { structuredOutputSchema: demoResult, labels: { demo: 'true' } }),
  };
}

function modelArgs({ input }: Context): string[] {
  return Object.keys(modelOptions).flatMap((name) => {
    const value = input.text(name);
    return value === undefined ? [] : [`--${name}`, value];
  });
}

async function openLines({ io, interrupt }: Context, portia: Portia, stage: Stage, run: PlanRun): Promise<string[]> {
  if (run.state === 'COMPLETE' || run.state === 'FAILED') return [];
  const open = await openQuestions(portia, run.id, inStoreOf(stage), io.err.paint);
  const { paint } = io.err;
  const stopped = interrupt.by ? `${paint.yellow('stopped; nothing is lost')}  ` : '';
  return ['', ...open, `${stopped}${paint.dim('go on:')} ${self} --resume ${run.id}`];
}

/** As if the demo's store had been named on the command line. */
function inStoreOf({ storage }: Stage): Input {
  return new Input([], new Map([['storage', [storage]]]), new Set());
}

function nextLines({ io }: Context, stage: Stage, run: PlanRun): string[] {
  if (run.state !== 'COMPLETE') return [];
  const { paint } = io.err;
  const keys =
    stage.search === 'tavily' ? '' : stage.isReal ? 'TAVILY_API_KEY=… ' : 'OPENAI_API_KEY=… TAVILY_API_KEY=… ';
  return [
    paint.bold('Next'),
    `  ${nextCommand(inStoreOf(stage), ['runs show', run.id, '--ledger'])}`,
    `  cat ${join(stage.dir, answerFile)}`,
    `  ${keys}${self} "your own question"`,
  ];
}
