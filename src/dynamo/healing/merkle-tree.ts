import { hash } from 'node:crypto';

/** Children of a node that is not a leaf. */
export const FANOUT = 4;
/** SHA-256, cut to a length at which no accidental collision is expected. */
export const HASH_BYTES = 16;

/** The hash of a leaf without records is `merkleHash('')`. */
export function merkleHash(content: Uint8Array | string): Uint8Array {
  return hash('sha256', content, 'buffer').subarray(0, HASH_BYTES);
}

/**
 * A Merkle tree of fixed shape (the Dynamo paper, section 4.7): `FANOUT ** depth` leaves; every other node is the hash
 * of its children. The owner marks leaves dirty and sets their hashes; the nodes above are computed when they are read.
 */
export class MerkleTree {
  readonly depth: number;
  readonly leafCount: number;
  /** All hashes, level after level, the root first. Empty trees share one array until a leaf is set. */
  #hashes: Buffer;
  readonly #levelStarts: readonly number[];
  readonly #dirty: Uint8Array;
  #dirtyCount: number;
  /** 1 for each node above a changed leaf whose hash is not computed yet. */
  readonly #outdated: Uint8Array;

  /** All leaves begin empty, and dirty. */
  constructor(depth: number) {
    this.depth = depth;
    this.leafCount = FANOUT ** depth;
    const starts: number[] = [];
    let nodes = 0;
    for (let level = 0; level <= depth; level++) {
      starts.push(nodes);
      nodes += FANOUT ** level;
    }
    this.#levelStarts = starts;
    this.#hashes = emptyHashes(depth);
    this.#outdated = new Uint8Array(nodes);
    this.#dirty = new Uint8Array(this.leafCount).fill(1);
    this.#dirtyCount = this.leafCount;
  }

  /** The records of a leaf have changed. */
  touch(leaf: number): void {
    if (this.#dirty[leaf] === 1) return;
    this.#dirty[leaf] = 1;
    this.#dirtyCount++;
  }

  touchAll(): void {
    this.#dirty.fill(1);
    this.#dirtyCount = this.leafCount;
  }

  get dirtyCount(): number {
    return this.#dirtyCount;
  }

  dirtyLeaves(): number[] {
    const leaves: number[] = [];
    for (let leaf = this.#dirty.indexOf(1); leaf >= 0; leaf = this.#dirty.indexOf(1, leaf + 1)) leaves.push(leaf);
    return leaves;
  }

  /** Call it before the records of the leaf are read: a change from then on makes the leaf dirty again. */
  clean(leaf: number): void {
    if (this.#dirty[leaf] === 0) return;
    this.#dirty[leaf] = 0;
    this.#dirtyCount--;
  }

  setLeaf(leaf: number, content: Uint8Array): void {
    const at = (this.#levelStarts[this.depth]! + leaf) * HASH_BYTES;
    if (isAt(this.#hashes, at, content)) return;
    if (this.#hashes === EMPTY_HASHES.get(this.depth)) this.#hashes = Buffer.from(this.#hashes);
    this.#hashes.set(content, at);
    let index = leaf;
    for (let level = this.depth - 1; level >= 0; level--) {
      index = Math.floor(index / FANOUT);
      this.#outdated[this.#levelStarts[level]! + index] = 1;
    }
  }

  /** The hash of a node from its leaves as last set; level 0 is the root. A view into the tree: it changes with it. */
  hashOf(level: number, index: number): Uint8Array {
    const at = this.#levelStarts[level]! + index;
    if (this.#outdated[at] === 1 && level < this.depth) {
      for (let child = 0; child < FANOUT; child++) this.hashOf(level + 1, index * FANOUT + child);
      const first = (this.#levelStarts[level + 1]! + index * FANOUT) * HASH_BYTES;
      this.#hashes.set(merkleHash(this.#hashes.subarray(first, first + FANOUT * HASH_BYTES)), at * HASH_BYTES);
      this.#outdated[at] = 0;
    }
    return this.#hashes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES);
  }
}

function isAt(hashes: Uint8Array, at: number, content: Uint8Array): boolean {
  for (let i = 0; i < HASH_BYTES; i++) if (hashes[at + i] !== content[i]) return false;
  return true;
}

/** By depth. A ring without writes has hundreds of trees with the same hashes. */
const EMPTY_HASHES = new Map<number, Buffer>();

function emptyHashes(depth: number): Buffer {
  const known = EMPTY_HASHES.get(depth);
  if (known !== undefined) return known;
  const levels = [Buffer.from(merkleHash(''))];
  for (let level = depth - 1; level >= 0; level--) {
    levels.unshift(Buffer.from(merkleHash(Buffer.concat(Array(FANOUT).fill(levels[0])))));
  }
  const hashes = Buffer.concat(levels.flatMap((hash, level) => Array<Buffer>(FANOUT ** level).fill(hash)));
  EMPTY_HASHES.set(depth, hashes);
  return hashes;
}
