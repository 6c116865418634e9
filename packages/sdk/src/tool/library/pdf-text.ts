import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { PortiaError, ToolHardError } from '../../core/errors.ts';

/** How much of a PDF is read. */
export interface PdfLimits {
  readonly maxPages: number;
  readonly maxCharacters: number;
}

/** Megabytes that what is packed in the file may unfold to: one part of it, and all that is held at a time. */
const unfolded = { onePart: 64, together: 512 } as const;
/** Megabytes of other memory. */
const heapMegabytes = 512;

type Answer = { readonly text: string } | { readonly problem: 'too much' | 'password' | 'damaged' };

/**
 * What runs beside this program: reading a page cannot be interrupted from within, and a few kilobytes can unfold to
 * gigabytes. Room is asked for through the constructors that stand here in the place of the real ones, so that what
 * unfolds too far is noticed before the memory is taken. PDF.js catches errors of single pages: hence `tooMuch`.
 */
const program = `
const { parentPort, workerData } = require('node:worker_threads');
const { bytes, module, maxPages, maxCharacters, onePart, together } = workerData;
let tooMuch = false;
function allow(size) {
  if (size <= onePart && process.memoryUsage().arrayBuffers + size <= together) return;
  tooMuch = true;
  throw new RangeError('the file unfolds too far');
}
for (const name of ['ArrayBuffer', 'Uint8Array', 'Uint8ClampedArray', 'Int8Array', 'Uint16Array', 'Int16Array', 'Uint32Array', 'Int32Array', 'Float32Array', 'Float64Array']) {
  const Real = globalThis[name];
  const Bounded = new Proxy(Real, {
    construct(target, args, made) {
      const size = typeof args[0] === 'number' ? args[0] * (Real.BYTES_PER_ELEMENT || 1) : 0;
      if (size > 1e6) allow(size);
      return Reflect.construct(target, args, made === Bounded ? target : made);
    },
  });
  globalThis[name] = Bounded;
}
const RealStream = DecompressionStream;
globalThis.DecompressionStream = class {
  constructor(format) {
    const real = new RealStream(format);
    let size = 0;
    const counted = new TransformStream({
      transform(chunk, controller) {
        size += chunk.byteLength;
        allow(size);
        controller.enqueue(chunk);
      },
    });
    this.writable = real.writable;
    this.readable = real.readable.pipeThrough(counted);
  }
};
async function read() {
  const { getDocumentProxy } = await import(module);
  const document = await getDocumentProxy(bytes, { isEvalSupported: false, verbosity: 0, stopAtErrors: false });
  const parts = [];
  let size = 0;
  for (let number = 1; number <= document.numPages; number += 1) {
    if (number > maxPages || size > maxCharacters) {
      parts.push('(' + (document.numPages - number + 1) + ' more pages were not read)');
      break;
    }
    const { items } = await (await document.getPage(number)).getTextContent();
    if (tooMuch) break;
    const words = items.map(({ str = '', hasEOL }) => (hasEOL ? str + '\\n' : str)).join('').trim();
    const page = '--- Page ' + number + ' of ' + document.numPages + ' ---\\n' + (words.slice(0, maxCharacters) || '(no text)');
    size += page.length;
    parts.push(page);
  }
  return { text: parts.join('\\n\\n') };
}
read()
  .catch((error) => ({ problem: error && error.name === 'PasswordException' ? 'password' : 'damaged' }))
  .then((answer) => parentPort.postMessage(tooMuch ? { problem: 'too much' } : answer));
`;

/**
 * The text of a PDF, with a line before each page. It is read in a thread of its own, which ends with the signal.
 * @throws ToolHardError saying what is wrong with the file `name`; PortiaError `PACKAGE_MISSING` without `unpdf`.
 */
export async function pdfText(
  bytes: Uint8Array,
  name: string,
  limits: PdfLimits,
  signal: AbortSignal,
): Promise<string> {
  signal.throwIfAborted();
  const own = new Uint8Array(bytes);
  const worker = new Worker(program, {
    eval: true,
    workerData: {
      ...limits,
      bytes: own,
      module: packageFile(),
      onePart: unfolded.onePart * 1024 * 1024,
      together: unfolded.together * 1024 * 1024,
    },
    transferList: [own.buffer],
    resourceLimits: { maxOldGenerationSizeMb: heapMegabytes },
    env: {},
    execArgv: [],
  });
  const stop = (): void => void worker.terminate();
  signal.addEventListener('abort', stop);
  try {
    const answer = await answerOf(worker);
    signal.throwIfAborted();
    if ('text' in answer) return answer.text;
    throw new ToolHardError(`${JSON.stringify(name)} cannot be read: ${problems[answer.problem]}`);
  } finally {
    signal.removeEventListener('abort', stop);
    await worker.terminate();
  }
}

const problems = {
  'too much': 'it unfolds to more than is read: it may be made to fill the memory',
  password: 'it needs a password',
  damaged: 'it is damaged',
} as const;

function answerOf(worker: Worker): Promise<Answer> {
  return new Promise((resolve) => {
    worker.once('message', resolve);
    worker.once('error', (error: NodeJS.ErrnoException) =>
      resolve({ problem: error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'too much' : 'damaged' }),
    );
    worker.once('exit', () => resolve({ problem: 'damaged' }));
  });
}

/** Where the package is: the thread has no place of its own to look from. */
function packageFile(): string {
  try {
    return createRequire(import.meta.url).resolve('unpdf');
  } catch {
    throw new PortiaError({
      code: 'PACKAGE_MISSING',
      message: 'the PDF reader needs the package unpdf, which is not installed',
      hint: 'npm i unpdf',
      details: { package: 'unpdf' },
    });
  }
}
