import type { ConfigRegister } from '../dynamo/epochs/config-register.ts';
import type { EpochChangeOutcome } from '../dynamo/epochs/epoch-change.ts';
import type { Move } from '../dynamo/epochs/rebalancer.ts';
import type { PartitionConfig } from '../dynamo/messages.ts';
import type { NodeId } from '../dynamo/ring.ts';
import type { RingView } from '../dynamo/ring-view.ts';
import { unlessDamaged } from '../env/store-damage.ts';
import type { Peer } from '../peer/peer.ts';
import type { LocalNodes } from './local-nodes.ts';

/** Chooses the node that leads each move of the rebalancer, and gives a move up when that node goes away. */
export class MoveLeader {
  readonly #nodes: LocalNodes;
  readonly #view: RingView;
  readonly #register: ConfigRegister;
  /** The move under way: which node leads it, and how it ends. */
  #led: { readonly by: NodeId; readonly finish: (outcome: EpochChangeOutcome) => void } | undefined;

  constructor(nodes: LocalNodes, view: RingView, register: ConfigRegister) {
    this.#nodes = nodes;
    this.#view = view;
    this.#register = register;
  }

  /** Makes a move, one at a time. `done` may be called within the call. */
  lead(move: Move, done: (outcome: EpochChangeOutcome) => void): void {
    const leader = this.#leaderOf(move);
    if (leader === undefined) return done({ kind: 'failed', reason: 'no node is up' });
    const led = {
      by: leader.id,
      finish: (outcome: EpochChangeOutcome) => {
        if (this.#led !== led) return;
        this.#led = undefined;
        if (outcome.kind !== 'failed') this.#view.learnConfig(outcome.config);
        done(outcome);
      },
    };
    this.#led = led;
    leader.node.changeEpoch(this.#register, move.partition, move.members, led.finish);
  }

  /**
   * A node is gone: a move that it led fails at once. It may have sealed the partition, so nobody waits until it gives
   * up itself.
   */
  giveUp(by: NodeId): void {
    if (this.#led?.by === by) this.#led.finish({ kind: 'failed', reason: `${by}, which led it, is gone` });
  }

  /** Partitions that are sealed at a node in their newest epoch: an earlier move may have left them so. */
  sealedPartitions(): readonly number[] {
    const { peers } = this.#nodes;
    const sealed = peers.flatMap(({ node }) => node.status().sealed);
    // A node that has not learned the next epoch yet stays sealed in the old one.
    return [...new Set(sealed)].filter((partition) => {
      const { epoch } = this.#view.newestConfig(partition);
      return peers.some(({ node }) => node.isSealed(partition) && node.votingConfig(partition)?.epoch === epoch);
    });
  }

  /** Tells every node the configs, in case it has missed one. */
  publish(configs: readonly PartitionConfig[]): void {
    for (const { node } of this.#nodes.peers)
      for (const config of configs) unlessDamaged(() => node.learnConfig(config));
  }

  /** A present or future member if one is up, else any node. */
  #leaderOf({ partition, members }: Move): Peer | undefined {
    const candidates = this.#nodes.activePeers;
    for (const { node } of [...this.#view.newestConfig(partition).members, ...members]) {
      const peer = candidates.find(({ id }) => id === node);
      if (peer !== undefined) return peer;
    }
    return candidates[0];
  }
}
