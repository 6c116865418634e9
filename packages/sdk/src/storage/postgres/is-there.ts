import { type DatabaseOptions, openDatabase } from './open-database.ts';

/** Whether a store was made in that database; nothing is made. @throws what opening it throws. */
export async function isThere(options: DatabaseOptions): Promise<boolean> {
  const { database, schema, end } = await openDatabase(options);
  try {
    const made = "SELECT 1 AS made FROM pg_catalog.pg_tables WHERE schemaname = $1 AND tablename = 'migration'";
    return (await database.rows(made, [schema])).length > 0;
  } finally {
    database.close();
    await end();
  }
}
