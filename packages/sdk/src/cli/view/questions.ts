import { plainLine, plainText } from '../../clarify/plain-text.ts';
import type { JsonValue } from '../../core/json.ts';
import { textOf } from '../../core/output.ts';
import type { ClarificationRecord } from '../../core/run-state.ts';
import { quoted } from '../command-text.ts';
import type { Paint } from './paint.ts';
import { audienceText } from './progress.ts';

type Asked = Readonly<ClarificationRecord>;

/** Makes the command that answers a clarification with this value. */
export type AnswerCommand = (record: Asked, value: string) => string;

/** A question that waits: what is asked, of whom, what may be answered, and the command that does. */
export function questionLines(record: Asked, command: AnswerCommand, paint: Paint): string[] {
  const { clarification, audience, expiresAt } = record;
  const until = expiresAt === undefined ? '' : `, until ${new Date(expiresAt).toISOString()}`;
  const from = clarification.source ? ` from ${plainLine(clarification.source)}` : '';
  return [
    `${paint.yellow('?')} ${paint.bold(clarification.category)} ${paint.dim(`${from.trim()} for ${audienceText(audience)}${until}  ${clarification.id}`.trim())}`,
    ...plainText(clarification.userGuidance)
      .split('\n')
      .map((line) => `  ${line}`),
    ...choices(record),
    `  ${paint.dim('answer:')} ${command(record, exampleAnswer(record))}`,
  ];
}

function choices({ clarification }: Asked): string[] {
  switch (clarification.category) {
    case 'Multiple Choice':
      return clarification.options.map((option) => `    - ${plainLine(optionText(option))}`);
    case 'Action':
      return [`    ${plainLine(clarification.actionUrl)}`];
    case 'Custom':
      return [`    ${plainLine(JSON.stringify(clarification.data))}`];
    default:
      return [];
  }
}

function optionText(option: JsonValue): string {
  return typeof option === 'string' && option !== '' ? option : JSON.stringify(option);
}

/** A value that would be taken, as it is typed. */
function exampleAnswer({ clarification }: Asked): string {
  switch (clarification.category) {
    case 'Multiple Choice':
      return quoted(textOf(clarification.options[0] ?? ''));
    case 'User Verification':
    case 'Value Confirmation':
    case 'Action':
      return 'true';
    default:
      return 'VALUE';
  }
}
