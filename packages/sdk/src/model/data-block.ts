/**
 * The tags our prompts use. They are written nowhere else, so text that contains one of them has it only because
 * somebody put it there.
 */
export const blockTags = [
  'user_query',
  'tool_list',
  'example_plans',
  'end_user',
  'plan_inputs',
  'plan_steps',
  'step_task',
  'step_condition',
  'step_input',
  'step_arguments',
  'earlier_output',
  'person_answer',
  'tool_output',
] as const;

/** One of the tags our prompts use. */
export type BlockTag = (typeof blockTags)[number];

// Also found: tags in other case, with blanks, invisible characters or a wide `<`, since a model may read them as ours.
const invisible = '\\p{Cf}*';
const names = blockTags.map((tag) => [...tag].join(invisible)).join('|');
const anyTag = new RegExp(`[<﹤＜](?=(?:[\\s\\p{Cf}]*[/／])?[\\s\\p{Cf}]*(?:${names})(?![\\p{L}\\p{N}_-]))`, 'giu');

/**
 * Text as delimited data in a prompt. Whatever the text says, it cannot close its block or begin another one: our own
 * tags inside it get a backslash (`<\/user_query>`). All else stays letter for letter, `&` and quotes included.
 * Attributes are written as JSON strings.
 */
export function dataBlock(tag: BlockTag, text: string, attributes: Readonly<Record<string, string>> = {}): string {
  const written = Object.entries(attributes).map(([name, value]) => ` ${name}=${attribute(value)}`);
  return `<${tag}${written.join('')}>\n${withoutTags(text)}\n</${tag}>`;
}

/** Text that stands outside of a block, such as the description of a tool that somebody else wrote, without our tags. */
export function withoutTags(text: string): string {
  return text.replace(anyTag, '<\\');
}

function attribute(value: string): string {
  return JSON.stringify(value).replace(
    /[<>﹤﹥＜＞]/g,
    (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
