import type { NodeId } from '../dynamo/ring.ts';
import type { LinkFault } from '../env/transport.ts';
import type { Peer } from './peer.ts';
import type { PeerLags } from './peer-lags.ts';

/** The links of the node of a process, and what is wrong with them on purpose. */
interface Links {
  setLink(to: NodeId, fault: LinkFault): void;
  healLink(to: NodeId): void;
  pause(): void;
  resume(): void;
}

/** What other processes may do to the node of this one, so that a test sees how all go on. */
export class NodeFaults {
  /** How it keeps rules of lag; in a front, what the rules are. */
  readonly lags: PeerLags;
  readonly #peer: Peer | undefined;
  readonly #links: Links;

  /** @param peer undefined in a front */
  constructor(peer: Peer | undefined, links: Links, lags: PeerLags) {
    this.#peer = peer;
    this.#links = links;
    this.lags = lags;
  }

  /** @param fault undefined: nothing is wrong with the link any more. @returns whether a node runs here */
  setLink(to: NodeId, fault: LinkFault | undefined): boolean {
    if (fault === undefined) this.#links.healLink(to);
    else this.#links.setLink(to, fault);
    return this.#peer !== undefined;
  }

  /** As if its process were stopped by a signal, or went on; its router goes on in either case. @returns as `setLink` */
  setPaused(isPaused: boolean): boolean {
    const peer = this.#peer;
    if (peer === undefined) return false;
    if (isPaused === peer.isPaused) return true;
    if (isPaused) {
      peer.pause();
      this.#links.pause();
    } else {
      const release = peer.resume();
      this.#links.resume();
      release();
    }
    return true;
  }
}
