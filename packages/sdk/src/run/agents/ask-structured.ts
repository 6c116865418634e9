import type { ModelPurpose, VisitId } from '../../core/event.ts';
import type { Model, ModelAnswer, ModelMessage, ModelRequest } from '../../core/model.ts';
import { complaintAbout, isRepairable } from '../../model/repair.ts';
import type { Driver } from '../driver.ts';
import { askModel, conversation } from '../model-call.ts';

/** Where a structured question is asked, and how its answers are numbered there. */
export interface Questioner {
  readonly driver: Driver;
  readonly step: number;
  readonly visit: VisitId;
  /** Counts the models asked in this execution. */
  asked: number;
}

/**
 * Asks for an answer of a certain form. One that does not fit is given back once with what is wrong with it.
 * @throws PortiaError `MODEL_ANSWER_INVALID` when the second answer does not fit either; what the model throws.
 */
export async function askStructured<T>(
  at: Questioner,
  options: {
    readonly model: Model;
    readonly purpose: ModelPurpose;
    readonly messages: readonly ModelMessage[];
    readonly schema?: ModelRequest['schema'];
    readonly read: (answer: ModelAnswer) => T | Promise<T>;
  },
): Promise<T> {
  const talk = conversation(options.messages);
  for (let attempt = 1; ; attempt += 1) {
    at.asked += 1;
    const { driver, step, visit } = at;
    const slot = `m${at.asked}`;
    const request = { ...(options.schema && { schema: options.schema }), ...(attempt > 1 && { fresh: true }) };
    const answer = await askModel(
      { driver, step, visit, slot, purpose: options.purpose },
      options.model,
      talk,
      request,
    );
    try {
      return await options.read(answer);
    } catch (error) {
      if (attempt > 1 || !isRepairable(error)) throw error;
      talk.messages.push(complaintAbout(error));
    }
  }
}
