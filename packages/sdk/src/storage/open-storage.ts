import type { StorageChoice } from '../config/storage-choice.ts';
import { memoryStorage } from './memory/memory-storage.ts';
import type { StorageBackend } from './storage-backend.ts';

/** Opens the store a config names. @throws PortiaError `PACKAGE_MISSING`, `STORAGE_FAILED`. */
export async function openStorage(choice: StorageChoice): Promise<StorageBackend> {
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
