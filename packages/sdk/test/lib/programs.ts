// Random builder programs: as a tree that fast-check makes and shrinks, as steps of a plan, and as an expectation that is
// worked out without the engine in `program-expectation.ts`.
import fc from 'fast-check';
import { InputClarification } from '../../src/core/clarification.ts';
import { ToolHardError, ToolSoftError } from '../../src/core/errors.ts';
import type { JsonValue } from '../../src/core/json.ts';
import type { Model } from '../../src/core/model.ts';
import type { StepV2 } from '../../src/core/plan-v2-steps.ts';
import { PlanV2 } from '../../src/core/plan-v2.ts';
import { Input, StepOutput, text } from '../../src/core/reference.ts';
import type { AnyTool, ToolRunContext } from '../../src/core/tool.ts';
import { text as words } from '../../src/testing/script.ts';
import { scriptedModel } from '../../src/testing/scripted-model.ts';
import { tool } from '../../src/tool/tool.ts';

/** A step or a block, as it is made at random; numbers are looked up modulo what there is. */
export type Raw =
  | {
      readonly t: 'fn';
      readonly mark: 'readOnly' | 'idempotent' | 'effect';
      readonly refs: readonly number[];
      readonly flaky: boolean;
      readonly approval: boolean;
      /** Makes more than is kept in the run itself. */
      readonly large: boolean;
    }
  | { readonly t: 'ask'; readonly refs: readonly number[]; readonly kind: 'input' | 'options' | 'verify' | 'machine' }
  | { readonly t: 'llm'; readonly refs: readonly number[] }
  | { readonly t: 'nap'; readonly long: boolean }
  | { readonly t: 'tool'; readonly refs: readonly number[]; readonly asks: boolean }
  | {
      readonly t: 'if';
      readonly refs: readonly number[];
      readonly arms: readonly (readonly Raw[])[];
      readonly last: readonly Raw[] | null;
      readonly merge: boolean;
    }
  | {
      readonly t: 'for';
      readonly refs: readonly number[];
      readonly count: number;
      readonly concurrency: number;
      readonly abort: boolean;
      readonly body: readonly Raw[];
    }
  | {
      readonly t: 'while';
      readonly kind: 'while' | 'do-while' | 'end';
      readonly times: number;
      readonly body: readonly Raw[];
    }
  | {
      readonly t: 'par';
      readonly branches: readonly (readonly Raw[])[];
      readonly concurrency: number;
      readonly abort: boolean;
    }
  | { readonly t: 'sub'; readonly refs: readonly number[]; readonly body: readonly Raw[] }
  | { readonly t: 'exit'; readonly error: boolean }
  | { readonly t: 'stop'; readonly kind: 'hard' | 'soft' | 'refused' };

const refs = fc.array(fc.nat(60), { maxLength: 2 });
const leaf: fc.Arbitrary<Raw> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      t: fc.constant('fn' as const),
      mark: fc.constantFrom('readOnly' as const, 'idempotent' as const, 'effect' as const),
      refs,
      flaky: fc.nat(5).map((n) => n === 0),
      approval: fc.nat(6).map((n) => n === 0),
      large: fc.nat(5).map((n) => n === 0),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      t: fc.constant('ask' as const),
      refs,
      kind: fc.constantFrom('input' as const, 'options' as const, 'verify' as const, 'machine' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ t: fc.constant('tool' as const), refs, asks: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ t: fc.constant('llm' as const), refs }) },
  { weight: 1, arbitrary: fc.record({ t: fc.constant('nap' as const), long: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ t: fc.constant('exit' as const), error: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({
      t: fc.constant('stop' as const),
      kind: fc.constantFrom('hard' as const, 'soft' as const, 'refused' as const),
    }),
  },
);

function blocks(inner: fc.Arbitrary<readonly Raw[]>): fc.Arbitrary<Raw> {
  return fc.oneof(
    fc.record({
      t: fc.constant('if' as const),
      refs,
      arms: fc.array(inner, { minLength: 1, maxLength: 2 }),
      last: fc.option(inner),
      merge: fc.boolean(),
    }),
    fc.record({
      t: fc.constant('for' as const),
      refs,
      count: fc.nat(3),
      concurrency: fc.integer({ min: 1, max: 3 }),
      abort: fc.boolean(),
      body: inner,
    }),
    fc.record({
      t: fc.constant('while' as const),
      kind: fc.constantFrom('while' as const, 'do-while' as const, 'end' as const),
      times: fc.nat(2),
      body: inner,
    }),
    fc.record({
      t: fc.constant('par' as const),
      branches: fc.array(inner, { minLength: 1, maxLength: 3 }),
      concurrency: fc.nat(2),
      abort: fc.boolean(),
    }),
    fc.record({ t: fc.constant('sub' as const), refs, body: inner }),
  );
}

function listOf(depth: number): fc.Arbitrary<readonly Raw[]> {
  const node =
    depth === 0 ? leaf : fc.oneof({ weight: 2, arbitrary: leaf }, { weight: 2, arbitrary: blocks(listOf(depth - 1)) });
  return fc.array(node, { minLength: depth === 0 ? 0 : 1, maxLength: depth === 2 ? 4 : 2 });
}

/** A program, small enough to be run many thousand times. */
export const programs: fc.Arbitrary<readonly Raw[]> = listOf(2);

export type Mode = 'latest' | 'optional' | 'full' | 'path' | 'text';
export interface Ref {
  readonly name: string;
  readonly mode: Mode;
}

/** A step or block with its name, its place in the record, and what it refers to. */
export type Named =
  | {
      readonly t: 'fn';
      readonly name: string;
      readonly out: string;
      readonly raw: Extract<Raw, { t: 'fn' }>;
      readonly refs: readonly Ref[];
    }
  | {
      readonly t: 'ask';
      readonly name: string;
      readonly out: string;
      readonly raw: Extract<Raw, { t: 'ask' }>;
      readonly refs: readonly Ref[];
    }
  | {
      readonly t: 'tool';
      readonly name: string;
      readonly out: string;
      readonly raw: Extract<Raw, { t: 'tool' }>;
      readonly refs: readonly Ref[];
    }
  | {
      readonly t: 'llm';
      readonly name: string;
      readonly out: string;
      readonly raw: Extract<Raw, { t: 'llm' }>;
      readonly refs: readonly Ref[];
    }
  | { readonly t: 'nap'; readonly out: string }
  | {
      readonly t: 'if';
      readonly arms: readonly {
        readonly name: string;
        readonly refs: readonly Ref[];
        readonly parity: number;
        readonly body: readonly Named[];
      }[];
      readonly last: readonly Named[] | null;
      readonly end: string;
      readonly out: string;
      readonly merge: readonly string[];
    }
  | {
      readonly t: 'for';
      readonly name: string;
      readonly out: string;
      readonly over: Ref | number;
      readonly concurrency: number;
      readonly body: readonly Named[];
    }
  | {
      readonly t: 'while';
      readonly name: string;
      readonly kind: 'while' | 'do-while' | 'end';
      readonly end: string;
      readonly tick: string;
      readonly tickOut: string;
      readonly times: number;
      readonly body: readonly Named[];
    }
  | { readonly t: 'par'; readonly branches: readonly (readonly Named[])[] }
  | {
      readonly t: 'sub';
      readonly name: string;
      readonly out: string;
      readonly refs: readonly Ref[];
      readonly body: readonly Named[];
    }
  | { readonly t: 'exit'; readonly name: string; readonly out: string; readonly error: boolean }
  | { readonly t: 'stop'; readonly name: string; readonly out: string; readonly kind: 'hard' | 'soft' | 'refused' };

/** What the outside sees of a process: what it does there. */
export interface Process {
  effect(label: string, call: string, mark: 'idempotent' | 'effect', value: JsonValue): JsonValue;
}

/** A program that can be run. */
export interface Program {
  readonly tree: readonly Named[];
  /** Whether something ends the run while other strands may be at work: how far they come is not determined. */
  readonly racy: boolean;
  /** The plan as a process builds it. */
  plan(process: Process): PlanV2;
}

/** A number that depends on every part of a value. */
export function hashOf(value: unknown): number {
  const words = JSON.stringify(value) ?? 'undefined';
  let hash = 2_166_136_261;
  for (let k = 0; k < words.length; k += 1) hash = Math.imul(hash ^ words.charCodeAt(k), 16_777_619);
  return hash >>> 0;
}

/** What a step makes of its arguments. */
export const madeOf = (
  name: string,
  args: unknown,
  large = false,
): { readonly n: string; readonly v: number; readonly more?: string } => ({
  n: name,
  v: hashOf([name, args]),
  ...(large && { more: 'more '.repeat(100) }),
});

/** What the model says to a task of a program; to all else, such as a large value to be summed up, it says one word. */
export const saidTo = (task: string): string => `said ${hashOf(task)}`;
const taskIn = /\[\[.*?\]\]/s;
/** The model of programs. */
export const programModel: Model = scriptedModel((request) => {
  const said = request.messages.map(({ content }) => String(content)).join('\n');
  const task = taskIn.exec(said);
  return words(task ? saidTo(task[0]) : 'large');
});

/** What a person says to a question, whoever asks it and when. */
export function answerTo(guidance: string, options: readonly JsonValue[] | undefined): JsonValue {
  if (options) return options[hashOf(guidance) % options.length] ?? null;
  return `so: ${guidance}`;
}

interface Visible {
  readonly name: string;
  /** Whether it has a value for sure where it can be seen. */
  readonly sure: boolean;
  /** Whether it is a value without parts. */
  readonly plain?: boolean;
}

interface Where {
  readonly visible: readonly Visible[];
  /** Strands beside this one; those around the sub-plan it stands in count only for what ends the run. */
  readonly forked: boolean;
  readonly forkedInSub: boolean;
  readonly inSub: boolean;
}

/** Gives names and references to a tree, and lays it out as steps. */
class Layout {
  racy = false;
  #number = 0;
  readonly #only: boolean;

  constructor(terminals: number) {
    this.#only = terminals === 1;
  }

  name(what: string): string {
    this.#number += 1;
    return `${what}${this.#number}`;
  }

  /** Whether something that ends a run may stand here. In a strand it must be the only one, so that the end is determined. */
  mayEnd(where: Where, raw: Extract<Raw, { t: 'exit' | 'stop' }>): boolean {
    const leavesSub = raw.t === 'exit' && !raw.error && where.inSub;
    const forked = leavesSub ? where.forkedInSub : where.forked;
    if (forked && !this.#only) return false;
    this.racy ||= forked;
    return true;
  }
}

/** Lays out the steps of one plan. */
class PlanLayout {
  readonly #layout: Layout;
  readonly #prefix: string;
  /** Each makes its step for a process. */
  readonly makers: ((process: Process) => StepV2)[] = [];

  constructor(layout: Layout, prefix: string) {
    this.#layout = layout;
    this.#prefix = prefix;
  }

  #add(maker: (process: Process) => StepV2): string {
    this.makers.push(maker);
    return `${this.#prefix}$step_${this.makers.length - 1}_output`;
  }

  list(raws: readonly Raw[], where: Where): readonly Named[] {
    const named: Named[] = [];
    let visible = where.visible;
    for (const raw of raws) {
      const { node, adds } = this.#node(raw, { ...where, visible });
      named.push(node);
      visible = [...visible, ...adds];
    }
    return named;
  }

  #node(raw: Raw, where: Where): { readonly node: Named; readonly adds: readonly Visible[] } {
    switch (raw.t) {
      case 'fn':
        return this.#function(raw, where);
      case 'ask':
      case 'tool':
      case 'llm':
        return this.#question(raw, where);
      case 'nap':
        return { node: this.#nap(raw), adds: [] };
      case 'if':
        return this.#if(raw, where);
      case 'for':
        return this.#for(raw, where);
      case 'while':
        return this.#while(raw, where);
      case 'par':
        return this.#parallel(raw, where);
      case 'sub':
        return this.#subPlan(raw, where);
      case 'exit':
      case 'stop':
        if (this.#layout.mayEnd(where, raw)) return { node: this.#end(raw), adds: [] };
        return this.#function(
          { t: 'fn', mark: 'effect', refs: [], flaky: false, approval: false, large: false },
          where,
        );
    }
  }

  #function(raw: Extract<Raw, { t: 'fn' }>, where: Where): { readonly node: Named; readonly adds: readonly Visible[] } {
    const name = this.#layout.name('f');
    const refs = refsOf(raw.refs, where.visible);
    const { mark } = raw;
    const out = this.#add((process) => ({
      kind: 'function',
      name,
      args: argsOf(refs),
      readOnly: mark === 'readOnly' || undefined,
      idempotent: mark === 'idempotent' || undefined,
      ...(raw.flaky && { retry: { maxAttempts: 2, delayMs: 0 } }),
      ...(raw.approval && { approval: { message: `may ${name}?` } }),
      function: (args: unknown, context: ToolRunContext) => {
        if (raw.flaky && !context.callId.endsWith('.2')) throw new ToolSoftError('not yet');
        const made = madeOf(name, args, raw.large);
        return mark === 'readOnly'
          ? later(made.v, () => made)
          : later(made.v, () => process.effect(name, context.callId, mark, made));
      },
    }));
    return { node: { t: 'fn', name, out, raw, refs }, adds: [{ name, sure: true }] };
  }

  #question(
    raw: Extract<Raw, { t: 'ask' | 'tool' | 'llm' }>,
    where: Where,
  ): { readonly node: Named; readonly adds: readonly Visible[] } {
    const name = this.#layout.name({ ask: 'q', tool: 't', llm: 'g' }[raw.t]);
    const refs = refsOf(raw.refs, where.visible).filter(({ mode }) => mode !== 'optional' && mode !== 'path');
    const adds = [{ name, sure: true, plain: raw.t !== 'tool' }];
    if (raw.t === 'tool') {
      const { asks } = raw;
      const out = this.#add(() => ({
        kind: 'invoke-tool',
        name,
        tool: 'asker',
        args: { label: name, asks, given: argsOf(refs) },
      }));
      return { node: { t: 'tool', name, out, raw, refs }, adds };
    }
    const message = questionOf(name, refs);
    if (raw.t === 'llm') {
      const out = this.#add(() => ({ kind: 'llm', name, task: text`[[${message}]]`, inputs: [] }));
      return { node: { t: 'llm', name, out, raw, refs }, adds };
    }
    const out = this.#add(() =>
      raw.kind === 'verify'
        ? { kind: 'user-verify', name, message }
        : raw.kind === 'machine'
          ? { kind: 'wait-for', name, message }
          : { kind: 'user-input', name, message, ...(raw.kind === 'options' && { options: ['red', 'green', 7] }) },
    );
    return { node: { t: 'ask', name, out, raw, refs }, adds };
  }

  #nap(raw: Extract<Raw, { t: 'nap' }>): Named {
    const name = this.#layout.name('z');
    // A long one is not waited for: the run is left until its time has come.
    return { t: 'nap', out: this.#add(() => ({ kind: 'sleep', name, ms: raw.long ? 60_000 : 5 })) };
  }

  #if(raw: Extract<Raw, { t: 'if' }>, where: Where): { readonly node: Named; readonly adds: readonly Visible[] } {
    const arms: { name: string; refs: readonly Ref[]; parity: number; body: readonly Named[] }[] = [];
    const given = refsOf(raw.refs, where.visible);
    for (const [index, rawBody] of raw.arms.entries()) {
      const name = this.#layout.name('i');
      const parity = (raw.refs.length + index) % 2;
      this.#add(() => ({
        kind: index === 0 ? 'if' : 'else-if',
        name,
        args: argsOf(given),
        condition: (args: unknown) => hashOf([index, args]) % 2 === parity,
      }));
      const body = this.list(rawBody, where);
      arms.push({ name, refs: given, parity, body });
    }
    let last: readonly Named[] | null = null;
    if (raw.last) {
      const name = this.#layout.name('e');
      this.#add(() => ({ kind: 'else', name }));
      last = this.list(raw.last, where);
    }
    const bodies = [...arms.map(({ body }) => body), ...(last ? [last] : [])];
    const made = bodies.flatMap((body) =>
      body.flatMap((node) => (node.t === 'fn' || node.t === 'ask' ? [node.name] : [])),
    );
    const merge = raw.merge && made.length > 0 ? made.slice(0, 3) : [];
    const end = this.#layout.name('m');
    const out = this.#add(() => ({
      kind: 'end-if',
      name: end,
      ...(merge.length > 0 && { value: { firstOf: merge } }),
    }));
    const adds = [
      ...bodies.flatMap(madeIn),
      { name: arms[0]?.name as string, sure: true, plain: true },
      ...(merge.length > 0 ? [{ name: end, sure: true }] : []),
    ];
    return { node: { t: 'if', arms, last, end, out, merge }, adds };
  }

  #for(raw: Extract<Raw, { t: 'for' }>, where: Where): { readonly node: Named; readonly adds: readonly Visible[] } {
    const name = this.#layout.name('l');
    const { concurrency } = raw;
    const target =
      raw.refs.length === 2
        ? refsOf(
            raw.refs.slice(0, 1),
            where.visible.filter(({ name: seen }) => seen !== ''),
          )[0]
        : undefined;
    const over: Ref | number = target ? { name: target.name, mode: 'full' } : raw.count;
    const items = typeof over === 'number' ? [...Array(over).keys()] : referenceOf(over);
    const out = this.#add(() => ({
      kind: 'loop',
      name,
      type: 'for-each',
      over: items,
      concurrency,
      onFailure: raw.abort ? 'abort' : 'finish',
      maxIterations: 100,
    }));
    const forked = concurrency > 1;
    const body = this.list(raw.body, {
      ...where,
      visible: [...where.visible, { name, sure: true }],
      forked: where.forked || forked,
      forkedInSub: where.forkedInSub || forked,
    });
    const endName = this.#layout.name('n');
    this.#add(() => ({ kind: 'end-loop', name: endName }));
    return { node: { t: 'for', name, out, over, concurrency, body }, adds: [{ name, sure: false }, ...madeIn(body)] };
  }

  #while(raw: Extract<Raw, { t: 'while' }>, where: Where): { readonly node: Named; readonly adds: readonly Visible[] } {
    const { kind, times } = raw;
    const name = this.#layout.name('w');
    const tick = this.#layout.name('k');
    const end = this.#layout.name('n');
    const args = { n: StepOutput(tick, { full: true }) };
    const condition = ({ n }: { readonly n: readonly unknown[] }): boolean => n.length < times;
    const bound = { maxIterations: 100 };
    if (kind === 'while')
      this.#add(() => ({ kind: 'loop', name, type: 'while', condition, args, initial: { n: [] }, ...bound }));
    else if (kind === 'do-while')
      this.#add(() => ({ kind: 'loop', name, type: 'do-while', condition, args, ...bound }));
    else this.#add(() => ({ kind: 'loop', name, type: 'do-while', args: {}, ...bound }));
    const tickOut = this.#add(() => ({
      kind: 'function',
      name: tick,
      readOnly: true,
      args: {},
      function: () => 'tick',
    }));
    const body = this.list(raw.body, { ...where, visible: [...where.visible, { name: tick, sure: true }] });
    this.#add(() => ({ kind: 'end-loop', name: end, ...(kind === 'end' && { condition, args }) }));
    const own = [{ name: kind === 'while' ? name : end, sure: true, plain: true }];
    return {
      node: { t: 'while', name, kind, end, tick, tickOut, times, body },
      adds: [...own, { name: tick, sure: kind !== 'while' }, ...madeIn(body)],
    };
  }

  #parallel(
    raw: Extract<Raw, { t: 'par' }>,
    where: Where,
  ): { readonly node: Named; readonly adds: readonly Visible[] } {
    const name = this.#layout.name('p');
    this.#add(() => ({
      kind: 'parallel',
      name,
      onFailure: raw.abort ? 'abort' : 'finish',
      ...(raw.concurrency > 0 && { concurrency: raw.concurrency }),
    }));
    const branches = raw.branches.map((rawBody) => {
      const branch = this.#layout.name('b');
      this.#add(() => ({ kind: 'branch', name: branch }));
      return this.list(rawBody, { ...where, forked: true, forkedInSub: true });
    });
    const end = this.#layout.name('n');
    this.#add(() => ({ kind: 'end-parallel', name: end }));
    return { node: { t: 'par', branches }, adds: branches.flatMap(madeIn) };
  }

  #subPlan(raw: Extract<Raw, { t: 'sub' }>, where: Where): { readonly node: Named; readonly adds: readonly Visible[] } {
    const name = this.#layout.name('s');
    const refs = refsOf(raw.refs, where.visible);
    const inner = new PlanLayout(this.#layout, `${this.#prefix}$step_${this.makers.length}_output/`);
    const body = inner.list(raw.body, {
      visible: [{ name: '', sure: true }],
      forked: where.forked,
      forkedInSub: false,
      inSub: true,
    });
    const out = this.#add((process) => ({
      kind: 'sub-plan',
      name,
      plan: inner.plan(process),
      inputValues: { given: argsOf(refs) },
    }));
    return { node: { t: 'sub', name, out, refs, body }, adds: [{ name, sure: true }] };
  }

  #end(raw: Extract<Raw, { t: 'exit' | 'stop' }>): Named {
    const name = this.#layout.name('x');
    if (raw.t === 'exit') {
      const out = this.#add(() => ({ kind: 'exit', name, message: `bye from ${name}`, error: raw.error }));
      return { t: 'exit', name, out, error: raw.error };
    }
    let out: string;
    if (raw.kind === 'refused') out = this.#add(() => ({ kind: 'user-verify', name, message: 'no?' }));
    else {
      const fail = (): never => {
        throw raw.kind === 'hard' ? new ToolHardError('broken') : new ToolSoftError('broken');
      };
      out = this.#add(() => ({ kind: 'function', name, args: {}, function: fail }));
    }
    return { t: 'stop', name, out, kind: raw.kind };
  }

  plan(process: Process): PlanV2 {
    return new PlanV2({
      steps: this.makers.map((maker) => maker(process)),
      planInputs: this.#prefix === '' ? [] : [{ name: 'given', defaultValue: 0 }],
    });
  }
}

/** What the steps of a block have made, as it can be seen after it: perhaps nothing. */
function madeIn(body: readonly Named[]): readonly Visible[] {
  return body.flatMap((node) =>
    node.t === 'fn' || node.t === 'ask' || node.t === 'sub'
      ? [{ name: node.name, sure: false, plain: node.t === 'ask' }]
      : [],
  );
}

/** The empty name stands for the input of a sub-plan. */
function refsOf(numbers: readonly number[], visible: readonly Visible[]): readonly Ref[] {
  if (visible.length === 0) return [];
  return numbers.map((number) => {
    const { name, sure, plain } = visible[visible.length - 1 - (number % visible.length)] as Visible;
    const modes: readonly Mode[] =
      name === '' ? ['latest'] : sure ? ['latest', 'full', 'text', 'path'] : ['optional', 'full', 'path'];
    const count = plain && name !== '' ? modes.length - 1 : modes.length;
    return { name, mode: modes[Math.floor(number / visible.length) % count] as Mode };
  });
}

function referenceOf({ name, mode }: Ref): unknown {
  if (name === '') return Input('given');
  if (mode === 'text') return text`<${StepOutput(name)}>`;
  if (mode === 'full') return StepOutput(name, { full: true });
  return StepOutput(name, { ...(mode === 'path' && { path: 'v' }), optional: mode !== 'latest' });
}

function argsOf(refs: readonly Ref[]): Record<string, unknown> {
  return Object.fromEntries(refs.map((ref, index) => [`a${index}`, referenceOf(ref)]));
}

function questionOf(name: string, refs: readonly Ref[]): ReturnType<typeof text> {
  const parts = refs.map(({ name: from, mode }) =>
    from === '' ? Input('given') : StepOutput(from, { full: mode === 'full' }),
  );
  return text`${name} ${parts[0] ?? ''} ${parts[1] ?? ''}?`;
}

/** Gives a value at once, or a little later: strands shall not always meet in the same order. */
export function later<T>(hash: number, give: () => T): T | Promise<T> {
  return hash % 3 === 0
    ? give()
    : hash % 3 === 1
      ? Promise.resolve().then(give)
      : new Promise<void>((resolve) => setImmediate(resolve)).then(give);
}

/** The tool of programs: it has effects, and may ask for something first. */
export function askerOf(process: Process): AnyTool {
  return tool<{ label: string; asks: boolean; given: JsonValue; answer?: string }, JsonValue>({
    id: 'asker',
    description: 'asks, then acts',
    run({ label, asks, given, answer }, { callId }) {
      if (asks && answer === undefined)
        return InputClarification({ userGuidance: `${label} ${JSON.stringify(given)}`, argumentName: 'answer' });
      return process.effect(label, callId, 'effect', madeOf(label, [given, answer ?? null]));
    },
  });
}

/** Lays out a tree. */
export function programOf(raws: readonly Raw[]): Program {
  const layout = new Layout(terminalsIn(raws));
  const main = new PlanLayout(layout, '');
  const tree = main.list(raws, { visible: [], forked: false, forkedInSub: false, inSub: false });
  return { tree, racy: layout.racy, plan: (process) => main.plan(process) };
}

function terminalsIn(raws: readonly Raw[]): number {
  return raws.reduce((sum, raw) => {
    if (raw.t === 'exit' || raw.t === 'stop') return sum + 1;
    if (raw.t === 'if')
      return sum + [...raw.arms, ...(raw.last ? [raw.last] : [])].reduce((all, arm) => all + terminalsIn(arm), 0);
    if (raw.t === 'par') return sum + raw.branches.reduce((all, branch) => all + terminalsIn(branch), 0);
    return 'body' in raw ? sum + terminalsIn(raw.body) : sum;
  }, 0);
}
