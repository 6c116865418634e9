import type { RunBudget } from '../core/budget.ts';
import type { Model } from '../core/model.ts';
import { noModelUsage, type ModelUsageTotals } from '../core/run-state.ts';
import { addModelCall } from '../core/usage.ts';
import type { Crossing } from '../run/account.ts';
import { BudgetBreak, Purse } from '../run/budget.ts';
import { whileTimeLasts } from '../run/budget-time.ts';
import type { Runtime } from '../run/runtime.ts';

/** A model whose calls are counted, and made only while the budgets of a planning and of the client leave room. */
export function meteredModel(
  runtime: Runtime,
  model: Model,
  budget: RunBudget | undefined,
): { readonly model: Model; readonly usage: () => ModelUsageTotals } {
  const totals = noModelUsage();
  const began = runtime.clock.now();
  const purse = new Purse(
    runtime,
    () => budget,
    () => ({
      microUsd: totals.microUsd,
      tokens: totals.inputTokens + totals.outputTokens + totals.estimatedTokens,
      modelCalls: totals.modelCalls - totals.cachedCalls,
      toolCalls: 0,
      ms: runtime.clock.now() - began,
    }),
  );
  const metered: Model = {
    id: model.id,
    contextWindow: model.contextWindow,
    async generate(request) {
      const stop = (crossing: Crossing, scope: 'run' | 'client'): never => {
        throw new BudgetBreak(scope === 'client' ? 'client' : 'planning', crossing, `a call of ${model.id}`);
      };
      const { release, ...allowed } = await purse.beforeModelCall(model, request, stop);
      const started = performance.now();
      try {
        const { clock } = runtime;
        const answer = await whileTimeLasts(
          purse,
          () => clock.now(),
          request.signal,
          stop,
          (limits) => model.generate({ ...request, ...allowed, ...limits }),
        );
        const ms = Math.round(performance.now() - started);
        addModelCall(totals, { answer, ms, ...purse.bill(model, request, answer) });
        return answer;
      } finally {
        release();
      }
    },
  };
  return { model: metered, usage: () => ({ ...totals }) };
}
