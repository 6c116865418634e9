import type { TestServer } from './server-for-tests.ts';

/** The parts of a body, as a form with a file for what is binary. */
export function formOf(parts: object): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(parts)) {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    if (name === 'value') form.append(name, new Blob([text]), 'output');
    else form.append(name, text);
  }
  return form;
}

/** As much of a schema as is needed to make values for it. */
export interface JsonSchema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly JsonSchema[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly additionalProperties?: JsonSchema | boolean;
}

/** One operation of the API, as its document describes it. */
export interface Operation {
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly schema?: JsonSchema }[];
  readonly body: JsonSchema | undefined;
  /** Its body is a form with these parts. */
  readonly isForm: boolean;
  readonly responses: readonly string[];
}

/** The document of a server. */
export interface OpenApi {
  readonly operations: readonly Operation[];
  resolve(schema: JsonSchema): JsonSchema;
}

/** Reads the document that a server gives of itself. */
export async function openApiOf(server: Pick<TestServer, 'ask'>): Promise<OpenApi> {
  const { body: document } = await server.ask('GET', '/openapi.json');
  const operations: Operation[] = [];
  for (const [path, methods] of Object.entries<object>(document.paths)) {
    for (const [method, described] of Object.entries<object>(methods as Record<string, object>)) {
      const {
        parameters = [],
        requestBody,
        responses,
      } = described as {
        parameters?: Operation['parameters'];
        requestBody?: { content: Record<string, { schema: JsonSchema }> };
        responses: object;
      };
      const form = requestBody?.content['multipart/form-data']?.schema;
      const body = form ?? requestBody?.content['application/json']?.schema;
      operations.push({
        method: method.toUpperCase(),
        path,
        parameters,
        body,
        isForm: form !== undefined,
        responses: Object.keys(responses),
      });
    }
  }
  const resolve = (schema: JsonSchema): JsonSchema => {
    const name = schema.$ref?.split('/').at(-1);
    return name === undefined ? schema : resolve(document.components.schemas[name]);
  };
  return { operations, resolve };
}
