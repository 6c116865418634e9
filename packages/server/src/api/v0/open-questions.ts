import { type Clarification, type PlanRunUUID, ClarificationUUID } from 'portia-ts';

/** Who was asked: for which run, on whose behalf, by which tool, and in which organisation. */
export interface Asked {
  readonly organisation: string;
  readonly planRunId: PlanRunUUID;
  readonly endUserId: string;
  readonly tool: string;
}

interface Open {
  readonly questions: readonly Clarification[];
  readonly by: 'call' | 'readiness';
  readonly at: number;
}

/** Milliseconds that somebody gets to do what a call asked for, when the run is not stored here. */
const patienceMs = 600_000;
/** How many runs and tools are remembered; the longest forgotten go first. */
const most = 10_000;

/**
 * The questions that tools asked runs elsewhere and that are not settled. The same question keeps its id however often it
 * is asked: clients tell questions apart by that alone. Kept in memory: after a restart a question is asked anew.
 */
export class OpenQuestions {
  readonly #open = new Map<string, Open>();

  /** The questions as they were asked first, with the run they belong to. `by`: whether a call or a tool's readiness asks. */
  ask(asked: Asked, questions: readonly Clarification[], by: Open['by']): readonly Clarification[] {
    const key = keyOf(asked);
    const before = this.#open.get(key)?.questions ?? [];
    const now = questions.map((question) => {
      const known = before.find((one) => contentOf(one) === contentOf(question));
      return known ?? placed(question, asked.planRunId);
    });
    this.#open.delete(key);
    if (now.length > 0) this.#open.set(key, { questions: now, by, at: performance.now() });
    for (const oldest of this.#open.keys()) {
      if (this.#open.size <= most) break;
      this.#open.delete(oldest);
    }
    return now;
  }

  /** What somebody still has to do before the tool can be called; other questions are settled by the next call. */
  toDo(asked: Asked): readonly Clarification[] {
    return (this.#open.get(keyOf(asked))?.questions ?? []).filter(({ category }) => category === 'Action');
  }

  /**
   * What is still to do when the tool itself says that it is ready. What its readiness asked for is done then; what a call
   * asked for is done when the run says so. Of a run that is not stored here nobody hears that: after a while the tool is
   * called again.
   */
  async stillToDo(
    asked: Asked,
    resolved: () => Promise<readonly string[] | undefined>,
  ): Promise<readonly Clarification[]> {
    const key = keyOf(asked);
    const open = this.#open.get(key);
    if (!open) return [];
    const done = open.by === 'readiness' ? undefined : await resolved();
    const isOver = open.by === 'readiness' || (done === undefined && performance.now() - open.at > patienceMs);
    const left = isOver ? [] : this.toDo(asked).filter(({ id }) => !done?.includes(id));
    if (left.length > 0) this.#open.set(key, { ...open, questions: left });
    else this.#open.delete(key);
    return left;
  }
}

function keyOf({ organisation, planRunId, endUserId, tool }: Asked): string {
  return JSON.stringify([organisation, planRunId, endUserId, tool]);
}

function contentOf(question: Clarification): string {
  const { id, plan_run_id, step, resolved, response, ...content } = question.toJSON();
  return JSON.stringify(content);
}

/** An id of its own, as the tool may give the same object to several runs. */
function placed(question: Clarification, planRunId: PlanRunUUID): Clarification {
  const wire = { ...question.toJSON(), id: ClarificationUUID.random(), plan_run_id: planRunId };
  return { ...question, id: wire.id, planRunId, toJSON: () => wire } as Clarification;
}
