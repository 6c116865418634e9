import { createHash, randomUUID } from 'node:crypto';
import { type Clarification, ClarificationUUID, type JsonObject, type PlanRunUUID } from 'portia-ts';
import type { ControlStore } from '../../control/control-store.ts';

/** Who was asked: for which run, on whose behalf, by which tool, and in which organisation. */
export interface Asked {
  readonly organisation: string;
  readonly planRunId: PlanRunUUID;
  readonly endUserId: string;
  readonly tool: string;
}

interface Open {
  /** Changes with every write, so that of two at once only one is made on what both have read. */
  readonly version: string;
  readonly by: 'call' | 'readiness';
  readonly questions: readonly JsonObject[];
  readonly at: number;
}

/** Milliseconds that somebody gets to do what a call asked for, when the run is not stored here. */
const patienceMs = 600_000;
/** Milliseconds for which a question that is asked over and over need not be written down again. */
const freshMs = 60_000;
/** How long a question is kept that nobody settles, in milliseconds; then it is asked anew. */
const keepMs = 90 * 24 * 3_600_000;

/**
 * The questions that tools asked runs elsewhere and that are not settled. The same question keeps its id however often it
 * is asked, and whichever process asks: clients tell questions apart by that alone. They are in the control store, sealed
 * as the answers there are.
 */
export class OpenQuestions {
  readonly #control: Pick<ControlStore, 'sql' | 'answers'>;

  constructor(control: Pick<ControlStore, 'sql' | 'answers'>) {
    this.#control = control;
  }

  /** The questions as they were asked first, with the run they belong to. `by`: whether a call or a tool's readiness asks. */
  async ask(asked: Asked, questions: readonly Clarification[], by: Open['by']): Promise<readonly JsonObject[]> {
    for (;;) {
      const before = await this.#read(asked);
      const now = questions.map((question) => {
        const wire = question.toJSON();
        return before?.questions.find((one) => contentOf(one) === contentOf(wire)) ?? placed(wire, asked.planRunId);
      });
      if (before && sameQuestions(before, now, by) && Date.now() - before.at < freshMs) return now;
      if (await this.#write(asked, before, now, by)) return now;
    }
  }

  /** What somebody still has to do before the tool can be called; other questions are settled by the next call. */
  async toDo(asked: Asked): Promise<readonly JsonObject[]> {
    return actionsIn(await this.#read(asked));
  }

  /**
   * What is still to do when the tool itself says that it is ready. What its readiness asked for is done then; what a call
   * asked for is done when the run says so. Of a run that is not stored here nobody hears that: after a while the tool is
   * called again.
   */
  async stillToDo(
    asked: Asked,
    resolved: () => Promise<readonly string[] | undefined>,
  ): Promise<readonly JsonObject[]> {
    for (;;) {
      const open = await this.#read(asked);
      if (!open) return [];
      const done = open.by === 'readiness' ? undefined : await resolved();
      const isOver = open.by === 'readiness' || (done === undefined && Date.now() - open.at > patienceMs);
      const left = isOver ? [] : actionsIn(open).filter(({ id }) => !done?.includes(String(id)));
      if (left.length === open.questions.length || (await this.#write(asked, open, left, open.by, open.at)))
        return left;
    }
  }

  async #read(asked: Asked): Promise<Open | undefined> {
    const { sql, answers } = this.#control;
    const [row] = await sql.all(
      'SELECT version, asked_by, questions, at FROM control.tool_questions WHERE organisation = ? AND place = ?',
      [asked.organisation, placeOf(asked)],
    );
    return (
      row && {
        version: String(row['version']),
        by: row['asked_by'] as Open['by'],
        questions: JSON.parse(answers.open(String(row['questions']))) as JsonObject[],
        at: Number(row['at']),
      }
    );
  }

  /** Whether it was written: not when another one wrote since `before` was read. */
  async #write(
    asked: Asked,
    before: Open | undefined,
    questions: readonly JsonObject[],
    by: Open['by'],
    at: number = Date.now(),
  ): Promise<boolean> {
    const { sql, answers } = this.#control;
    const place = [asked.organisation, placeOf(asked)];
    if (questions.length === 0) {
      if (!before) return true;
      const gone = await sql.all(
        'DELETE FROM control.tool_questions WHERE organisation = ? AND place = ? AND version = ? RETURNING at',
        [...place, before.version],
      );
      return gone.length > 0;
    }
    const row = [randomUUID(), by, answers.seal(JSON.stringify(questions)), at];
    if (before) {
      const changed = await sql.all(
        `UPDATE control.tool_questions SET version = ?, asked_by = ?, questions = ?, at = ?
         WHERE organisation = ? AND place = ? AND version = ? RETURNING at`,
        [...row, ...place, before.version],
      );
      return changed.length > 0;
    }
    await sql.all('DELETE FROM control.tool_questions WHERE at < ?', [Date.now() - keepMs]);
    const made = await sql.all(
      `INSERT INTO control.tool_questions (version, asked_by, questions, at, organisation, place)
       VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (organisation, place) DO NOTHING RETURNING at`,
      [...row, ...place],
    );
    return made.length > 0;
  }
}

/** A name for the run, the person and the tool that tells neither of them. */
function placeOf({ planRunId, endUserId, tool }: Asked): string {
  return createHash('sha256')
    .update(JSON.stringify([planRunId, endUserId, tool]))
    .digest('base64url');
}

function actionsIn(open: Open | undefined): readonly JsonObject[] {
  return (open?.questions ?? []).filter(({ category }) => category === 'Action');
}

function sameQuestions(open: Open, questions: readonly JsonObject[], by: Open['by']): boolean {
  return open.by === by && JSON.stringify(open.questions) === JSON.stringify(questions);
}

function contentOf({ id, plan_run_id, step, resolved, response, ...content }: JsonObject): string {
  return JSON.stringify(content);
}

/** An id of its own, as the tool may give the same object to several runs. */
function placed(question: JsonObject, planRunId: PlanRunUUID): JsonObject {
  return { ...question, id: ClarificationUUID.random(), plan_run_id: planRunId };
}
