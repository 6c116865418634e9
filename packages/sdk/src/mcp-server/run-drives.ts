import type { ServerContext } from '@modelcontextprotocol/server';
import type { Portia } from '../client.ts';
import type { RunEvent, RunNotice } from '../core/event.ts';
import type { PlanRunUUID } from '../core/ids.ts';

/** Drives the runs that hosts start, each once, whoever waits for it. */
export class RunDrives {
  readonly #portia: Portia;
  readonly #driven: Map<PlanRunUUID, Promise<void>> = new Map<PlanRunUUID, Promise<void>>();
  readonly #ending: AbortController = new AbortController();

  constructor(portia: Portia) {
    this.#portia = portia;
  }

  /** Drives a run, and waits until it rests or the time is up; tells the host what happens meanwhile. */
  async follow(id: PlanRunUUID, waitMs: number, context: ServerContext): Promise<void> {
    const done = new AbortController();
    const { signal } = context.mcpReq;
    const stop = (): void => done.abort();
    const timer = setTimeout(stop, waitMs);
    signal.addEventListener('abort', stop, { once: true });
    const telling = this.#tell(id, context, done.signal);
    const stopped = new Promise<void>((stopWaiting) => {
      done.signal.addEventListener('abort', () => stopWaiting(), { once: true });
    });
    try {
      await Promise.race([this.#drive(id), stopped]);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      stop();
      await telling;
    }
  }

  #drive(id: PlanRunUUID): Promise<void> {
    let driving = this.#driven.get(id);
    if (!driving) {
      driving = this.#portia.resume({ planRunId: id, signal: this.#ending.signal }).then(
        () => {},
        () => {},
      );
      this.#driven.set(id, driving);
      void driving.then(() => this.#driven.delete(id));
    }
    return driving;
  }

  async #tell(id: PlanRunUUID, context: ServerContext, signal: AbortSignal): Promise<void> {
    const progressToken = context.mcpReq._meta?.progressToken;
    if (progressToken === undefined) return;
    let progress = 0;
    try {
      for await (const event of this.#portia.events(id, { signal })) {
        const message = messageOf(event);
        if (message === undefined) continue;
        progress += 1;
        await context.mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, message } });
      }
    } catch {
      // A host that does not listen any more is told nothing; the run goes on.
    }
  }

  /** Stops driving; runs stay resumable. */
  async close(): Promise<void> {
    this.#ending.abort(new Error('the MCP server was closed'));
    await Promise.all(this.#driven.values());
  }
}

function messageOf(event: RunEvent | RunNotice): string | undefined {
  switch (event.type) {
    case 'step-start':
      return `step ${event.step + 1} begins`;
    case 'tool-call-start':
      return `calls ${event.tool}`;
    case 'run-wait':
      return 'waits for a person';
    case 'run-end':
      return `the run is ${event.state}`;
    default:
      return undefined;
  }
}
