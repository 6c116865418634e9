// Control characters, and marks that change the direction or the look of text without being seen. Text of tools and
// models is shown to people who decide by what they see, in terminals that obey such characters.
const hidden =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e0fff}]/gu;

/** The text with everything that cannot be seen written as `\u…`; line breaks stay, tabs become spaces. */
export function plainText(text: string): string {
  return text.replaceAll('\r\n', '\n').replace(hidden, (found) => {
    if (found === '\t') return '  ';
    const code = found.codePointAt(0) ?? 0;
    return code > 0xffff ? `\\u{${code.toString(16)}}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** {@link plainText} in one line. */
export function plainLine(text: string): string {
  return plainText(text).replace(/\s*\n\s*/g, ' ');
}
