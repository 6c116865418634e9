// One suite for all packages: unit tests and type tests beside the source, slow tests that kill real processes under
// packages/*/test. The package names resolve to the source, so no test needs a build of what it tests.
import { defineConfig } from 'vitest/config';
import { entryPoints } from './scripts/lib/workspace.mjs';

export default defineConfig({
  resolve: {
    alias: entryPoints().map(({ specifier, source }) => ({
      find: new RegExp(`^${specifier}$`),
      replacement: source,
    })),
  },
  test: {
    include: ['packages/*/src/**/*.test.ts', 'packages/*/test/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    // Wrong types outside the type tests are reported by `npm run check` and by the build, once.
    typecheck: {
      enabled: true,
      include: ['packages/*/src/**/*.test-d.ts'],
      tsconfig: './tsconfig.json',
      ignoreSourceErrors: true,
    },
    // Generous: real servers, browsers and killed processes on a machine that others use, too.
    testTimeout: 60_000,
    hookTimeout: 90_000,
    pool: 'forks',
    maxWorkers: 2,
    coverage: {
      provider: 'v8',
      reporter: ['text-summary', 'html', 'json-summary'],
      include: ['packages/*/src/**/*.ts'],
      exclude: ['**/*.test.ts', '**/*.test-d.ts', '**/*.examples.ts'],
      thresholds: {
        'packages/sdk/src/core/**': { lines: 100, functions: 100, branches: 100, statements: 100 },
        'packages/*/src/{*.ts,!(core)/**}': { lines: 85 },
      },
    },
  },
});
