// How a random program is to end: worked out by walking its tree, step by step, without the engine.
import type { JsonValue } from '../../src/core/json.ts';
import { textOf } from '../../src/core/output.ts';
import { at } from '../../src/core/reference.ts';
import { answerTo, hashOf, madeOf, type Named, type Program, type Ref, saidTo } from './programs.ts';

/** How a program is to end. */
export interface Expected {
  readonly code: string | undefined;
  readonly final: JsonValue | undefined;
  /** The effects, as `<step> <hash of what it made>`. Of a racy program: all that may happen. */
  readonly effects: readonly string[];
  /** What the record shows of steps that do something. */
  readonly outputs: ReadonlyMap<string, JsonValue>;
  /** The record names of the steps that a hook is told of, in order; `failing` is the one that ends the run, if one does. */
  readonly told: readonly string[];
  readonly failing: string | undefined;
}

/** What a walk has seen; that of a strand lies over what there was when it began. */
class Env {
  readonly parent: Env | undefined;
  readonly values = new Map<string, JsonValue[]>();
  /** By name: when its last value was made. */
  readonly #made = new Map<string, number>();
  #count = 0;
  /** The rounds it is in, outermost first: what their loop makes, and when they began. */
  readonly #rounds: { readonly names: ReadonlySet<string>; readonly begun: number }[] = [];
  last: JsonValue | undefined;
  readonly given: JsonValue;

  constructor(given: JsonValue, parent?: Env) {
    this.given = given;
    this.parent = parent;
  }

  all(name: string): readonly JsonValue[] {
    return [...(this.parent?.all(name) ?? []), ...(this.values.get(name) ?? [])];
  }

  /** What a step made last; within a round of its loop, in this round. */
  latest(name: string): JsonValue | undefined {
    const own = this.values.get(name);
    if (!own) return this.parent?.latest(name);
    const round = this.#rounds.findLast(({ names }) => names.has(name));
    return round && Number(this.#made.get(name)) <= round.begun ? undefined : own.at(-1);
  }

  keep(name: string, value: JsonValue): void {
    this.values.set(name, [...(this.values.get(name) ?? []), value]);
    this.#count += 1;
    this.#made.set(name, this.#count);
  }

  /** One round of a loop that makes these. */
  round(names: ReadonlySet<string>, walk: () => Ended): Ended {
    this.#rounds.push({ names, begun: this.#count });
    const ended = walk();
    this.#rounds.pop();
    return ended;
  }

  join(strand: Env): void {
    for (const [name, values] of strand.values) for (const value of values) this.keep(name, value);
    if (strand.last !== undefined) this.last = strand.last;
  }
}

type Ended =
  | { readonly by: 'exit' | 'leave' | 'fail'; readonly code?: string; readonly message: JsonValue }
  | undefined;

/** Works out how a program ends, step by step and one strand after the other. */
export function expectationOf({ tree }: Program): Expected {
  const effects: string[] = [];
  const outputs = new Map<string, JsonValue>();
  const told: string[] = [];
  let failing: string | undefined;

  const record = (env: Env, name: string, out: string, value: JsonValue): void => {
    env.keep(name, value);
    env.last = value;
    outputs.set(out, value);
  };
  const tell = (env: Env, name: string, out: string, value: JsonValue): void => {
    told.push(out);
    record(env, name, out, value);
  };
  const walk = (nodes: readonly Named[], env: Env, inSub: boolean): Ended => {
    for (const node of nodes) {
      const ended = step(node, env, inSub);
      if (ended) return ended;
    }
    return undefined;
  };
  const strands = (
    bodies: readonly { readonly nodes: readonly Named[]; readonly env: Env }[],
    env: Env,
    inSub: boolean,
  ): Ended => {
    const ends = bodies.map((strand) => walk(strand.nodes, strand.env, inSub));
    for (const strand of bodies) env.join(strand.env);
    return ends.find((ended) => ended !== undefined);
  };
  const step = (node: Named, env: Env, inSub: boolean): Ended => {
    switch (node.t) {
      case 'fn': {
        const made = madeOf(node.name, resolved(env, node.refs), node.raw.large);
        if (node.raw.mark !== 'readOnly') effects.push(`${node.name} ${made.v}`);
        return void tell(env, node.name, node.out, made as unknown as JsonValue);
      }
      case 'tool': {
        const given = resolved(env, node.refs);
        const made = madeOf(node.name, [
          given,
          node.raw.asks ? answerTo(`${node.name} ${JSON.stringify(given)}`, undefined) : null,
        ]);
        effects.push(`${node.name} ${made.v}`);
        return void tell(env, node.name, node.out, made as unknown as JsonValue);
      }
      case 'nap':
        told.push(node.out);
        outputs.set(node.out, null);
        env.last = null;
        return undefined;
      case 'llm':
      case 'ask': {
        const parts = node.refs.map(({ name, mode }) =>
          textOf(name === '' ? env.given : mode === 'full' ? [...env.all(name)] : (env.latest(name) ?? null)),
        );
        const guidance = `${node.name} ${parts[0] ?? ''} ${parts[1] ?? ''}?`;
        if (node.t === 'llm') return void tell(env, node.name, node.out, saidTo(`[[${guidance}]]`));
        const options = node.raw.kind === 'options' ? ['red', 'green', 7] : undefined;
        return void tell(env, node.name, node.out, node.raw.kind === 'verify' ? true : answerTo(guidance, options));
      }
      case 'if': {
        let ended: Ended;
        let isTaken = false;
        for (const [index, arm] of node.arms.entries()) {
          if (isTaken) break;
          isTaken = hashOf([index, resolved(env, arm.refs)]) % 2 === arm.parity;
          env.keep(arm.name, isTaken);
          if (isTaken) ended = walk(arm.body, env, inSub);
        }
        if (!isTaken && node.last) ended = walk(node.last, env, inSub);
        if (ended || node.merge.length === 0) return ended;
        const first = node.merge.map((name) => env.latest(name)).find((value) => value !== undefined);
        return void record(env, node.end, node.out, first ?? null);
      }
      case 'for': {
        const items = typeof node.over === 'number' ? [...Array(node.over).keys()] : [...env.all(node.over.name)];
        if (node.concurrency > 1) {
          const bodies = items.map((item) => {
            const strand = new Env(env.given, env);
            strand.keep(node.name, item);
            return { nodes: node.body, env: strand };
          });
          return strands(bodies, env, inSub);
        }
        for (const item of items) {
          env.keep(node.name, item);
          const ended = env.round(namesIn(node.body), () => walk(node.body, env, inSub));
          if (ended) return ended;
        }
        return undefined;
      }
      case 'while': {
        for (let first = true; ; first = false) {
          const again =
            node.kind === 'while' ? (first ? node.times > 0 : env.all(node.tick).length < node.times) : true;
          if (node.kind === 'while') env.keep(node.name, again);
          if (!again) return undefined;
          told.push(node.tickOut);
          const ended = env.round(namesIn([node]), () => {
            env.keep(node.tick, 'tick');
            env.last = 'tick';
            return walk(node.body, env, inSub);
          });
          if (ended) return ended;
          if (node.kind === 'while') continue;
          const more = env.all(node.tick).length < node.times;
          env.keep(node.end, more);
          if (!more) return undefined;
        }
      }
      case 'par':
        return strands(
          node.branches.map((nodes) => ({ nodes, env: new Env(env.given, env) })),
          env,
          inSub,
        );
      case 'sub': {
        const inner = new Env(resolved(env, node.refs));
        const ended = walk(node.body, inner, true);
        if (ended && ended.by !== 'leave') return ended;
        return void record(env, node.name, node.out, ended ? ended.message : (inner.last ?? null));
      }
      case 'exit': {
        const message = `bye from ${node.name}`;
        if (node.error) return { by: 'fail', code: 'RUN_EXITED', message };
        outputs.set(node.out, message);
        return { by: inSub ? 'leave' : 'exit', message };
      }
      case 'stop':
        failing ??= node.out;
        return {
          by: 'fail',
          code: { hard: 'TOOL_FAILED', soft: 'TOOL_RETRIES_EXHAUSTED', refused: 'APPROVAL_REFUSED' }[node.kind],
          message: '',
        };
    }
  };
  const env = new Env(0);
  const ended = walk(tree, env, false);
  return {
    code: ended?.by === 'fail' ? ended.code : undefined,
    final: ended ? ended.message : env.last,
    effects: effects.sort(),
    outputs,
    told,
    failing,
  };
}

/** The names of all that is in these; a sub-plan's steps are its own affair. */
function namesIn(nodes: readonly Named[]): ReadonlySet<string> {
  const names = (node: Named): readonly string[] => {
    switch (node.t) {
      case 'if':
        return [
          node.end,
          ...node.arms.flatMap(({ name, body }) => [name, ...body.flatMap(names)]),
          ...(node.last ?? []).flatMap(names),
        ];
      case 'for':
        return [node.name, ...node.body.flatMap(names)];
      case 'while':
        return [node.name, node.tick, node.end, ...node.body.flatMap(names)];
      case 'par':
        return node.branches.flat().flatMap(names);
      default:
        return 'name' in node ? [node.name] : [];
    }
  };
  return new Set(nodes.flatMap(names));
}

function resolved(env: Env, refs: readonly Ref[]): JsonValue {
  const args: Record<string, JsonValue> = {};
  for (const [index, { name, mode }] of refs.entries()) {
    const all = name === '' ? [env.given] : env.all(name);
    const latest = name === '' ? env.given : env.latest(name);
    const value =
      mode === 'full'
        ? [...all]
        : mode === 'path'
          ? latest === undefined
            ? undefined
            : at(latest, 'v')
          : mode === 'text'
            ? `<${textOf(latest ?? null)}>`
            : latest;
    if (value !== undefined) args[`a${index}`] = value;
  }
  return args;
}
