import { plainLine } from '../../clarify/plain-text.ts';
import type { RunEvent } from '../../core/event.ts';
import type { ToolCall } from '../../core/tool-call.ts';
import type { Paint, Style } from './paint.ts';
import { type Cell, table } from './table.ts';
import { count, duration, listed, preview } from './text.ts';

/** The effects ledger of a run: every tool call, what became of it, and how often it was handed to its tool. */
export function ledgerTable(
  calls: readonly ToolCall[],
  options: { readonly width: number; readonly paint: Paint },
): string[] {
  if (calls.length === 0) return ['  no tool was called'];
  const { paint } = options;
  return table(
    [
      { title: 'call' },
      { title: 'tool', most: 24 },
      { title: 'outcome' },
      { title: 'tries' },
      { title: 'took' },
      { title: 'arguments and result', fills: true },
    ],
    calls.map((call): Cell[] => [
      call.callId,
      plainLine(call.toolId),
      { text: outcomeText(call), style: outcomeStyle(call, paint) },
      String(call.attempts),
      call.latencyMs === null ? '' : duration(call.latencyMs),
      `${preview(call.args, 160)} → ${resultText(call)}`,
    ]),
    options,
  );
}

function outcomeText({ status, attempts }: ToolCall): string {
  switch (status) {
    case 'SUCCESS':
      return 'done';
    case 'FAILED':
      return 'failed';
    case 'UNKNOWN':
      return 'unknown';
    case 'IN_PROGRESS':
      return 'no receipt yet';
    case 'NEED_CLARIFICATION':
      return attempts === 0 ? 'proposed' : 'asked';
  }
}

function outcomeStyle({ status }: ToolCall, paint: Paint): Style {
  if (status === 'SUCCESS') return paint.green;
  return status === 'FAILED' ? paint.red : paint.yellow;
}

function resultText({ status, output, error, reason }: ToolCall): string {
  if (error) return preview(error.message, 160);
  if (status === 'UNKNOWN' || reason !== null) return preview(reason ?? 'not known', 160);
  return output === null ? '…' : preview(output, 160);
}

/** What a process that takes a run over finds on record: what it need not do again, and what nobody can know. */
export function takeoverLines(events: readonly RunEvent[], calls: readonly ToolCall[], paint: Paint): string[] {
  const steps = new Set(events.filter((event) => event.type === 'step-end').map((event) => event.step)).size;
  const answers = events.filter((event) => event.type === 'model-call-end').length;
  const done = calls.filter(({ status }) => status === 'SUCCESS').length;
  const kept = [
    ...(steps > 0 ? [count(steps, 'finished step')] : []),
    ...(done > 0 ? [count(done, 'tool call')] : []),
    ...(answers > 0 ? [count(answers, 'model answer')] : []),
  ];
  const open = calls.filter(({ status }) => status === 'UNKNOWN' || status === 'IN_PROGRESS');
  return [
    `  ${paint.green('reused from the ledger:')} ${kept.length > 0 ? listed(kept) : 'nothing yet'}`,
    ...open.map(
      (call) =>
        `  ${paint.yellow('unknown:')} call ${call.callId} of ${plainLine(call.toolId)} ${preview(call.args, 100)}`,
    ),
  ];
}
