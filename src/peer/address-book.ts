import type { NodeId } from '../dynamo/ring.ts';
import type { Address } from '../env/peer-channel.ts';

/** What is known of a node's last start, and where it listens. It tells the others itself; they pass it on. */
export interface AddressEntry {
  readonly node: NodeId;
  /** The number of the start on that disk, and the process: two processes with one number have copies of one disk. */
  readonly boot: number;
  readonly instance: string;
  /** Counts the changes of its addresses since that start. 0: it has not told them yet. */
  readonly seq: number;
  readonly addresses: readonly Address[];
}

/** The most nodes that a book has: fronts, which come and go, give way to newer ones. */
const MOST_ENTRIES = 1_000;
/** The most addresses of one node. */
export const MOST_ADDRESSES = 8;

/** Where the nodes of a cluster listen. No config has addresses: they may all change while nothing else does. */
export class AddressBook {
  /** The entry that was learned last is the last one. */
  readonly #entries = new Map<NodeId, AddressEntry>();
  readonly #isKept: (node: NodeId) => boolean;
  readonly #onChange: () => void;

  /**
   * @param known what an earlier process on this disk has known
   * @param isKept whether a node's entry must not give way to others: it is a member of some partition
   * @param onChange called after each change: the owner writes the book down
   */
  constructor(known: readonly AddressEntry[], isKept: (node: NodeId) => boolean, onChange: () => void) {
    for (const entry of known) this.#entries.set(entry.node, entry);
    this.#isKept = isKept;
    this.#onChange = onChange;
  }

  /** @returns undefined if nothing is known of the node */
  entryOf(node: NodeId): AddressEntry | undefined {
    return this.#entries.get(node);
  }

  addressesOf(node: NodeId): readonly Address[] {
    return this.#entries.get(node)?.addresses ?? [];
  }

  get entries(): readonly AddressEntry[] {
    return [...this.#entries.values()];
  }

  /** Takes what a node has said, perhaps by way of others, if it is newer. @returns whether it is */
  learn(entry: AddressEntry): boolean {
    const known = this.#entries.get(entry.node);
    if (known !== undefined && !isNewer(entry, known)) return false;
    this.#entries.delete(entry.node);
    this.#entries.set(entry.node, entry);
    this.#makeRoom();
    this.#onChange();
    return true;
  }

  /** A node was let in with this start. Where it listened before is kept until it says where it does now. */
  noteStart(node: NodeId, boot: number, instance: string): void {
    this.learn({ node, boot, instance, seq: 0, addresses: this.addressesOf(node) });
  }

  #makeRoom(): void {
    if (this.#entries.size <= MOST_ENTRIES) return;
    const oldest = [...this.#entries.keys()].find((node) => !this.#isKept(node));
    if (oldest !== undefined) this.#entries.delete(oldest);
  }
}

function isNewer(one: AddressEntry, other: AddressEntry): boolean {
  if (one.boot !== other.boot) return one.boot > other.boot;
  // Of two copies of a disk, the one that was heard of first counts; the other is refused wherever it comes.
  return one.instance === other.instance && one.seq > other.seq;
}
