import { PortiaError } from '../../core/errors.ts';

/** Whether a text is meant to be the address of a PostgreSQL database. */
export function isPostgresUrl(text: string): boolean {
  return /^postgres(ql)?:/i.test(text);
}

/** The address of a PostgreSQL database. The error does not show it: there may be a password in it. @throws PortiaError `CONFIG_INVALID`. */
export function postgresUrl(text: string, where: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && isPostgresUrl(text) && url.host !== '') return url;
  throw new PortiaError({
    code: 'CONFIG_INVALID',
    message: `${where} cannot be read`,
    hint: 'write postgres://user:password@host:5432/database; characters like @ in a password as %40',
  });
}
