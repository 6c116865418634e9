import type { BlockList } from 'node:net';
import { ToolHardError } from '../../core/errors.ts';

// Loaded when an address is looked at: most programs that import the tools call none that fetches.
const net = (): typeof import('node:net') => process.getBuiltinModule('node:net');

/** Four-part networks that are not of the public internet. */
const refusedFour = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const;

// Of IPv6 only what is handed out to the public (2000::/3) is let through, and of that not the parts below: they stand
// for an IPv4 address (6to4, Teredo), are for examples, or belong to nobody. NAT64 and mapped addresses are outside.
const refusedSix = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const;

let known: { readonly refused: BlockList; readonly publicSix: BlockList } | undefined;

function networks(): { readonly refused: BlockList; readonly publicSix: BlockList } {
  if (known) return known;
  const { BlockList } = net();
  const refused = new BlockList();
  for (const [address, prefix] of refusedFour) refused.addSubnet(address, prefix, 'ipv4');
  for (const [address, prefix] of refusedSix) refused.addSubnet(address, prefix, 'ipv6');
  const publicSix = new BlockList();
  publicSix.addSubnet('2000::', 3, 'ipv6');
  known = { refused, publicSix };
  return known;
}

/** Whether an address is one of the public internet: not of this machine, a private network or a cloud's own service. */
export function isPublicAddress(address: string): boolean {
  const family = net().isIP(address);
  const { refused, publicSix } = networks();
  if (family === 4) return !refused.check(address, 'ipv4');
  // A scope (`fe80::1%eth0`) is only ever part of a local address.
  return family === 6 && !address.includes('%') && publicSix.check(address, 'ipv6') && !refused.check(address, 'ipv6');
}

/** Which hosts a tool that fetches may talk to. */
export interface NetworkRules {
  /**
   * Hosts that may be reached although they are private, as they stand in the address: `intranet.example`,
   * `127.0.0.1:8080` (then only that port). None unless given.
   */
  readonly allowPrivateHosts?: readonly string[] | undefined;
  /** The only hosts that may be reached, their subdomains included; all public ones unless given. */
  readonly allowHosts?: readonly string[] | undefined;
}

/** Reads a web address. @throws ToolHardError when it is none, holds a password, or its host is not allowed. */
export function webAddress(address: string, rules: NetworkRules): URL {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (!url || (url.protocol !== 'https:' && url.protocol !== 'http:'))
    throw new ToolHardError(`${JSON.stringify(short(address))} is not a web address`, { hint: 'give https://…' });
  if (url.username !== '' || url.password !== '')
    throw new ToolHardError('an address with a user name or a password is not fetched');
  // The form with brackets or a trailing dot is another spelling of the same host.
  const host = hostOf(url);
  const { allowHosts } = rules;
  if (allowHosts && !allowHosts.some((allowed) => host === allowed || host.endsWith(`.${allowed}`)))
    throw new ToolHardError(`the host ${host} is not one this tool may reach`);
  if (net().isIP(host) !== 0 && !isPublicAddress(host) && !mayBePrivate(url, rules)) throw privateHost(host);
  return url;
}

/** Whether the rules let a host be reached although it is private. */
export function mayBePrivate(url: URL, { allowPrivateHosts = [] }: NetworkRules): boolean {
  const host = hostOf(url);
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return allowPrivateHosts.some((allowed) => allowed === host || allowed === `${host}:${port}`);
}

/** The host of an address, without brackets and the dot at its end. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
}

/** The error for a host that is not of the public internet. */
export function privateHost(host: string): ToolHardError {
  return new ToolHardError(`the host ${short(host)} is private: this tool reaches only the public internet`, {
    hint: 'name the host in allowPrivateHosts if it is meant',
  });
}

function short(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
