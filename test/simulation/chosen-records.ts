import { type Ballot, compareBallots, NO_BALLOT, sameBallot } from '../../src/dynamo/ballot.ts';
import { partitionOf } from '../../src/dynamo/keyspace.ts';
import type { PartitionConfig, Reply, Request } from '../../src/dynamo/messages.ts';
import { highestOf, type ItemRecord, type ReplicaState } from '../../src/dynamo/record.ts';
import type { NodeId } from '../../src/dynamo/ring.ts';
import type { StoreKey } from '../../src/env/store.ts';
import { registerValueOf } from './item-value.ts';
import { isAccepted, ReplicaMemory } from './replica-memory.ts';
import type { SimulatedHost } from './simulated-host.ts';
import type { Observer } from './simulated-network.ts';
import { showBallot, showRecord } from './trace.ts';

/** What the harness knows of one ballot of a key. */
interface Proposal {
  readonly ballot: Ballot;
  /** What the promises that reached the coordinator held, until it sent its record. */
  readonly promised: (ReplicaState & { readonly from: NodeId })[];
  record: ItemRecord | undefined;
  /** The record that this one was derived from. */
  predecessor: ItemRecord | undefined;
  /** By epoch: only members of one can choose a record together. */
  readonly acceptedBy: Map<number, Set<NodeId>>;
  isChosen: boolean;
}

/** All that is known of one key. */
interface Proposals {
  /** By time: seldom do two ballots share one. */
  readonly byTime: Map<number, Proposal[]>;
  /** Those that are chosen, oldest first. */
  readonly chosen: Proposal[];
}

/** The answers of a replica that takes part in choosing. */
const VOTES: ReadonlySet<Reply['kind']> = new Set(['promise', 'accepted', 'state', 'confirmed', 'purged']);

/** What the disk of a new member has, when its epoch is decided, of what the epoch begins with. */
export interface Beginning {
  /** The newest of a key among what it has committed and what it has staged for the decided attempt. */
  topOf(key: StoreKey): ItemRecord | undefined;
  /** Whether it has no say about the key until others have told it: then it is as if it had not staged. */
  isDamaged(key: StoreKey): boolean;
}

/**
 * Follows the protocol through its messages and knows, as no participant can, which records are chosen: a majority of the
 * members of an epoch has acknowledged them, or said that it holds them, or has staged them for the next. Notes everything
 * that contradicts invariants I1, I2, I4, I5, I8 and I9 of docs/protocol.md.
 */
export class ChosenRecords implements Observer {
  readonly #violations: string[] = [];
  readonly #memory = new ReplicaMemory();
  readonly #majority: number;
  readonly #keys = new Map<StoreKey, Proposals>();
  /** Up to where tombstones were purged. */
  readonly #purged = new Map<StoreKey, Ballot>();
  /** Old tombstones that an epoch began without. */
  readonly #forgotten = new Map<StoreKey, Ballot>();
  /** Every epoch that was decided, by partition and epoch. */
  readonly #configs = new Map<string, PartitionConfig>();
  readonly #hostOf: (node: NodeId) => Pick<SimulatedHost, 'member' | 'node'>;
  /** Disks that have said that they were sealed, each in one epoch of one partition. */
  readonly #sealed = new Set<string>();

  /** @param hostOf what runs a node now */
  constructor(
    replication: number,
    configs: readonly PartitionConfig[],
    hostOf: (node: NodeId) => Pick<SimulatedHost, 'member' | 'node'>,
  ) {
    this.#majority = Math.floor(replication / 2) + 1;
    this.#hostOf = hostOf;
    for (const config of configs) this.#configs.set(`${config.partition} ${config.epoch}`, config);
  }

  /**
   * An epoch was decided. Each majority of those who can vote in it must include a member that has staged it, with every
   * record that was chosen before (I8). What all who staged it begin with is as good as chosen: no quorum of the new epoch
   * can miss it.
   *
   * @param beginnings of those members that have staged it
   * @param unprepared how many others can vote: a member whose disk was lost since it staged cannot
   * @param mayForget whether a tombstone is so old that replicas do not tell each other of it
   */
  decided(
    config: PartitionConfig,
    beginnings: readonly Beginning[],
    unprepared: number,
    mayForget: (tombstone: Ballot) => boolean,
  ): void {
    const { partition, epoch } = config;
    this.#configs.set(`${partition} ${epoch}`, config);
    if (unprepared >= this.#majority) {
      this.#violations.push(`epoch ${epoch} was decided with ${unprepared} members not ready (I8)`);
    }
    for (const key of this.#keys.keys()) {
      if (partitionOf(key) !== partition) continue;
      const newest = this.#chosenProposals(key).at(-1);
      const isPurged = newest !== undefined && isUpTo(newest.ballot, this.#purged.get(key));
      const tops = beginnings.filter((each) => !each.isDamaged(key)).map((beginning) => beginning.topOf(key));
      for (const top of tops) {
        if (newest === undefined || isPurged || compareBallots(top?.ballot ?? NO_BALLOT, newest.ballot) >= 0) continue;
        // Nothing, or another tombstone, is as good as an old one: no item that is older can arrive any more. What is
        // written next need not descend from it.
        if (top?.item === undefined && newest.record!.item === undefined && mayForget(newest.ballot)) {
          this.#forgotten.set(key, newest.ballot);
          continue;
        }
        this.#violations.push(
          `epoch ${epoch} begins with ${showRecord(top)}, without ${showRecord(newest.record)} that was chosen (I8)`,
        );
      }
      const [first, ...others] = tops;
      if (first === undefined || !others.every((top) => top !== undefined && sameBallot(top.ballot, first.ballot)))
        continue;
      const proposal = this.#proposalOf(key, first.ballot);
      if (proposal.record !== undefined) this.#choose(key, proposal);
    }
  }

  get violations(): readonly string[] {
    return [...this.#memory.violations, ...this.#violations];
  }

  sent(from: NodeId, request: Request): void {
    const isLearned = request.kind === 'learn' || (request.kind === 'adopt' && !isAccepted(request));
    if ((request.kind === 'accept' || request.kind === 'adopt') && request.record !== undefined && !isLearned) {
      this.#noteProposed(request.key, request.record);
    }
    if (request.kind === 'purge') this.#notePurged(request.key, request.ballot);
    if (!isLearned || request.record === undefined) return;
    const { key, record } = request;
    if (!this.#proposalOf(key, record.ballot).isChosen) {
      this.#violations.push(`${from} makes others learn ${showRecord(record)}, which is not chosen (I5)`);
    }
  }

  received(replica: NodeId, request: Request & { readonly key: StoreKey }): Ballot {
    return this.#memory.acknowledged(replica, request);
  }

  answered(replica: NodeId, request: Request, reply: Reply, acknowledged: Ballot): void {
    this.#memory.answered(
      replica,
      request,
      reply,
      acknowledged,
      (key, ballot) => this.#proposalOf(key, ballot).isChosen,
    );
    if ('epoch' in request && 'key' in request && VOTES.has(reply.kind)) {
      this.#checkVote(replica, partitionOf(request.key), request.epoch);
    }
    if (request.kind === 'seal' && reply.kind === 'sealed') {
      this.#sealed.add(`${this.#hostOf(replica).member.diskId} ${request.partition} ${request.epoch}`);
    }
    if (request.kind === 'activate') this.#checkSeal(replica, request.config.partition);
    if (request.kind === 'accept' && reply.kind === 'accepted') {
      this.#noteAccepted(replica, request.key, request.record.ballot, request.epoch);
    }
    if (request.kind === 'adopt' && reply.kind === 'accepted' && isAccepted(request)) {
      this.#noteAccepted(replica, request.key, request.ballot, request.epoch);
    }
    // To report an accepted record is to acknowledge it.
    if ((request.kind === 'prepare' || request.kind === 'read') && 'accepted' in reply && reply.accepted) {
      this.#noteAccepted(replica, request.key, reply.accepted.ballot, request.epoch);
    }
    if (reply.kind === 'range' && request.kind === 'read-range' && request.epoch !== undefined) {
      for (const { key, accepted } of reply.entries) {
        if (accepted) this.#noteAccepted(replica, key, accepted.ballot, request.epoch);
      }
    }
  }

  delivered(request: Request, reply: Reply): void {
    if (request.kind !== 'prepare' || reply.kind !== 'promise') return;
    const proposal = this.#proposalOf(request.key, request.ballot);
    if (proposal.record === undefined) proposal.promised.push(reply);
  }

  /** The chosen records of a key so far, oldest first. */
  chosen(key: StoreKey): ItemRecord[] {
    return this.#chosenProposals(key).map(({ record }) => record!);
  }

  /** The keys of which anything was proposed. */
  get keys(): Iterable<StoreKey> {
    return this.#keys.keys();
  }

  /**
   * The newest chosen record of a key and all that it descends from, oldest first: also those that were taken up by the next
   * one before anybody could see that they were chosen. Beyond a purge, what was chosen before.
   */
  ancestry(key: StoreKey): ItemRecord[] {
    const chosen = this.#chosenProposals(key);
    const records: ItemRecord[] = [];
    for (let at: Proposal | undefined = chosen.at(-1); at !== undefined; ) {
      const { ballot }: Proposal = at;
      const predecessor = this.#quorumTop(at);
      records.unshift(at.record!);
      const before = chosen.filter((other) => compareBallots(other.ballot, ballot) < 0).at(-1);
      const isNewer = predecessor !== undefined && !isUpTo(predecessor.ballot, before?.ballot);
      at = isNewer ? this.#proposalOf(key, predecessor.ballot) : before;
    }
    return records;
  }

  /** The record of a key that is chosen by now under this ballot. */
  chosenUnder(key: StoreKey, ballot: Ballot): ItemRecord | undefined {
    const proposal = proposalIn(this.#keys.get(key), ballot);
    return proposal?.isChosen === true ? proposal.record : undefined;
  }

  /** Whether a record with this value is chosen by now. */
  has(key: StoreKey, value: string): boolean {
    return this.#chosenProposals(key).some(({ record }) => registerValueOf(record!.item) === value);
  }

  /** I4: every chosen record must descend from the one chosen before it. */
  checkChains(): void {
    for (const key of this.#keys.keys()) {
      const chosen = this.#chosenProposals(key);
      for (let i = 1; i < chosen.length; i++) {
        if (this.#descendsFrom(key, chosen[i]!, chosen[i - 1]!.ballot)) continue;
        const [earlier, later] = [chosen[i - 1]!, chosen[i]!];
        this.#violations.push(
          `chosen ${showRecord(later.record)} does not descend from chosen ${showRecord(earlier.record)} (I4)`,
        );
      }
    }
  }

  /** What a round has gone by: it waits for a majority, and further promises may come before it sends its record. */
  #quorumTop({ promised }: Proposal): ItemRecord | undefined {
    const first = promised.filter(({ from }, at) => promised.findIndex((other) => other.from === from) === at);
    return highestOf(first.slice(0, this.#majority));
  }

  #chosenProposals(key: StoreKey): readonly Proposal[] {
    return this.#keys.get(key)?.chosen ?? [];
  }

  #choose(key: StoreKey, proposal: Proposal): void {
    if (proposal.isChosen) return;
    proposal.isChosen = true;
    const { chosen } = this.#keys.get(key)!;
    let at = chosen.length;
    while (at > 0 && compareBallots(chosen[at - 1]!.ballot, proposal.ballot) > 0) at--;
    chosen.splice(at, 0, proposal);
  }

  #descendsFrom(key: StoreKey, descendant: Proposal, ancestor: Ballot): boolean {
    const isGone = isUpTo(ancestor, this.#purged.get(key)) || isUpTo(ancestor, this.#forgotten.get(key));
    let at: Proposal = descendant;
    while (at.predecessor !== undefined) {
      const order = compareBallots(at.predecessor.ballot, ancestor);
      if (order === 0) return true;
      // Another tombstone, in the place of one that was forgotten, or brought by a member that was behind to those who have
      // purged this one. It reads like none.
      if (order < 0) return isGone && at.predecessor.item === undefined;
      at = this.#proposalOf(key, at.predecessor.ballot);
    }
    // What begins anew does so after a tombstone that every member had.
    return isGone;
  }

  #noteAccepted(replica: NodeId, key: StoreKey, ballot: Ballot, epoch: number): void {
    const proposal = this.#proposalOf(key, ballot);
    let acceptors = proposal.acceptedBy.get(epoch);
    if (acceptors === undefined) {
      acceptors = new Set();
      proposal.acceptedBy.set(epoch, acceptors);
    }
    acceptors.add(replica);
    if (acceptors.size >= this.#majority) this.#choose(key, proposal);
  }

  /** I9: a disk has a vote in the epochs that name it. */
  #checkVote(replica: NodeId, partition: number, epoch: number): void {
    const { diskId } = this.#hostOf(replica).member;
    const members = this.#configs.get(`${partition} ${epoch}`)?.members ?? [];
    if (members.some((member) => member.node === replica && member.diskId === diskId)) return;
    this.#violations.push(`${replica} votes in epoch ${epoch} of partition ${partition}, which does not name it (I9)`);
  }

  /** I8: what a member had when it was sealed is what the next epoch begins with, so it takes part in that one no more. */
  #checkSeal(replica: NodeId, partition: number): void {
    const { node, member } = this.#hostOf(replica);
    const epoch = node?.votingConfig(partition)?.epoch;
    if (epoch === undefined || node?.isSealed(partition) === true) return;
    if (!this.#sealed.has(`${member.diskId} ${partition} ${epoch}`)) return;
    this.#violations.push(
      `${replica} has a vote again in epoch ${epoch} of partition ${partition}, sealed before (I8)`,
    );
  }

  #notePurged(key: StoreKey, ballot: Ballot): void {
    const before = this.#purged.get(key);
    if (before === undefined || compareBallots(ballot, before) > 0) this.#purged.set(key, ballot);
  }

  #noteProposed(key: StoreKey, record: ItemRecord): void {
    const proposal = this.#proposalOf(key, record.ballot);
    if (proposal.record === undefined) {
      proposal.record = record;
      proposal.predecessor = highestOf(proposal.promised);
    } else if (proposal.record !== record && Buffer.compare(record.stored, proposal.record.stored) !== 0) {
      this.#violations.push(
        `${showBallot(record.ballot)} names both ${showRecord(proposal.record)} and ${showRecord(record)} (I1)`,
      );
    }
  }

  #proposalOf(key: StoreKey, ballot: Ballot): Proposal {
    let proposals = this.#keys.get(key);
    if (proposals === undefined) {
      proposals = { byTime: new Map(), chosen: [] };
      this.#keys.set(key, proposals);
    }
    const known = proposalIn(proposals, ballot);
    if (known !== undefined) return known;
    const proposal: Proposal = {
      ballot,
      promised: [],
      record: undefined,
      predecessor: undefined,
      acceptedBy: new Map(),
      isChosen: false,
    };
    const sameTime = proposals.byTime.get(ballot.hlc);
    if (sameTime === undefined) proposals.byTime.set(ballot.hlc, [proposal]);
    else sameTime.push(proposal);
    return proposal;
  }
}

function proposalIn(proposals: Proposals | undefined, ballot: Ballot): Proposal | undefined {
  const sameTime = proposals?.byTime.get(ballot.hlc);
  return sameTime?.find((proposal) => sameBallot(proposal.ballot, ballot));
}

function isUpTo(ballot: Ballot, last: Ballot | undefined): boolean {
  return last !== undefined && compareBallots(ballot, last) <= 0;
}
