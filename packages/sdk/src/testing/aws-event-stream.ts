import { Buffer } from 'node:buffer';
import type { JsonObject } from '../core/json.ts';

/** One message of AWS's binary event stream: its type and a JSON body, each part with its checksum. */
export function awsEvent(type: string, body: JsonObject): Buffer {
  const headers = Buffer.concat(
    Object.entries({ ':event-type': type, ':content-type': 'application/json', ':message-type': 'event' }).map(
      ([name, value]) =>
        Buffer.concat([
          Buffer.from([name.length]),
          Buffer.from(name),
          Buffer.from([7, 0, value.length]),
          Buffer.from(value),
        ]),
    ),
  );
  const payload = Buffer.from(JSON.stringify(body));
  const sizes = Buffer.concat([word(16 + headers.length + payload.length), word(headers.length)]);
  const message = Buffer.concat([sizes, word(crc32(sizes)), headers, payload]);
  return Buffer.concat([message, word(crc32(message))]);
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

// Node has one of its own from 22.2 on.
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}
