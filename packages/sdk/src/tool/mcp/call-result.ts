import type { CallToolResult } from '@modelcontextprotocol/client';
import { type JsonObject, type JsonValue, toJson } from '../../core/json.ts';

/** Characters of a server's error text that go on record. */
const longestError = 2_000;

/**
 * What a tool of an MCP server gives: its structured content where that is all it says, the text of a single text
 * block, else all blocks (text, images, audio, resources, links) and the structured content together.
 */
export function resultValue(result: CallToolResult): JsonValue {
  const { content, structuredContent } = result;
  const onlyText = content.every(({ type }) => type === 'text');
  if (structuredContent !== undefined && onlyText) return toJson(structuredContent, 'structuredContent');
  const [block] = content;
  if (structuredContent === undefined && content.length === 1 && block?.type === 'text') return block.text;
  return wholeResult(result);
}

function wholeResult({ content, structuredContent }: CallToolResult): JsonObject {
  return toJson({ content, ...(structuredContent !== undefined && { structuredContent }) }, 'the result') as JsonObject;
}

/** What a result that is an error says, in words. */
export function errorText({ content }: CallToolResult): string {
  const texts = content.map((block) => (block.type === 'text' ? block.text : `[${block.type}]`));
  const text = texts.join('\n').trim() || 'it failed and does not say why';
  return text.length <= longestError ? text : `${text.slice(0, longestError)}…`;
}
