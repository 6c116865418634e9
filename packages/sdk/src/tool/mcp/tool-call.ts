import type {
  CallToolResult,
  ElicitRequestFormParams,
  ElicitRequestURLParams,
  Tool as McpTool,
} from '@modelcontextprotocol/client';
import { ActionClarification, type Clarification } from '../../core/clarification.ts';
import { PortiaError, ToolHardError, ToolSoftError } from '../../core/errors.ts';
import type { JsonValue } from '../../core/json.ts';
import type { ToolRunContext } from '../../core/tool.ts';
import { Answers, areAnswered, canBeChecked } from './answers.ts';
import { errorText, resultValue } from './call-result.ts';
import { clarificationsFor, type Question, questionOf } from './elicitation.ts';
import { Flight, type LiveQuestion } from './flight.ts';
import { clientPackage } from './mcp-package.ts';
import { answerSampling } from './sampling.ts';
import type { McpServer } from './server.ts';
import type { CallParams, McpSession } from './session.ts';
import { rootsOf } from './transports.ts';
import { whatHappened } from './what-happened.ts';

type Outcome = JsonValue | readonly Clarification[];

/** How often a server may ask for more input within one call. */
const maxRounds = 10;

/** What is kept while a person is asked by a server that does not wait for the answer. */
interface Unfinished {
  readonly requestState?: string;
  readonly responses: Readonly<Record<string, unknown>>;
  readonly open: readonly { readonly key: string; readonly question: Question; readonly ids: readonly string[] }[];
}

/** One execution of a tool of an MCP server: a call from its beginning, or one that goes on with an answer. */
export class McpToolCall {
  readonly #server: McpServer;
  readonly #tool: McpTool;
  readonly #context: ToolRunContext;
  readonly #answers: Answers;
  readonly #session: McpSession;
  #rounds = 0;
  #lostOnce = false;

  constructor(server: McpServer, tool: McpTool, args: unknown, context: ToolRunContext) {
    this.#server = server;
    this.#tool = tool;
    this.#context = context;
    this.#answers = new Answers(args);
    this.#session = server.sessionFor(context);
  }

  /** @throws ToolSoftError when nothing happened, ToolHardError when it failed for good; anything else is not known. */
  async run(): Promise<Outcome> {
    const { clarifications, attempt } = this.#context;
    for (const flight of this.#session.flights) {
      const { asked } = flight;
      if (asked && flight.context.planRunId === this.#context.planRunId && areAnswered(clarifications, asked.ids)) {
        return this.#goOn(flight, asked.live);
      }
    }
    const gaveUp = this.#server.takeGivenUp(clarifications);
    if (gaveUp) return this.#afterGivingUp(gaveUp);
    const unfinished = await this.#server.takeUnfinished(this.#context);
    if (unfinished) return this.#resume(JSON.parse(unfinished) as Unfinished);
    const lost = this.#answers.any || this.#server.hasLostQuestion(clarifications);
    if (lost && !this.#mayRepeat && attempt <= 1) {
      throw new Error(
        `the connection in which the MCP server "${this.#server.name}" asked is gone: what became of the call is not known`,
      );
    }
    return this.#begin({ arguments: this.#answers.args });
  }

  get #mayRepeat(): boolean {
    return this.#context.repeatable;
  }

  #begin(params: CallParams): Promise<Outcome> {
    const flight = new Flight<CallToolResult>(this.#context);
    this.#session.call(flight, this.#tool, params);
    return this.#follow(flight);
  }

  /** A call that is parked gets its answer and goes on. */
  async #goOn(flight: Flight<CallToolResult>, live: LiveQuestion): Promise<Outcome> {
    flight.context = this.#context;
    this.#server.unparked(flight);
    const answer = await this.#answers.take(live.question);
    if (answer && 'problem' in answer) return this.#ask(flight, live, answer.problem);
    this.#server.settle(this.#context.clarifications);
    live.answer(answer ? answer.result : { action: 'accept' });
    return this.#follow(flight);
  }

  /** The server ended the call while the person was still thinking. An error says that nothing happened. */
  async #afterGivingUp(flight: Flight<CallToolResult>): Promise<Outcome> {
    this.#server.settle(this.#context.clarifications);
    flight.context = this.#context;
    const turn = await flight.next();
    if (turn.kind === 'result' && !turn.result.isError) return this.#finish(turn.result);
    if (turn.kind === 'result' || this.#mayRepeat || this.#context.attempt > 1) {
      return this.#begin({ arguments: this.#answers.args });
    }
    throw turn.kind === 'error' ? turn.error : new Error('the call ended in an unknown way');
  }

  async #follow(flight: Flight<CallToolResult>): Promise<Outcome> {
    for (;;) {
      const turn = await flight.next();
      if (turn.kind === 'error') return this.#failed(turn.error, flight);
      if (turn.kind === 'result') return this.#ended(flight, turn.result);
      const answer = await this.#answers.take(turn.live.question);
      if (!answer) return this.#ask(flight, turn.live);
      if ('problem' in answer) return this.#ask(flight, turn.live, answer.problem);
      turn.live.answer(answer.result);
    }
  }

  async #ask(flight: Flight<CallToolResult>, live: LiveQuestion, problem?: string): Promise<Outcome> {
    const clarifications = await this.#questions(live.question, problem);
    if (!clarifications) {
      live.answer({ action: 'cancel' });
      return this.#follow(flight);
    }
    const ids = clarifications.map(({ id }) => id);
    flight.park(live, ids, this.#server.spec.elicitationWaitMs ?? 600_000);
    this.#server.parked(flight, ids);
    return clarifications;
  }

  /**
   * `undefined` for what no person can be asked: to visit an address that is none of the web, or to fill in a form whose
   * answers could not be checked.
   */
  async #questions(question: Question, problem?: string): Promise<Clarification[] | undefined> {
    try {
      if (question.kind === 'form' && !(await canBeChecked(question.schema))) return undefined;
      return clarificationsFor(this.#server.name, question, problem);
    } catch (error) {
      if (PortiaError.isInstance(error) && error.code === 'CLARIFICATION_INVALID') return undefined;
      throw error;
    }
  }

  async #ended(flight: Flight<CallToolResult>, result: CallToolResult): Promise<Outcome> {
    const { isInputRequiredResult } = await clientPackage();
    return isInputRequiredResult(result) ? this.#answerInputs(flight, result) : this.#finish(result);
  }

  #finish(result: CallToolResult): JsonValue {
    if (result.isError) throw new ToolSoftError(errorText(result));
    try {
      return this.#server.whole(resultValue(result));
    } catch (error) {
      if (!PortiaError.isInstance(error)) throw error;
      throw new ToolHardError(`${error.message}; the call itself was made`, { cause: error });
    }
  }

  /** The server wants to know more before it does the call: nothing waits for the answers. */
  async #answerInputs(flight: Flight<CallToolResult>, required: InputRequired): Promise<Outcome> {
    this.#rounds += 1;
    if (this.#rounds > maxRounds) throw new ToolHardError(`${this.#tool.name} asked for more input ${maxRounds} times`);
    const responses: Record<string, unknown> = {};
    const open: { key: string; question: Question; ids: string[] }[] = [];
    const asked: Clarification[] = [];
    for (const [key, { method, params }] of Object.entries(required.inputRequests ?? {})) {
      const { spec, name } = this.#server;
      if (method === 'roots/list') responses[key] = { roots: rootsOf(spec.roots ?? []) };
      else if (method === 'sampling/createMessage') {
        if (!spec.allowSampling)
          throw new ToolHardError(`the MCP server "${name}" wants to ask the model, which is not allowed`);
        responses[key] = await answerSampling(flight, params as never, spec.allowSampling);
      } else {
        const question = questionOf(params as unknown as ElicitRequestFormParams | ElicitRequestURLParams);
        const answer = await this.#answers.take(question);
        const clarifications = answer && 'result' in answer ? [] : await this.#questions(question, answer?.problem);
        if (answer && 'result' in answer) responses[key] = answer.result;
        else if (!clarifications) responses[key] = { action: 'cancel' };
        else {
          open.push({ key, question, ids: clarifications.map(({ id }) => id) });
          asked.push(...clarifications);
        }
      }
    }
    const { requestState } = required;
    if (open.length > 0) return this.#leaveUnfinished({ ...state(requestState), responses, open }, asked);
    return this.#begin({ arguments: this.#answers.args, inputResponses: responses, ...state(requestState) });
  }

  async #leaveUnfinished(unfinished: Unfinished, asked: readonly Clarification[]): Promise<Outcome> {
    const id = asked[0]?.id as string;
    await this.#server.keepUnfinished(this.#context.planRunId, id, JSON.stringify(unfinished));
    return asked;
  }

  async #resume({ requestState, responses, open }: Unfinished): Promise<Outcome> {
    const all: Record<string, unknown> = { ...responses };
    const stillOpen: Unfinished['open'][number][] = [];
    const asked: Clarification[] = [];
    for (const item of open) {
      const answer = await this.#answers.take(item.question);
      if (answer && 'problem' in answer) {
        const again = clarificationsFor(this.#server.name, item.question, answer.problem);
        asked.push(...again);
        stillOpen.push({ ...item, ids: again.map(({ id }) => id) });
      } else all[item.key] = answer ? answer.result : { action: 'accept' };
    }
    this.#server.settle(this.#context.clarifications);
    if (asked.length > 0)
      return this.#leaveUnfinished({ ...state(requestState), responses: all, open: stillOpen }, asked);
    return this.#begin({ arguments: this.#answers.args, inputResponses: all, ...state(requestState) });
  }

  async #failed(error: unknown, { tooLong }: Flight<CallToolResult>): Promise<Outcome> {
    if (tooLong) {
      const reason = `the answer of the MCP server "${this.#server.name}" is longer than 10 MiB and was not read`;
      // Whether it says that something happened, nobody knows.
      throw this.#mayRepeat ? new ToolHardError(reason, { cause: error }) : new Error(reason, { cause: error });
    }
    const happened = await whatHappened(error);
    const { name } = this.#server;
    switch (happened.kind) {
      case 'sign-in': {
        const asked = await this.#server.signIn(this.#context);
        if (asked) return [asked];
        throw new ToolHardError(`the MCP server "${name}" wants a sign-in`, {
          hint: 'give headers with a key, or oauth so that people can sign in',
        });
      }
      case 'visit':
        return happened.pages.map(({ message, url }) =>
          ActionClarification({
            userGuidance: message,
            actionUrl: url,
            requireConfirmation: true,
            source: `MCP server ${name}, before the call`,
          }),
        );
      case 'nothing':
        throw new ToolSoftError(`the MCP server "${name}": ${happened.reason}`, { cause: error });
      case 'lost':
        if (this.#mayRepeat && !this.#lostOnce && !this.#context.signal.aborted) {
          this.#lostOnce = true;
          return this.#begin({ arguments: this.#answers.args });
        }
        throw error;
      default:
        throw error;
    }
  }
}

interface InputRequired {
  readonly inputRequests?: Readonly<Record<string, { readonly method: string; readonly params?: unknown }>> | undefined;
  readonly requestState?: string | undefined;
}

function state(requestState: string | undefined): { requestState?: string } {
  return requestState === undefined ? {} : { requestState };
}
