import type { Command } from './command.ts';
import { clarificationsAnswerCommand } from './commands/clarifications-answer.ts';
import { clarificationsListCommand } from './commands/clarifications-list.ts';
import { demoCommand } from './commands/demo.ts';
import { demoWorkerCommand } from './commands/demo-worker.ts';
import { doctorCommand } from './commands/doctor.ts';
import { endUsersEraseCommand } from './commands/end-users-erase.ts';
import { estimateCommand } from './commands/estimate.ts';
import { keysCreateCommand, keysListCommand, keysRevokeCommand } from './commands/keys.ts';
import { mcpCommand } from './commands/mcp.ts';
import { planCommand } from './commands/plan.ts';
import { resumeCommand } from './commands/resume.ts';
import { runCommand } from './commands/run.ts';
import { runsCancelCommand } from './commands/runs-cancel.ts';
import { runsListCommand } from './commands/runs-list.ts';
import { runsRetryCommand } from './commands/runs-retry.ts';
import { runsShowCommand } from './commands/runs-show.ts';
import { storageExportCommand } from './commands/storage-export.ts';
import { storageImportCommand } from './commands/storage-import.ts';
import { storageMigrateCommand } from './commands/storage-migrate.ts';
import { storagePruneCommand } from './commands/storage-prune.ts';
import { storageRotateCommand } from './commands/storage-rotate.ts';
import { serveCommand } from './commands/serve.ts';
import { toolsListCommand } from './commands/tools-list.ts';
import { toolsTestCommand } from './commands/tools-test.ts';
import { versionCommand } from './commands/version.ts';
import { workCommand } from './commands/work.ts';

/** All commands, in the order of the help. */
export const commands: readonly Command[] = [
  runCommand,
  planCommand,
  estimateCommand,
  resumeCommand,
  runsListCommand,
  runsShowCommand,
  runsCancelCommand,
  runsRetryCommand,
  clarificationsListCommand,
  clarificationsAnswerCommand,
  workCommand,
  endUsersEraseCommand,
  serveCommand,
  keysCreateCommand,
  keysListCommand,
  keysRevokeCommand,
  storagePruneCommand,
  storageRotateCommand,
  storageMigrateCommand,
  storageExportCommand,
  storageImportCommand,
  toolsListCommand,
  toolsTestCommand,
  mcpCommand,
  demoCommand,
  demoWorkerCommand,
  doctorCommand,
  versionCommand,
];
