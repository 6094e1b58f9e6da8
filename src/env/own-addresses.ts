import { networkInterfaces } from 'node:os';
import type { Address } from './peer-channel.ts';

/** Addresses at which one listens on all addresses of the host. */
const WILDCARDS = new Set(['0.0.0.0', '::', '']);
/** The most addresses that are told. */
const MOST = 8;

/** Where others reach a peer that listens at an address: if that is all addresses of this host, at each of them. */
export function reachedAt(listening: Address): readonly Address[] {
  if ('path' in listening || !WILDCARDS.has(listening.host)) return [listening];
  const { host, port } = listening;
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const hosts = all
    .filter(({ internal, family, address }) => {
      // An address of a link alone means nothing without the interface.
      if (internal || address.startsWith('fe80:')) return false;
      return family === 'IPv4' || host !== '0.0.0.0';
    })
    .map(({ address }) => address);
  const reached = hosts.length === 0 ? ['127.0.0.1'] : hosts;
  return reached.slice(0, MOST).map((each) => ({ host: each, port }));
}
