/** An answer that was not read to its end, since it is longer than is taken. */
export class AnswerTooLong extends Error {
  override readonly name = 'AnswerTooLong';
}

/** The text of an answer from elsewhere. @throws AnswerTooLong past `mostBytes`; the rest is not read. */
export async function readText(response: Response, mostBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  if (response.body) {
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      size += chunk.byteLength;
      if (size > mostBytes) throw new AnswerTooLong(`answered with more than ${mostBytes} bytes`);
      chunks.push(chunk);
    }
  }
  return new TextDecoder().decode(Buffer.concat(chunks));
}
