import { plainLine, plainText } from '../../clarify/plain-text.ts';
import type { ExecutionContext } from '../../core/execution-context.ts';
import { isInMemory, isMarker, type Output, textOf } from '../../core/output.ts';
import type { Plan } from '../../core/plan.ts';
import type { PlanRun } from '../../core/plan-run.ts';
import { isFinished } from '../../core/run-state.ts';
import type { ModelTotals } from '../../core/usage.ts';
import type { Paint, Style } from './paint.ts';
import { none, stepWords } from './step-words.ts';
import { type Cell, table } from './table.ts';
import { count, dollars, duration, preview, wrap } from './text.ts';

/** How a state looks. */
export function stateStyle(state: PlanRun['state'], paint: Paint): Style {
  if (state === 'COMPLETE') return paint.green;
  if (state === 'FAILED') return paint.red;
  return state === 'NEED_CLARIFICATION' ? paint.yellow : paint.cyan;
}

/** What a run took, in one line. */
function usageLine({ startedAt, endedAt, totals }: ExecutionContext): string {
  const parts = [];
  if (startedAt !== null && endedAt !== null) parts.push(duration(endedAt - startedAt));
  parts.push(count(totals.toolCalls, 'tool call'), count(totals.modelCalls, 'model call'));
  const tokens = totals.inputTokens + totals.outputTokens;
  if (tokens > 0) parts.push(count(tokens, 'token'));
  if (totals.modelCalls > 0) parts.push(totals.costUsd === null ? 'cost not known' : dollars(totals.costUsd));
  return parts.join(' · ');
}

/** What a run took, by step and by model, and what planning took before it. */
export function usageTable(
  { steps, models, totals }: ExecutionContext,
  plan: Plan,
  planning: ModelTotals | undefined,
  options: { readonly width: number; readonly paint: Paint },
): string[] {
  if (totals.modelCalls === 0 && !planning) return [];
  const line = (name: string, usage: ModelTotals): Cell[] => [
    plainLine(name),
    String(usage.modelCalls),
    String(usage.inputTokens),
    String(usage.cachedInputTokens),
    String(usage.outputTokens),
    duration(usage.modelMs),
    usage.costUsd === null ? '?' : dollars(usage.costUsd),
  ];
  const { names } = stepWords(plan);
  const nameOf = (step: number | null): string => (step === null ? 'final output' : `${step + 1} ${names[step] ?? ''}`);
  return table(
    [
      { title: 'model calls of', fills: true },
      { title: 'calls' },
      { title: 'in' },
      { title: 'cached' },
      { title: 'out' },
      { title: 'took' },
      { title: 'cost' },
    ],
    [
      ...(planning ? [line('planning', planning)] : []),
      ...steps.filter(({ modelCalls }) => modelCalls > 0).map((usage) => line(nameOf(usage.step), usage)),
      ...models.map((usage) => line(usage.model, usage)),
      line('the run', totals),
    ],
    options,
  );
}

/** How a run stands once nobody drives it: its state, why, and its answer. */
export function closingLines(run: PlanRun, options: { readonly width: number; readonly paint: Paint }): string[] {
  const { paint } = options;
  const usage = paint.dim(usageLine(run.executionContext));
  if (run.state === 'COMPLETE')
    return ['', `${paint.green('✓ complete')}  ${usage}`, ...answerLines(run, options.width)];
  if (run.state !== 'FAILED') return [];
  const where = run.error.step === undefined ? '' : ` in step ${run.error.step + 1}`;
  return [
    '',
    `${paint.red(`✗ failed${where}`)}  ${usage}`,
    `  ${paint.bold(run.error.code)}: ${plainLine(run.error.message)}`,
  ];
}

function answerLines({ outputs: { finalOutput } }: PlanRun, width: number): string[] {
  if (!finalOutput || isMarker(finalOutput)) return [];
  const lines = plainText(readable(finalOutput).slice(0, 4_000)).split('\n');
  return ['', ...lines.flatMap((line) => wrap(line, Math.max(20, width - 2)).map((part) => `  ${part}`))];
}

/** An output in words: texts as they are, all else by its summary where there is one. */
function readable(output: Output): string {
  if (isInMemory(output)) return output.summary;
  return typeof output.value === 'string' || !output.summary ? textOf(output.value) : output.summary;
}

/** A run for people: where it stands, what each step gave, and what it took. */
export function runLines(
  run: PlanRun,
  plan: Plan,
  options: { readonly width: number; readonly paint: Paint },
): string[] {
  const { paint } = options;
  const { title, labels, toolOf } = stepWords(plan);
  return [
    `${stateStyle(run.state, paint)(run.state)}  ${paint.bold(run.id)}`,
    `${plainLine(plan.planContext.query)}`,
    ...contextLines(run, paint),
    '',
    ...table(
      [{ title: '#' }, { title, most: 24 }, { title: 'tool', most: 24 }, { title: 'value', fills: true }],
      plan.steps.map((step, index): Cell[] => [
        { text: String(index + 1), style: paint.dim },
        plainLine(labels[index] ?? step.output),
        plainLine(toolOf(index) ?? none),
        valueCell(run, step.output, index, paint),
      ]),
      options,
    ),
    ...closingLines(run, options),
  ];
}

function contextLines(run: PlanRun, paint: Paint): string[] {
  const { createdAt, startedAt, host, labels, runKey } = run.executionContext;
  const facts = [`plan ${run.planId}`, `for ${run.endUserId}`];
  if (createdAt !== null) facts.push(`created ${new Date(createdAt).toISOString()}`);
  if (startedAt !== null && host) facts.push(`driven on ${plainLine(host)}`);
  if (runKey) facts.push(`key ${plainLine(runKey)}`);
  for (const [label, value] of Object.entries(labels)) facts.push(`${plainLine(label)}=${plainLine(value)}`);
  return [paint.dim(facts.join(' · '))];
}

function valueCell(run: PlanRun, name: string, index: number, paint: Paint): Cell {
  const output = run.outputs.stepOutputs[name];
  if (output) return preview(readable(output), 300);
  const here = index === run.currentStepIndex && !isFinished(run);
  return { text: here ? 'here' : '', style: paint.dim };
}
