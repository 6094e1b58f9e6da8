import type { StoreKey } from '../../env/store.ts';
import { compareBallots } from '../ballot.ts';
import { isCopy, type PartitionConfig, type Reply } from '../messages.ts';
import type { ItemRecord } from '../record.ts';
import type { NodeId } from '../ring.ts';
import type { Rules } from '../rules.ts';
import type { Settled } from './settled.ts';

/**
 * One entry on its way to its home replicas. It is confirmed when a majority of the members of one epoch has it on disk,
 * none of them sealed by then: whatever the next epoch begins with contains it (docs/protocol.md section 14.3).
 */
export class Confirmation {
  readonly key: StoreKey;
  readonly record: ItemRecord;
  /** Members that have the record, in whatever epoch. */
  readonly holders = new Set<NodeId>();
  /** Members from which a rule of lag holds it back. */
  readonly lagging = new Set<NodeId>();
  readonly #rules: Rules;
  /** By epoch, the members that have it on disk and were not sealed. */
  readonly #keepers = new Map<number, Set<NodeId>>();

  constructor(key: StoreKey, record: ItemRecord, rules: Rules) {
    this.key = key;
    this.record = record;
    this.#rules = rules;
  }

  note(reply: Reply): void {
    if (reply.kind !== 'learned') return;
    if (reply.isHeld === true) this.lagging.add(reply.from);
    if (isCopy(reply)) this.holders.add(reply.from);
    const { vote } = reply;
    if (vote === undefined || (vote.isSealed && this.#rules.confirmsUnsealedOnly)) return;
    const epoch = this.#rules.confirmsOfOneEpoch ? vote.epoch : 0;
    const keepers = this.#keepers.get(epoch) ?? new Set();
    this.#keepers.set(epoch, keepers.add(reply.from));
  }

  /** @param config the newest known of the entry's partition */
  isConfirmed({ epoch }: PartitionConfig, majority: number): boolean {
    const keepers = this.#keepers.get(this.#rules.confirmsOfOneEpoch ? epoch : 0)?.size ?? 0;
    return keepers >= (this.#rules.confirmsByMajority ? majority : 1);
  }

  /** Whether every member that seems up has answered: an eventually consistent read of any of them finds the entry. */
  isShown({ members }: PartitionConfig, isUp: (node: NodeId) => boolean): boolean {
    return members.every(({ node }) => this.holders.has(node) || this.lagging.has(node) || !isUp(node));
  }
}

/** Whether entries of a record are due beyond what is settled. */
export function isDue({ due }: ItemRecord, settled: Settled): boolean {
  return due !== undefined && compareBallots(due, settled.due) > 0;
}
