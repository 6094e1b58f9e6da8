import type { AskedNode } from './coordinating-node.ts';
import type { NodeId } from './ring.ts';
import type { RingView } from './ring-view.ts';

/**
 * The nodes that a client of the ring may ask. They may come and go at any time; one that is missing counts as down. A map
 * is one.
 */
export interface NodesAtHand {
  has(id: NodeId): boolean;
  get(id: NodeId): AskedNode | undefined;
  keys(): Iterable<NodeId>;
}

interface NodesOfViewParts {
  readonly view: RingView;
  /** The node of this process, which is asked by a call; undefined if it has none. */
  readonly own: { readonly id: NodeId; readonly node: AskedNode } | undefined;
  /** Reaches a node that is elsewhere. Called at the first request to it. */
  readonly reach: (id: NodeId) => AskedNode;
}

/** The nodes that the configs of a view name: which these are changes with the view, and with nothing else. */
export class NodesOfView implements NodesAtHand {
  readonly #parts: NodesOfViewParts;
  readonly #reached = new Map<NodeId, AskedNode>();

  constructor(parts: NodesOfViewParts) {
    this.#parts = parts;
  }

  has(id: NodeId): boolean {
    return this.#named.includes(id);
  }

  get(id: NodeId): AskedNode | undefined {
    const { own, reach } = this.#parts;
    if (id === own?.id) return this.has(id) ? own.node : undefined;
    if (!this.has(id)) {
      this.#reached.delete(id);
      return undefined;
    }
    const known = this.#reached.get(id);
    if (known !== undefined) return known;
    const node = reach(id);
    this.#reached.set(id, node);
    return node;
  }

  keys(): Iterable<NodeId> {
    return this.#named;
  }

  /** Every partition's list ends with all nodes that any config names. */
  get #named(): readonly NodeId[] {
    return this.#parts.view.preferenceList(0);
  }
}
