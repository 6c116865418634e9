import { type ContentPart, contentProblem, contentText, type MessageContent } from '../../core/content.ts';
import { PortiaError } from '../../core/errors.ts';
import type { PromptPart, ResultOutput, ResultPart, SupportedUrls } from './language-model.ts';

type Binary = Exclude<ContentPart, { type: 'text' }>;
type FilePart = Extract<PromptPart, { type: 'file' }>;

/** Who a message is for. */
export interface Taker {
  /** For messages. */
  readonly id: string;
  /** Of the specification: each has its own form of files. */
  readonly version: string;
  /** Which addresses the provider fetches itself. */
  readonly urls: SupportedUrls | undefined;
}

/** The content of a user's message as parts of a prompt. @throws PortiaError `MODEL_FAILED` for what cannot be sent. */
export function toUserParts(taker: Taker, content: MessageContent): PromptPart[] {
  refuseUnreadable(taker, content);
  if (typeof content === 'string') return [{ type: 'text', text: content }];
  return content.map((part) => (part.type === 'text' ? { type: 'text', text: part.text } : toFilePart(taker, part)));
}

/** What a tool gave as the prompt has it; errors and plain texts are words alone. */
export function toResultOutput(taker: Taker, content: MessageContent, isError: boolean): ResultOutput {
  refuseUnreadable(taker, content);
  if (isError) return { type: 'error-text', value: contentText(content) };
  if (typeof content === 'string') return { type: 'text', value: content };
  return { type: 'content', value: content.map((part) => toResultPart(taker, part)) };
}

function toFilePart(taker: Taker, part: Binary): FilePart {
  const { mediaType, data, url, filename } = bytesOf(taker, part);
  const tagged = taker.version === 'v4';
  const found =
    data === undefined
      ? tagged
        ? ({ type: 'url', url: new URL(url as string) } as const)
        : new URL(url as string)
      : tagged
        ? ({ type: 'data', data } as const)
        : data;
  return { type: 'file', mediaType, data: found, ...(filename !== undefined && { filename }) };
}

function toResultPart(taker: Taker, part: ContentPart): ResultPart {
  if (part.type === 'text') return { type: 'text', text: part.text };
  if (taker.version === 'v4') return toFilePart(taker, part);
  const { mediaType, data, url, filename } = bytesOf(taker, part);
  const kind = part.type;
  if (data === undefined) return { type: `${kind}-url`, url: url as string, mediaType };
  if (taker.version === 'v2') return { type: 'media', data, mediaType };
  return { type: `${kind}-data`, data, mediaType, ...(filename !== undefined && { filename }) };
}

function refuseUnreadable({ id }: Taker, content: MessageContent): void {
  const problem = contentProblem(content);
  if (problem === undefined) return;
  throw new PortiaError({
    code: 'MODEL_FAILED',
    message: `a message for ${id} cannot be sent: ${problem}`,
    details: { model: id, fault: 'request' },
    hint: "parts are { type: 'text', text }, { type: 'image', data } and { type: 'file', mediaType, data }, or with url in place of data",
  });
}

interface FoundBytes {
  readonly mediaType: string;
  readonly data?: string;
  readonly url?: string;
  readonly filename?: string | undefined;
}

/** The bytes, or an address the provider fetches. Nothing is fetched here: an address may be anybody's. */
function bytesOf({ id, urls }: Taker, part: Binary): FoundBytes {
  const mediaType = part.mediaType ?? 'image/*';
  const filename = part.type === 'file' ? part.filename : undefined;
  if ('data' in part) return { mediaType, data: part.data.replace(/\s+/g, ''), filename };
  const inline = /^data:([\w.+-]+\/[\w.+-]+)?[^,]*;base64,(.*)$/is.exec(part.url);
  if (inline) return { mediaType: part.mediaType ?? inline[1] ?? mediaType, data: inline[2] as string, filename };
  if (urls && !takes(urls, mediaType, part.url)) {
    throw new PortiaError({
      code: 'MODEL_FAILED',
      message: `${id} does not take ${mediaType} by this address`,
      hint: 'give the bytes in base64 as data, in place of url',
      details: { model: id, fault: 'request' },
    });
  }
  return { mediaType, url: part.url, filename };
}

function takes(urls: SupportedUrls, mediaType: string, url: string): boolean {
  // Packages for servers of many kinds say nothing: the server decides.
  if (Object.keys(urls).length === 0) return true;
  const [kind] = mediaType.split('/');
  return Object.entries(urls).some(
    ([pattern, addresses]) =>
      (pattern === '*' || pattern === '*/*' || pattern === mediaType || pattern.split('/')[0] === kind) &&
      addresses.some((address) => address.test(url.toLowerCase())),
  );
}
