import { plainLine } from '../../clarify/plain-text.ts';
import { llmToolId } from '../../plan/compile.ts';
import { llmTool } from '../../tool/library/llm-tool.ts';
import { argsJsonSchemaOf } from '../../tool/tool.ts';
import { closeTools } from '../../tool/close-tools.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { configOf, loadEnvironment, tellOn, toolsOf } from '../open-client.ts';
import { placeOptions, toolOptions } from '../options.ts';
import { writeJson, writeLines } from '../output.ts';
import { effectCell, effectOf } from '../view/plan-table.ts';
import { type Cell, table } from '../view/table.ts';

/** Lists the tools plans may use here. */
export const toolsListCommand: Command = {
  name: 'tools list',
  summary: 'list the tools that plans may use here',
  words: [0, 0],
  options: { ...toolOptions, ...placeOptions },
  async run({ input, io, json }) {
    loadEnvironment(input);
    const registry = await toolsOf(input, await configOf(input), tellOn(io));
    await closeTools(registry);
    const tools = [...(registry.has(llmToolId) ? registry : registry.withTool(llmTool))];
    if (json) {
      const described = tools.map((tool) => ({
        id: tool.id,
        name: tool.name,
        description: tool.description,
        effect: effectOf(tool),
        argsSchema: argsJsonSchemaOf(tool),
      }));
      writeJson(io.out, { tools: described });
      return exitCodes.complete;
    }
    const { paint } = io.out;
    const rows = tools.map((tool): Cell[] => [tool.id, effectCell(effectOf(tool), paint), plainLine(tool.description)]);
    writeLines(
      io.out,
      table(
        [{ title: 'tool', most: 32 }, { title: 'calls are' }, { title: 'what it does', fills: true }],
        rows,
        io.out,
      ),
    );
    return exitCodes.complete;
  },
};
