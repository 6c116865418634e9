import { clarificationTests } from './storage-contract/clarifications.ts';
import { commandTests } from './storage-contract/commands.ts';
import { documentTests } from './storage-contract/documents.ts';
import { driverTests } from './storage-contract/drivers.ts';
import { houseTests } from './storage-contract/house.ts';
import { journalTests } from './storage-contract/journal.ts';
import { listTests } from './storage-contract/lists.ts';
import { planTests } from './storage-contract/plans.ts';
import { reopenTests } from './storage-contract/reopen.ts';
import { opener, type StorageSubject, type TestFunctions } from './storage-contract/subject.ts';

export type { Expectation, OpenedStorage, StorageSubject, TestFunctions } from './storage-contract/subject.ts';

/**
 * Registers the tests that every storage backend has to pass. The functions of the test runner are given, so that
 * any runner with `describe`, `it` and `expect` will do.
 *
 * @example
 * import { describe, expect, it } from 'vitest';
 * testStorageBackend({ name: 'mine', open: async () => ({ storage: mine(), close: async () => {} }) }, { describe, it, expect });
 */
export function testStorageBackend(subject: StorageSubject, test: TestFunctions): void {
  const open = opener(subject);
  test.describe(`${subject.name} storage`, () => {
    planTests(open, test);
    journalTests(open, test);
    driverTests(open, test);
    commandTests(open, test);
    listTests(open, test);
    clarificationTests(open, test);
    documentTests(open, test);
    houseTests(open, test);
    if (subject.persistent) reopenTests(open, test);
  });
}
