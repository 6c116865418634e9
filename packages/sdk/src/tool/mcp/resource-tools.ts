import { z } from 'zod';
import { ToolSoftError } from '../../core/errors.ts';
import { toJson } from '../../core/json.ts';
import type { AnyTool } from '../../core/tool.ts';
import { tool } from '../tool.ts';
import type { McpServer } from './server.ts';

/** Tools with which agents reach what stands beside a server's tools: its resources and its prompts. */
export function resourceTools(server: McpServer): AnyTool[] {
  const { name } = server;
  const prefix = `mcp:${name.replaceAll(',', '_')}:portia`;
  const made = [
    tool({
      id: `${prefix}:list_resources`,
      description: `Lists the resources of the MCP server ${name}: their addresses, names and descriptions.`,
      readOnly: true,
      async run(_args, { endUser }) {
        const options = { endUserId: endUser.externalId };
        return soft(async () => ({
          resources: await server.listResources(options),
          templates: await server.listResourceTemplates(options).catch(() => []),
        }));
      },
    }),
    tool({
      id: `${prefix}:read_resource`,
      description: `Reads a resource of the MCP server ${name} by its address.`,
      argsSchema: z.object({ uri: z.string().describe('the address of the resource, as listed') }),
      readOnly: true,
      run: ({ uri }, { endUser }) => soft(() => server.readResource(uri, { endUserId: endUser.externalId })),
    }),
    tool({
      id: `${prefix}:get_prompt`,
      description: `Gets a prompt of the MCP server ${name}, filled in.`,
      argsSchema: z.object({ name: z.string(), arguments: z.record(z.string(), z.string()).optional() }),
      readOnly: true,
      run: (args, { endUser }) =>
        soft(() => server.getPrompt(args.name, args.arguments, { endUserId: endUser.externalId })),
    }),
  ] as AnyTool[];
  return made.map((one) => Object.freeze({ ...one, close: () => server.release() }));
}

/** Reading changes nothing: whatever goes wrong, trying again may help. */
async function soft(read: () => Promise<unknown>): Promise<unknown> {
  try {
    return toJson(await read(), 'what the server gave');
  } catch (error) {
    throw new ToolSoftError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
