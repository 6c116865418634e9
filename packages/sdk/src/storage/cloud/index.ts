import { PortiaError } from '../../core/errors.ts';
import type { StorageBackend } from '../storage-backend.ts';
import { CloudStorage, doorPath } from './cloud-storage.ts';
import { doorVersion } from './door.ts';
import { CloudHttp } from './http.ts';
import { PortiaCloud } from './portia-cloud.ts';

/** Where {@link cloudStorage} stores. */
export interface CloudOptions {
  /** `http://127.0.0.1:18999`, with the path it stands under, if any. */
  readonly endpoint: string;
  /** Sent to that server only, also when it redirects. */
  readonly apiKey?: string | undefined;
  /** How long to try again while the server cannot be reached, in milliseconds: 20000 unless given. */
  readonly patienceMs?: number | undefined;
}

/**
 * A store behind a server: our own (`portia-ts serve`), through its `/api/v1`, or a Portia cloud of 0.9, through `/api/v0`,
 * which keeps plans, runs and end users as documents, and no journals. Which one it is, is found out by asking.
 *
 * @throws PortiaError `STORAGE_FAILED` when the server cannot be reached, or does not let the key in.
 */
export async function cloudStorage(options: CloudOptions): Promise<StorageBackend> {
  const { endpoint, apiKey, patienceMs = 20_000 } = options;
  const http = new CloudHttp({ endpoint, apiKey, patienceMs });
  const answer = await http.send(doorPath, async () => ({ method: 'GET' }));
  const version = answer.status === 200 ? versionIn(answer.text) : undefined;
  if (version === doorVersion) return new CloudStorage(http);
  if (version !== undefined) {
    throw new PortiaError({
      code: 'STORAGE_FAILED',
      message: `the server ${http.host} speaks version ${version} of the storage protocol; this release speaks ${doorVersion}`,
      hint: 'use releases of portia-ts and portia-ts-server that fit together',
    });
  }
  if (answer.status === 401 || answer.status === 403) throw http.refused(answer);
  const portia = await http.send('/api/v0/plan-runs/', async () => ({ method: 'GET' }));
  if (portia.status === 200 && /"results"/.test(portia.text)) return new PortiaCloud(http);
  throw http.refused(portia.status === 404 ? answer : portia);
}

function versionIn(text: string): number | undefined {
  try {
    const { storage } = JSON.parse(text) as { readonly storage?: unknown };
    return typeof storage === 'number' ? storage : undefined;
  } catch {
    return undefined;
  }
}
