import { plainLine } from '../../clarify/plain-text.ts';
import type { Plan } from '../../core/plan.ts';
import type { AnyTool } from '../../core/tool.ts';
import { llmToolId } from '../../plan/compile.ts';
import type { ToolRegistry } from '../../tool/registry.ts';
import type { Paint } from './paint.ts';
import { none, stepWords } from './step-words.ts';
import { type Cell, table } from './table.ts';

/** What calling a tool may do: nothing (`read-only`), the same thing at most (`idempotent`), or something (`effect`). */
export function effectOf(tool: AnyTool | undefined): 'read-only' | 'idempotent' | 'effect' {
  if (tool?.readOnly) return 'read-only';
  return tool?.idempotent ? 'idempotent' : 'effect';
}

/** The same for people. */
export function effectCell(effect: ReturnType<typeof effectOf>, paint: Paint): Cell {
  return effect === 'effect' ? { text: 'with effects', style: paint.yellow } : { text: effect, style: paint.green };
}

/** What the calls of a step may do, as far as its tools are known here. */
function callsOf(toolId: string | undefined, tools: ToolRegistry, paint: Paint): Cell {
  if (toolId === undefined) return none;
  if (toolId === llmToolId) return effectCell('read-only', paint);
  if (!tools.has(toolId)) return { text: 'unknown', style: paint.yellow };
  return effectCell(effectOf(tools.getTool(toolId)), paint);
}

/** A plan as people read it before it runs: each step's task, tool, whether that tool has effects, inputs and output. */
export function planTable(
  plan: Plan,
  tools: ToolRegistry,
  options: { readonly width: number; readonly paint: Paint },
): string[] {
  const { paint } = options;
  const { title, names, toolOf, nameOf } = stepWords(plan);
  const rows = plan.steps.map((step, index): Cell[] => {
    const toolId = toolOf(index);
    const condition = step.condition ? ` (${plainLine(step.condition)})` : '';
    return [
      { text: String(index + 1), style: paint.dim },
      `${plainLine(step.task)}${condition}`,
      plainLine(toolId ?? none),
      callsOf(toolId, tools, paint),
      plainLine(step.inputs.map(({ name }) => nameOf(name)).join(', ')) || none,
      plainLine(names[index] ?? step.output),
    ];
  });
  return [
    `${paint.bold('Plan')} ${paint.dim(plan.id)}`,
    ...plan.planInputs.map((input) => `  input ${plainLine(input.prettyPrint())}`),
    '',
    ...table(
      [
        { title: '#' },
        { title: 'task', fills: true },
        { title: 'tool', most: 24 },
        { title: 'calls are' },
        { title: 'inputs', most: options.width < 110 ? 16 : 28, wraps: true },
        { title, most: 24 },
      ],
      rows,
      options,
    ),
  ];
}
