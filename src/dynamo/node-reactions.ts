import type { StoreKey } from '../env/store.ts';
import type { PartitionConfig } from './messages.ts';
import type { NodeEvents } from './node-events.ts';
import { learnPastGate, type NodeParts } from './node-parts.ts';
import type { ItemRecord } from './record.ts';
import type { Rules } from './rules.ts';

/** What follows from each event in a node: the only place where one part acts on what happened to another. */
export class NodeReactions implements NodeEvents {
  readonly #rules: Rules;
  #parts!: NodeParts;

  constructor(rules: Rules) {
    this.#rules = rules;
  }

  /** To be called once, when all parts are made and before any of them is used. */
  bind(parts: NodeParts): void {
    this.#parts = parts;
  }

  committedChanged(key: StoreKey): void {
    const { forest, gate } = this.#parts;
    forest.touch(key);
    if (this.#rules.heldYields) gate.noteCommitted(key);
  }

  writesLost(): void {
    const { forest, hints, epochStaging } = this.#parts;
    forest.clear(undefined);
    hints.reload();
    epochStaging.noteLoss();
  }

  damagedRowMet(key: StoreKey): void {
    this.#parts.acceptor.noteDamaged(key);
  }

  keyDamaged(key: StoreKey): void {
    this.#parts.restore.note(key);
  }

  /** Other records of the partition may be missing here under rotten keys, although they are still in the trees. */
  nothingToRestore(partition: number): void {
    const { votes, forest, antiEntropy } = this.#parts;
    if (votes.votingConfig(partition) === undefined) return;
    forest.clear(partition);
    antiEntropy.catchUp(partition);
  }

  heldReleased(key: StoreKey, record: ItemRecord): void {
    learnPastGate(this.#parts, key, record);
  }

  configReceived(config: PartitionConfig): void {
    this.#parts.epochFollower.learnConfig(config);
  }

  epochBeginning(partition: number): void {
    const { epochStaging, gate } = this.#parts;
    epochStaging.giveUp(partition);
    gate.forgetPartition(partition);
  }

  /** A member that began with fewer records than the others catches up at once. */
  epochBegun(partition: number): void {
    const { antiEntropy, epochFollower } = this.#parts;
    antiEntropy.catchUp(partition);
    // A still newer epoch may have been decided meanwhile.
    epochFollower.followNewest(partition);
  }

  partitionLeft(partition: number): void {
    const { gate, orphans } = this.#parts;
    gate.forgetPartition(partition);
    orphans.giveUp(partition);
  }
}
