import { lookup as systemLookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { hostOf, isPublicAddress, mayBePrivate, type NetworkRules, privateHost } from './private-network.ts';

/**
 * How the host of an address is looked up when it is connected to: a name that stands for a private address, be it one
 * of several, is refused. Since the connection goes to the very addresses that were judged, a name that changes in
 * between changes nothing.
 */
export function guardedLookup(url: URL, rules: NetworkRules): LookupFunction {
  return (name, options, done) => {
    systemLookup(name, { ...options, all: true }, (error, addresses) => {
      if (error) return done(error, []);
      const bad = addresses.find(({ address }) => !isPublicAddress(address));
      if (bad && !mayBePrivate(url, rules)) return done(privateHost(hostOf(url)), []);
      const [first] = addresses;
      if (options.all || !first) return done(null, addresses);
      done(null, first.address, first.family);
    });
  };
}
