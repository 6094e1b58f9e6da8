import type { ByteString } from '../../api/primary-key.ts';
import type { Clock } from '../../env/clock.ts';
import { DAMAGED, keyAfter, type Store, type StoreKey } from '../../env/store.ts';
import { NO_BALLOT, TICKS_PER_MS } from '../ballot.ts';
import type { Settled } from '../derived/settled.ts';
import { leafOf, leafRange, partitionOf, partitionPrefix, partitionRange, tableOf, tableRange } from '../keyspace.ts';
import type { KeyDigest, MerkleRequest, Reply } from '../messages.ts';
import type { NodeLimits } from '../node-settings.ts';
import { ballotIn, decodeRecord, type ItemRecord, isPurgeable } from '../record.ts';
import { HASH_BYTES, MerkleTree, merkleHash } from './merkle-tree.ts';

/** Records read in one go while leaves are built; each may be an item of 400 KB. */
const SLICE = 64;
/** With a larger share of dirty leaves than this, one walk over the partition is cheaper than a range for each leaf. */
const WALK_ABOVE = 1 / 16;
const SLICE_PAUSE_MS = 1;

type Answer = (reply: Reply) => void;
type Entry = { readonly key: StoreKey; readonly value: Uint8Array };

/**
 * The Merkle trees of one node, one for each partition that was ever compared. A leaf is a range of the hash ring,
 * which is one range of the store for each table; its hash covers key, ballot and content of the committed records. A
 * write only marks its leaf dirty; dirty leaves are built again before a tree is compared.
 */
export class MerkleForest {
  readonly #parts: MerkleForestParts;
  readonly #trees: (MerkleTree | undefined)[];
  /** For each partition whose tree is being built: what to call when it is. */
  readonly #refreshing = new Map<number, (() => void)[]>();
  #isStopped = false;

  constructor(parts: MerkleForestParts) {
    this.#parts = parts;
    this.#trees = Array.from({ length: parts.partitions });
  }

  /** The store is about to be closed: building ends, and what waits for it is called. */
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

  /** Marks a tree dirty, or all: records may have changed without a call of `touch`. */
  clear(partition: number | undefined): void {
    if (partition !== undefined) this.#trees[partition]?.touchAll();
    else for (const tree of this.#trees) tree?.touchAll();
  }

  /** Builds what is dirty, in small steps; calls `done` when no leaf is older than this call, or after `stop`. */
  refresh(partition: number, done: () => void): void {
    if (this.#isStopped) return done();
    const waiting = this.#refreshing.get(partition);
    if (waiting !== undefined) {
      // The build under way may already have read a leaf that changed before this call.
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
    else this.#buildEach(partition, tree, dirty, finish);
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
    // Keys are asked for where trees differ. If the records are alike, a tombstone became too old to count since the
    // build.
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
          // Older than any record of a peer.
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

  #settled(key: StoreKey, record: ItemRecord | undefined): Settled | undefined {
    return record === undefined ? undefined : this.#parts.settledOf?.(key, record);
  }

  #stored(key: StoreKey): Uint8Array | undefined {
    const stored = this.#parts.store.get('items', key);
    if (stored === DAMAGED) this.#parts.onDamaged(key);
    return stored;
  }

  /** The tables that have records in a partition, in order. Each is found by a read behind the one before. */
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
        const send = () => answer({ kind: 'merkle-hashes', from, hashes: this.hashes(partition, level, indexes) });
        // A comparison begins at the root; the lower levels are read from the same build.
        return level === 0 ? this.refresh(partition, send) : send();
      }
      case 'merkle-keys': {
        const { partition, leaf, after, limit } = request;
        return answer({
          kind: 'merkle-keys',
          from,
          ...this.keys(partition, leaf, after, Math.min(limit, limits.repairBatch)),
        });
      }
      case 'fetch':
        return answer(this.#fetch(request.keys, from));
      default:
        return request satisfies never;
    }
  }

  #fetch(keys: readonly StoreKey[], from: string): Reply {
    const records: (ItemRecord | undefined)[] = [];
    const settled: (Settled | undefined)[] = [];
    let bytes = 0;
    for (const key of keys) {
      const stored = this.#stored(key);
      if (stored === DAMAGED) return { kind: 'damaged', from };
      const record = stored === undefined ? undefined : decodeRecord(stored);
      records.push(record);
      settled.push(this.#settled(key, record));
      bytes += stored?.length ?? 0;
      if (bytes >= this.#parts.limits.repairBytes) break;
    }
    return { kind: 'records', from, records, settled };
  }

  #treeOf(partition: number): MerkleTree {
    this.#trees[partition] ??= new MerkleTree(this.depth);
    return this.#trees[partition];
  }

  /** Builds leaves one after the other, by one range read for each leaf and table. */
  #buildEach(partition: number, tree: MerkleTree, leaves: readonly number[], done: () => void): void {
    const tables = this.tablesIn(partition);
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

  /** Adds the hashes of the records of a range. @returns how many records were read */
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

  /**
   * Whether a record is part of the tree. Tombstones that may be purged are not: a member that has purged one is not
   * stale.
   */
  #counts({ key, value }: Entry): boolean {
    if (value === DAMAGED) {
      this.#parts.onDamaged(key);
      return true;
    }
    if (!isPurgeable(value)) return true;
    const { clock, limits } = this.#parts;
    return ballotIn(value).hlc >= (clock.now() - limits.tombstoneGraceMs) * TICKS_PER_MS;
  }

  #rangeOf(partition: number, table: ByteString, leaf: number): { from: StoreKey; to: StoreKey } {
    const leaves = this.#treeOf(partition).leafCount;
    return leafRange(table, { partition, partitions: this.#parts.partitions, leaf, leaves });
  }
}

interface MerkleForestParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly limits: NodeLimits;
  /** Q */
  readonly partitions: number;
  /** The committed record of a key cannot be read. In its leaf it counts as a record that no peer has. */
  readonly onDamaged: (key: StoreKey) => void;
  /** Up to where entries of an item are known to be in place; undefined if nothing is derived of its committed record. */
  readonly settledOf?: (key: StoreKey, committed: ItemRecord) => Settled | undefined;
}

/** Most leaves of a small table have no record, and a ring has tens of thousands of leaves. */
const EMPTY_LEAF = merkleHash('');

function leafHash(digests: readonly Uint8Array[] = []): Uint8Array {
  return digests.length === 0 ? EMPTY_LEAF : merkleHash(Buffer.concat(digests));
}

/** The digest of a stored record, which includes its ballot. */
function digestOf(value: Uint8Array): string {
  return Buffer.from(merkleHash(value)).toString('latin1');
}

/**
 * The hash of a key and its stored record. The length of the key comes first, so that no two entries have the same
 * bytes.
 */
function recordHash({ key, value }: Entry): Uint8Array {
  const bytes = Buffer.allocUnsafe(2 + key.length + HASH_BYTES);
  bytes.writeUInt16BE(key.length);
  bytes.write(key, 2, 'latin1');
  bytes.set(merkleHash(value), 2 + key.length);
  return merkleHash(bytes);
}
