import type { Command, Context } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { loadEnvironment } from '../open-client.ts';
import { type OptionSpecs, usageError } from '../input.ts';
import { placeOptions } from '../options.ts';
import { writeJson, writeLines } from '../output.ts';
import { type KeyRequest, loadServer, type ServedKey } from '../../server-package.ts';
import { serverSettings } from '../store-settings.ts';
import { table } from '../view/table.ts';

const organisationOption: OptionSpecs = {
  organisation: { type: 'text', value: 'NAME', help: 'whose keys (default)' },
};

/** Makes a key of a server. */
export const keysCreateCommand: Command = {
  name: 'keys create',
  summary: 'make a key for the server; it is shown once',
  details: [
    'Scopes: client starts and reads runs; driver also uses the store (CLOUD storage, Portia 0.9 clients);',
    'operator answers, cancels and retries; role:NAME answers what is for that role; admin does everything.',
  ],
  words: [0, 0],
  options: {
    name: { type: 'text', value: 'NAME', help: 'what it is for' },
    scope: { type: 'text', many: true, value: 'SCOPE', help: 'what it allows (client); may be given more than once' },
    'expires-in': { type: 'text', value: 'DAYS', help: 'when it expires; never unless given' },
    ...organisationOption,
    ...placeOptions,
  },
  async run(context) {
    const { input, io, json } = context;
    const [made] = await ask(context, {
      do: 'create',
      name: input.text('name') ?? 'made on the command line',
      scopes: input.texts('scope'),
      expiresInDays: input.count('expires-in'),
    });
    if (json) writeJson(io.out, made);
    else {
      writeLines(io.err, [
        `key ${made?.id} of ${made?.organisation}: ${made?.scopes.join(', ')}; it is not shown again`,
      ]);
      writeLines(io.out, [String(made?.key)]);
    }
    return exitCodes.complete;
  },
};

/** Lists the keys of an organisation. */
export const keysListCommand: Command = {
  name: 'keys list',
  summary: 'list the keys of the server, without their secrets',
  words: [0, 0],
  options: { ...organisationOption, ...placeOptions },
  async run(context) {
    const { io, json } = context;
    const keys = await ask(context, { do: 'list' });
    if (json) writeJson(io.out, { keys });
    else if (keys.length === 0) writeLines(io.err, ['no keys here yet: portia-ts keys create makes one']);
    else
      writeLines(
        io.out,
        table(
          [
            { title: 'key' },
            { title: 'state' },
            { title: 'scopes' },
            { title: 'tokens' },
            { title: 'name', fills: true },
          ],
          keys.map((key) => [key.id, stateOf(key), key.scopes.join(', '), tokensOf(key), key.name]),
          io.out,
        ),
      );
    return exitCodes.complete;
  },
};

/** Revokes a key. */
export const keysRevokeCommand: Command = {
  name: 'keys revoke',
  args: 'KEY_ID',
  summary: 'revoke a key of the server, at once',
  words: [1, 1],
  options: { ...organisationOption, ...placeOptions },
  async run(context) {
    const { input, io, json } = context;
    const [revoked] = await ask(context, { do: 'revoke', id: String(input.positionals[0]) });
    if (json) writeJson(io.out, revoked);
    else
      writeLines(io.err, [`key ${revoked?.id} is revoked, and with it all tokens of end users that were made with it`]);
    return exitCodes.complete;
  },
};

type Asked = KeyRequest extends infer One ? (One extends unknown ? Omit<One, 'organisation'> : never) : never;

async function ask({ input }: Context, request: Asked): Promise<readonly ServedKey[]> {
  loadEnvironment(input);
  const settings = await serverSettings(input);
  const where = String(settings.storage ?? settings.storageClass ?? '');
  if (/^(memory|cloud)\b/i.test(where))
    throw usageError(`a server on ${where} keeps no keys`, 'name the store of the server with --storage');
  const { manageKeys } = await loadServer();
  return manageKeys(settings, { ...request, organisation: input.text('organisation') } as KeyRequest);
}

/** Valid tokens of end users that were made with it. */
function tokensOf(key: ServedKey): string {
  const isOver = stateOf(key) === 'revoked' || stateOf(key) === 'expired';
  return isOver || !key.tokens ? '' : String(key.tokens);
}

function stateOf({ revokedAt, expiresAt }: ServedKey): string {
  if (revokedAt !== null) return 'revoked';
  if (expiresAt === null) return 'valid';
  return expiresAt <= Date.now() ? 'expired' : `valid until ${new Date(expiresAt).toISOString().slice(0, 10)}`;
}
