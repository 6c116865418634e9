import { isClarification } from '../core/clarification.ts';
import { type JsonValue, sameJson, toJson } from '../core/json.ts';
import { validate } from '../core/schema.ts';
import type { AnyTool, Tool, ToolRunContext } from '../core/tool.ts';
import { argsJsonSchemaOf, checkTool, toolToModelTool } from '../tool/tool.ts';
import { toolContext } from './tool-context.ts';

/** The parts of a test framework that the suite needs; those of vitest and jest fit. */
export interface ToolTestFramework {
  describe(name: string, body: () => void): unknown;
  it(name: string, body: () => void | Promise<void>): unknown;
  expect(actual: unknown): { toEqual(expected: unknown): unknown };
}

/** What to try a tool with. */
export interface ToolTestCases<Args> {
  /** Arguments it must take; each is called, marked tools twice. At least one. */
  readonly valid: readonly Args[];
  /** Arguments its schema must refuse. */
  readonly invalid: readonly unknown[];
  /** The context of a call; called once for each. {@link toolContext} unless given. */
  readonly context?: ((overrides: { readonly signal: AbortSignal }) => ToolRunContext) | undefined;
  /** Milliseconds a call has to stop once it is told to; 5,000 unless given. */
  readonly patienceMs?: number | undefined;
}

/**
 * The contract every tool keeps, as a suite of tests: its description, the arguments it refuses, that its result is
 * JSON, that it stops when it is told to, and that its marks are true of it. Calls the tool for real.
 *
 * @example
 * testTool(refund, { valid: [{ charge: 'ch_1' }], invalid: [{}] }, { describe, it, expect })
 */
export function testTool<Args, Out>(
  tool: Tool<Args, Out>,
  cases: ToolTestCases<Args>,
  framework: ToolTestFramework,
): void {
  const { describe, it, expect } = framework;
  const suite = new Suite(tool, cases);
  describe(`the tool ${tool.id}`, () => {
    it('can be registered and shown to a model', () => {
      checkTool(tool);
      const { name, description, argsSchema } = toolToModelTool(tool);
      const shown = {
        name: /^[A-Za-z0-9_-]{1,64}$/.test(name),
        description: description.trim() !== '',
        arguments: sameJson(argsSchema, toJson(argsSchema)),
      };
      expect(shown).toEqual({ name: true, description: true, arguments: true });
    });
    it('refuses arguments that do not fit, and takes those that do', async () => {
      expect(await suite.refused()).toEqual({
        invalid: cases.invalid.map(() => true),
        valid: cases.valid.map(() => false),
      });
    });
    it('gives JSON that fits its output schema, or clarifications', async () => {
      const results = [];
      for (const args of cases.valid) results.push(await suite.problemOf(args));
      expect(results).toEqual(cases.valid.map(() => 'none'));
    });
    it('settles soon after it is told to stop', async () => {
      const [args] = cases.valid;
      expect(args === undefined ? 'no valid arguments given' : await suite.stop(args)).toEqual('settled');
    });
    it('has marks that are true of it', async () => {
      const results = [];
      for (const args of cases.valid) results.push(await suite.marksOf(args));
      expect(results).toEqual(cases.valid.map(() => 'consistent'));
    });
  });
}

class Suite {
  readonly #tool: AnyTool;
  readonly #cases: ToolTestCases<unknown>;

  constructor(tool: AnyTool, cases: ToolTestCases<unknown>) {
    this.#tool = tool;
    this.#cases = cases;
  }

  #context(signal: AbortSignal = new AbortController().signal): ToolRunContext {
    const { readOnly, idempotent } = this.#tool;
    return this.#cases.context?.({ signal }) ?? toolContext({ signal, repeatable: !!(readOnly || idempotent) });
  }

  async #checked(args: unknown): Promise<{ readonly ok: boolean; readonly value: unknown }> {
    const { argsSchema } = this.#tool;
    if (argsSchema) {
      const result = await validate(argsSchema, args);
      return { ok: result.ok, value: result.ok ? result.value : undefined };
    }
    const { properties = {} } = argsJsonSchemaOf(this.#tool);
    const known = new Set(Object.keys(properties as object));
    return { ok: Object.keys(args as object).every((key) => known.has(key)), value: args };
  }

  async #run(args: unknown, context: ToolRunContext): Promise<unknown> {
    return this.#tool.run((await this.#checked(args)).value, context);
  }

  async refused(): Promise<{ readonly invalid: boolean[]; readonly valid: boolean[] }> {
    const refusal = async (args: unknown): Promise<boolean> => !(await this.#checked(args)).ok;
    return {
      invalid: await Promise.all(this.#cases.invalid.map(refusal)),
      valid: await Promise.all(this.#cases.valid.map(refusal)),
    };
  }

  async problemOf(args: unknown): Promise<string> {
    const result = await this.#run(args, this.#context());
    if (asks(result)) return 'none';
    const { outputSchema } = this.#tool;
    const checked = outputSchema ? await validate(outputSchema, result) : { ok: true as const, value: result };
    if (!checked.ok) return checked.issues.join('; ');
    toJson(checked.value, 'the result');
    return 'none';
  }

  /** Whether the call settles, with a result or an error, once its signal is aborted. */
  async stop(args: unknown): Promise<'settled' | 'still running'> {
    const controller = new AbortController();
    const call = this.#run(args, this.#context(controller.signal)).then(
      () => 'settled' as const,
      () => 'settled' as const,
    );
    await new Promise((resolve) => setTimeout(resolve, 10));
    controller.abort(new Error('the test stopped the call'));
    let timer: NodeJS.Timeout | undefined;
    const tooLong = new Promise<'still running'>((resolve) => {
      timer = setTimeout(() => resolve('still running'), this.#cases.patienceMs ?? 5_000);
    });
    return Promise.race([call, tooLong]).finally(() => clearTimeout(timer));
  }

  /** A marked tool bears a second call with the same key; `reconcile` never says of a call that it did not happen. */
  async marksOf(args: unknown): Promise<string> {
    const { readOnly, idempotent, reconcile } = this.#tool;
    if (readOnly && reconcile) return 'readOnly tools are simply called again: reconcile is never used';
    if (!readOnly && !idempotent && !reconcile) return 'consistent';
    const context = this.#context();
    const first = await this.#run(args, context);
    if (asks(first)) return 'consistent';
    if (readOnly || idempotent) {
      const second = await this.#run(args, context);
      if (idempotent && !sameJson(json(first), json(second)))
        return 'idempotent, but a second call with the same key gives another result';
    }
    if (!reconcile) return 'consistent';
    const found = await reconcile.call(this.#tool, (await this.#checked(args)).value, context);
    json(found);
    return found === 'not-happened' ? 'reconcile says not-happened of a call that succeeded' : 'consistent';
  }
}

function json(value: unknown): JsonValue {
  return toJson(value, 'the result');
}

function asks(result: unknown): boolean {
  return isClarification(result) || (Array.isArray(result) && result.some(isClarification));
}
