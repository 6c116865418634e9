import { importOptional } from '../model/import-optional.ts';

type ServerPackage = typeof import('@modelcontextprotocol/server');

/** The official server, loaded when it is needed. @throws PortiaError `PACKAGE_MISSING`. */
export function serverPackage(): Promise<ServerPackage> {
  return importOptional('the MCP server', '@modelcontextprotocol/server') as Promise<unknown> as Promise<ServerPackage>;
}
