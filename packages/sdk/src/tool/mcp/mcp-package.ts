import { importOptional } from '../../model/import-optional.ts';

type ClientPackage = typeof import('@modelcontextprotocol/client');
type StdioPackage = typeof import('@modelcontextprotocol/client/stdio');

let loaded: Promise<ClientPackage> | undefined;

/** The official client, loaded when it is first needed. @throws PortiaError `PACKAGE_MISSING`. */
export function clientPackage(): Promise<ClientPackage> {
  loaded ??= importOptional('MCP', '@modelcontextprotocol/client') as Promise<unknown> as Promise<ClientPackage>;
  return loaded;
}

/** The part of it that starts processes. @throws PortiaError `PACKAGE_MISSING`. */
export async function stdioPackage(): Promise<StdioPackage> {
  await clientPackage();
  return import('@modelcontextprotocol/client/stdio');
}
