/**
 * The lines of a text that comes in pieces, cut at line feeds only: JSON holds other characters that some readers take
 * for the end of a line.
 */
export async function* linesOf(chunks: AsyncIterable<Uint8Array | string>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest: string[] = [];
  for await (const chunk of chunks) {
    const parts = (typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true })).split('\n');
    for (const part of parts.slice(0, -1)) {
      yield [...rest, part].join('');
      rest = [];
    }
    rest.push(parts.at(-1) as string);
  }
  const last = [...rest, decoder.decode()].join('');
  if (last !== '') yield last;
}
