import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { onDisk, question, readRun, writeRun } from '../../../test/lib/disk-store.ts';
import { fold } from '../../core/apply.ts';
import { fromCommit, type RunEventBody, toCommit } from '../../core/event.ts';
import { LocalDataValue } from '../../core/output.ts';
import { Plan } from '../../core/plan.ts';
import { planRunView } from '../../core/plan-run.ts';
import { compile } from '../../plan/compile.ts';
import { codeOf, now, sampleClaim, samplePlan } from '../../testing/storage-contract/samples.ts';
import type { StoredRun } from '../storage-backend.ts';
import { diskStorage } from './disk-storage.ts';

const portiaPlan = {
  id: 'plan-0b6f2f0e-54b4-4c1c-9a55-6a1f6a2b9d10',
  plan_context: { query: 'Email the sales total', tool_ids: ['crm', 'mailer'] },
  steps: ['$sales', '$total', '$receipt'].map((output) => ({
    task: `make ${output}`,
    inputs: [],
    tool_id: 'crm',
    output,
    condition: null,
  })),
  plan_inputs: [],
};
const portiaRunId = 'prun-7d7b7a52-1d2e-4a35-9f56-2f4cdb0c9b01' as const;
const asked = { ...question, plan_run_id: portiaRunId, step: 2, response: null, resolved: false };

function portiaRun(init: Record<string, unknown> = {}, outputs: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    id: portiaRunId,
    plan_id: portiaPlan.id,
    current_step_index: 2,
    state: 'NEED_CLARIFICATION',
    end_user_id: 'acme-user-17',
    plan_run_inputs: { $region: { value: 'EMEA', summary: null } },
    outputs: {
      clarifications: [asked],
      step_outputs: {
        $sales: { output_name: '$sales', plan_run_id: portiaRunId, summary: '412 rows' },
        $total: { value: '10233', summary: null },
        $receipt: { value: JSON.stringify([asked]), summary: null },
      },
      final_output: null,
      ...outputs,
    },
    ...init,
  };
}

function writePortia(root: string, run: Record<string, unknown> = portiaRun()): void {
  mkdirSync(join(root, portiaRunId), { recursive: true });
  writeFileSync(join(root, `${portiaPlan.id}.json`), JSON.stringify(portiaPlan, null, 4));
  writeFileSync(join(root, portiaRunId, '$sales.json'), '{"value": "[1, 2]", "summary": null}');
  writeRun(root, portiaRunId, run);
}

function shownBy(stored: StoredRun | undefined): Record<string, unknown> {
  if (!stored) throw new Error('no run');
  const state = fold(stored.header, compile(Plan.fromJSON(portiaPlan)), stored.commits.flatMap(fromCommit));
  return planRunView(state).toJSON();
}

describe('a run that Portia 0.9 wrote', () => {
  it('is listed, loaded and shown as it is, with its plan and its large outputs', () =>
    onDisk(async (storage, root) => {
      writePortia(root);
      const { items } = await storage.listRuns({ states: ['NEED_CLARIFICATION'], endUserId: 'acme-user-17' });
      expect(items.map(({ header }) => header.id)).toEqual([portiaRunId]);
      const { step_outputs: outputs } = portiaRun()['outputs'] as { step_outputs: Record<string, unknown> };
      const { $receipt: _pending, ...done } = outputs;
      expect(shownBy(await storage.loadRun(portiaRunId))).toEqual(portiaRun({}, { step_outputs: done }));
      expect(await storage.getOutput(portiaRunId, '$sales')).toEqual(LocalDataValue('[1, 2]'));
      expect((await storage.listPlans({ query: 'Email the sales total' })).items[0]?.document).toEqual(portiaPlan);
      expect(existsSync(join(root, '.journal', portiaRunId))).toBe(false);
    }));

  it('can be answered and driven to its end', () =>
    onDisk(async (storage, root) => {
      writePortia(root);
      const command = {
        type: 'answer' as const,
        key: question.id as never,
        at: now,
        response: 'S',
        resolvedBy: null,
        as: null,
        via: 'library',
      };
      await storage.putCommand(portiaRunId, command);
      const { claimed, driver } = await storage.claimRun(portiaRunId, sampleClaim());
      expect([claimed, driver.epoch]).toEqual([true, 1]);
      const stored = await storage.loadRun(portiaRunId);
      expect([stored?.status.state, stored?.commands]).toEqual(['NEED_CLARIFICATION', [command]]);
      const seq = (stored?.commits ?? []).flatMap(fromCommit).length + 1;
      const end: RunEventBody[] = [
        { type: 'clarification-resolved', id: command.key, response: 'S', resolvedBy: null, as: null, via: 'library' },
        { type: 'step-end', step: 2, output: { value: 'sent' } },
        { type: 'run-end', state: 'COMPLETE', finalOutput: { value: 'sent' } },
      ];
      expect(await storage.append(portiaRunId, 1, toCommit(seq, now, end), { state: 'COMPLETE', updatedAt: now })).toBe(
        true,
      );
      await storage.releaseRun(portiaRunId, 1);
      expect(readRun(root, portiaRunId)).toMatchObject({
        state: 'COMPLETE',
        current_step_index: 2,
        outputs: { final_output: { value: 'sent' } },
      });
      expect((await diskStorage(root).listRuns({ states: ['COMPLETE'] })).items.length).toBe(1);
    }));

  it.each<[string, Record<string, unknown>]>([
    [
      'NOT_STARTED',
      portiaRun({ state: 'NOT_STARTED', current_step_index: 0 }, { clarifications: [], step_outputs: {} }),
    ],
    [
      'READY_TO_RESUME',
      portiaRun(
        { state: 'READY_TO_RESUME' },
        {
          clarifications: [{ ...asked, resolved: true, response: 50 }],
          step_outputs: { $sales: { value: 'a', summary: null }, $total: { value: 'b', summary: null } },
        },
      ),
    ],
    [
      'COMPLETE',
      portiaRun(
        { state: 'COMPLETE' },
        {
          clarifications: [],
          step_outputs: {
            $sales: { value: 'a', summary: null },
            $total: { value: 'Tool execution skipped', summary: null },
            $receipt: { value: 'c', summary: 's' },
          },
          final_output: { value: 'c', summary: 's' },
        },
      ),
    ],
    [
      'FAILED',
      portiaRun(
        { state: 'FAILED', current_step_index: 1 },
        {
          clarifications: [],
          step_outputs: { $sales: { value: 'a', summary: null }, $total: { value: 'it broke', summary: null } },
          final_output: { value: 'it broke', summary: null },
        },
      ),
    ],
  ])('is shown as it is when it is %s', (state, run) =>
    onDisk(async (storage, root) => {
      writePortia(root, run);
      const stored = await storage.loadRun(portiaRunId);
      expect(stored?.status.state).toBe(state);
      expect(shownBy(stored)).toEqual(run);
    }),
  );

  it('goes on after the last step it has the output of, when Portia 0.9 died', () =>
    onDisk(async (storage, root) => {
      const done = { $sales: { value: 'a', summary: null }, $total: { value: 'b', summary: null } };
      writePortia(
        root,
        portiaRun({ state: 'IN_PROGRESS', current_step_index: 1 }, { clarifications: [], step_outputs: done }),
      );
      expect(shownBy(await storage.loadRun(portiaRunId))).toMatchObject({
        state: 'IN_PROGRESS',
        current_step_index: 2,
      });
      const pending = { ...done, $total: { value: JSON.stringify([asked]), summary: null } };
      writePortia(
        root,
        portiaRun(
          { state: 'IN_PROGRESS', current_step_index: 1 },
          { clarifications: [{ ...asked, step: 1, resolved: true, response: 'S' }], step_outputs: pending },
        ),
      );
      expect(shownBy(await storage.loadRun(portiaRunId))).toMatchObject({
        state: 'IN_PROGRESS',
        current_step_index: 1,
      });
    }));

  it('takes a plan of the same content, and refuses another one under its id', () =>
    onDisk(async (storage, root) => {
      writePortia(root);
      const plan = samplePlan({
        id: portiaPlan.id as never,
        query: portiaPlan.plan_context.query,
        document: portiaPlan as never,
      });
      await storage.savePlan(plan);
      expect(await storage.getPlan(plan.id)).toEqual(plan);
      expect((await storage.listPlans({})).items.length).toBe(1);
      rmSync(join(root, '.journal', 'plans', `${plan.id}.json`));
      expect(await codeOf(() => storage.savePlan({ ...plan, document: { ...plan.document, steps: [] } }))).toBe(
        'PLAN_CHANGED',
      );
    }));

  it('says which plan is missing', () =>
    onDisk(async (storage, root) => {
      writeRun(root, portiaRunId, portiaRun());
      expect((await storage.listRuns({})).items.length).toBe(1);
      expect(await codeOf(() => storage.loadRun(portiaRunId))).toBe('PLAN_NOT_FOUND');
    }));
});
