import type { NodeId } from '../dynamo/ring.ts';
import type { RingView } from '../dynamo/ring-view.ts';
import type { Clock, Timer } from '../env/clock.ts';
import type { Port } from '../env/peer-channel.ts';
import type { Random } from '../env/random.ts';
import type { PeerAnswer, PeerRequest } from './peer-messages.ts';

/** As often as nodes gossip. */
const WATCH_MS = 1_000;

interface ConfigWatchParts {
  readonly view: RingView;
  readonly port: Pick<Port<PeerRequest, PeerAnswer>, 'ask'>;
  /** The nodes that can be asked now. */
  readonly present: () => readonly NodeId[];
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Keeps the view of a peer without a node up to date: it asks one of those that are there, drawn at random. A stale view
 * does no harm, since nodes refuse what is asked of them in an epoch that is over, and answer for what has moved.
 */
export class ConfigWatch {
  readonly #parts: ConfigWatchParts;
  #timer: Timer | undefined;

  constructor(parts: ConfigWatchParts) {
    this.#parts = parts;
  }

  start(): void {
    const { clock } = this.#parts;
    this.#look();
    this.#timer = clock.after(WATCH_MS, () => this.start());
  }

  stop(): void {
    this.#parts.clock.cancel(this.#timer);
  }

  #look(): void {
    const { view, port, present, random } = this.#parts;
    const nodes = present();
    const node = nodes[Math.floor(random.next() * nodes.length)];
    if (node === undefined) return;
    port.ask(node, { kind: 'configs', epochs: view.configs.map(({ epoch }) => epoch) }, (outcome) => {
      if (outcome.kind !== 'answered' || outcome.answer.kind !== 'configs') return;
      for (const config of outcome.answer.configs) {
        if (config.partition < view.partitions) view.learnConfig(config);
      }
    });
  }
}

/** The configs that are newer than these epochs, by partition. */
export function newerConfigs(view: RingView, epochs: readonly number[]) {
  return view.configs.filter(({ partition, epoch }) => epoch > (epochs[partition] ?? -1));
}
