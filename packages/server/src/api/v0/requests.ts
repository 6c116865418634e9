import { Hono } from 'hono';
import {
  type JsonObject,
  type JsonValue,
  PlanRunUUID,
  PortiaDocuments,
  PortiaError,
  type StorageBackend,
} from 'portia-ts';
import type { AppContext, Env } from '../../http/context.ts';
import { bodyText } from '../../http/bodies.ts';

/** A router of `/api/v0`. Every route ends with a slash; without one it is the same route, and never a redirect. */
export function router(): Hono<Env> {
  return new Hono<Env>({ strict: false });
}

/** The body, which has to be a JSON object, whatever its content type says. @throws PortiaError `REQUEST_INVALID`. */
export async function jsonBody(context: AppContext): Promise<JsonObject> {
  const text = await bodyText(context);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new PortiaError({ code: 'REQUEST_INVALID', message: 'the body is not JSON', cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong('the body', 'a JSON object');
  return value as JsonObject;
}

/** A field that has to be a string. @throws PortiaError `REQUEST_INVALID`. */
export function textField(body: JsonObject, name: string): string {
  const value = body[name];
  if (typeof value !== 'string') throw wrong(name, 'a string');
  return value;
}

/** Whether a value of JSON is an object. */
export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The error for a part of a request that is not what it has to be. */
export function wrong(what: string, wanted: string): PortiaError {
  return new PortiaError({ code: 'REQUEST_INVALID', message: `${what} is not ${wanted}` });
}

/** The id of a run as paths hold it: with its prefix or without. @throws PortiaError `ID_INVALID`. */
export function runId(text: string): PlanRunUUID {
  return PlanRunUUID.fromString(/^prun-/i.test(text) ? text.replace(/^prun-/i, 'prun-') : `prun-${text}`);
}

const documents = new WeakMap<StorageBackend, PortiaDocuments>();

/** The runs of the organisation's own Portia 0.9 clients: one for each store, as writes of a run wait for each other. */
export function documentsOf(context: AppContext): PortiaDocuments {
  const { storage } = context.get('tenant');
  let found = documents.get(storage);
  if (!found) {
    found = new PortiaDocuments(storage);
    documents.set(storage, found);
  }
  return found;
}
