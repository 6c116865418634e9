// Running a server
export { type RunningServer, serve, type ServeOptions } from './serve.ts';
export { defineConfig, type ServerConfig, type ServerConfigOf } from './server-config.ts';
export type { ServedMcp, ServerDoors } from './sign-ins.ts';
export { rotateSecrets } from './rotate-secrets.ts';
export { organisations, organisationSettings } from './organisations.ts';
export { type KeyRequest, manageKeys } from './manage-keys.ts';

// The API within a program of your own
export { createHandler, type HandlerOptions } from './handler.ts';
export type { Authorize } from './auth/authenticate.ts';
export type { Principal, Scope } from './auth/principal.ts';
