import type { Clock, Timer } from '../env/clock.ts';
import type { Random } from '../env/random.ts';
import type { Transport } from '../env/transport.ts';
import type { GossipRequest, PartitionConfig, Reply, Request } from './messages.ts';
import type { NodeLimits } from './node-settings.ts';
import type { NodeId } from './ring.ts';
import type { RingView } from './ring-view.ts';

/**
 * Spreads decided configs (the Dynamo paper, section 4.8.1): at intervals a node asks another one, drawn at random, and
 * the two exchange the newer configs. The config with the higher epoch is the newer one; both were decided, so there is
 * nothing to agree on.
 */
export class Gossip {
  readonly #parts: GossipParts;
  #timer: Timer | undefined;

  constructor(parts: GossipParts) {
    this.#parts = parts;
  }

  start(): void {
    const { clock, limits } = this.#parts;
    this.#timer = clock.after(limits.gossipIntervalMs, () => {
      this.#round();
      this.start();
    });
  }

  stop(): void {
    this.#parts.clock.cancel(this.#timer);
    this.#timer = undefined;
  }

  /** Answers a node that has sent its epochs. */
  receive({ epochs }: GossipRequest, answer: (reply: Reply) => void): void {
    const { self, view } = this.#parts;
    const newer: PartitionConfig[] = [];
    const wanted: number[] = [];
    for (const [partition, epoch] of epochs.entries()) {
      if (partition >= view.partitions) break;
      const own = view.newestConfig(partition);
      if (own.epoch > epoch) newer.push(own);
      if (own.epoch < epoch) wanted.push(partition);
    }
    answer({ kind: 'gossip', from: self, newer, wanted });
  }

  #round(): void {
    const { self, view, random, transport, onConfig } = this.#parts;
    const others = view.preferenceList(0).filter((node) => node !== self);
    if (others.length === 0) return;
    const peer = others[Math.floor(random.next() * others.length)]!;
    const epochs = view.configs.map(({ epoch }) => epoch);
    transport.send(peer, { kind: 'gossip', epochs }, (reply) => {
      if (reply.kind !== 'gossip') return;
      for (const config of reply.newer) onConfig(config);
      for (const partition of reply.wanted) {
        if (partition >= view.partitions) continue;
        transport.send(peer, { kind: 'activate', config: view.newestConfig(partition) }, () => {});
      }
    });
  }
}

interface GossipParts {
  readonly self: NodeId;
  readonly view: RingView;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: NodeLimits;
  readonly transport: Transport<Request, Reply>;
  /** Gets each config that was received; it may be known already. */
  readonly onConfig: (config: PartitionConfig) => void;
}
