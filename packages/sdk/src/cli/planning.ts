import type { Portia } from '../client.ts';
import type { PortiaError } from '../core/errors.ts';
import type { Plan } from '../core/plan.ts';
import { llmToolId } from '../plan/compile.ts';
import { exampleToolRegistry } from '../tool/library/registries.ts';
import { nearest } from '../core/nearest.ts';
import type { Context } from './command.ts';
import { type OptionSpecs, usageError } from './input.ts';
import { duration } from './view/text.ts';

/** How a query is planned. */
export const planningOptions: OptionSpecs = {
  'tool-id': { type: 'text', many: true, value: 'ID', help: 'plan with this tool only' },
  cached: { type: 'flag', help: 'use the newest stored plan for exactly this query, if there is one' },
};

/** Plans a query, saying so while it takes. @throws PortiaError `USAGE` for a tool that is not there. */
export async function makePlanHere(
  { input, io, interrupt, json }: Context,
  portia: Portia,
  query: string,
): Promise<Plan> {
  const tools = input.texts('tool-id');
  for (const id of tools) if (!portia.tools.has(id) && id !== llmToolId) throw unknownTool(id, portia.tools.toolIds());
  const { err } = io;
  const started = performance.now();
  const says =
    !json && err.isLive
      ? setInterval(() => err.write(`\r${planningText(performance.now() - started)}`), 100).unref()
      : undefined;
  if (!json && !err.isLive) err.write('planning …\n');
  try {
    return await portia.plan(query, {
      tools,
      planInputs: [...input.pairs('input').keys()],
      endUser: input.text('end-user-id'),
      useCachedPlan: input.flag('cached'),
      signal: interrupt.signal,
    });
  } finally {
    clearInterval(says);
    if (says) err.write('\r\u001b[0K');
  }
}

function unknownTool(id: string, known: readonly string[]): PortiaError {
  const near = nearest(id, known);
  if (!near && exampleToolRegistry.has(id)) {
    return usageError(
      `${id} has no key here`,
      'set its key (`doctor` says which), or take it without one: --tools example',
    );
  }
  return usageError(
    `there is no tool ${JSON.stringify(id)}`,
    `${near ? `did you mean ${near}? ` : ''}there are ${known.join(', ')}`,
  );
}

function planningText(ms: number): string {
  return `planning … ${duration(ms)}`;
}
