import { type Commit, fromCommit, toCommit } from '../core/event.ts';
import type { PlanRunUUID } from '../core/ids.ts';

/** A commit that was sent, and of which nobody knows whether it arrived. */
interface Unsettled {
  readonly epoch: number;
  readonly commit: Commit;
}

/** How many are kept: more than that are not driven by one process. */
const mostUnsettled = 10_000;

/** How one commit is written. `again`: an attempt to write this very commit may have been carried out. */
export type WriteCommit = (commit: Commit, again: boolean) => Promise<boolean>;

/**
 * Commits whose writer never heard of their end, because the connection was lost. It writes them again, perhaps
 * together with what happened since; then the part that may be there already goes first, as it was, and the rest follows
 * as a commit of its own. So a commit is never there twice, and one that others have read never changes.
 */
export class UnsettledCommits {
  readonly #commits = new Map<PlanRunUUID, Unsettled>();

  /** Writes a commit by `write`, what is unsettled of its run before it. `false`: the epoch is over. */
  async settle(id: PlanRunUUID, epoch: number, commit: Commit, write: WriteCommit): Promise<boolean> {
    const earlier = this.#commits.get(id);
    if (earlier?.epoch !== epoch || earlier.commit.seq !== commit.seq)
      return this.#write(id, epoch, commit, write, false);
    if (earlier.commit.events === commit.events) return this.#write(id, epoch, commit, write, true);
    const count = fromCommit(earlier.commit).length;
    const bodies = fromCommit(commit).slice(count);
    if (!(await this.#write(id, epoch, earlier.commit, write, true))) return false;
    if (bodies.length === 0) return true;
    const rest = toCommit(
      commit.seq + count,
      commit.at,
      bodies.map(({ v, seq, at, ...body }) => body as never),
    );
    return this.#write(id, epoch, rest, write, false);
  }

  async #write(id: PlanRunUUID, epoch: number, commit: Commit, write: WriteCommit, again: boolean): Promise<boolean> {
    this.#commits.set(id, { epoch, commit });
    const [oldest] = this.#commits.keys();
    // Runs that were given up for good: nobody asks for theirs.
    if (oldest !== undefined && this.#commits.size > mostUnsettled) this.#commits.delete(oldest);
    const written = await write(commit, again);
    this.#commits.delete(id);
    return written;
  }
}
