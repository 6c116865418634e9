// MCP servers as tools
export { McpToolRegistry, type ConfigEnv, type SkippedServer, type SkippedTool } from '../tool/mcp/registry.ts';
export type { McpServer } from '../tool/mcp/server.ts';
export type { McpConfig, McpConfigServer } from '../tool/mcp/config.ts';
export type { HttpServer, McpServerOptions, SamplingLimits, StdioServer } from '../tool/mcp/server-options.ts';

// Sign-in
export type { OAuthOptions } from '../tool/mcp/oauth-options.ts';
export {
  type CallbackOptions,
  type CallbackResult,
  completeSignIn,
  type SignInClient,
} from '../tool/mcp/sign-in-callback.ts';
export { forgetSignIns } from '../tool/mcp/forget-sign-ins.ts';
export { type LoopbackOptions, type OAuthLoopback, oauthLoopback } from '../tool/mcp/loopback.ts';
export { memorySecretStore, type SecretStore } from '../secrets/secret-store.ts';
export type { SecretKeyOptions } from '../secrets/secret-keys.ts';
export { type FileSecretOptions, fileSecretStore } from '../secrets/file-secret-store.ts';
export { type PostgresSecretOptions, postgresSecretStore } from '../secrets/postgres-secret-store.ts';
export { type SqliteSecretOptions, sqliteSecretStore } from '../secrets/sqlite-secret-store.ts';

// Plans for MCP hosts
export { type PortiaMcpServer, portiaMcpServer } from '../mcp-server/portia-mcp-server.ts';
export type { EndUserOf, PortiaMcpOptions } from '../mcp-server/options.ts';
