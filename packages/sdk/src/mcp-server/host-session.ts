import type { CallToolResult, InputRequest, InputRequiredResult, ServerContext } from '@modelcontextprotocol/server';
import type { Portia } from '../client.ts';
import { PortiaError } from '../core/errors.ts';
import { PlanRunUUID } from '../core/ids.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { PlanRun } from '../core/plan-run.ts';
import type { ClarificationRecord } from '../core/run-state.ts';
import type { RunDrives } from './run-drives.ts';
import { serverPackage } from './package.ts';
import { isForThePersonAlone, readings, requestFor, responsesIn } from './questions.ts';
import { reportText, runReport } from './run-report.ts';

/** What a tool gives the host. */
type Given = CallToolResult | InputRequiredResult;

/** What one end user may do with the runs of a client, through an MCP host. */
export class HostSession {
  readonly #portia: Portia;
  readonly #drives: RunDrives;
  readonly endUser: string;
  readonly #waitMs: number;
  /** What the host can show a person. */
  readonly #canElicit: () => boolean;

  constructor(portia: Portia, drives: RunDrives, endUser: string, waitMs: number, canElicit: () => boolean) {
    this.#portia = portia;
    this.#drives = drives;
    this.endUser = endUser;
    this.#waitMs = waitMs;
    this.#canElicit = canElicit;
  }

  /**
   * A run of this end user. Somebody else's is as unknown as one that is not there.
   * @throws PortiaError `PLAN_RUN_NOT_FOUND`, `ID_INVALID`.
   */
  async ownRun(id: string): Promise<PlanRun> {
    const run = await this.#portia.storage.getPlanRun(PlanRunUUID.fromString(id));
    if (run.endUserId === this.endUser) return run;
    throw new PortiaError({ code: 'PLAN_RUN_NOT_FOUND', message: `no run ${run.id} is stored` });
  }

  /** Starts a run, or takes up the one whose questions the host comes back with, and follows it for a while. */
  async run(start: () => Promise<{ readonly planRunId: PlanRunUUID }>, context: ServerContext): Promise<Given> {
    const asked = context.mcpReq.requestState();
    if (typeof asked === 'string') return this.#answered(asked, context);
    const { planRunId } = await start();
    return this.follow(planRunId, context);
  }

  async #answered(id: string, context: ServerContext): Promise<Given> {
    const run = await this.ownRun(id);
    const given = context.mcpReq.inputResponses ?? {};
    let answered = 0;
    for (const record of await this.#open(run)) {
      const { clarification } = record;
      const responses = responsesIn(clarification, given[clarification.id]);
      if (responses.length > 0) {
        await this.#resolve(run, record, responses);
        answered += 1;
      }
    }
    // A person who does not answer is not asked again within this call.
    return answered > 0 ? this.follow(run.id, context) : this.outcome(run.id);
  }

  /** The questions of a run this end user may answer. */
  async #open(run: PlanRun): Promise<readonly Readonly<ClarificationRecord>[]> {
    const records = await this.#portia.storage.getClarifications(run.id);
    return records.filter(({ clarification, audience }) => !clarification.resolved && audience === 'endUser');
  }

  async #resolve(run: PlanRun, record: Readonly<ClarificationRecord>, responses: readonly JsonValue[]): Promise<void> {
    for (const [index, response] of responses.entries()) {
      try {
        await this.#portia.resolveClarification({
          planRunId: run.id,
          clarificationId: record.clarification.id,
          response,
          resolvedBy: this.endUser,
          via: 'mcp',
        });
        return;
      } catch (error) {
        const unfit = PortiaError.isInstance(error) && error.code === 'CLARIFICATION_RESPONSE_INVALID';
        if (!unfit || index === responses.length - 1) throw error;
      }
    }
  }

  /** Drives a run until it ends or waits, or the time is up; asks the person where the host can. */
  async follow(id: PlanRunUUID, context: ServerContext, waitMs: number = this.#waitMs): Promise<Given> {
    await this.#drives.follow(id, waitMs, context);
    const run = await this.ownRun(id);
    if (run.state !== 'NEED_CLARIFICATION' || !this.#canElicit()) return this.outcome(id);
    const requests: [string, InputRequest][] = [];
    for (const { clarification } of await this.#open(run)) {
      requests.push([clarification.id, await requestFor(clarification)]);
    }
    if (requests.length === 0) return this.outcome(id);
    const { inputRequired } = await serverPackage();
    return inputRequired({ requestState: id, inputRequests: Object.fromEntries(requests) });
  }

  /** What a call says that was to bring a run's result: a run that failed is a call that failed, as hosts expect it. */
  async outcome(id: PlanRunUUID): Promise<CallToolResult> {
    const report = await this.report(id);
    const { state } = report.structuredContent as JsonObject;
    return state === 'FAILED' ? { ...report, isError: true } : report;
  }

  /** How a run stands. */
  async report(id: PlanRunUUID): Promise<CallToolResult> {
    const run = await this.ownRun(id);
    const report = runReport(run, await this.#portia.storage.getClarifications(run.id));
    return { content: [{ type: 'text', text: reportText(report) }], structuredContent: report };
  }

  /** An answer that comes in words, from the model that calls. Never a yes or a no: those are the person's own. */
  async answer(id: string, clarificationId: string, response: JsonValue, context: ServerContext): Promise<Given> {
    const run = await this.ownRun(id);
    const record = (await this.#open(run)).find(({ clarification }) => clarification.id === clarificationId);
    if (!record || isForThePersonAlone(record)) {
      throw new PortiaError({
        code: 'CLARIFICATION_FORBIDDEN',
        message: `${clarificationId} is no question that can be answered with this tool`,
        hint: 'approvals are given by people: in a window of the host, or where operators decide',
      });
    }
    await this.#resolve(run, record, readings(record.clarification, response));
    return this.follow(run.id, context);
  }

  /** The runs of this end user, newest first. */
  async list(limit: number): Promise<JsonObject[]> {
    const { items } = await this.#portia.storage.listRuns({ endUserId: this.endUser, limit });
    return items.map(({ header, status }) => ({ run_id: header.id, state: status.state }));
  }

  /** Ends a run of this end user. */
  async cancel(id: string): Promise<CallToolResult> {
    const run = await this.ownRun(id);
    await this.#portia.cancel({ planRunId: run.id });
    return this.report(run.id);
  }
}
