import type { Address } from '../env/peer-channel.ts';
import { isNodeName, MAX_FOUNDERS } from '../env/peer-record.ts';

/** What a process of a cluster is set to, beside the settings that every server has. */
export interface PeerSettings {
  /** What the operator calls this node. */
  readonly nodeId: string;
  /** The names of all founders, in ascending order. For `init` alone. */
  readonly founders: readonly string[];
  /** Where other peers may be. */
  readonly join: readonly Address[];
  /** Where this peer listens for others. */
  readonly peerListen: Address;
  /** Where others reach this peer, if that is not where it listens. */
  readonly peerAddress: Address | undefined;
  /** `node`: it stores its share. `front`: it serves clients alone. */
  readonly role: 'node' | 'front';
  /** A file with a secret that all peers of the cluster have. */
  readonly clusterSecretFile: string | undefined;
  /** Files in PEM: the certificate of this peer, its key, and the authority that all peers trust. */
  readonly peerCert: string | undefined;
  readonly peerKey: string | undefined;
  readonly peerCa: string | undefined;
}

/** The command-line form of a setting of a peer. */
export interface PeerOption {
  readonly flag: string;
  readonly value: string;
  readonly help: string;
  /** Completes "--flag must be ...". */
  readonly expects: string;
  /** Returns undefined for an invalid text. */
  readonly parse: (text: string) => unknown;
}

const aFile = { value: 'FILE', expects: 'a file', parse: (text: string) => text };
const anAddress = {
  value: 'ADDR:PORT',
  expects: 'an address and a port, as 10.0.0.1:8100, or the path of a Unix socket',
  parse: addressOf,
};

export const PEER_OPTIONS = {
  nodeId: {
    flag: '--node-id',
    value: 'NAME',
    help: 'what this node is called',
    expects: '1 to 63 letters, digits, - or _',
    parse: (text: string) => (isNodeName(text) ? text : undefined),
  },
  founders: {
    flag: '--founders',
    value: 'NAMES',
    help: 'init: all nodes that the cluster begins with, with commas between',
    expects: `up to ${MAX_FOUNDERS} different names with commas between`,
    parse: foundersOf,
  },
  join: {
    flag: '--join',
    value: 'ADDRESSES',
    help: 'where other nodes may be: host:port, with commas between',
    expects: 'addresses and ports with commas between, as a:8100,b:8100',
    parse: (text: string) => {
      const addresses = text.split(',').map((each) => addressOf(each.trim()));
      return addresses.includes(undefined) ? undefined : addresses;
    },
  },
  peerListen: {
    flag: '--peer-listen',
    help: 'where other nodes reach this one (127.0.0.1:8100; port 0: any)',
    ...anAddress,
  },
  peerAddress: {
    flag: '--peer-address',
    help: 'what others are told instead, as behind a router or in a container',
    ...anAddress,
  },
  role: {
    flag: '--role',
    value: 'ROLE',
    help: 'node, or front: serves clients and stores nothing (node)',
    expects: 'node or front',
    parse: (text: string) => (text === 'node' || text === 'front' ? text : undefined),
  },
  clusterSecretFile: { flag: '--cluster-secret-file', help: 'a secret that all nodes of the cluster have', ...aFile },
  peerCert: { flag: '--peer-cert', help: 'or a certificate for this node,', ...aFile },
  peerKey: { flag: '--peer-key', help: 'its key,', ...aFile },
  peerCa: { flag: '--peer-ca', help: 'and the authority of all certificates', ...aFile },
} as const satisfies Record<keyof PeerSettings, PeerOption>;

export type PeerSettingName = keyof PeerSettings;

export const PEER_SETTING_NAMES = Object.keys(PEER_OPTIONS) as PeerSettingName[];

/** `--node-id` is `DYNARING_NODE_ID`. */
export function peerVariableOf(name: PeerSettingName): string {
  return `DYNARING_${PEER_OPTIONS[name].flag.slice(2).replaceAll('-', '_').toUpperCase()}`;
}

function foundersOf(text: string): readonly string[] | undefined {
  const names = text.split(',').map((name) => name.trim());
  if (!names.every(isNodeName) || names.length > MAX_FOUNDERS || new Set(names).size < names.length) return undefined;
  return names.sort();
}

const HOST_AND_PORT = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]\s/]+)):(\d{1,5})$/;

function addressOf(text: string): Address | undefined {
  if (text.startsWith('/') || text.startsWith('./')) return { path: text };
  const [, six, host, digits] = HOST_AND_PORT.exec(text) ?? [];
  const port = Number(digits);
  return digits === undefined || port > 65_535 ? undefined : { host: (six ?? host)!, port };
}
