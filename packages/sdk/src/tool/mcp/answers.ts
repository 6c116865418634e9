import type { ElicitResult } from '@modelcontextprotocol/client';
import type { Clarification } from '../../core/clarification.ts';
import { isPlainObject, type JsonObject, type JsonValue } from '../../core/json.ts';
import { answeredBy, formAnswer, type Question } from './elicitation.ts';
import { serverSchema } from './server-schema.ts';

/** The fields of a form, answered. */
type Fields = Record<string, JsonValue>;

/** What people answered to a server's questions, as it stands in the arguments of the call that goes on. */
export class Answers {
  /** The tool's own arguments. */
  readonly args: JsonObject;
  readonly #byKey: Map<string, Fields> = new Map<string, Fields>();

  constructor(args: unknown) {
    const own: Record<string, JsonValue> = {};
    for (const [name, value] of Object.entries(isPlainObject(args) ? (args as JsonObject) : {})) {
      const answered = answeredBy(name);
      if (!answered) own[name] = value;
      else this.#byKey.set(answered.key, { ...this.#byKey.get(answered.key), [answered.field]: value });
    }
    this.args = own;
  }

  /** Whether the call carries an answer. */
  get any(): boolean {
    return this.#byKey.size > 0;
  }

  /** The answer to a question: given, or what of it does not fit its schema. `undefined`: it was not answered. */
  async to(question: Question): Promise<{ readonly result: ElicitResult } | { readonly problem: string } | undefined> {
    if (question.kind === 'url') return undefined;
    const fields = this.#byKey.get(question.key);
    if (!fields) return undefined;
    const result = formAnswer(question, fields);
    if (result.action !== 'accept') return { result };
    const schema = await serverSchema(question.schema, 'requestedSchema');
    const checked = schema.check(result.content ?? {});
    return 'issues' in checked ? { problem: checked.issues.map(({ message }) => message).join('; ') } : { result };
  }

  /** The same, and no longer there: a question that comes again is put to the person again. */
  async take(question: Question): ReturnType<Answers['to']> {
    const answer = await this.to(question);
    if (question.kind === 'form') this.#byKey.delete(question.key);
    return answer;
  }
}

/** Whether answers to a form can be checked by its schema. */
export function canBeChecked(schema: JsonObject): Promise<boolean> {
  return serverSchema(schema, 'requestedSchema').then(
    () => true,
    () => false,
  );
}

/** The arguments of a call without the answers it carries. */
export function withoutAnswers(args: unknown): unknown {
  return isPlainObject(args) ? new Answers(args).args : args;
}

/** Whether all of these clarifications are answered. */
export function areAnswered(clarifications: readonly Clarification[], ids: readonly string[]): boolean {
  return ids.every((id) => clarifications.some((known) => known.id === id && known.resolved));
}
