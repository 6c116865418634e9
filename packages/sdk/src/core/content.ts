import type { JsonObject, JsonValue } from './json.ts';

/** Where the bytes of a part are: `data` in base64, or `url`, for providers that fetch it themselves. */
type Bytes = { readonly data: string } | { readonly url: string };

/** A piece of a message: words, an image or another file. JSON throughout, so that it can be stored. */
export type ContentPart =
  | { readonly type: 'text'; readonly text: string }
  /** `mediaType` such as `image/png`; `image/*` unless given. */
  | ({ readonly type: 'image'; readonly mediaType?: string } & Bytes)
  /** `mediaType` such as `application/pdf`. */
  | ({ readonly type: 'file'; readonly mediaType: string; readonly filename?: string } & Bytes);

/** What a message says: words, or words with images and files. */
export type MessageContent = string | readonly ContentPart[];

/** The content as words: parts that are none are named in brackets; empty for no content. */
export function contentText(content: MessageContent = ''): string {
  return typeof content === 'string' ? content : content.map(partText).join('\n');
}

function partText(part: ContentPart): string {
  if (part.type === 'text') return part.text;
  const kind = part.mediaType ?? 'image/*';
  return part.type === 'file' && part.filename !== undefined ? `[${part.filename}: ${kind}]` : `[${kind}]`;
}

/** What is wrong with a value that should be the content of a message; `undefined` when nothing is. */
export function contentProblem(content: JsonValue | MessageContent | undefined): string | undefined {
  if (typeof content === 'string') return undefined;
  if (!Array.isArray(content)) return 'it is neither a text nor a list of parts';
  for (const [index, part] of (content as readonly unknown[]).entries()) {
    const problem = partProblem(part);
    if (problem !== undefined) return `part ${index} ${problem}`;
  }
  return undefined;
}

function partProblem(part: unknown): string | undefined {
  const { type, text, data, url, mediaType, filename } = (
    typeof part === 'object' && part !== null ? part : {}
  ) as JsonObject;
  if (type === 'text') return typeof text === 'string' ? undefined : 'has no text';
  if (type !== 'image' && type !== 'file') return 'is no text, image or file';
  if ((typeof data === 'string') === (typeof url === 'string')) return 'needs one of data (base64) and url';
  if (typeof url === 'string' && !/^(?:https?|gs|s3|data):/i.test(url)) return 'has a url of a kind that is not known';
  if (typeof data === 'string' && !/^[A-Za-z0-9+/\s]+={0,2}\s*$/.test(data)) return 'has data that is not base64';
  if (type === 'file' && typeof mediaType !== 'string') return 'has no mediaType, such as application/pdf';
  if (mediaType !== undefined && (typeof mediaType !== 'string' || !/^[\w.+-]+\/[\w.+*-]+$/.test(mediaType)))
    return 'has a mediaType that cannot be read';
  return filename === undefined || typeof filename === 'string' ? undefined : 'has a filename that is no text';
}
