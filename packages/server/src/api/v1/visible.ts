import {
  type Clarification,
  isInMemory,
  type Output,
  type PlanRun,
  PlanRunUUID,
  PortiaError,
  type RunSummary,
  type Storage,
} from 'portia-ts';
import { may, type Principal, rolesOf, seesAudience } from '../../auth/principal.ts';
import type { AppContext } from '../../http/context.ts';
import { noCommits } from '../../tenants.ts';
import type { ClarificationJson, OutputJson, RunJson, RunSummaryJson } from './schemas.ts';

/** A clarification with what stands beside it in the record of its run. */
export type ClarificationRecord = Awaited<ReturnType<Storage['getClarifications']>>[number];

/** A run that the principal may see, with those of its clarifications that it may see. */
export interface VisibleRun {
  readonly planRun: PlanRun;
  readonly clarifications: readonly ClarificationRecord[];
}

/**
 * The run of a request, if its principal may see it. A run that it may not see is answered as one that is not there.
 * @throws PortiaError `ID_INVALID`, `PLAN_RUN_NOT_FOUND`
 */
export async function visibleRun(context: AppContext, given: string): Promise<VisibleRun> {
  const id = PlanRunUUID.fromString(given);
  const { portia } = context.get('tenant');
  const principal = context.get('principal');
  const [planRun, all] = await Promise.all([portia.storage.getPlanRun(id), portia.storage.getClarifications(id)]);
  const clarifications = all.filter(({ audience }) => seesAudience(principal, audience));
  if (!seesRun(principal, planRun.endUserId, clarifications.length > 0)) throw notThere(id);
  return { planRun, clarifications };
}

/** Where a run stands, for a principal that may see it. */
export interface VisibleStanding {
  readonly id: PlanRunUUID;
  readonly isOver: boolean;
  /** The questions that it was asked up to the event `after`, and perhaps later ones. */
  readonly asked: readonly string[];
}

/**
 * The same for whoever follows the run after an event: its journal is read only where somebody may see no more of it than
 * what they are asked. @throws PortiaError `ID_INVALID`, `PLAN_RUN_NOT_FOUND`
 */
export async function visibleStanding(context: AppContext, given: string, after: number): Promise<VisibleStanding> {
  const id = PlanRunUUID.fromString(given);
  const { portia, storage } = context.get('tenant');
  const principal = context.get('principal');
  // Its last commit is opened: what was erased is refused here, whoever else has it still.
  const stored = await storage.loadRun(id, noCommits);
  if (!stored) throw notThere(id);
  const { endUserId } = stored.header;
  const isOwn = principal.endUserId !== undefined && after === 0;
  const isRead = !may(principal, 'read-all') && !isOwn;
  const all = isRead ? await portia.storage.getClarifications(id) : [];
  const seen = all.filter(({ audience }) => seesAudience(principal, audience));
  if (!seesRun(principal, endUserId, seen.length > 0)) throw notThere(id);
  const { state } = stored.status;
  return {
    id,
    isOver: state === 'COMPLETE' || state === 'FAILED',
    asked: seen.map(({ clarification }) => clarification.id),
  };
}

function seesRun(principal: Principal, endUserId: string, isAsked: boolean): boolean {
  if (may(principal, 'read-all')) return true;
  if (principal.endUserId !== undefined) return principal.endUserId === endUserId;
  return rolesOf(principal).length > 0 && isAsked;
}

/** In the words of the library, so that nobody can tell the two cases apart. */
function notThere(id: string): PortiaError {
  return new PortiaError({
    code: 'PLAN_RUN_NOT_FOUND',
    message: `Run with id ${id} not found.`,
    planRunId: id,
  });
}

/** A line of a list of runs. */
export function summaryJson({ header, status }: RunSummary): RunSummaryJson {
  return {
    id: header.id,
    planId: status.planId ?? header.planId,
    state: status.state,
    endUserId: header.endUserId,
    createdAt: header.createdAt,
    updatedAt: status.updatedAt,
    labels: { ...header.labels },
    runKey: header.runKey ?? null,
    error: status.error ?? null,
  };
}

/** A run with what it has made. */
export function runJson({ planRun, clarifications }: VisibleRun): RunJson {
  const { outputs, executionContext } = planRun;
  return {
    id: planRun.id,
    planId: planRun.planId,
    state: planRun.state,
    endUserId: planRun.endUserId,
    currentStepIndex: planRun.currentStepIndex,
    createdAt: executionContext.createdAt,
    labels: { ...executionContext.labels },
    runKey: executionContext.runKey,
    traceId: executionContext.traceId,
    planRunInputs: byName(planRun.planRunInputs),
    stepOutputs: byName(outputs.stepOutputs),
    finalOutput: outputs.finalOutput ? outputJson(outputs.finalOutput) : null,
    clarifications: clarifications.map((record) => clarificationJson(planRun.id, record)),
    error: planRun.error ?? null,
  };
}

function byName(outputs: Readonly<Record<string, Output>>): Record<string, OutputJson> {
  return Object.fromEntries(Object.entries(outputs).map(([name, output]) => [name, outputJson(output)]));
}

/** An output: its value, or the name under which agent memory has it. */
export function outputJson(output: Output): OutputJson {
  return isInMemory(output)
    ? { outputName: output.outputName, summary: output.summary }
    : { value: output.value, summary: output.summary };
}

/** A clarification with its audience, its expiry, and who answered it. */
export function clarificationJson(planRunId: string, record: ClarificationRecord): ClarificationJson {
  const { clarification } = record;
  return {
    id: clarification.id,
    planRunId,
    category: clarification.category,
    userGuidance: clarification.userGuidance,
    ...ownFields(clarification),
    step: record.step,
    source: clarification.source,
    audience: record.audience,
    raisedAt: record.raisedAt,
    expiresAt: record.expiresAt ?? null,
    approves: record.approves ?? null,
    resolved: clarification.resolved,
    response: clarification.response,
    resolvedBy: record.resolvedBy,
    resolvedAs: record.resolvedAs,
    via: record.via,
  };
}

function ownFields(clarification: Clarification): Partial<ClarificationJson> {
  switch (clarification.category) {
    case 'Action':
      return { actionUrl: clarification.actionUrl, requireConfirmation: clarification.requireConfirmation };
    case 'Multiple Choice':
      return { argumentName: clarification.argumentName, options: [...clarification.options] };
    case 'Input':
    case 'Value Confirmation':
      return { argumentName: clarification.argumentName };
    case 'Custom':
      return { name: clarification.name, data: { ...clarification.data } };
    default:
      return {};
  }
}
