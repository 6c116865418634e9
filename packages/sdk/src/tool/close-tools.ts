import type { AnyTool } from '../core/tool.ts';

/** Lets tools go of what they hold open. What goes wrong then is nobody's any more. */
export async function closeTools(tools: Iterable<AnyTool>): Promise<void> {
  await Promise.allSettled([...tools].map(async (tool) => tool.close?.()));
}
