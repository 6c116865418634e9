import { describe, expect, it } from 'vitest';
import { contentProblem, contentText } from './content.ts';

const png = { type: 'image', data: 'iVBORw0K' } as const;

describe('the content of a message', () => {
  it('reads as words, with what is none named in brackets', () => {
    expect(contentText('Hi')).toBe('Hi');
    expect(contentText()).toBe('');
    expect(
      contentText([
        { type: 'text', text: 'Look:' },
        png,
        { type: 'image', url: 'https://a.example/b.png', mediaType: 'image/png' },
        { type: 'file', data: 'JVBE', mediaType: 'application/pdf', filename: 'invoice.pdf' },
        { type: 'file', data: 'JVBE', mediaType: 'application/pdf' },
      ]),
    ).toBe('Look:\n[image/*]\n[image/png]\n[invoice.pdf: application/pdf]\n[application/pdf]');
  });

  it('is fine as text, or as parts that can be read', () => {
    const file = {
      type: 'file',
      mediaType: 'application/pdf',
      url: 'https://a.example/b.pdf',
      filename: 'b.pdf',
    } as const;
    expect(contentProblem('Hi')).toBeUndefined();
    expect(contentProblem([{ type: 'text', text: 'Hi' }, png, file])).toBeUndefined();
    expect(contentProblem([{ ...png, mediaType: 'image/svg+xml' }])).toBeUndefined();
  });

  it.each([
    [undefined, 'neither a text nor a list'],
    [7, 'neither a text nor a list'],
    [[null], 'part 0 is no text, image or file'],
    [[png, { type: 'video' }], 'part 1 is no text, image or file'],
    [[{ type: 'text' }], 'has no text'],
    [[{ type: 'image' }], 'one of data (base64) and url'],
    [[{ type: 'image', data: 'aaaa', url: 'https://a.example' }], 'one of data (base64) and url'],
    [[{ type: 'image', url: 'file:///etc/passwd' }], 'a url of a kind that is not known'],
    [[{ type: 'image', data: '<svg>' }], 'data that is not base64'],
    [[{ type: 'file', data: 'aaaa' }], 'no mediaType'],
    [[{ type: 'image', data: 'aaaa', mediaType: 7 }], 'a mediaType that cannot be read'],
    [[{ type: 'image', data: 'aaaa', mediaType: 'png' }], 'a mediaType that cannot be read'],
    [[{ type: 'file', data: 'aaaa', mediaType: 'a/b', filename: 7 }], 'a filename that is no text'],
  ])('%# is refused with the reason', (content, reason) => {
    expect(contentProblem(content as never)).toContain(reason);
  });
});
