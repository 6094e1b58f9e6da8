import { strict as assert } from 'node:assert';
import { assertInvariant } from './invariants.ts';
import type { PartitionConfig } from './messages.ts';
import type { NodeId, PreferenceList } from './ring.ts';

/**
 * The ring as one participant knows it: of each partition the newest config that it has heard of. The view may be
 * stale: a replica that is asked in an old epoch answers with its own config, and gossip brings the rest.
 */
export class RingView {
  readonly #configs: PartitionConfig[];
  /** Preference lists made so far; emptied when a config changes. */
  #preferences: (PreferenceList | undefined)[] = [];

  /** @param configs one for each partition, in any order */
  constructor(configs: readonly PartitionConfig[]) {
    this.#configs = [...configs].sort((a, b) => a.partition - b.partition);
    assert(this.#configs.length > 0 && this.#configs.every(({ partition }, i) => partition === i));
  }

  /** Q */
  get partitions(): number {
    return this.#configs.length;
  }

  /** The newest config of each partition, in the order of partitions. */
  get configs(): readonly PartitionConfig[] {
    return this.#configs;
  }

  /** The newest config of the partition that was heard of. */
  newestConfig(partition: number): PartitionConfig {
    return this.#configs[partition]!;
  }

  /** Takes a decided config. @returns whether it is newer than the one known */
  learnConfig(config: PartitionConfig): boolean {
    const known = this.#configs[config.partition];
    // Only a peer that is broken tells of a partition that this ring does not have.
    if (known === undefined) return false;
    if (known.epoch > config.epoch) return false;
    if (known.epoch === config.epoch) {
      assertInvariant(
        known.attempt === config.attempt,
        'docs/protocol.md I8',
        'two configs were decided for one epoch',
      );
      return false;
    }
    this.#configs[config.partition] = config;
    this.#preferences = [];
    return true;
  }

  /**
   * The nodes to ask for a partition: first its home replicas, then, as substitutes, the other nodes in their clockwise
   * order on the ring (the Dynamo paper, sections 4.3 and 4.6).
   */
  preferenceList(partition: number): PreferenceList {
    const known = this.#preferences[partition];
    if (known !== undefined) return known;
    const nodes = new Set<NodeId>();
    for (let step = 0; step < this.partitions; step++) {
      for (const { node } of this.#configs[(partition + step) % this.partitions]!.members) nodes.add(node);
    }
    const list = [...nodes];
    this.#preferences[partition] = list;
    return list;
  }
}
