import type { Ballot } from '../../src/dynamo/ballot.ts';
import type { Member, PartitionConfig, Reply, Request } from '../../src/dynamo/messages.ts';
import type { NodeId } from '../../src/dynamo/ring.ts';
import type { StoreKey } from '../../src/env/store.ts';
import type { Violation } from './checks.ts';
import type { SimulatedHost } from './simulated-host.ts';
import type { Observer } from './simulated-network.ts';

export interface ConfigJudgeParts {
  /** Sees all messages, too. */
  readonly inner: Observer;
  /** Those of epoch 0 at first, by partition; each is replaced by what is decided after it. */
  readonly configs: PartitionConfig[];
  /** What runs a node now, or is gone for ever. */
  readonly hostOf: (node: NodeId) => Pick<SimulatedHost, 'member' | 'beginningOf' | 'durableEpoch'>;
  /** Whether the disk of a member is not lost. */
  readonly isIntact: (member: Member) => boolean;
  /** A config was decided. */
  readonly decided: (config: PartitionConfig) => void;
}

/**
 * Follows the config registers of members through their messages and knows, as no participant can, what is decided: a
 * majority of the disks that an epoch names has acknowledged it. Notes two configs of one epoch (`fork`), a config that
 * somebody acts on and nobody has decided (`fork`), and one that is decided without those it counts on (`unfounded`).
 */
export class ConfigJudge implements Observer {
  readonly violations: Violation[] = [];
  readonly #parts: ConfigJudgeParts;
  /** By partition and epoch. */
  readonly #decided = new Map<string, PartitionConfig>();
  /** What members were asked to stage for. */
  readonly #proposed = new Map<string, PartitionConfig>();
  /** The disks that have acknowledged a config, by partition, epoch and ballot. */
  readonly #accepted = new Map<string, Set<number>>();

  constructor(parts: ConfigJudgeParts) {
    this.#parts = parts;
    for (const config of parts.configs) this.#decided.set(nameOf(config), config);
  }

  sent(from: NodeId, request: Request): void {
    this.#parts.inner.sent(from, request);
    if (request.kind === 'activate') this.#checkDecided(from, request.config);
    if (request.kind === 'stage') this.#proposed.set(show(request.next), request.next);
  }

  received(replica: NodeId, request: Request & { readonly key: StoreKey }): Ballot {
    return this.#parts.inner.received(replica, request);
  }

  answered(replica: NodeId, request: Request, reply: Reply, acknowledged: Ballot): void {
    this.#parts.inner.answered(replica, request, reply, acknowledged);
    if (reply.kind === 'gossip') for (const config of reply.newer) this.#checkDecided(replica, config);
    if (reply.kind === 'wrong-epoch' && reply.config !== undefined) this.#checkDecided(replica, reply.config);
    if (request.kind !== 'config-accept' || reply.kind !== 'config-accepted') return;
    const { partition, epoch, ballot, value } = request;
    if (value.decided === undefined) return;
    const base = this.#decided.get(nameOf({ partition, epoch }));
    const { diskId } = this.#parts.hostOf(replica).member;
    if (!base?.members.some((member) => member.node === replica && member.diskId === diskId)) return;
    const name = `${nameOf(base)} ${ballot.hlc}/${ballot.coordinator}/${ballot.boot}`;
    const disks = this.#accepted.get(name) ?? new Set();
    this.#accepted.set(name, disks.add(diskId));
    if (disks.size >= majorityOf(base)) this.#noteDecided(base, value.decided);
  }

  /** The configs of a partition that may count still: decided and not superseded by a majority that votes, or proposed. */
  neededConfigs(partition: number): PartitionConfig[] {
    const newest = this.#parts.configs[partition]!;
    const needed: PartitionConfig[] = [];
    for (let { epoch } = newest; epoch >= 0; epoch--) {
      const config = this.#decided.get(nameOf({ partition, epoch }))!;
      needed.push(config);
      const voting = config.members.filter(({ node }) => this.#parts.hostOf(node).durableEpoch(partition) >= epoch);
      if (voting.length >= majorityOf(config)) break;
    }
    const proposed = [...this.#proposed.values()];
    return [...needed, ...proposed.filter((next) => next.partition === partition && next.epoch > newest.epoch)];
  }

  delivered(request: Request, reply: Reply): void {
    this.#parts.inner.delivered(request, reply);
  }

  #noteDecided(base: PartitionConfig, next: PartitionConfig): void {
    const known = this.#decided.get(nameOf(next));
    if (known !== undefined) {
      if (!isSame(known, next)) this.#note('fork', `${show(known)} and ${show(next)} are both decided`);
      return;
    }
    this.#decided.set(nameOf(next), next);
    if (next.epoch !== base.epoch + 1) this.#note('fork', `${show(next)} is decided after ${show(base)}`);
    this.#checkFounded(base, next);
    const { configs } = this.#parts;
    if (next.epoch > configs[next.partition]!.epoch) configs[next.partition] = next;
    this.#parts.decided(next);
  }

  /** Every newcomer, and a majority, has staged what the epoch begins with. A disk that was lost since may have. */
  #checkFounded(base: PartitionConfig, next: PartitionConfig): void {
    const { hostOf, isIntact } = this.#parts;
    const missing = next.members.filter(
      (member) => isIntact(member) && hostOf(member.node).beginningOf(next) === undefined,
    );
    const isOld = ({ node, diskId }: Member) => base.members.some((old) => old.node === node && old.diskId === diskId);
    for (const member of missing.filter((each) => !isOld(each))) {
      this.#note('unfounded', `${show(next)} is decided, and ${member.node}, which is new, has not staged`);
    }
    if (next.members.length - missing.length < majorityOf(next)) {
      this.#note('unfounded', `${show(next)} is decided, and ${missing.length} members have not staged`);
    }
  }

  #checkDecided(by: NodeId, config: PartitionConfig): void {
    const decided = this.#decided.get(nameOf(config));
    if (decided !== undefined && isSame(decided, config)) return;
    this.#note('fork', `${by} takes ${show(config)} for decided, which is ${decided ? show(decided) : 'nothing'}`);
  }

  #note(kind: Violation['kind'], what: string): void {
    this.violations.push({ kind, what });
  }
}

function nameOf({ partition, epoch }: Pick<PartitionConfig, 'partition' | 'epoch'>): string {
  return `${partition} ${epoch}`;
}

function majorityOf({ members }: PartitionConfig): number {
  return Math.floor(members.length / 2) + 1;
}

function isSame(one: PartitionConfig, other: PartitionConfig): boolean {
  return show(one) === show(other);
}

function show({ partition, epoch, members, attempt }: PartitionConfig): string {
  const disks = members.map(({ node, diskId }) => `${node}${diskId}`).join(' ');
  return `epoch ${epoch} of partition ${partition} with ${disks} by attempt ${attempt}`;
}
