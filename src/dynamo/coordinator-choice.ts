import type { Clock } from '../env/clock.ts';
import { FailureDetector } from './failure-detector.ts';
import type { NodeLimits } from './node-settings.ts';
import type { NodesAtHand } from './nodes-at-hand.ts';
import { CoordinatorStanding } from './registers/coordinator-standing.ts';
import type { NodeId } from './ring.ts';
import type { RingView } from './ring-view.ts';

export interface ChoiceParts {
  readonly view: RingView;
  readonly nodes: NodesAtHand;
  /** Whether there is a connection to a node. Undefined: all nodes are in this process. */
  readonly isReachable?: ((node: NodeId) => boolean) | undefined;
  /** For how long nothing was heard of the process of a node, in ms. Undefined: all nodes are in this process. */
  readonly silentMs?: ((node: NodeId) => number) | undefined;
  /** The node of this process, if eventually consistent reads are to ask it for what it has a replica of. */
  readonly nearest?: NodeId | undefined;
  readonly clock: Clock;
  readonly limits: NodeLimits;
  /** W of the nodes. */
  readonly writeQuorum: number;
}

/**
 * Chooses the node that a client of the ring asks to coordinate, by what it has seen of answers and missing answers.
 * Affects latency only: any node may coordinate any request.
 */
export class CoordinatorChoice {
  readonly #parts: ChoiceParts;
  /** The client's own failure detector. It probes nobody. */
  readonly #detector: FailureDetector;
  readonly #standing: CoordinatorStanding;
  /** Nodes that owe nothing any more, and of whose process nothing was heard when that became so. */
  readonly #withdrawn = new Set<NodeId>();

  constructor(parts: ChoiceParts) {
    const { clock, limits } = parts;
    this.#parts = parts;
    this.#detector = new FailureDetector({ self: '', clock, limits, probe: () => {} });
    this.#standing = new CoordinatorStanding(clock, limits.suspectAfterMs);
  }

  /**
   * @param tried nodes that are not to be asked again
   * @returns the first node of the partition's preference list that seems well; if none does, the first one at all;
   *   undefined if there is none
   */
  preferred(partition: number, tried: ReadonlySet<NodeId> | undefined): NodeId | undefined {
    let fallback: NodeId | undefined;
    for (const id of this.#parts.view.preferenceList(partition)) {
      if (!this.#parts.nodes.has(id) || tried?.has(id) === true) continue;
      if (this.isUp(id) && this.#standing.admits(id)) return id;
      fallback ??= id;
    }
    return fallback;
  }

  /**
   * The first home replica behind W that seem well: writes wait for the copies of those W (`LagGate`). If there is
   * none, as when some are down, the first behind W that seems well: it lags behind in what was written before.
   * @returns undefined if there is none either
   */
  laggard(partition: number, tried: ReadonlySet<NodeId> | undefined): NodeId | undefined {
    const { view, nodes, writeQuorum } = this.#parts;
    const homes = view.newestConfig(partition).members.map(({ node }) => node);
    const isWell = (id: NodeId) => nodes.has(id) && tried?.has(id) !== true && this.isUp(id);
    return homes.filter(isWell)[writeQuorum] ?? homes.slice(writeQuorum).find(isWell);
  }

  /** The node of this process, if it is to be asked and is a home replica; undefined if not. */
  nearest(partition: number, tried: ReadonlySet<NodeId> | undefined): NodeId | undefined {
    const { view, nodes, nearest: own } = this.#parts;
    if (own === undefined || tried?.has(own) === true || !nodes.has(own)) return undefined;
    return view.newestConfig(partition).members.some(({ node }) => node === own) ? own : undefined;
  }

  isUp(node: NodeId): boolean {
    if (this.#withdrawn.size > 0 && this.#withdrawn.has(node) && !this.#seemsSilent(node)) this.noteHeard(node);
    if (!this.#detector.isUp(node) || this.#parts.isReachable?.(node) === false) return false;
    const { silentMs, limits } = this.#parts;
    if (silentMs === undefined || !this.#detector.isSilent(node, limits.quietAfterMs)) return true;
    return silentMs(node) < limits.quietAfterMs;
  }

  /** A request was sent to a node, which has not answered within the call. */
  noteSent(node: NodeId): void {
    this.#detector.noteSent(node);
  }

  noteHeard(node: NodeId): void {
    this.#withdrawn.delete(node);
    this.#detector.noteHeard(node);
  }

  /**
   * A request was taken back, so that the node owes no answer to it. If nothing is heard of its process, the node stays as
   * suspect as it is until something is: clients that have no patience would else be sent there again and again.
   */
  noteWithdrawn(node: NodeId): void {
    if (this.#seemsSilent(node)) this.#withdrawn.add(node);
    else this.noteHeard(node);
  }

  #seemsSilent(node: NodeId): boolean {
    const { silentMs, limits } = this.#parts;
    return silentMs !== undefined && silentMs(node) >= limits.quietAfterMs / 2;
  }

  /** A node could not reach enough of the others, and has given a request back. */
  noteGaveBack(node: NodeId): void {
    this.#standing.noteGaveBack(node);
  }

  /** A node has reached a quorum. */
  noteServed(node: NodeId): void {
    this.#standing.noteServed(node);
  }

  /** A node can be asked again. Without this, a node once suspected is never asked again: nothing probes it. */
  noteAttached(node: NodeId): void {
    this.noteHeard(node);
    this.#standing.noteServed(node);
  }
}
