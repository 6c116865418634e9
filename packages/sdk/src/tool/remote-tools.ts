import { clarificationFromWire } from '../core/clarification.ts';
import type { Clarification } from '../core/clarification.ts';
import { PortiaError, ToolHardError, ToolSoftError } from '../core/errors.ts';
import { isPlainObject, type JsonObject, type JsonValue } from '../core/json.ts';
import type { AnyTool, ReadyResponse, ToolReadyContext, ToolRunContext } from '../core/tool.ts';
import { schemaFromJson } from '../plan/plan-record.ts';
import { AnswerTooLong, readText } from './read-text.ts';
import { ToolRegistry } from './registry.ts';
import { tool } from './tool.ts';

/** Where remote tools are. */
export interface RemoteToolsOptions {
  /** Of a `portia-ts serve`, or of a Portia cloud: `http://127.0.0.1:18999`. */
  readonly endpoint: string;
  /** Sent to that server only. */
  readonly apiKey?: string | undefined;
  /** Is told of what the server could not offer and of tools that cannot work; they are left out. */
  readonly onSkipped?: ((skipped: { readonly what: string; readonly why: string }) => void) | undefined;
}

/** The source of questions that name none, as Portia 0.9 calls it. */
const defaultSource = 'Portia remote tool';
/** Milliseconds for everything but a call, which has the time of its tool. */
const timeoutMs = 60_000;
/** Bytes of an answer that are read: what a server of ours takes in a body. */
const mostBytes = 32 * 1024 * 1024;

/**
 * The tools that a server offers to runs that are driven elsewhere. A call happens there, once. When its answer is lost
 * nobody knows whether it happened, and a person is asked, as for every tool that may have effects.
 * @throws PortiaError `CONFIG_INVALID` for an endpoint that is no web address; `TOOL_FAILED` when the server cannot be
 * reached, lets nobody in or gives no list of tools.
 */
export async function remoteTools(options: RemoteToolsOptions): Promise<ToolRegistry> {
  const { endpoint } = options;
  const { protocol } = URL.canParse(endpoint) ? new URL(endpoint) : { protocol: '' };
  if (protocol !== 'http:' && protocol !== 'https:')
    throw new PortiaError({
      code: 'CONFIG_INVALID',
      message: `the endpoint ${JSON.stringify(endpoint)} of remote tools is not a web address`,
      hint: 'give the address of the server, such as http://127.0.0.1:18999',
    });
  const server = new RemoteServer(options);
  const tools: AnyTool[] = [];
  const ids = new Set<string>();
  for (const described of await server.descriptions()) {
    const what = String(described['tool_id'] ?? 'a tool without an id');
    try {
      const made = await remoteTool(server, described);
      if (ids.has(made.id)) throw new Error('another tool has this id');
      ids.add(made.id);
      tools.push(made);
    } catch (error) {
      options.onSkipped?.({ what, why: (error as Error).message });
    }
  }
  return new ToolRegistry(tools);
}

async function remoteTool(server: RemoteServer, described: JsonObject): Promise<AnyTool> {
  const { tool_id: id, tool_name: name, description, schema, should_summarize: shouldSummarize } = described;
  const words = isPlainObject(description) ? (description as JsonObject) : {};
  const { overview_description: overview, overview: type, output_description: output } = words;
  if (typeof id !== 'string' || typeof overview !== 'string') throw new Error('it has no id or no description');
  return tool<JsonObject, JsonValue>({
    id,
    description: overview,
    ...(typeof name === 'string' && { name }),
    ...(isPlainObject(schema) && { argsSchema: (await schemaFromJson(schema as JsonObject)) as never }),
    ...(typeof type === 'string' && { outputDescription: [type, typeof output === 'string' ? output : ''] as const }),
    shouldSummarize: shouldSummarize === true,
    ready: (context) => server.ready(id, context),
    run: (args, context) => server.run(id, args, context) as never,
  });
}

class RemoteServer {
  readonly #options: RemoteToolsOptions;
  readonly #endpoint: string;

  constructor(options: RemoteToolsOptions) {
    this.#options = options;
    this.#endpoint = options.endpoint.replace(/\/+$/, '');
  }

  /** The newer list; servers without it have the older one. */
  async descriptions(): Promise<readonly JsonObject[]> {
    const signal = AbortSignal.timeout(timeoutMs);
    let answer = await this.#ask('GET', '/tools/descriptions-v2/', signal);
    if (answer.status === 404) answer = await this.#ask('GET', '/tools/descriptions/', signal);
    const { status, body } = answer;
    const list = Array.isArray(body) ? body : isPlainObject(body) ? (body['tools'] ?? []) : undefined;
    if (status !== 200 || !Array.isArray(list)) throw failed(`the server gave no list of tools: ${saidBy(answer)}`);
    const errors =
      isPlainObject(body) && Array.isArray(body['errors']) ? (body['errors'] as readonly JsonObject[]) : [];
    for (const { app_name, error } of errors) this.#options.onSkipped?.({ what: String(app_name), why: String(error) });
    return list.filter((one): one is JsonObject => isPlainObject(one));
  }

  async run(id: string, args: JsonObject, context: ToolRunContext): Promise<JsonValue | readonly Clarification[]> {
    const { planRunId, endUser, signal, traceparent, tracestate } = context;
    const answered = context.clarifications.filter(({ resolved }) => resolved).map((one) => one.toJSON());
    const asked = {
      arguments: args,
      execution_context: {
        end_user_id: endUser.externalId,
        plan_run_id: planRunId,
        additional_data: endUser.additionalData,
        // Beside what Portia 0.9 sends: tools that look for an answer among the clarifications find it.
        ...(answered.length > 0 && { clarifications: answered }),
      },
    };
    const answer = await this.#ask('POST', `/tools/${inPath(id)}/run/`, signal, asked, {
      traceparent,
      ...(tracestate !== undefined && { tracestate }),
    });
    const { status, body } = answer;
    // Something on the way, or a tool that did not answer in time: nobody knows whether the call happened.
    if (status === 504 || (status >= 500 && !isPlainObject(body)))
      throw failed(`the answer of ${id} was lost: ${saidBy(answer)}`);
    if (status >= 400) throw new ToolHardError(saidBy(answer));
    const output = isPlainObject(body) ? body['output'] : undefined;
    if (!isPlainObject(output)) throw failed(`${id} was answered with what is no output: ${saidBy(answer)}`);
    const value = (output['value'] ?? null) as JsonValue;
    if (isPlainObject(body) && body['soft_error'] === true) throw new ToolSoftError(textOf(value));
    // A server of ours gives a list that a Python client could not read as text, and as it is beside it.
    if (isPlainObject(body) && 'value' in body) return body['value'] as JsonValue;
    return questionsIn(value) ?? value;
  }

  async ready(id: string, { planRunId, endUser, signal }: ToolReadyContext): Promise<ReadyResponse> {
    const answer = await this.#ask('POST', '/tools/batch/ready/', signal, {
      execution_context: { end_user_id: endUser.externalId, plan_run_id: planRunId },
      tool_ids: [id],
    });
    const { status, body } = answer;
    // Servers that never ask anybody have no such route.
    if (status === 404 && !saidBy(answer).includes(id)) return { ready: true };
    if (status !== 200 || !isPlainObject(body)) return { ready: false, reason: saidBy(answer) };
    const clarifications = questionsIn((body['clarifications'] ?? []) as JsonValue) ?? [];
    const { ready, reason } = body;
    return { ready: ready === true, clarifications, ...(typeof reason === 'string' && { reason }) };
  }

  async #ask(
    method: 'GET' | 'POST',
    path: string,
    signal: AbortSignal,
    json?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<{ readonly status: number; readonly body: unknown }> {
    const { apiKey } = this.#options;
    let response: Response;
    let text: string;
    try {
      response = await fetch(`${this.#endpoint}/api/v0${path}`, {
        method,
        headers: {
          ...headers,
          'content-type': 'application/json',
          ...(apiKey !== undefined && { authorization: `Api-Key ${apiKey}` }),
        },
        // The key is for this server, and for no other it may point to.
        redirect: 'error',
        signal,
        ...(json !== undefined && { body: JSON.stringify(json) }),
      });
      text = await readText(response, mostBytes);
    } catch (cause) {
      const said = cause instanceof AnswerTooLong ? `${cause.message}, which are not read` : 'did not answer';
      throw failed(`the server ${new URL(this.#endpoint).host} ${said}`, cause);
    }
    try {
      return { status: response.status, body: JSON.parse(text) as unknown };
    } catch {
      return { status: response.status, body: text };
    }
  }
}

/** A value that is questions: a list whose first item has a category that can be asked. */
function questionsIn(value: JsonValue): readonly Clarification[] | undefined {
  const items = Array.isArray(value) ? (value as readonly JsonValue[]) : [];
  if (!isPlainObject(items[0]) || !('category' in items[0])) return undefined;
  try {
    return items.map((one) => {
      const wire = one as JsonObject;
      // The tool that asked may know its question by the source, when it is called again.
      const source = typeof wire['source'] === 'string' ? wire['source'] : defaultSource;
      return clarificationFromWire({ ...wire, source, resolved: false, response: null, step: null });
    });
  } catch {
    // Something of another kind that has a category, too.
    return undefined;
  }
}

function saidBy({ status, body }: { readonly status: number; readonly body: unknown }): string {
  const detail = isPlainObject(body) ? body['detail'] : undefined;
  return typeof detail === 'string' ? detail : `${status} ${JSON.stringify(body)}`.slice(0, 1_000);
}

function textOf(value: JsonValue): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** As Portia writes ids into paths: colons stay. */
function inPath(id: string): string {
  return encodeURIComponent(id).replaceAll('%3A', ':');
}

function failed(message: string, cause?: unknown): PortiaError {
  return new PortiaError({ code: 'TOOL_FAILED', message, hint: 'check the address and the key of the server', cause });
}
