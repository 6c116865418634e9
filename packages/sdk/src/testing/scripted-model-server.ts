import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ensureError } from '../core/errors.ts';
import { isPlainObject, type JsonObject, type JsonValue } from '../core/json.ts';
import type { ModelRequest } from '../core/model.ts';
import { systemClock } from '../run/system-clock.ts';
import { awsEvent } from './aws-event-stream.ts';
import { type ModelProtocol, protocolOf, protocols } from './model-protocols.ts';
import type { ServerSentEvent } from './protocol.ts';
import { type Script, type ScriptedAnswer, scripted, text } from './script.ts';

/** A request a scripted server got: as it came, and in this library's words as far as these fit. */
export interface ScriptedServerRequest extends ModelRequest {
  readonly protocol: ModelProtocol;
  readonly path: string;
  /** The model asked for. */
  readonly model: string;
  readonly body: JsonObject;
  /** Names in lower case; the values of those that carry keys are `[redacted]`. */
  readonly headers: Readonly<Record<string, string>>;
}

/** A model server on this machine that answers from a script. */
export interface ScriptedModelServer {
  /** `http://127.0.0.1:<port>`; every path that ends like one of the protocols' is answered. */
  readonly url: string;
  /** `url` with `/v1`, as clients of OpenAI's protocol want it. */
  readonly baseUrl: string;
  /** In the order they came. */
  readonly requests: readonly ScriptedServerRequest[];
  /** Ends all connections, also those that hang. */
  close(): Promise<void>;
}

/**
 * Starts a server on a free port of the loopback interface that speaks the chat completions and responses of OpenAI,
 * the messages of Anthropic, `generateContent` of Google and the converse route of Amazon Bedrock, whole or streamed.
 * A script that is at its end answers with status 400 and says so.
 */
export async function scriptedModelServer(script: Script<ScriptedServerRequest>): Promise<ScriptedModelServer> {
  const requests: ScriptedServerRequest[] = [];
  const server = createServer((incoming, response) => {
    serve(incoming, response, script, requests).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else send(response, 400, { error: { message: ensureError(error).message } });
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    baseUrl: `${url}/v1`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function serve(
  incoming: IncomingMessage,
  response: ServerResponse,
  script: Script<ScriptedServerRequest>,
  requests: ScriptedServerRequest[],
): Promise<void> {
  const { pathname } = new URL(incoming.url ?? '/', 'http://127.0.0.1');
  const protocol = protocolOf(pathname);
  const body = await readBody(incoming);
  if (!protocol || incoming.method !== 'POST')
    return send(response, 404, { error: { message: `no such path: ${pathname}` } });
  if (!isPlainObject(body)) return send(response, 400, protocols[protocol].error(400, 'the body is not a JSON object'));
  const streams = body['stream'] === true || /:stream|-stream$/.test(pathname);
  const request = recorded(protocol, pathname, incoming, body as JsonObject);
  requests.push(request);
  const n = requests.length;
  let answer: ScriptedAnswer;
  try {
    answer = await scripted(script, request, n);
  } catch (error) {
    return send(response, 400, protocols[protocol].error(400, ensureError(error).message));
  }
  return streams ? giveStream(answer, request, n, response) : give(answer, request, n, response);
}

async function give(
  answer: ScriptedAnswer,
  request: ScriptedServerRequest,
  n: number,
  response: ServerResponse,
): Promise<void> {
  const protocol = protocols[request.protocol];
  switch (answer.kind) {
    case 'answer':
      if (answer.options.delayMs) await systemClock.sleep(answer.options.delayMs);
      return send(response, 200, protocol.write(answer, request.model, n, request.body));
    case 'status':
      if (answer.retryAfterSeconds !== undefined) response.setHeader('retry-after', String(answer.retryAfterSeconds));
      return send(response, answer.status, protocol.error(answer.status, answer.message));
    case 'error':
      response.destroy();
      return;
    case 'hang':
      return;
    case 'body':
      if (answer.how === 'not-json') return sendText(response, 200, '<html>this is not JSON</html>');
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
      response.write('{"id": "cut');
      setImmediate(() => response.destroy());
  }
}

/** As {@link give}, in pieces; a body that breaks off does so in the middle of them. */
async function giveStream(
  answer: ScriptedAnswer,
  request: ScriptedServerRequest,
  n: number,
  response: ServerResponse,
): Promise<void> {
  const breaksOff = answer.kind === 'body' && answer.how === 'truncated';
  if (answer.kind !== 'answer' && !breaksOff) return give(answer, request, n, response);
  const whole = answer.kind === 'answer' ? answer : text('It breaks off.');
  if (whole.options.delayMs) await systemClock.sleep(whole.options.delayMs);
  const { write, stream } = protocols[request.protocol];
  const events = stream(whole, write(whole, request.model, n, request.body), request.body);
  const binary = request.protocol === 'bedrock';
  response.writeHead(200, { 'content-type': binary ? 'application/vnd.amazon.eventstream' : 'text/event-stream' });
  for (const event of breaksOff ? events.slice(0, -3) : events)
    response.write(binary ? awsEvent(event.event ?? '', event.data as JsonObject) : serverSentEvent(event));
  if (!breaksOff) return void response.end();
  // What was written has to leave before the connection does.
  await new Promise<void>((resolve) => response.write('', () => resolve()));
  response.destroy();
}

function serverSentEvent({ event, data }: ServerSentEvent): string {
  const line = typeof data === 'string' ? data : JSON.stringify(data);
  return `${event === undefined ? '' : `event: ${event}\n`}data: ${line}\n\n`;
}

function recorded(
  protocol: ModelProtocol,
  path: string,
  incoming: IncomingMessage,
  body: JsonObject,
): ScriptedServerRequest {
  const model =
    decodeURIComponent(/(?:models?|deployments)\/([^:/]+)[:/]/.exec(path)?.[1] ?? '') || String(body['model'] ?? '');
  const headers = Object.fromEntries(
    Object.entries(incoming.headers).map(([name, value]) => [
      name,
      secretHeader.test(name) ? '[redacted]' : String(value),
    ]),
  );
  return { ...protocols[protocol].read(body), protocol, path, model, body, headers };
}

const secretHeader = /authorization|cookie|key|token|secret/i;

async function readBody(incoming: IncomingMessage): Promise<JsonValue | undefined> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as JsonValue;
  } catch {
    return undefined;
  }
}

function send(response: ServerResponse, status: number, body: JsonObject): void {
  sendText(response, status, JSON.stringify(body));
}

function sendText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(text);
}
