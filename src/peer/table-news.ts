import type { NodeId } from '../dynamo/ring.ts';
import type { Clock } from '../env/clock.ts';
import type { Port } from '../env/peer-channel.ts';
import { askPeers, isNoted } from './ask-peers.ts';
import type { PeerAnswer, PeerRequest } from './peer-messages.ts';

/** A name within a namespace. */
interface Place {
  readonly namespace: string;
  readonly name: string;
}

interface TableNewsParts {
  readonly self: NodeId;
  /** A random text of this process. */
  readonly instance: string;
  readonly port: Pick<Port<PeerRequest, PeerAnswer>, 'ask'>;
  /** The peers that may be there, fronts too. */
  readonly present: () => readonly NodeId[];
  /** The nodes that hold the ring, or shall. */
  readonly members: () => readonly NodeId[];
  readonly clock: Clock;
}

/** How long a change waits for other routers, in ms: they find out by themselves too (docs/protocol.md section 9.6). */
const PATIENCE_MS = 200;
/** How long a process that has heard of it waits for those that it tells. */
const RELAY_MS = 150;
/** Changes that are remembered, so that each is told on once. */
const MOST_HEARD = 1_000;

/**
 * Tells the routers of other processes which definitions of tables have changed, and hears that of them. Whoever hears of a
 * change first tells it on: fronts know nodes alone.
 */
export class TableNews {
  readonly #parts: TableNewsParts;
  readonly #heard = new Set<string>();
  #changes = 0;
  #hear: (place: Place) => void = () => {};

  constructor(parts: TableNewsParts) {
    this.#parts = parts;
  }

  /** @param hear called for each change that another router tells of */
  listen(hear: (place: Place) => void): void {
    this.#hear = hear;
  }

  /** Another router has changed a definition. @returns whether all that this process tells it have noted it */
  async heard(
    from: NodeId,
    { namespace, name, change }: Place & { readonly change: string | undefined },
  ): Promise<boolean> {
    this.#hear({ namespace, name });
    if (change === undefined || !this.#isNew(change)) return true;
    const others = this.#parts.present().filter((peer) => peer !== from);
    return this.#tell(others, { kind: 'table-changed', namespace, name, change }, RELAY_MS);
  }

  /** @returns whether all nodes, and all other peers that are there, have noted it */
  async tellChanged({ namespace, name }: Place): Promise<boolean> {
    const { self, instance, present, members } = this.#parts;
    const change = `${instance} ${++this.#changes}`;
    this.#isNew(change);
    const peers = present();
    const haveAll = await this.#tell(peers, { kind: 'table-changed', namespace, name, change }, PATIENCE_MS);
    // One that this process does not reach may serve clients all the same.
    return haveAll && members().every((node) => node === self || peers.includes(node));
  }

  /** Remembers a change. @returns whether it was not heard of before */
  #isNew(change: string): boolean {
    if (this.#heard.has(change)) return false;
    if (this.#heard.size >= MOST_HEARD) this.#heard.delete(this.#heard.values().next().value!);
    this.#heard.add(change);
    return true;
  }

  async #tell(peers: readonly NodeId[], request: PeerRequest, withinMs: number): Promise<boolean> {
    const { silent, gone } = await askPeers(this.#parts, peers, { request, withinMs }, isNoted);
    return silent.length === 0 && gone.length === 0;
  }

  elapsedMs(): number {
    return this.#parts.clock.elapsedMs();
  }

  nowMs(): number {
    return this.#parts.clock.now();
  }
}
