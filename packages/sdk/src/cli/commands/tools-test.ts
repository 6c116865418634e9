import { plainLine } from '../../clarify/plain-text.ts';
import { isPlainObject, type JsonObject } from '../../core/json.ts';
import { validate } from '../../core/schema.ts';
import { Input } from '../../core/reference.ts';
import type { PlanV2 } from '../../core/plan-v2.ts';
import type { AnyTool } from '../../core/tool.ts';
import { PlanBuilderV2 } from '../../plan/builder-v2.ts';
import type { ToolRegistry } from '../../tool/registry.ts';
import { askYes } from '../asking.ts';
import type { Command } from '../command.ts';
import { type Session, withSession } from '../drive-run.ts';
import { exitCodeOfRun, exitCodes } from '../exit-codes.ts';
import { usageError } from '../input.ts';
import { driveOptions } from '../options.ts';
import { writeError, writeJson, writeLines } from '../output.ts';
import { effectOf } from '../view/plan-table.ts';

/** A tool of the client, or a bundled one that is not in its registry. @throws PortiaError `TOOL_NOT_FOUND`. */
async function toolNamed(tools: ToolRegistry, id: string): Promise<AnyTool> {
  if (tools.has(id)) return tools.getTool(id);
  const { openSourceToolRegistry } = await import('../../tool/library/registries.ts');
  const bundled = openSourceToolRegistry();
  return (bundled.has(id) ? bundled : tools).getTool(id);
}

/** Calls one tool by hand, as a run would: with its limits, its questions and its ledger. */
export const toolsTestCommand: Command = {
  name: 'tools test',
  args: 'TOOL_ID',
  summary: 'call one tool by hand, as a step of a run would',
  details: [
    'The call is a run of one step and is kept like any other. A tool with effects is asked about first.',
    'npx portia-ts tools test calculator_tool --args \'{"math_question":"6 * 7"}\'',
  ],
  words: [1, 1],
  options: {
    args: { type: 'text', value: 'JSON', help: 'the arguments, as a JSON object ({} unless given)' },
    yes: { type: 'flag', short: 'y', help: 'call a tool with effects without asking' },
    ...driveOptions,
  },
  run: (context) => withSession(context, tryTool),
};

async function tryTool({ context, portia }: Session): Promise<number> {
  const { input, io, interrupt, json } = context;
  const [id = ''] = input.positionals;
  const tool = await toolNamed(portia.tools, id);
  const args = argsGiven(input.text('args'));
  const checked = tool.argsSchema ? await validate(tool.argsSchema, args) : { ok: true as const };
  if (!checked.ok)
    throw usageError(`--args does not fit ${id}: ${checked.issues.join('; ')}`, 'tools list --json shows the schema');
  const effect = effectOf(tool);
  if (effect !== 'read-only' && !input.flag('yes')) {
    const what = `${plainLine(tool.id)} has effects${effect === 'idempotent' ? ', which a repetition does not add to' : ''}`;
    if (!io.canAsk) throw usageError(`${what}, and nobody is here to be asked`, 'call it with --yes if that is meant');
    if (!(await askYes(`${what}. Call it with ${plainLine(JSON.stringify(args))}? [y/N] `)))
      return interrupt.by ? exitCodes.interrupted : exitCodes.complete;
  }
  const run = await portia.runPlan(planOf(tool, args), { planRunInputs: args, signal: interrupt.signal });
  if (run.state === 'FAILED') writeError(io.err, run.error, json);
  else if (run.state === 'COMPLETE') writeJson(io.out, run.outputs.finalOutput?.value ?? null);
  else
    writeLines(
      io.err,
      run.getOutstandingClarifications().map(({ userGuidance }) => plainLine(userGuidance)),
    );
  return exitCodeOfRun(run, interrupt.by);
}

/** A plan of one call. Its arguments are inputs, so that a text in them that looks like a reference stays a text. */
function planOf(tool: AnyTool, args: JsonObject): PlanV2<unknown> {
  const names = Object.keys(args);
  let builder: PlanBuilderV2 = new PlanBuilderV2(`Try ${tool.id}`);
  for (const name of names) builder = builder.input({ name }) as unknown as PlanBuilderV2;
  const references = Object.fromEntries(names.map((name) => [name, Input(name)]));
  return builder.invokeToolStep({ tool, args: references as never }).build();
}

function argsGiven(text: string | undefined): JsonObject {
  if (text === undefined) return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (!isPlainObject(value)) throw usageError('--args is not a JSON object', '--args \'{"math_question":"6 * 7"}\'');
  return value as JsonObject;
}
