import { defaultEndUserId } from '../core/end-user.ts';
import { PortiaError } from '../core/errors.ts';
import type { Model, ModelAnswer, ModelMessage } from '../core/model.ts';
import { Plan, type StepInit } from '../core/plan.ts';
import type { Schema } from '../core/schema.ts';
import { cutText } from '../model/tokens.ts';
import { type PlanDraft, draftSchema, readDraft } from './plan-draft.ts';
import { planningPrompt, type PlanningPromptInput } from './prompt.ts';
import { planProblems } from './validate-plan.ts';

export { validatePlan } from './validate-plan.ts';

/** What {@link planQuery} is given. */
export interface PlanQueryInput extends PlanningPromptInput {
  readonly model: Model;
  /** The shape of the final output; carried by the plan, unknown to the planner. */
  readonly structuredOutputSchema?: Schema | undefined;
  /** How often the model may try; 3 unless given. */
  readonly attempts?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A plan, and all answers it took, failed attempts first. */
export interface PlannedQuery {
  readonly plan: Plan;
  readonly answers: readonly ModelAnswer[];
}

/**
 * Asks a model for a plan of a query. A plan that cannot be run is given back to the model with what is wrong with it.
 *
 * @throws PortiaError `PLANNING_FAILED` with the model's reason as soon as it says that it cannot plan, or with all
 * problems after the last attempt; `PLAN_INVALID` for plan inputs of one name; what the model throws.
 */
export async function planQuery(input: PlanQueryInput): Promise<PlannedQuery> {
  const { model, query, signal } = input;
  const attempts = Math.max(1, input.attempts ?? 3);
  if (query.trim() === '') throw failed('the query is empty', 'say what is to be done');
  toPlan(input, []); // the caller's own mistakes are told before a model is paid
  const messages = planningPrompt(input);
  const answers: ModelAnswer[] = [];
  const found = new Set<string>();
  while (answers.length < attempts) {
    const answer = await model.generate({
      messages: [...messages],
      schema: draftSchema,
      tenant: input.endUser?.externalId ?? defaultEndUserId,
      ...(answers.length > 0 && { fresh: true }),
      ...(signal && { signal }),
    });
    answers.push(answer);
    const draft = readDraft(answer);
    if (draft.kind === 'refusal') throw failed(draft.reason, 'change the query, or give tools that can do it');
    const problems = problemsOf(draft, input);
    if (draft.kind === 'steps' && problems.length === 0) return { plan: toPlan(input, draft.steps), answers };
    for (const problem of problems) found.add(problem);
    messages.push(...feedback(answer, problems));
  }
  const tries = answers.length === 1 ? '1 attempt' : `${answers.length} attempts`;
  throw failed(
    `no plan that can be run after ${tries}: ${[...found].join('; ')}`,
    'use a stronger planning model, or simplify the query',
    [...found],
  );
}

function problemsOf(draft: PlanDraft, { tools, planInputs = [] }: PlanQueryInput): readonly string[] {
  if (draft.kind !== 'steps') return draft.kind === 'malformed' ? draft.problems : [];
  return planProblems(
    draft.steps,
    planInputs.map(({ name }) => name),
    tools.map(({ id }) => id),
  );
}

function toPlan(
  { query, tools, planInputs, structuredOutputSchema }: PlanQueryInput,
  steps: readonly StepInit[],
): Plan {
  return new Plan({
    planContext: { query, toolIds: tools.map(({ id }) => id) },
    steps,
    planInputs,
    structuredOutputSchema,
  });
}

const rememberedAnswer = 20_000;

/** The conversation goes on, so that what was sent before stays cached. */
function feedback(answer: ModelAnswer, problems: readonly string[]): ModelMessage[] {
  const said = answer.text.trim() || (answer.object === undefined ? '' : JSON.stringify(answer.object));
  const told = problems.map((problem) => `- ${problem}`).join('\n');
  return [
    { role: 'assistant', content: cutText(said, rememberedAnswer) || '(no answer)' },
    { role: 'user', content: `That plan cannot be run:\n${told}\nAnswer again with the whole plan, corrected.` },
  ];
}

function failed(message: string, hint: string, problems?: readonly string[]): PortiaError {
  return new PortiaError({ code: 'PLANNING_FAILED', message, hint, details: problems && { problems } });
}
