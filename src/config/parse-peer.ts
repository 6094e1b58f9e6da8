import { complete, type Variables } from '../config.ts';
import { ConfigError } from './config-error.ts';
import { OPTIONS } from './options.ts';
import { type ArgumentTaker, readArguments, splitFlag } from './parse.ts';
import {
  PEER_OPTIONS,
  PEER_SETTING_NAMES,
  type PeerOption,
  type PeerSettings,
  peerVariableOf,
} from './peer-options.ts';
import type { Config, Settings } from './settings.ts';
import { type SharedSettings, sharedSettingsIn } from './shared-settings.ts';
import { textOfVariable, unreadVariables } from './variables.ts';

/** What `dynaring init` and `dynaring serve` ask for. */
export type PeerCommandLine =
  | { readonly kind: 'init'; readonly peer: PeerSettings; readonly dataDir: string; readonly shape: RingShape }
  | PeerServeCommand;

/** What is fixed when a cluster is founded. */
export interface RingShape {
  /** Q */
  readonly partitions: number;
  /** N */
  readonly replication: number;
}

/** Start one process of a cluster. */
export interface PeerServeCommand {
  readonly kind: 'serve';
  readonly peer: PeerSettings;
  /** With the widest shape that a ring may have: what depends on the shape is checked by `configOf`. */
  readonly config: Config;
  /** What is said of settings that all processes of a cluster share. */
  readonly said: Partial<SharedSettings>;
  /** The whole config, once the shape of the ring is known. @throws ConfigError if the settings do not fit it */
  readonly configOf: (shape: RingShape) => Config;
  readonly notes: readonly string[];
  readonly warnings: readonly string[];
}

/** The widest shape that settings can fit. */
const WIDEST: RingShape = { partitions: 1_024, replication: 64 };
const DEFAULT_PEER_LISTEN = { host: '127.0.0.1', port: 8_100 };
const DEFAULT_PARTITIONS = 64;

/**
 * Between processes an answer takes as long as the busier of them needs to be given a processor: on a machine with ten
 * times as much to do as it has processors, more than a second. Whoever is slow must not be taken for dead: rounds that are
 * given up and begun again are what keeps such a machine busy. All of it is far below the lineage window and the life of a
 * hint, which it has to be (`completeLimits`).
 */
const PATIENCE = { opLifeMs: 10_000, phaseTimeoutMs: 2_000, suspectAfterMs: 2_500 };

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the command line of a process of a cluster, and the environment. A flag takes precedence over a variable.
 *
 * @param argv the arguments behind the command
 * @throws ConfigError
 */
export function parsePeerCommand(kind: 'init' | 'serve', argv: readonly string[], env: Environment): PeerCommandLine {
  const given: Record<string, unknown> = {};
  for (const name of PEER_SETTING_NAMES) {
    const text = textOfVariable(env, peerVariableOf(name));
    if (text !== undefined) given[name] = parsed(PEER_OPTIONS[name], text, ` (from ${peerVariableOf(name)})`);
  }
  const take: ArgumentTaker = (args, at) => {
    const [flag, inline] = splitFlag(args[at]!);
    const name = PEER_SETTING_NAMES.find((each) => PEER_OPTIONS[each].flag === flag);
    if (name === undefined) return undefined;
    const text = inline ?? args[at + 1];
    if (text === undefined || (inline === undefined && text.startsWith('-')))
      throw new ConfigError(`${flag} needs a value`);
    given[name] = parsed(PEER_OPTIONS[name], text, '');
    return inline === undefined ? 1 : 0;
  };
  const { settings, variables, notes } = readArguments(argv, env, take);
  const peer: PeerSettings = {
    nodeId: given.nodeId as string,
    founders: (given.founders as readonly string[] | undefined) ?? [],
    join: (given.join as PeerSettings['join'] | undefined) ?? [],
    peerListen: (given.peerListen as PeerSettings['peerListen'] | undefined) ?? DEFAULT_PEER_LISTEN,
    peerAddress: given.peerAddress as PeerSettings['peerAddress'],
    role: (given.role as PeerSettings['role'] | undefined) ?? 'node',
    clusterSecretFile: given.clusterSecretFile as string | undefined,
    peerCert: given.peerCert as string | undefined,
    peerKey: given.peerKey as string | undefined,
    peerCa: given.peerCa as string | undefined,
  };
  if (peer.nodeId === undefined) throw new ConfigError(`dynaring ${kind} needs a --node-id: what this node is called`);
  if (settings.nodes !== undefined) {
    throw new ConfigError('--nodes is for a server with all nodes in one process: this one is one node');
  }
  const reading: Reading = { settings, variables, notes, warnings: unreadVariables(env) };
  return kind === 'init' ? initCommand(peer, settings) : serveCommand(peer, reading);
}

interface Reading {
  readonly settings: Partial<Settings>;
  readonly variables: Variables;
  readonly notes: readonly string[];
  readonly warnings: readonly string[];
}

function initCommand(peer: PeerSettings, { dataDir, partitions, replication }: Partial<Settings>): PeerCommandLine {
  const { founders, nodeId } = peer;
  if (dataDir === undefined)
    throw new ConfigError('dynaring init needs a --data-dir: the right to found lies on a disk');
  if (founders.length === 0) throw new ConfigError('dynaring init needs --founders: all nodes that found the cluster');
  if (!founders.includes(nodeId)) throw new ConfigError(`--founders must name ${nodeId}, the node itself`);
  const shape = {
    partitions: partitions ?? DEFAULT_PARTITIONS,
    replication: replication ?? Math.min(3, founders.length),
  };
  if (shape.replication > founders.length) {
    throw new ConfigError(`--replication ${shape.replication} is more than the ${founders.length} founders`);
  }
  return { kind: 'init', peer, dataDir, shape };
}

function serveCommand(peer: PeerSettings, { settings, variables, notes, warnings }: Reading): PeerServeCommand {
  for (const name of ['partitions', 'replication'] as const) {
    if (settings[name] === undefined) continue;
    throw new ConfigError(`${OPTIONS[name].flag} is fixed when a cluster is founded: it is given to dynaring init`);
  }
  if (peer.role === 'node' && settings.dataDir === undefined) {
    throw new ConfigError('dynaring serve needs a --data-dir: a node of a cluster is its disk; --role front has none');
  }
  if (peer.role === 'front' && settings.dataDir !== undefined) {
    throw new ConfigError('--role front stores nothing: it takes no --data-dir');
  }
  if (peer.role === 'node' && settings.durability === 'memory') {
    throw new ConfigError('--durability memory would let a node forget what it has promised to others');
  }
  if (settings.faultsFile !== undefined) {
    throw new ConfigError(
      '--faults is for a single process: the rules of a cluster are set once, by POST /_dynaring/faults',
    );
  }
  const { peerCert, peerKey, peerCa, clusterSecretFile } = peer;
  const certified = [peerCert, peerKey, peerCa].filter((file) => file !== undefined).length;
  if (certified !== 0 && certified !== 3) throw new ConfigError('--peer-cert, --peer-key and --peer-ca go together');
  if (certified !== 0 && clusterSecretFile !== undefined) {
    throw new ConfigError('--cluster-secret-file or certificates: peers prove who they are in one way');
  }
  const configOf = ({ partitions, replication }: RingShape) =>
    complete({ ...settings, partitions, replication, nodes: replication }, { node: PATIENCE }, variables);
  const said = sharedSettingsIn(settings);
  return { kind: 'serve', peer, said, config: configOf(WIDEST), configOf, notes, warnings };
}

function parsed({ flag, expects, parse }: PeerOption, text: string, origin: string): unknown {
  const value = text === '' ? undefined : parse(text);
  if (value !== undefined) return value;
  throw new ConfigError(`${flag}${origin} must be ${expects}, not ${JSON.stringify(text)}`);
}
