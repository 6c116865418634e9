import type { AiSdkLanguageModel, CallOptions, ContentPart, GenerateResult, StreamPart } from './language-model.ts';

/**
 * Asks a model and hears its words as they come; gives the same as `doGenerate` would. A stream that breaks off is a
 * lost connection.
 */
export async function streamed(
  model: AiSdkLanguageModel & Required<Pick<AiSdkLanguageModel, 'doStream'>>,
  options: CallOptions,
  onText: (text: string) => void,
): Promise<GenerateResult> {
  const { stream } = (await model.doStream(options)) as { readonly stream: ReadableStream<StreamPart> };
  const content: ContentPart[] = [];
  const open = new Map<string, { type: string; text: string; providerMetadata?: Record<string, unknown> }>();
  let finish: Pick<GenerateResult, 'finishReason' | 'usage'> | undefined;
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value: part } = await reader.read();
      if (done) break;
      if (part.type === 'error') throw part.error;
      if (part.type === 'text-delta' && part.delta && !options.abortSignal.aborted) onText(part.delta);
      if (part.type === 'finish') finish = { finishReason: part.finishReason ?? 'unknown', usage: part.usage };
      else take(part, content, open);
    }
  } finally {
    reader.releaseLock();
    // What is left of a stream that failed is of no use to anybody.
    if (!finish) stream.cancel().catch(() => undefined);
  }
  if (!finish || brokeOff(finish.finishReason)) {
    throw Object.assign(new Error('the stream ended before the answer did'), { code: 'ECONNRESET' });
  }
  return { content, finishReason: finish.finishReason, usage: finish.usage };
}

function take(
  part: StreamPart,
  content: ContentPart[],
  open: Map<string, { type: string; text: string; providerMetadata?: Record<string, unknown> }>,
): void {
  const [, kind, step] = /^(text|reasoning)-(start|delta|end)$/.exec(part.type) ?? [];
  if (kind === undefined) {
    if (part.type === 'tool-call') content.push(part);
    return;
  }
  const id = `${kind} ${part.id}`;
  let piece = open.get(id);
  if (!piece || step === 'start') {
    piece = { type: kind, text: '' };
    open.set(id, piece);
    content.push(piece);
  }
  piece.text += part.delta ?? '';
  for (const [provider, data] of Object.entries(part.providerMetadata ?? {})) {
    piece.providerMetadata = {
      ...piece.providerMetadata,
      [provider]: { ...(piece.providerMetadata?.[provider] as object | undefined), ...(data as object) },
    };
  }
}

// Packages say "other" without the provider's own word when a stream just stops.
function brokeOff(reason: GenerateResult['finishReason']): boolean {
  if (typeof reason === 'string') return reason === 'unknown';
  return reason.unified === 'other' && reason.raw === undefined;
}
