import type { ByteString } from '../../api/primary-key.ts';
import type { Clock } from '../../env/clock.ts';
import { DAMAGED, keyAfter, type Store, type StoreKey } from '../../env/store.ts';
import { NO_BALLOT, TICKS_PER_MS } from '../ballot.ts';
import { leafOf, leafRange, partitionOf, partitionPrefix, partitionRange, tableOf, tableRange } from '../keyspace.ts';
import type { KeyDigest, MerkleRequest, Reply } from '../messages.ts';
import type { NodeLimits } from '../node-settings.ts';
import { ballotIn, decodeRecord, type ItemRecord, isTombstone } from '../record.ts';
import { MerkleTree, merkleHash } from './merkle-tree.ts';

/** Records read in one go while leaves are built: each may be an item of 400 KB. */
const SLICE = 64;
/** With more dirty leaves than this share of all, one walk over the partition is cheaper than a range for each. */
const WALK_ABOVE = 1 / 16;
const SLICE_PAUSE_MS = 1;

type Answer = (reply: Reply) => void;
type Entry = { readonly key: StoreKey; readonly value: Uint8Array };

/**
 * The Merkle trees of one node, one for each partition that was ever compared. A leaf is a range of the hash ring, which
 * for each table is one range of the store; its hash is over key, ballot and content of its committed records. A write
 * marks its leaf dirty and nothing else; dirty leaves are built again before a tree is compared.
 */
export class MerkleForest {
  readonly #parts: MerkleForestParts;
  readonly #trees: (MerkleTree | undefined)[];
  /** Who waits for the trees that are being built. */
  readonly #refreshing = new Map<number, (() => void)[]>();
  #isStopped = false;

  constructor(parts: MerkleForestParts) {
    this.#parts = parts;
    this.#trees = Array.from({ length: parts.partitions });
  }

  /** The store is about to be closed: nothing is built any more, and nobody waits for it. */
  stop(): void {
    this.#isStopped = true;
    const waiting = [...this.#refreshing.values()].flat();
    this.#refreshing.clear();
    for (const each of waiting) each();
  }

  get depth(): number {
    return this.#parts.limits.merkleDepth;
  }

  /** The committed record of a key has changed. On the path of every write. */
  touch(key: StoreKey): void {
    const tree = this.#trees[partitionOf(key)];
    if (tree !== undefined) tree.touch(leafOf(key, this.#parts.partitions, tree.leafCount));
  }

  /** Records have changed of which nobody told: those of one partition, or any. */
  clear(partition: number | undefined): void {
    if (partition !== undefined) this.#trees[partition]?.touchAll();
    else for (const tree of this.#trees) tree?.touchAll();
  }

  /** Builds what is dirty, in small steps; calls `done` when no leaf is older than this call, or after `stop`. */
  refresh(partition: number, done: () => void): void {
    if (this.#isStopped) return done();
    const waiting = this.#refreshing.get(partition);
    if (waiting !== undefined) {
      // The build under way may have passed what changed before this call.
      waiting.push(() => this.refresh(partition, done));
      return;
    }
    this.#trees[partition] ??= new MerkleTree(this.depth);
    const tree = this.#trees[partition];
    if (tree.dirtyCount === 0) return done();
    this.#refreshing.set(partition, [done]);
    const finish = () => {
      const all = this.#refreshing.get(partition)!;
      this.#refreshing.delete(partition);
      for (const each of all) each();
    };
    const dirty = tree.dirtyLeaves();
    for (const leaf of dirty) tree.clean(leaf);
    if (dirty.length > tree.leafCount * WALK_ABOVE) this.#walk(partition, tree, new Set(dirty), finish);
    else this.#buildEach(partition, tree, dirty, this.tablesIn(partition), finish);
  }

  /** The hashes of nodes of one level, one after the other. */
  hashes(partition: number, level: number, indexes: readonly number[]): Uint8Array {
    const tree = this.#treeOf(partition);
    return Buffer.concat(indexes.map((index) => tree.hashOf(level, index)));
  }

  /** The committed records of a leaf as they are now, in key order: at most `limit`, after `after`. */
  keys(
    partition: number,
    leaf: number,
    after: StoreKey | undefined,
    limit: number,
  ): { readonly entries: readonly KeyDigest[]; readonly more: boolean } {
    const entries: KeyDigest[] = [];
    // Asked for where trees differ. If records do not, a tombstone has grown too old to count since the leaf was built.
    this.#treeOf(partition).touch(leaf);
    for (const table of this.tablesIn(partition)) {
      if (after !== undefined && table < tableOf(after)) continue;
      const { from, to } = this.#rangeOf(partition, table, leaf);
      const start = after !== undefined && table === tableOf(after) ? { after } : { from };
      const page = this.#parts.store.range('items', { ...start, to, limit: limit - entries.length + 1 });
      for (const { key, value } of page) {
        if (entries.length === limit) return { entries, more: true };
        if (value === DAMAGED) {
          this.#parts.onDamaged(key);
          // Older than whatever anybody has of it.
          entries.push({ key, ballot: NO_BALLOT, digest: '' });
        } else entries.push({ key, ballot: ballotIn(value), digest: digestOf(value) });
      }
    }
    return { entries, more: false };
  }

  /** The committed record of a key, if it can be read. */
  recordOf(key: StoreKey): ItemRecord | undefined {
    const stored = this.#stored(key);
    return stored === undefined || stored === DAMAGED ? undefined : decodeRecord(stored);
  }

  #stored(key: StoreKey): Uint8Array | undefined {
    const stored = this.#parts.store.get('items', key);
    if (stored === DAMAGED) this.#parts.onDamaged(key);
    return stored;
  }

  /** The tables that have records in a partition, in order: each is found by looking behind the one before. */
  tablesIn(partition: number): ByteString[] {
    const tables: ByteString[] = [];
    const { to } = partitionRange(partition);
    for (let from = partitionPrefix(partition); from < to; ) {
      const [first] = this.#parts.store.range('items', { from, to, limit: 1 });
      if (first === undefined) break;
      tables.push(tableOf(first.key));
      from = tableRange(partition, tables.at(-1)!).to;
    }
    return tables;
  }

  receive(request: MerkleRequest, from: string, answer: Answer): void {
    const { limits, partitions } = this.#parts;
    switch (request.kind) {
      case 'merkle-hashes': {
        const { partition, level, indexes } = request;
        if (partition >= partitions || level > this.depth) return;
        const tell = () => answer({ kind: 'merkle-hashes', from, hashes: this.hashes(partition, level, indexes) });
        // A comparison begins at the root; below it, it goes on with the same tree.
        return level === 0 ? this.refresh(partition, tell) : tell();
      }
      case 'merkle-keys': {
        const { partition, leaf, after, limit } = request;
        return answer({
          kind: 'merkle-keys',
          from,
          ...this.keys(partition, leaf, after, Math.min(limit, limits.repairBatch)),
        });
      }
      case 'fetch': {
        if (request.keys.some((key) => this.#stored(key) === DAMAGED)) return answer({ kind: 'damaged', from });
        return answer({ kind: 'records', from, records: request.keys.map((key) => this.recordOf(key)) });
      }
    }
  }

  #treeOf(partition: number): MerkleTree {
    this.#trees[partition] ??= new MerkleTree(this.depth);
    return this.#trees[partition];
  }

  /** Builds leaves one after the other, each table's records of it in a range of their own. */
  #buildEach(
    partition: number,
    tree: MerkleTree,
    leaves: readonly number[],
    tables: readonly ByteString[],
    done: () => void,
  ): void {
    let at = 0;
    const step = () => {
      if (this.#isStopped) return;
      for (let read = 0; read < SLICE; at++) {
        if (at === leaves.length) return done();
        const digests: Uint8Array[] = [];
        for (const table of tables) {
          const { from, to } = this.#rangeOf(partition, table, leaves[at]!);
          read += this.#digestRange(from, to, digests) + 1;
        }
        tree.setLeaf(leaves[at]!, leafHash(digests));
      }
      this.#parts.clock.after(SLICE_PAUSE_MS, step);
    };
    step();
  }

  /** Builds leaves in one walk over the partition. */
  #walk(partition: number, tree: MerkleTree, leaves: ReadonlySet<number>, done: () => void): void {
    const digests = new Map<number, Uint8Array[]>();
    const { from, to } = partitionRange(partition);
    let next = from;
    const step = () => {
      if (this.#isStopped) return;
      const slice = this.#parts.store.range('items', { from: next, to, limit: SLICE });
      for (const entry of slice) {
        const leaf = leafOf(entry.key, this.#parts.partitions, tree.leafCount);
        if (!leaves.has(leaf) || !this.#counts(entry)) continue;
        const found = digests.get(leaf);
        if (found === undefined) digests.set(leaf, [recordHash(entry)]);
        else found.push(recordHash(entry));
      }
      if (slice.length === SLICE) {
        next = keyAfter(slice.at(-1)!.key);
        this.#parts.clock.after(SLICE_PAUSE_MS, step);
        return;
      }
      for (const leaf of leaves) tree.setLeaf(leaf, leafHash(digests.get(leaf)));
      done();
    };
    step();
  }

  /** @returns how many records it read */
  #digestRange(from: StoreKey, to: StoreKey, digests: Uint8Array[]): number {
    let read = 0;
    for (let next = from; ; ) {
      const slice = this.#parts.store.range('items', { from: next, to, limit: SLICE });
      for (const entry of slice) if (this.#counts(entry)) digests.push(recordHash(entry));
      read += slice.length;
      if (slice.length < SLICE) return read;
      next = keyAfter(slice.at(-1)!.key);
    }
  }

  /** Tombstones that may be purged are left out: a member that has done so already is not behind. */
  #counts({ key, value }: Entry): boolean {
    if (value === DAMAGED) {
      this.#parts.onDamaged(key);
      return true;
    }
    if (!isTombstone(value)) return true;
    const { clock, limits } = this.#parts;
    return ballotIn(value).hlc >= (clock.now() - limits.tombstoneGraceMs) * TICKS_PER_MS;
  }

  #rangeOf(partition: number, table: ByteString, leaf: number): { from: StoreKey; to: StoreKey } {
    return leafRange(partition, table, leaf, this.#parts.partitions, this.#treeOf(partition).leafCount);
  }
}

interface MerkleForestParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly limits: NodeLimits;
  /** Q */
  readonly partitions: number;
  /** The committed record of a key cannot be read. In its leaf it counts as one that nobody else has. */
  readonly onDamaged: (key: StoreKey) => void;
}

/** Most leaves of a small table have no record, and those of a ring are tens of thousands. */
const EMPTY_LEAF = merkleHash('');

function leafHash(digests: readonly Uint8Array[] = []): Uint8Array {
  return digests.length === 0 ? EMPTY_LEAF : merkleHash(Buffer.concat(digests));
}

/** Of a stored record, its ballot included. */
function digestOf(value: Uint8Array): string {
  return Buffer.from(merkleHash(value)).toString('latin1');
}

/** Key and stored record are joined by the key's length, so that no two entries are hashed from the same bytes. */
function recordHash({ key, value }: Entry): Uint8Array {
  const prefix = Buffer.allocUnsafe(2 + key.length);
  prefix.writeUInt16BE(key.length);
  prefix.write(key, 2, 'latin1');
  return merkleHash(Buffer.concat([prefix, merkleHash(value)]));
}
