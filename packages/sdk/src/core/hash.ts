import { createHash } from 'node:crypto';
import { canonicalJson, type JsonValue } from './json.ts';

/** SHA-256 of a text, base64url without padding: 43 characters. */
export function hashText(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

/** SHA-256 of a text in 64 hexadecimal digits. */
export function hexHash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** SHA-256 over the canonical JSON (RFC 8785) of a value, base64url: the one hash of plans, arguments and keys. */
export function hashJson(value: JsonValue): string {
  return hashText(canonicalJson(value));
}

/** The idempotency key of a tool call, from its run and call id; the same on every attempt of that call. */
export function idempotencyKey(planRunId: string, callId: string): string {
  return hashText(`${planRunId}/${callId}`);
}
