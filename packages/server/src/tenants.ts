import { join } from 'node:path';
import {
  type AnyPlan,
  Config,
  type ConfigOptions,
  defaultToolRegistry,
  diskStorage,
  encryptedStorage,
  memoryStorage,
  PlanV2,
  Portia,
  PortiaError,
  type StorageBackend,
  ToolRegistry,
  type WorkOptions,
} from 'portia-ts';
import type { SecretStore } from 'portia-ts/mcp';
import { defaultOrganisation } from './control/control-store.ts';
import type { ServerConfig, ServerConfigOf } from './server-config.ts';
import type { ServerDoors } from './sign-ins.ts';
import { libraryLogger, type ServerLog } from './server-log.ts';

/** After the last commit that any run can have: with it, `loadRun` tells where a run stands, and reads its last commit. */
export const noCommits = 2_147_483_647;

/** An organisation at work: a store of its own, a client of its own, and a worker. Nothing leads from one to another. */
export interface Tenant {
  readonly organisation: string;
  readonly storage: StorageBackend;
  readonly portia: Portia;
  /** Aborted when the server shuts down: whoever follows a run stops then. */
  readonly closing: AbortSignal;
  /** Registered plans, by the name they can be started by. */
  readonly plans: ReadonlyMap<string, AnyPlan>;
  /** What may be called from elsewhere, past the hooks of this server. */
  readonly remoteTools: ToolRegistry;
  /** Where sign-ins of its end users are kept; absent where this server keeps none. */
  readonly secrets?: SecretStore | undefined;
}

/** What tenants are made from. */
export interface TenantsInit {
  readonly settings: ConfigOptions;
  readonly serverConfig: ServerConfig | ServerConfigOf;
  /** What a config that is a function gets. */
  readonly doors?: ((organisation: string) => ServerDoors) | undefined;
  readonly log: ServerLog;
  /** Told of every tenant that is opened; what it gives is closed with the tenant. */
  readonly attend?: ((tenant: Tenant) => { close(): Promise<void> }) | undefined;
  /** Absent: this process answers, and another one works. */
  readonly work?: Omit<WorkOptions, 'signal' | 'untilIdle'> | undefined;
}

interface Opened {
  readonly tenant: Tenant;
  readonly worker: Promise<unknown>;
  readonly attendant: { close(): Promise<void> } | undefined;
}

/** The organisations that are open in this process; each is opened when it is first needed. */
export class Tenants {
  readonly #init: TenantsInit;
  readonly #base: Config;
  readonly #open = new Map<string, Promise<Opened>>();
  /** Those of them that are done opening. */
  readonly #opened = new Set<Opened>();
  readonly #stop = new AbortController();

  constructor(init: TenantsInit) {
    this.#init = init;
    const { serverConfig, settings } = init;
    const own = typeof serverConfig === 'function' ? {} : serverConfig.config;
    this.#base = Config.fromDefault({ ...own, ...settings });
  }

  /** The organisation's tenant. @throws PortiaError what opening its store throws. */
  async get(organisation: string): Promise<Tenant> {
    let opening = this.#open.get(organisation);
    if (!opening) {
      if (this.#stop.signal.aborted) throw closed();
      opening = this.#openNow(organisation);
      this.#open.set(organisation, opening);
      opening.catch(() => this.#open.delete(organisation));
    }
    return (await opening).tenant;
  }

  async #openNow(organisation: string): Promise<Opened> {
    const { settings, doors, log, work } = this.#init;
    const { serverConfig: given } = this.#init;
    const serverConfig = typeof given === 'function' ? await given(doorsOf(doors, organisation)) : given;
    if (this.#stop.signal.aborted) throw closed();
    const base = Config.fromDefault({ ...serverConfig.config, ...settings });
    const storage = sealed(base, await storageOf(this.#base, organisation));
    const plans = plansOf(serverConfig);
    const { storage: _, storageClass: __, storageDir: ___, ...others } = settings;
    const portia = new Portia({
      config: Config.fromDefault({ ...serverConfig.config, ...others, storage }),
      tools: serverConfig.tools ?? usualTools(),
      ...(serverConfig.executionHooks && { executionHooks: serverConfig.executionHooks }),
      plans: [...plans.values()].filter((plan) => plan instanceof PlanV2),
      logger: libraryLogger(log, organisation),
    });
    const tenant: Tenant = {
      organisation,
      storage,
      portia,
      plans,
      remoteTools: remoteToolsOf(portia.tools, serverConfig),
      secrets: doors?.(organisation).secrets,
      closing: this.#stop.signal,
    };
    // Nobody waits for what is opened while the server shuts down.
    if (this.#stop.signal.aborted) {
      await portia.close();
      throw closed();
    }
    const attendant = this.#init.attend?.(tenant);
    const worker = work ? this.#workFor(tenant, work) : Promise.resolve();
    const opened = { tenant, worker, attendant };
    this.#opened.add(opened);
    return opened;
  }

  async #workFor({ portia, organisation }: Tenant, work: NonNullable<TenantsInit['work']>): Promise<void> {
    const { signal } = this.#stop;
    try {
      await portia.work({ ...work, signal });
    } catch (error) {
      this.#init.log.error({ organisation, err: error }, 'the worker stopped; runs of this organisation wait');
    }
  }

  /**
   * Stops the workers; what is in flight stops where it can and stays resumable. Then closes the stores. What is still
   * opening, perhaps for ever, is not waited for.
   */
  async close(): Promise<void> {
    this.#stop.abort(new Error('the server is shutting down'));
    for (const { tenant, worker, attendant } of this.#opened) {
      await worker;
      await attendant?.close();
      await tenant.portia.close();
    }
  }
}

/** Without a config module: the tools that touch nothing of this machine. */
function usualTools(): ToolRegistry {
  return defaultToolRegistry().filterTools(({ id }) => !id.startsWith('file_'));
}

/** Fails closed: what a hook may have to stop is offered past it only where the config says so. */
function remoteToolsOf(tools: ToolRegistry, config: ServerConfig): ToolRegistry {
  const { remoteTools, executionHooks } = config;
  if (remoteTools) return new ToolRegistry(remoteTools.map((id) => tools.getTool(id)));
  // Clients have the bundled tools themselves, and an LLM tool with a model of their own.
  if (executionHooks?.beforeToolCall || !config.tools) return new ToolRegistry();
  return tools.filterTools(({ id }) => id !== 'llm_tool');
}

/**
 * The one tenant of a client that a host program made. It offers no tools to runs elsewhere: the hooks of the program are
 * not known here, and what they stop must stay stopped.
 */
export function tenantOf(portia: Portia, storage: StorageBackend): Tenant {
  return {
    organisation: defaultOrganisation,
    storage,
    portia,
    plans: new Map(),
    remoteTools: new ToolRegistry(),
    closing: new AbortController().signal,
  };
}

function plansOf({ plans = [] }: ServerConfig): ReadonlyMap<string, AnyPlan> {
  if (Symbol.iterator in plans) return new Map([...(plans as Iterable<AnyPlan>)].map((plan) => [plan.id, plan]));
  return new Map(Object.entries(plans));
}

/** Where the stores of further organisations and the keys are kept, for a store that is a file or a folder. */
export function dataFolder({ storage }: Config): string {
  if (storage.class === 'SQLITE') return join(storage.file, '..');
  return storage.class === 'DISK' ? join(storage.dir, '.server') : '.portia';
}

/** A store of the organisation's own: a file, a folder, or a schema. */
export async function storageOf(base: Config, organisation: string): Promise<StorageBackend> {
  const { storage: choice } = base;
  const first = organisation === defaultOrganisation;
  switch (choice.class) {
    case 'MEMORY':
      return memoryStorage();
    case 'SQLITE': {
      const { sqliteStorage } = await import('portia-ts/sqlite');
      return sqliteStorage(first ? choice.file : fileOf(base, organisation));
    }
    case 'POSTGRES': {
      const { postgresStorage } = await import('portia-ts/postgres');
      return postgresStorage(first ? choice.url() : { url: choice.url(), schema: schemaOf(organisation) });
    }
    case 'DISK':
      return diskStorage(first ? choice.dir : folderOf(base, organisation));
    case 'CUSTOM':
      if (first) return choice.backend;
      throw noFurther(choice.name);
    case 'CLOUD':
      throw new PortiaError({
        code: 'CONFIG_INVALID',
        message: 'a server cannot keep its runs on another server',
        hint: 'give it a file (sqlite:…) or a PostgreSQL database of its own',
      });
  }
}

/** Where the store of an organisation other than the first is, as the setting `storage` names it. */
export function placeOf(base: Config, organisation: string): string {
  const { storage: choice } = base;
  if (choice.class === 'SQLITE') return `sqlite:${fileOf(base, organisation)}`;
  if (choice.class === 'DISK') return `disk:${folderOf(base, organisation)}`;
  if (choice.class !== 'POSTGRES') throw noFurther(choice.name);
  const address = new URL(choice.url());
  address.searchParams.set('schema', schemaOf(organisation));
  return address.href;
}

function fileOf(base: Config, organisation: string): string {
  return `${folderOf(base, organisation)}.db`;
}

function folderOf(base: Config, organisation: string): string {
  return join(dataFolder(base), 'organisations', organisation);
}

/** Hyphens become underscores, which names cannot have: no two organisations share a schema. */
function schemaOf(organisation: string): string {
  return `portia_org_${organisation.replaceAll('-', '_')}`;
}

/** The client would encrypt by itself; here it holds for whatever else uses the store, too: the door for CLOUD storage. */
function sealed({ encryptRuns, secretKey }: Config, storage: StorageBackend): StorageBackend {
  if (!encryptRuns) return storage;
  if (secretKey !== undefined) return encryptedStorage(storage, { secretKey });
  throw new PortiaError({
    code: 'CONFIG_NOT_FOUND',
    message: 'runs are to be encrypted, and the setting secretKey is not set',
    hint: 'set PORTIA_SECRET_KEY to what `openssl rand -base64 32` prints, and keep it safe',
  });
}

function noFurther(name: string): PortiaError {
  return new PortiaError({
    code: 'CONFIG_INVALID',
    message: `the store ${name} holds one organisation, and there can be no further ones`,
    hint: 'use SQLITE or POSTGRES for several organisations',
  });
}

function doorsOf(doors: TenantsInit['doors'], organisation: string): ServerDoors {
  if (doors) return doors(organisation);
  throw new PortiaError({ code: 'CONFIG_INVALID', message: 'a config that is a function needs a server that listens' });
}

function closed(): PortiaError {
  return new PortiaError({ code: 'STORAGE_FAILED', message: 'the server is shutting down' });
}
