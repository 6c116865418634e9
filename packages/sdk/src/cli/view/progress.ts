import { plainLine } from '../../clarify/plain-text.ts';
import type { ModelPurpose, RunEvent, RunNotice, StoredOutput } from '../../core/event.ts';
import type { JsonValue } from '../../core/json.ts';
import type { Plan } from '../../core/plan.ts';
import { wholeRun } from '../../core/run-state.ts';
import type { ToolRegistry } from '../../tool/registry.ts';
import type { Paint } from './paint.ts';
import { type StepWords, stepWords } from './step-words.ts';
import { cut, duration, pad, preview, textWidth } from './text.ts';

type Signal = RunEvent | RunNotice;
type Told<Type extends Signal['type']> = Extract<Signal, { readonly type: Type }>;

/** What is worth a line of its own. `plainOnly` lines say what a live view shows anyway. */
export interface ProgressLine {
  readonly text: string;
  readonly plainOnly?: true;
}

interface Running {
  readonly since: number;
  doing: string;
  /** The words of a model that have come so far. */
  says: string;
  last: JsonValue | undefined;
}

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/**
 * Turns what happens to a run into lines. It needs stored events only, so it shows runs of other processes too;
 * notices, which come only from this one, say more of what goes on right now.
 */
export class Progress {
  readonly #plan: Plan;
  readonly #words: StepWords;
  readonly #tools: ToolRegistry;
  readonly #paint: Paint;
  readonly #nameWidth: number;
  readonly #running = new Map<number, Running>();
  readonly #toolOf = new Map<string, string>();
  #next = 0;

  constructor(plan: Plan, tools: ToolRegistry, paint: Paint) {
    this.#plan = plan;
    this.#words = stepWords(plan);
    this.#tools = tools;
    this.#paint = paint;
    this.#nameWidth = Math.min(24, Math.max(0, ...this.#words.names.map((name) => textWidth(plainLine(name)))));
  }

  /** What an event says, in lines that stay. */
  take(signal: Signal): ProgressLine[] {
    switch (signal.type) {
      case 'run-start':
        return this.#begin(this.#next, signal.at);
      case 'step-start':
        return this.#begin(signal.step, signal.at);
      case 'step-end':
        return this.#end(signal);
      case 'run-wait':
      case 'run-end':
        this.#running.clear();
        return [];
      case 'run-retry':
        return [{ text: this.#paint.yellow('  ↻ tried again from the failed step') }];
      default:
        return this.#within(signal);
    }
  }

  #within(signal: Signal): ProgressLine[] {
    if (!('step' in signal)) return [];
    const started = signal.step === wholeRun ? this.#mark(signal.step, signal.at) : this.#begin(signal.step, signal.at);
    const running = this.#running.get(signal.step);
    if (!running) return started;
    switch (signal.type) {
      case 'model-call-start':
        running.doing = `${modelWork[signal.purpose]} (${plainLine(signal.model)})`;
        return started;
      case 'text-delta':
        running.says = signal.again ? signal.text : running.says + signal.text;
        running.doing = preview(running.says.slice(-120), 120);
        return started;
      case 'model-call-end':
        running.says = '';
        running.doing =
          signal.purpose === 'execution' ? `the model has answered${signal.answer.cached ? ' (cached)' : ''}` : '';
        if (signal.step === wholeRun) this.#running.delete(wholeRun);
        return started;
      case 'tool-progress':
        running.doing = preview(signal.progress, 120);
        return started;
      default:
        return [...started, ...this.#call(signal, running)];
    }
  }

  #call(signal: Signal, running: Running): ProgressLine[] {
    const paint = this.#paint;
    switch (signal.type) {
      case 'tool-call-start': {
        this.#toolOf.set(signal.call, signal.tool);
        running.doing = `${plainLine(signal.tool)} ${preview(signal.args, 120)}`;
        // A stored start is the intent of a call that may have effects; others are only notices.
        return signal.seq === undefined
          ? []
          : [{ text: `      ${paint.dim(`${signal.call} ${plainLine(signal.tool)}: its intent is on record`)}` }];
      }
      case 'tool-call-repeat':
        running.doing = `${this.#tool(signal.call)}, once more`;
        return [
          {
            text: `      ${paint.yellow('↻')} ${signal.call} ${this.#tool(signal.call)}: called again with the same idempotency key`,
          },
        ];
      case 'tool-call-retry':
        return [
          {
            text: `      ${paint.yellow('↻')} ${signal.call} ${this.#tool(signal.call)}: to be tried again: ${plainLine(signal.reason)}`,
          },
        ];
      case 'tool-call-unknown':
        return [
          {
            text: `      ${paint.yellow('?')} ${signal.call} ${this.#tool(signal.call)}: ${plainLine(signal.reason) || 'its outcome is unknown'}`,
          },
        ];
      case 'tool-call-end':
        return this.#receipt(signal, running);
      case 'clarification-raised':
        return [
          { text: `      ${paint.yellow('?')} a question for ${audienceText(signal.audience)}`, plainOnly: true },
        ];
      default:
        return [];
    }
  }

  #receipt(signal: Told<'tool-call-end'>, running: Running): ProgressLine[] {
    const { outcome } = signal;
    const tool = signal.tool === undefined ? this.#tool(signal.call) : plainLine(signal.tool);
    if (outcome.status === 'SUCCESS') {
      running.last = outcome.value;
      running.doing = '';
      return signal.late
        ? [{ text: `      ${this.#paint.green('✓')} ${signal.call} ${tool}: a late receipt came in` }]
        : [];
    }
    if (outcome.status === 'NEED_CLARIFICATION') return [];
    const again = outcome.soft ? 'nothing happened' : 'failed';
    return [
      { text: `      ${this.#paint.red('✗')} ${signal.call} ${tool}: ${again}: ${preview(outcome.error.message)}` },
    ];
  }

  #tool(call: string): string {
    return plainLine(this.#toolOf.get(call) ?? 'the tool');
  }

  #mark(step: number, at: number): ProgressLine[] {
    if (!this.#running.has(step)) this.#running.set(step, { since: at, doing: '', says: '', last: undefined });
    return [];
  }

  #begin(step: number, at: number): ProgressLine[] {
    const planned = this.#plan.steps[step];
    if (!planned || this.#running.has(step)) return [];
    this.#mark(step, at);
    const tool = this.#words.toolOf(step);
    return [
      {
        text: `  ${this.#paint.dim('·')} ${this.#place(step)}${tool ? this.#paint.dim(`${plainLine(tool)}: `) : ''}${plainLine(planned.task)}`,
        plainOnly: true,
      },
    ];
  }

  #end(event: Told<'step-end'>): ProgressLine[] {
    const { step } = event;
    const running = this.#running.get(step);
    this.#running.delete(step);
    this.#next = event.next ?? Math.max(this.#next, step + 1);
    const ms = event.ms ?? (running ? event.at - running.since : 0);
    const paint = this.#paint;
    const lines = [
      event.skipped
        ? { text: `  ${paint.dim('–')} ${this.#place(step)}${paint.dim(`left out: ${skipReason(event)}`)}` }
        : {
            text: `  ${paint.green('✓')} ${this.#place(step)}${paint.dim(pad(duration(ms), 6))}  ${storedPreview(event.output, running?.last)}`,
          },
    ];
    // While others are in flight it is not known that the next step has begun; it says so itself then.
    return this.#running.size > 0 ? lines : [...lines, ...this.#begin(this.#next, event.at)];
  }

  #place(step: number): string {
    if (step === wholeRun)
      return `${pad('', String(this.#plan.steps.length).length * 2 + 1)}  ${pad('summing up', this.#nameWidth)}  `;
    const total = String(this.#plan.steps.length);
    const name = plainLine(this.#words.names[step] ?? '');
    return `${String(step + 1).padStart(total.length)}/${total}  ${this.#paint.cyan(pad(cut(name, this.#nameWidth), this.#nameWidth))}  `;
  }

  /** Nothing is in flight any more: the process that drove the run is gone. */
  halt(): void {
    this.#running.clear();
  }

  /** What is going on at this moment: a line for each step in flight. */
  live(now: number): string[] {
    return [...this.#running].map(([step, { since, doing }]) => {
      const frame = frames[Math.floor(now / 80) % frames.length] ?? '·';
      const took = this.#paint.dim(pad(duration(now - since), 6));
      return `  ${this.#paint.cyan(frame)} ${this.#place(step)}${took}  ${this.#paint.dim(doing || this.#taskOf(step))}`;
    });
  }

  #taskOf(step: number): string {
    const planned = this.#plan.steps[step];
    if (!planned) return '';
    const id = this.#words.toolOf(step);
    if (!id) return plainLine(planned.task);
    const name = this.#tools.has(id) ? this.#tools.getTool(id).name : id;
    return `${plainLine(name)}: ${plainLine(planned.task)}`;
  }
}

const modelWork: Readonly<Record<ModelPurpose, string>> = {
  planning: 'planning',
  execution: 'settling the arguments',
  introspection: 'judging the condition',
  'step-summary': 'summarising',
  'final-summary': 'summing up',
  tool: 'thinking',
};

/** Who may answer, in words. */
export function audienceText(audience: string): string {
  if (audience === 'endUser') return 'the end user';
  return audience.startsWith('role:') ? `people with the role ${plainLine(audience.slice(5))}` : 'an operator';
}

function skipReason(event: Told<'step-end'>): string {
  if (event.skipped === 'hook') return 'a hook said so';
  return event.output?.summary ? preview(event.output.summary) : 'its condition does not hold';
}

function storedPreview(output: StoredOutput | undefined, last: JsonValue | undefined): string {
  if (!output) return last === undefined ? '' : preview(last);
  if (output.summary) return preview(output.summary);
  return 'value' in output ? preview(output.value) : 'in agent memory';
}
