import { once } from 'node:events';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { strToU8, zipSync } from 'fflate';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ToolHardError } from '../../core/errors.ts';
import type { AnyTool } from '../../core/tool.ts';
import { text } from '../../testing/script.ts';
import { scriptedModel } from '../../testing/scripted-model.ts';
import { toolContext } from '../../testing/tool-context.ts';
import { testTool } from '../../testing/tool-contract.ts';
import { createFileReaderTool } from './file-reader-tool.ts';
import { createImageUnderstandingTool } from './image-understanding-tool.ts';
import { createPdfReaderTool } from './pdf-reader-tool.ts';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'portia-documents-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const put = (name: string, content: string | Uint8Array): void => writeFileSync(join(root, name), content);

async function refusal(tool: AnyTool, args: object): Promise<string> {
  try {
    return `gave ${JSON.stringify(await tool.run(args, toolContext()))}`;
  } catch (error) {
    if (error instanceof ToolHardError) return error.message;
    throw error;
  }
}

/** A PDF of pages with one line each. */
function pdf(...lines: readonly string[]): Uint8Array {
  return pdfOf(lines.map((line) => ({ dictionary: '', data: Buffer.from(`BT /F1 12 Tf 72 720 Td (${line}) Tj ET`) })));
}

/** A PDF of pages with these streams, packed as their dictionaries say. */
function pdfOf(streams: readonly { readonly dictionary: string; readonly data: Uint8Array }[]): Uint8Array {
  const kids = streams.map((_, index) => `${4 + index * 2} 0 R`).join(' ');
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    `<< /Type /Pages /Kids [${kids}] /Count ${streams.length} >>`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
    ...streams.flatMap(({ dictionary, data }, index) => [
      `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> /Contents ${5 + index * 2} 0 R >>`,
      `<< ${dictionary} /Length ${data.length} >>\nstream\n${Buffer.from(data).toString('latin1')}\nendstream`,
    ]),
  ];
  let body = '%PDF-1.4\n';
  const offsets = objects.map((object, index) => {
    const at = body.length;
    body += `${index + 1} 0 obj\n${object}\nendobj\n`;
    return `${String(at).padStart(10, '0')} 00000 n \n`;
  });
  const table = body.length;
  body += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${offsets.join('')}trailer\n<< /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${table}\n%%EOF`;
  return strToU8(body, true);
}

describe('pdf_reader_tool', () => {
  it('gives the text page by page, and no more pages than allowed', async () => {
    put('a.pdf', pdf('Hello PDF', 'Second page', ''));
    expect(await createPdfReaderTool({ root }).run({ file_path: 'a.pdf' }, toolContext())).toBe(
      '--- Page 1 of 3 ---\nHello PDF\n\n--- Page 2 of 3 ---\nSecond page\n\n--- Page 3 of 3 ---\n(no text)',
    );
    expect(await createPdfReaderTool({ root, maxPages: 1 }).run({ file_path: 'a.pdf' }, toolContext())).toBe(
      '--- Page 1 of 3 ---\nHello PDF\n\n(2 more pages were not read)',
    );
  });

  it('reads what is packed, also more than once', async () => {
    const data = deflateSync('BT /F1 12 Tf 72 720 Td (Packed) Tj ET');
    const hex = Buffer.from(`${data.toString('hex')}>`);
    const pages = [
      { dictionary: '/Filter /FlateDecode', data },
      { dictionary: '/Filter [/FlateDecode /FlateDecode]', data: deflateSync(data) },
      { dictionary: '/Filter [/ASCIIHexDecode /FlateDecode]', data: hex },
    ];
    put('packed.pdf', pdfOf(pages));
    const read = await createPdfReaderTool({ root }).run({ file_path: 'packed.pdf' }, toolContext());
    expect(String(read).match(/Packed/g)).toHaveLength(3);
  });

  it('refuses a few kilobytes that unfold to gigabytes, without taking the memory', async () => {
    const flate = '/Filter /FlateDecode';
    const spaces = Buffer.alloc(200 * 1024 * 1024, ' ');
    put('once.pdf', pdfOf([{ dictionary: flate, data: deflateSync(spaces) }]));
    const twice = deflateSync(deflateSync(spaces));
    put('twice.pdf', pdfOf([{ dictionary: '/Filter [/FlateDecode /FlateDecode]', data: twice }]));
    // The names of filters can be written in many ways, and there are others: 258 bytes are 128 of the same.
    const runs = Buffer.alloc(4 * 1024 * 1024, Buffer.from([129, 32]));
    put('hidden.pdf', pdfOf([{ dictionary: '/Fil#74er [/Fl /RL]', data: deflateSync(runs) }]));
    const before = process.memoryUsage.rss();
    let most = before;
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage.rss());
    }, 5);
    const reader = createPdfReaderTool({ root });
    for (const name of ['once.pdf', 'twice.pdf', 'hidden.pdf'])
      expect(await refusal(reader, { file_path: name })).toBe(
        `"${name}" cannot be read: it unfolds to more than is read: it may be made to fill the memory`,
      );
    clearInterval(watch);
    expect((most - before) / 1024 / 1024).toBeLessThan(400);
  });

  it('lets others go on while it reads, and stops in the middle of a page', async () => {
    const words = deflateSync(Buffer.from(`BT /F1 12 Tf ${'(aaaaaaaaaa) Tj '.repeat(1_500_000)} ET`));
    put('long.pdf', pdfOf([{ dictionary: '/Filter /FlateDecode', data: words }]));
    const controller = new AbortController();
    const call = createPdfReaderTool({ root }).run(
      { file_path: 'long.pdf' },
      toolContext({ signal: controller.signal }),
    );
    let turns = 0;
    const turning = setInterval(() => {
      turns += 1;
      if (turns === 20) controller.abort(new Error('stopped'));
    }, 5);
    await expect(Promise.resolve(call)).rejects.toThrow('stopped');
    clearInterval(turning);
    expect(turns).toBeGreaterThanOrEqual(20);
  });

  it('refuses what is no PDF, too large, damaged, missing or outside', async () => {
    const reader = createPdfReaderTool({ root, maxBytes: 5_000 });
    put('a.pdf', 'PK no pdf');
    put('b.pdf', '%PDF-1.4 and then nothing');
    put('c.pdf', `%PDF-1.4${' '.repeat(5_000)}`);
    expect(await refusal(reader, { file_path: 'a.pdf' })).toBe('"a.pdf" is not a PDF file');
    expect(await refusal(reader, { file_path: 'b.pdf' })).toBe('"b.pdf" cannot be read: it is damaged');
    expect(await refusal(reader, { file_path: 'c.pdf' })).toMatch(/at most 5000 are read/);
    expect(await refusal(reader, { file_path: 'd.pdf' })).toBe('there is no file "d.pdf"');
    expect(await refusal(reader, { file_path: '../d.pdf' })).toMatch(/outside the folder/);
  });
});

const sheetXml = (rows: string): string =>
  `<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>${rows}</sheetData></worksheet>`;

function workbook(rows: string, more: Readonly<Record<string, Uint8Array>> = {}): Uint8Array {
  const main = 'http://schemas.openxmlformats.org/spreadsheetml/2006/main';
  const office = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships';
  return zipSync({
    '[Content_Types].xml': strToU8('<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'),
    'xl/workbook.xml': strToU8(
      `<workbook xmlns="${main}" xmlns:r="${office}"><sheets><sheet name="Prices" sheetId="1" r:id="rId1"/></sheets></workbook>`,
    ),
    'xl/_rels/workbook.xml.rels': strToU8(
      `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="${office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>`,
    ),
    'xl/worksheets/sheet1.xml': strToU8(sheetXml(rows)),
    ...more,
  });
}

describe('file_reader_tool, on workbooks and encodings', () => {
  const cells = '<row r="1"><c r="A1" t="inlineStr"><is><t>Tea</t></is></c><c r="B1"><v>7.5</v></c></row>';
  const read = (name: string, more: object = {}) =>
    createFileReaderTool({ root, ...more }).run({ filename: name }, toolContext());

  it('reads .xlsx as a table for each sheet', async () => {
    put('prices.xlsx', workbook(cells));
    expect(await read('prices.xlsx')).toBe('Sheet: Prices\n| Tea | 7.5 |\n| --- | --- |');
  });

  it.each([
    ['unfolds to more than is read', () => workbook(cells, { 'xl/big.xml': new Uint8Array(101 * 1024 * 1024) })],
    ['at most 500000 cells', () => workbook('<row r="1"><c r="A1"><v>1</v></c><c r="XFD1048576"><v>1</v></c></row>')],
    ['without a readable place', () => workbook('<row r="1"><c r="&#88;FD9"><v>1</v></c></row>')],
    ['no Excel workbook', () => strToU8('PK not a zip')],
    ['no Excel workbook', () => zipSync({ 'a.xml': strToU8('<a/>') })],
    ['no readable Excel workbook', () => workbook('<row><c></row>')],
  ])('refuses a workbook that %s', async (why, make) => {
    put('bomb.xlsx', make());
    expect(await refusal(createFileReaderTool({ root }), { filename: 'bomb.xlsx' })).toContain(why);
  });

  it('reads UTF-8 and UTF-16 by their marks, and another encoding where it is told so', async () => {
    put('utf8.txt', Buffer.from('\uFEFFgrüße'));
    put('utf16.txt', Buffer.from('\uFEFFgrüße', 'utf16le'));
    put('old.txt', Buffer.from('grüße', 'latin1'));
    expect([await read('utf8.txt'), await read('utf16.txt')]).toEqual(['grüße', 'grüße']);
    expect(await read('old.txt', { encoding: 'windows-1252' })).toBe('grüße');
    expect(await refusal(createFileReaderTool({ root }), { filename: 'old.txt' })).toBe('"old.txt" is not UTF-8 text');
    expect(await refusal(createFileReaderTool({ root }), { filename: 'old.xls' })).toMatch(
      /cannot be read: only .* are supported; .xls is the format before 2007: save the workbook as .xlsx or .csv$/,
    );
  });

  it('never reads outside, however fast a folder is exchanged for a link', async () => {
    const outside = mkdtempSync(join(tmpdir(), 'portia-outside-'));
    writeFileSync(join(outside, 'f.txt'), 'outside');
    mkdirSync(join(root, 'real'));
    put('real/f.txt', 'inside');
    symlinkSync(outside, join(root, 'link'));
    let racing = true;
    const race = (async () => {
      while (racing) {
        renameSync(join(root, 'real'), join(root, 'held'));
        renameSync(join(root, 'link'), join(root, 'real'));
        await new Promise((resolve) => setImmediate(resolve));
        renameSync(join(root, 'real'), join(root, 'link'));
        renameSync(join(root, 'held'), join(root, 'real'));
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    const given = new Set<unknown>();
    for (let round = 0; round < 200; round += 1) {
      const reader = createFileReaderTool({ root });
      given.add(await Promise.resolve(reader.run({ filename: 'real/f.txt' }, toolContext())).catch(() => 'refused'));
    }
    racing = false;
    await race;
    rmSync(outside, { recursive: true });
    expect(given).not.toContain('outside');
    expect(await read('real/f.txt')).toBe('inside');
  });
});

const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

describe('image_understanding_tool', () => {
  it('shows a file to the model beside the task', async () => {
    put('dot.png', png);
    const model = scriptedModel([text('A red dot.')]);
    const look = createImageUnderstandingTool({ root });
    expect(await look.run({ task: 'What is it?', image_file: 'dot.png' }, toolContext({ model }))).toBe('A red dot.');
    const content = model.requests[0]?.messages[0]?.content;
    expect(content).toEqual([
      { type: 'text', text: expect.stringContaining('<step_task>\nWhat is it?\n</step_task>') },
      { type: 'image', mediaType: 'image/png', data: png.toString('base64') },
    ]);
  });

  it('fetches an image itself, from allowed hosts only', async () => {
    const server = createServer((_request, response) => response.end(png));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const args = { task: 't', image_url: `http://${host}/dot` };
    const model = scriptedModel([text('Red.')]);
    expect(await createImageUnderstandingTool({ allowPrivateHosts: [host] }).run(args, toolContext({ model }))).toBe(
      'Red.',
    );
    expect(await refusal(createImageUnderstandingTool(), args)).toMatch(/is private/);
    server.close();
  });

  it('refuses both, neither, what is no image, and what is outside', async () => {
    put('fake.png', '<svg onload="x">');
    const look = createImageUnderstandingTool({ root });
    expect(await refusal(look, { task: 't' })).toBe('give one of image_url and image_file');
    expect(await refusal(look, { task: 't', image_file: 'a', image_url: 'b' })).toBe(
      'give one of image_url and image_file',
    );
    expect(await refusal(look, { task: 't', image_file: 'fake.png' })).toMatch(/no image of a known kind/);
    expect(await refusal(look, { task: 't', image_file: '/etc/passwd' })).toMatch(/outside the folder/);
  });
});

const shared = mkdtempSync(join(tmpdir(), 'portia-documents-shared-'));
writeFileSync(join(shared, 'a.pdf'), pdf('Hello'));
writeFileSync(join(shared, 'a.png'), png);
testTool(
  createPdfReaderTool({ root: shared }),
  { valid: [{ file_path: 'a.pdf' }], invalid: [{}, { file_path: 1 }] },
  { describe, it, expect },
);
testTool(
  createImageUnderstandingTool({ root: shared }),
  {
    valid: [{ task: 't', image_file: 'a.png' }],
    invalid: [{}, { task: 't', image_file: 1 }],
    context: ({ signal }) => toolContext({ signal, model: scriptedModel([text('a'), text('b')]) }),
  },
  { describe, it, expect },
);
