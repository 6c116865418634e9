/** A name as databases hold it: their text cannot hold NUL, and half a surrogate pair is no text at all. */
export function storedText(text: string): string {
  return text.isWellFormed() && !text.includes('\0') && !text.startsWith('"') ? text : JSON.stringify(text);
}

/** A name as it was before {@link storedText}. */
export function textFrom(stored: string): string {
  return stored.startsWith('"') ? (JSON.parse(stored) as string) : stored;
}
