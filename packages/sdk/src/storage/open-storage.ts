import type { Config } from '../config/config.ts';
import type { StorageChoice } from '../config/storage-choice.ts';
import { PortiaError } from '../core/errors.ts';
import { memoryStorage } from './memory/memory-storage.ts';
import type { StorageBackend } from './storage-backend.ts';

/**
 * Opens the store a config names, encrypted where it says so.
 * @throws PortiaError `PACKAGE_MISSING`, `STORAGE_FAILED`; `CONFIG_NOT_FOUND` or `CONFIG_INVALID` for the secret key.
 */
export async function openStorage(
  config: Pick<Config, 'storage' | 'encryptRuns' | 'secretKey'>,
): Promise<StorageBackend> {
  if (!config.encryptRuns) return openPlain(config.storage);
  const { secretKey } = config;
  if (secretKey === undefined) {
    throw new PortiaError({
      code: 'CONFIG_NOT_FOUND',
      message: 'runs are to be encrypted, and the setting secretKey is not set',
      hint: 'set PORTIA_SECRET_KEY to what `openssl rand -base64 32` prints, and keep it safe',
      details: { setting: 'secretKey' },
    });
  }
  const { encryptedStorage } = await import('./encrypted/encrypted-storage.ts');
  const storage = await openPlain(config.storage);
  try {
    return encryptedStorage(storage, { secretKey });
  } catch (error) {
    await storage.close();
    throw error;
  }
}

async function openPlain(choice: StorageChoice): Promise<StorageBackend> {
  switch (choice.class) {
    case 'MEMORY':
      return memoryStorage();
    case 'SQLITE': {
      const { sqliteStorage } = await import('./sqlite/index.ts');
      return sqliteStorage(choice.file);
    }
    case 'POSTGRES': {
      const { postgresStorage } = await import('./postgres/index.ts');
      return postgresStorage(choice.url());
    }
    case 'CLOUD': {
      const { cloudStorage } = await import('./cloud/index.ts');
      return cloudStorage(choice.reach());
    }
    case 'DISK': {
      const { diskStorage } = await import('./disk/disk-storage.ts');
      return diskStorage(choice.dir);
    }
    case 'CUSTOM':
      return choice.backend;
  }
}
