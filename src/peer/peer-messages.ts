import type { PartitionConfig } from '../dynamo/messages.ts';
import type { NodeId } from '../dynamo/ring.ts';
import type { Codec } from '../env/codec.ts';
import type { Address, Channel } from '../env/peer-channel.ts';
import { foundedClusterIn, foundingRightIn, isDiskId, isNodeName, isWithin } from '../env/peer-record.ts';
import type { StoreKey } from '../env/store.ts';
import type { LinkFault } from '../env/transport.ts';
import { type AddressEntry, MOST_ADDRESSES } from './address-book.ts';
import type { FoundingRequest } from './founder.ts';
import type { FoundingAnswer } from './founding.ts';
import { checkLinkFault } from './link-fault.ts';
import type { ReplicaDescription } from './locate.ts';
import { count, type Fields, list, needed, nodeId, optional, text, UnreadableError } from './peer-fields.ts';
import { MOST_STUCK, type PeerState } from './peer-state.ts';
import { NO_VOTE } from './ring-examination.ts';

/*
 * What peers say to each other that is not of the ring (docs/protocol.md section 16.4): JSON, because it is seldom and
 * small. A stranger who has the secret may send anything: each document is read member by member, and what does not
 * fit is refused. Members that this release does not know are skipped.
 */

/** The work of a node that any peer may ask for. It may take minutes. */
export const NODE_WORK = ['repair', 'scrub', 'purge', 'settle'] as const;
export type NodeWork = (typeof NODE_WORK)[number];

export type PeerRequest =
  | FoundingRequest
  /** Takes these addresses and versions, and answers those that it knows. */
  | Known
  /** Answers the configs that are newer than these epochs, by partition. For peers without a node. */
  | { readonly kind: 'configs'; readonly epochs: readonly number[] }
  /** Answers what its replica holds of a key. */
  | { readonly kind: 'replica'; readonly key: StoreKey }
  | { readonly kind: 'work'; readonly work: NodeWork }
  /** Answers how this process and its node are. */
  | { readonly kind: 'state' }
  /**
   * Answers what happened for a request that this process has served. `isForOther`: or another one that this process knows and
   * the asker does not, such as a front.
   */
  | { readonly kind: 'trace'; readonly requestId: string; readonly isForOther: boolean }
  /** A disk that is in no cluster's goal asks to be taken in. `done`: the goal names it. */
  | { readonly kind: 'admit'; readonly name: string; readonly diskId: number }
  /** There is a goal of this version. `done`: that is noted. */
  | { readonly kind: 'goal'; readonly version: number }
  /** There are fault rules of this version. `noted`: they are in force. `isNew`: they have just been made. */
  | { readonly kind: 'rules'; readonly version: number; readonly isNew: boolean }
  /** Answers how often its fault rules have fired. */
  | { readonly kind: 'rules-used' }
  /** To routers: who has used which tables lately, as far as the sender knows. Where throughput is limited. */
  | { readonly kind: 'tables-used'; readonly uses: readonly TablesUsed[] }
  /** To the node that sends over a link: what is wrong with it on purpose; undefined: nothing. */
  | { readonly kind: 'link'; readonly to: NodeId; readonly fault: LinkFault | undefined }
  /** To a node: it is to pause, or to go on. */
  | { readonly kind: 'pause'; readonly isPaused: boolean }
  /** To nodes: no rule of lag is to be kept for so long, while the asker makes replicas alike. 0: they are again. */
  | { readonly kind: 'rest-lags'; readonly forMs: number }
  /** To routers: the definition under this name is another one now, or gone. */
  | {
      readonly kind: 'table-changed';
      readonly namespace: string;
      readonly name: string;
      /** Which change this is: whoever hears of it first tells it on. Undefined, from an older release: it is not. */
      readonly change: string | undefined;
    };

/** What a peer knows of others, and of what all of them share. */
interface Known {
  readonly kind: 'addresses';
  readonly entries: readonly AddressEntry[];
  readonly versions: SharedVersions;
}

/** The versions of what all processes of a cluster go by, as far as a process knows them: whoever knows less reads it. */
export interface SharedVersions {
  /** Of the fault rules. */
  readonly rules?: number | undefined;
}

/** The tables that one router has used lately. */
export interface TablesUsed {
  readonly router: NodeId;
  /** How long ago it has said so, in ms. */
  readonly ageMs: number;
  /** By storage id. */
  readonly tables: readonly string[];
}

/** Of one router, in a message: those that it has used last. */
export const MOST_TABLES_TOLD = 200;
/** In a message. */
export const MOST_ROUTERS_TOLD = 64;

/** How often a fault rule has fired at a process, and for how many requests that are under way. */
export interface RuleUse {
  /** Which one; undefined: the one that says so. */
  readonly process?: NodeId | undefined;
  readonly id: string;
  readonly fired: number;
  readonly underWay: number;
}

/** Sums of what some work has done, by name. */
export type WorkReport = Readonly<Record<string, number>>;

export type PeerAnswer =
  | { readonly kind: 'founding'; readonly answer: FoundingAnswer }
  | Known
  | { readonly kind: 'rules-used'; readonly rules: readonly RuleUse[] }
  | { readonly kind: 'configs'; readonly configs: readonly PartitionConfig[] }
  | { readonly kind: 'replica'; readonly replica: ReplicaDescription }
  | { readonly kind: 'state'; readonly state: PeerState }
  /** JSON, which is handed on as it is; undefined: there is none, or none any more. */
  | { readonly kind: 'trace'; readonly json: string | undefined }
  | { readonly kind: 'done'; readonly report: WorkReport }
  | { readonly kind: 'noted' }
  /** It cannot do that now. @property reason one line */
  | { readonly kind: 'cannot'; readonly reason: string };

/** Entries of addresses that one message may have: those of the sender, and of the nodes that hold the ring. */
const MOST_ENTRIES = 300;
const MOST_PARTITIONS = 1_024;
const MOST_MEMBERS = 64;
/** Above the most nodes of a cluster, those that leave among them. */
const MOST_NODES = 1_000;
/** The most characters of a trace. */
export const MOST_TRACE = 500_000;
/** Above the longest key of a record. */
const MOST_KEY = 8_192;
const MOST_REPORTED = 64;
/** As many fault rules as there can be. */
const MOST_RULES = 1_000;

/** What may take long or be large, and nobody waits for. */
const BULK: ReadonlySet<PeerRequest['kind']> = new Set(['work', 'configs', 'addresses', 'tables-used', 'trace']);

export const PEER_CHANNEL: Channel<PeerRequest, PeerAnswer> = {
  number: 2,
  requests: jsonCodec(readRequest),
  answersTo: () => ANSWERS,
  lane: ({ kind }) => (BULK.has(kind) ? 'bulk' : 'hot'),
  isUnsupported: (error) => error instanceof UnreadableError && error.isUnknownKind,
};

const ANSWERS = jsonCodec(readAnswer);

function jsonCodec<Message>(read: (value: Fields) => Message): Codec<Message> {
  return {
    encode: (message) => Buffer.from(JSON.stringify(message)),
    decode: (bytes) => {
      const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
      return read(Object(JSON.parse(text)) as Fields);
    },
  };
}

function readRequest(value: Fields): PeerRequest {
  switch (value.kind) {
    case 'founding':
      return { kind: 'founding', about: optional(value.about, text) };
    case 'bind':
    case 'commit':
      return { kind: value.kind, cluster: needed(foundedClusterIn(value.cluster), 'cluster') };
    case 'addresses':
      return readKnown(value);
    case 'configs':
      return { kind: 'configs', epochs: list(value.epochs, MOST_PARTITIONS, count) };
    case 'replica':
      return { kind: 'replica', key: storeKey(value.key) };
    case 'work':
      return {
        kind: 'work',
        work: needed(
          NODE_WORK.find((work) => work === value.work),
          'work',
        ),
      };
    case 'state':
      return { kind: 'state' };
    case 'trace':
      return { kind: 'trace', requestId: text(value.requestId), isForOther: value.isForOther === true };
    case 'admit':
      if (!isNodeName(value.name) || !isDiskId(value.diskId)) throw new UnreadableError('who');
      return { kind: 'admit', name: value.name, diskId: value.diskId };
    case 'goal':
      return { kind: 'goal', version: count(value.version) };
    case 'rules':
      return { kind: 'rules', version: count(value.version), isNew: value.isNew === true };
    case 'rules-used':
      return { kind: 'rules-used' };
    case 'tables-used':
      return { kind: 'tables-used', uses: list(value.uses, MOST_ROUTERS_TOLD, readTablesUsed) };
    case 'link':
      return { kind: 'link', to: nodeId(value.to), fault: optional(value.fault, readLinkFault) };
    case 'pause':
      return { kind: 'pause', isPaused: value.isPaused === true };
    case 'rest-lags':
      return { kind: 'rest-lags', forMs: count(value.forMs) };
    case 'table-changed':
      return {
        kind: 'table-changed',
        namespace: text(value.namespace),
        name: text(value.name),
        change: optional(value.change, text),
      };
    default:
      throw new UnreadableError('its kind', true);
  }
}

function readAnswer(value: Fields): PeerAnswer {
  switch (value.kind) {
    case 'founding':
      return { kind: 'founding', answer: readFoundingAnswer(Object(value.answer)) };
    case 'addresses':
      return readKnown(value);
    case 'rules-used':
      return { kind: 'rules-used', rules: list(value.rules, MOST_RULES, readRuleUse) };
    case 'configs':
      return { kind: 'configs', configs: list(value.configs, MOST_PARTITIONS, readConfig) };
    case 'replica':
      return { kind: 'replica', replica: readReplica(Object(value.replica)) };
    case 'state':
      return { kind: 'state', state: readState(Object(value.state)) };
    case 'trace':
      return { kind: 'trace', json: optional(value.json, (json) => text(json, MOST_TRACE)) };
    case 'done':
      return { kind: 'done', report: readReport(Object(value.report)) };
    case 'noted':
      return { kind: 'noted' };
    case 'cannot':
      return { kind: 'cannot', reason: text(value.reason) };
    default:
      throw new UnreadableError('its kind', true);
  }
}

function readKnown({ entries, versions }: Fields): Known {
  const { rules } = Object(versions) as Fields;
  return {
    kind: 'addresses',
    entries: list(entries, MOST_ENTRIES, readEntry),
    versions: { rules: optional(rules, count) },
  };
}

function readTablesUsed(value: unknown): TablesUsed {
  const { router, ageMs, tables } = Object(value) as Fields;
  return { router: nodeId(router), ageMs: count(ageMs), tables: list(tables, MOST_TABLES_TOLD, text) };
}

function readLinkFault(value: unknown): LinkFault {
  const { cut, delayMs, dropRate } = Object(value) as Fields;
  const isNumber = (given: unknown) => given === undefined || Number.isFinite(given);
  if ((cut !== undefined && typeof cut !== 'boolean') || !isNumber(delayMs) || !isNumber(dropRate)) {
    throw new UnreadableError('fault');
  }
  const fault = { cut, delayMs, dropRate } as LinkFault;
  checkLinkFault(fault);
  return fault;
}

function readRuleUse(value: unknown): RuleUse {
  const { process, id, fired, underWay } = Object(value) as Fields;
  return { process: optional(process, nodeId), id: text(id), fired: count(fired), underWay: count(underWay) };
}

function readFoundingAnswer({ name, diskId, state, layout, right, cluster, givenUp }: Fields): FoundingAnswer {
  if (!isNodeName(name) || !isDiskId(diskId)) throw new UnreadableError('who');
  const known = needed(['new', 'bound', 'formed'].find((each) => each === state) as FoundingAnswer['state'], 'state');
  if (known !== 'new' && cluster === undefined) throw new UnreadableError('cluster');
  return {
    name,
    diskId,
    state: known,
    layout: count(layout),
    right: optional(right, (given) => needed(foundingRightIn(given), 'right')),
    cluster: optional(cluster, (given) => needed(foundedClusterIn(given), 'cluster')),
    givenUp: optional(givenUp, text),
  };
}

/** Reads the entries that a process has noted. @returns none if they are damaged */
export function readEntries(notes: unknown): readonly AddressEntry[] {
  try {
    return Array.isArray(notes) ? notes.map(readEntry) : [];
  } catch {
    return [];
  }
}

/** Also reads what an earlier process has kept of its address book. */
function readEntry(value: unknown): AddressEntry {
  const { node, boot, instance, seq, addresses } = Object(value) as Fields;
  return {
    node: nodeId(node),
    boot: count(boot),
    instance: text(instance),
    seq: count(seq),
    addresses: list(addresses, MOST_ADDRESSES, readAddress),
  };
}

function readAddress(value: unknown): Address {
  const { path, host, port } = Object(value) as Fields;
  if (path !== undefined) return { path: text(path) };
  if (!isWithin(port, 1, 65_535)) throw new UnreadableError('port');
  return { host: text(host), port };
}

function readConfig(value: unknown): PartitionConfig {
  const { partition, epoch, attempt, members } = Object(value) as Fields;
  return {
    partition: count(partition),
    epoch: count(epoch),
    attempt: count(attempt),
    members: list(members, MOST_MEMBERS, (member) => {
      const { node, diskId } = Object(member) as Fields;
      if (!isDiskId(diskId)) throw new UnreadableError('disk');
      return { node: nodeId(node), diskId };
    }),
  };
}

function readReplica({
  node,
  isKnown,
  committedAtMs,
  isTombstone,
  isUnsettled,
  isDamaged,
  held,
}: Fields): ReplicaDescription {
  if (isKnown !== true) return { node: nodeId(node), isKnown: false };
  if (committedAtMs !== undefined && !Number.isFinite(committedAtMs)) throw new UnreadableError('time');
  return {
    node: nodeId(node),
    isKnown: true,
    committedAtMs: committedAtMs as number | undefined,
    isTombstone: isTombstone === true,
    isUnsettled: isUnsettled === true,
    isDamaged: isDamaged === true,
    held: count(held),
  };
}

function readState({ votes, isPaused, hints, suspects, moving, stuck, clockMs }: Fields): PeerState {
  if (!Number.isFinite(clockMs)) throw new UnreadableError('time');
  return {
    votes: optional(votes, (given) => list(given, MOST_PARTITIONS, epochOrNone)),
    isPaused: isPaused === true,
    hints: count(hints),
    suspects: list(suspects, MOST_NODES, nodeId),
    moving: optional(moving, count),
    stuck: list(stuck, MOST_STUCK, (each) => {
      const { partition, reason } = Object(each) as Fields;
      return { partition: count(partition), reason: text(reason) };
    }),
    clockMs: clockMs as number,
  };
}

function epochOrNone(value: unknown): number {
  return value === NO_VOTE ? NO_VOTE : count(value);
}

function storeKey(value: unknown): StoreKey {
  if (typeof value !== 'string' || value.length > MOST_KEY) throw new UnreadableError('key');
  return value;
}

function readReport(value: Fields): WorkReport {
  const entries = Object.entries(value);
  const isSound = entries.length <= MOST_REPORTED && entries.every(([, sum]) => Number.isFinite(sum));
  if (!isSound) throw new UnreadableError('report');
  return Object.fromEntries(entries) as WorkReport;
}
