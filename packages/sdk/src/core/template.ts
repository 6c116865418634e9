import { PortiaError } from './errors.ts';
import { Input, type Reference, StepOutput } from './reference.ts';

/**
 * Reads the references in a plain string: what `${StepOutput('price')}` leaves in a template string, and what
 * Portia 0.9 wrote: `{{ StepOutput('price', path='amount', full=True) }}`, `{{ Input('country') }}`. Other text in
 * double braces stays text.
 *
 * @throws PortiaError `PLAN_INVALID` for a reference that cannot be read.
 */
export function parseTemplate(source: string): readonly (string | Reference)[] {
  const parts: (string | Reference)[] = [];
  const opening = /\{\{\s*(StepOutput|Input)\s*\(/g;
  let from = 0;
  for (let match = opening.exec(source); match; match = opening.exec(source)) {
    const reader = new ArgumentReader(source, opening.lastIndex);
    const reference = toReference(match[1] as 'StepOutput' | 'Input', reader.read(), source);
    if (match.index > from) parts.push(source.slice(from, match.index));
    parts.push(reference);
    from = reader.position;
    opening.lastIndex = from;
  }
  if (from < source.length) parts.push(source.slice(from));
  return parts;
}

type Argument = { readonly name: string | undefined; readonly value: string | number | boolean | null };

function toReference(kind: 'StepOutput' | 'Input', given: readonly Argument[], source: string): Reference {
  const parameters = kind === 'StepOutput' ? ['step', 'path', 'full', 'optional'] : ['name', 'path'];
  const found = new Map<string, Argument['value']>();
  for (const [index, { name = parameters[index], value }] of given.entries()) {
    const known = name === 'name' && kind === 'StepOutput' ? 'step' : name;
    if (known === undefined || !parameters.includes(known))
      throw unreadable(source, `${kind} takes ${parameters.join(', ')}`);
    found.set(known, value);
  }
  const name = found.get(parameters[0] as string);
  const path = found.get('path') ?? '';
  if (typeof path !== 'string') throw unreadable(source, 'path must be a text');
  if (kind === 'Input') {
    if (typeof name !== 'string') throw unreadable(source, 'Input needs a name');
    return Input(name, { path });
  }
  if (typeof name !== 'string' && typeof name !== 'number')
    throw unreadable(source, 'StepOutput needs the name or index of a step');
  return StepOutput(name, { path, full: found.get('full') === true, optional: found.get('optional') === true });
}

function unreadable(source: string, why: string): PortiaError {
  return new PortiaError({
    code: 'PLAN_INVALID',
    message: `the reference in ${JSON.stringify(source)} cannot be read: ${why}`,
    hint: "write {{ StepOutput('name', path='a.b') }}, or use the text tag with StepOutput('name')",
  });
}

/** Reads `'name', path='a, b', full=True) }}`. */
class ArgumentReader {
  position: number;
  readonly #source: string;

  constructor(source: string, position: number) {
    this.#source = source;
    this.position = position;
  }

  read(): readonly Argument[] {
    const found: Argument[] = [];
    for (;;) {
      this.#skip(/\s*/y);
      if (this.#take(/\)\s*\}\}/y) !== undefined) return found;
      if (found.length > 0 && this.#take(/,\s*/y) === undefined)
        throw unreadable(this.#source, 'a comma or a closing bracket is missing');
      if (found.length > 0 && this.#take(/\)\s*\}\}/y) !== undefined) return found;
      const name = this.#take(/([A-Za-z_]\w*)\s*=(?!=)\s*/y);
      found.push({ name: name?.replace(/\s*=\s*$/, ''), value: this.#value() });
    }
  }

  #value(): Argument['value'] {
    const quote = this.#take(/['"]/y);
    if (quote !== undefined) return this.#quoted(quote);
    const bare = this.#take(/[^,)}]+/y)?.trim();
    if (bare === undefined || bare === '') throw unreadable(this.#source, 'a value is missing');
    if (/^-?\d+$/.test(bare)) return Number(bare);
    if (bare === 'True' || bare === 'true') return true;
    if (bare === 'False' || bare === 'false') return false;
    return bare === 'None' ? null : bare;
  }

  #quoted(quote: string): string {
    let text = '';
    for (;;) {
      const plain = this.#take(quote === "'" ? /[^'\\]+/y : /[^"\\]+/y);
      if (plain !== undefined) text += plain;
      else if (this.#take(/\\x7b/y) !== undefined) text += '{';
      else if (this.#take(/\\x7d/y) !== undefined) text += '}';
      else if (this.#take(/\\n/y) !== undefined) text += '\n';
      else if (this.#take(/\\/y) !== undefined) text += this.#take(/[\s\S]/y) ?? '';
      else if (this.#take(quote === "'" ? /'/y : /"/y) !== undefined) return text;
      else throw unreadable(this.#source, 'a quote is not closed');
    }
  }

  #skip(pattern: RegExp): void {
    this.#take(pattern);
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.position;
    const match = pattern.exec(this.#source);
    if (!match) return undefined;
    this.position = pattern.lastIndex;
    return match[0];
  }
}
