import { contentText } from '../../core/content.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Model, ModelRequest } from '../../core/model.ts';
import { draftSchema } from '../../plan/plan-draft.ts';
import { object, type ScriptedAnswer, text, together, toolCall } from '../../testing/script.ts';
import { scriptedModel } from '../../testing/scripted-model.ts';
import { prices } from './recording.ts';

const tasks = {
  amazon: "Find the closing prices of Amazon's stock at the end of 2023 and of 2024.",
  google: "Find the closing prices of Google's (Alphabet class A) stock at the end of 2023 and of 2024.",
  growth: 'Work out the growth of each stock in 2024, in percent.',
  compare: 'Say which stock price grew faster in 2024, with the figures.',
  write: 'Write the answer to answer.md.',
} as const;

/** The plan, in the form a planning agent gives it. */
const draft: JsonObject = {
  steps: [
    step(tasks.amazon, 'search_tool', '$amazon', []),
    step(tasks.google, 'search_tool', '$google', []),
    step(tasks.growth, 'calculator_tool', '$growth', ['$amazon', '$google']),
    step(tasks.compare, 'llm_tool', '$answer', ['$amazon', '$google', '$growth']),
    step(tasks.write, 'file_writer_tool', '$file', ['$answer']),
  ],
  error: null,
};

function step(task: string, tool_id: string, output: string, inputs: readonly string[]): JsonObject {
  return { task, tool_id, output, inputs: inputs.map((name) => ({ name, description: '' })), condition: null };
}

const percent = ({ from, to }: { readonly from: number; readonly to: number }): string =>
  `+${((to / from - 1) * 100).toFixed(1)} %`;
const span = ({ from, to }: { readonly from: number; readonly to: number }): string =>
  `${from.toFixed(2)} to ${to.toFixed(2)} USD`;
const { amazon, google } = prices;

const answer =
  `Amazon's stock price grew faster in 2024: ${percent(amazon)} (${span(amazon)}), ` +
  `against ${percent(google)} for Alphabet, Google's parent (class A, ${span(google)}).`;

/** A model that knows the answers to one question. It is asked, journaled and resumed like any other. */
export function demoModel(delayMs: number): Model {
  return scriptedModel((request) => reply(request, delayMs), { id: 'scripted/demo' });
}

function reply(request: ModelRequest, delayMs: number): ScriptedAnswer {
  const asked = contentText(request.messages.at(-1)?.content);
  const task = /<step_task[^>]*>\n([\s\S]*?)\n<\/step_task>/.exec(asked)?.[1] ?? '';
  const options = { delayMs, usage: usageOf(request) };
  if (request.schema?.name === draftSchema.name) return object(draft, { ...options, delayMs: delayMs * 1.5 });
  if (request.schema) return object({ result: { answer, file: 'answer.md' }, summary: answer }, options);
  const isSummary = contentText(request.messages[0]?.content).startsWith('You summarise');
  switch (task) {
    case tasks.amazon:
      if (isSummary)
        return text(`Amazon (AMZN) closed 2023 at ${amazon.from} USD and 2024 at ${amazon.to} USD.`, options);
      return toolCall(
        'search_tool',
        { search_query: 'Amazon AMZN stock closing price end of 2023 and end of 2024' },
        options,
      );
    case tasks.google:
      if (isSummary)
        return text(
          `Alphabet class A (GOOGL) closed 2023 at ${google.from} USD and 2024 at ${google.to.toFixed(2)} USD.`,
          options,
        );
      return toolCall(
        'search_tool',
        { search_query: 'Alphabet GOOGL stock closing price end of 2023 and end of 2024' },
        options,
      );
    case tasks.growth:
      return together(
        ...[amazon, google].map(({ from, to }) =>
          toolCall('calculator_tool', { math_question: `(${to} / ${from} - 1) * 100` }, options),
        ),
      );
    case tasks.compare:
      return text(answer, { ...options, delayMs: delayMs * 1.5 });
    default:
      return toolCall(
        'file_writer_tool',
        { filename: 'answer.md', content: '# Amazon or Google?\n\n{{$answer}}\n' },
        options,
      );
  }
}

/** About what a real model would count. */
function usageOf({ messages }: ModelRequest): { readonly inputTokens: number; readonly outputTokens: number } {
  const letters = messages.reduce((sum, { content }) => sum + content.length, 0);
  return { inputTokens: Math.ceil(letters / 4), outputTokens: 40 };
}
