/**
 * Where secrets are kept: sign-ins of end users, and what an MCP server wants back with an answer. Values are text;
 * names are made by this library. An implementation passes `testSecretStore` (`portia-ts/testing`).
 */
export interface SecretStore {
  get(name: string): Promise<string | undefined>;
  /** Adds or replaces; once it resolves, every process that shares the store reads it. */
  set(name: string, value: string): Promise<void>;
  /** Removes; what is not there is removed already. */
  delete(name: string): Promise<void>;
  /** The names that begin like this, in order. */
  list(prefix: string): Promise<readonly string[]>;
  /**
   * Seals with the first key what an older one sealed, so that the older one can go; gives how many. What is set meanwhile
   * stays as it is set. Stores that seal nothing have none.
   */
  rotate?(): Promise<number>;
  close?(): void | Promise<void>;
}

/** Secrets of this process only: they are gone when it ends. */
export function memorySecretStore(): SecretStore {
  const values = new Map<string, string>();
  return {
    get: async (name) => values.get(name),
    set: async (name, value) => void values.set(name, value),
    delete: async (name) => void values.delete(name),
    list: async (prefix) => [...values.keys()].filter((name) => name.startsWith(prefix)).sort(),
  };
}
