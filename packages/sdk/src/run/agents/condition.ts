import type { JsonValue } from '../../core/json.ts';
import { textOf } from '../../core/output.ts';
import type { VisitRun } from '../visit-run.ts';
import { askStructured } from './ask-structured.ts';
import { conditionPrompt, conditionSchema, parseVerdict } from './prompts/condition.ts';

/** Whether a sentence holds for these values. One model call. */
export function judgeSentence(
  visit: VisitRun,
  condition: string,
  values: Readonly<Record<string, JsonValue>>,
): Promise<boolean> {
  const model = visit.run.runtime.models.get('introspection');
  const named = Object.entries(values).map(([name, value]) => ({ name, text: textOf(value) }));
  return askStructured(visit, {
    model,
    purpose: 'introspection',
    messages: conditionPrompt(condition, named, visit.driver.now(), model.contextWindow),
    schema: conditionSchema,
    read: parseVerdict,
  });
}
