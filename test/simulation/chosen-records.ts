import { type Ballot, compareBallots, NO_BALLOT } from '../../src/dynamo/ballot.ts';
import type { Reply, Request } from '../../src/dynamo/messages.ts';
import { encodeRecord, highestOf, type ItemRecord, type ReplicaState } from '../../src/dynamo/record.ts';
import type { NodeId } from '../../src/dynamo/ring.ts';
import type { StoreKey } from '../../src/env/store.ts';
import { registerValueOf } from './item-value.ts';
import { ReplicaMemory } from './replica-memory.ts';
import type { Observer } from './simulated-network.ts';
import { showBallot, showRecord } from './trace.ts';

/** What the harness knows of one ballot of a key. */
interface Proposal {
  readonly ballot: Ballot;
  /** What the promises that reached the coordinator held, until it sent its record. */
  readonly promised: ReplicaState[];
  record?: ItemRecord;
  /** The record that this one was derived from. */
  predecessor?: ItemRecord | undefined;
  /** By epoch: only members of one can choose a record together. */
  readonly acceptedBy: Map<number, Set<NodeId>>;
  isChosen: boolean;
}

/**
 * Follows the protocol through its messages and knows, as no participant can, which records are chosen: a majority of
 * replicas has acknowledged them, or said that it holds them. Notes everything that contradicts invariants I1, I2, I4 and I5 of REPLICATION section 4.
 */
export class ChosenRecords implements Observer {
  readonly #violations: string[] = [];
  readonly #memory = new ReplicaMemory();
  readonly #majority: number;
  readonly #keys = new Map<StoreKey, Map<string, Proposal>>();
  /** Up to where tombstones were purged. */
  readonly #purged = new Map<StoreKey, Ballot>();

  constructor(replication: number) {
    this.#majority = Math.floor(replication / 2) + 1;
  }

  get violations(): readonly string[] {
    return [...this.#memory.violations, ...this.#violations];
  }

  sent(from: NodeId, request: Request): void {
    if (request.kind === 'accept') this.#noteProposed(request.key, request.record);
    if (request.kind === 'purge') this.#notePurged(request.key, request.ballot);
    if (request.kind !== 'learn') return;
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
    if (request.kind === 'accept' && reply.kind === 'accepted') {
      this.#noteAccepted(replica, request.key, request.record.ballot, request.epoch);
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

  #chosenProposals(key: StoreKey): Proposal[] {
    const proposals = [...(this.#keys.get(key)?.values() ?? [])];
    return proposals.filter(({ isChosen }) => isChosen).sort((a, b) => compareBallots(a.ballot, b.ballot));
  }

  #descendsFrom(key: StoreKey, descendant: Proposal, ancestor: Ballot): boolean {
    let at: Proposal = descendant;
    while (at.predecessor !== undefined) {
      const order = compareBallots(at.predecessor.ballot, ancestor);
      if (order <= 0) return order === 0;
      at = this.#proposalOf(key, at.predecessor.ballot);
    }
    // What begins anew does so after a tombstone that every member had.
    return compareBallots(ancestor, this.#purged.get(key) ?? NO_BALLOT) <= 0;
  }

  #noteAccepted(replica: NodeId, key: StoreKey, ballot: Ballot, epoch: number): void {
    const proposal = this.#proposalOf(key, ballot);
    const acceptors = proposal.acceptedBy.get(epoch) ?? new Set();
    proposal.acceptedBy.set(epoch, acceptors.add(replica));
    if (acceptors.size >= this.#majority) proposal.isChosen = true;
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
    } else if (
      proposal.record !== record &&
      !encodeRecord(record).every((byte, i) => encodeRecord(proposal.record!)[i] === byte)
    ) {
      this.#violations.push(
        `${showBallot(record.ballot)} names both ${showRecord(proposal.record)} and ${showRecord(record)} (I1)`,
      );
    }
  }

  #proposalOf(key: StoreKey, ballot: Ballot): Proposal {
    let proposals = this.#keys.get(key);
    if (proposals === undefined) {
      proposals = new Map();
      this.#keys.set(key, proposals);
    }
    const name = `${ballot.hlc}/${ballot.coordinator}/${ballot.boot}`;
    let proposal = proposals.get(name);
    if (proposal === undefined) {
      proposal = { ballot, promised: [], acceptedBy: new Map(), isChosen: false };
      proposals.set(name, proposal);
    }
    return proposal;
  }
}
