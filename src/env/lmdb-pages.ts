import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { StoreDamagedError } from './store-damage.ts';

/*
 * LMDB trusts its file: it follows offsets and page numbers, and one that leads out of the file kills the process by a
 * signal. So the pages are checked before LMDB opens the file. The layout of lmdb 3.5, all numbers little-endian:
 *
 * - A page begins with its head: u64 its number | u64 transaction | u16 | u16 kind | u16 lower | u16 upper. On an
 *   overflow page the last two are one u32, the number of its pages.
 * - Pages 0 and 1 describe the environment; the one of the later transaction counts.
 * - On a branch or leaf the head is followed by the places of its nodes, `lower` bytes of them, each a u16. A place
 *   counts from the end of the head, and so does `upper`, where the nodes begin.
 * - A node is u16 low | u16 high | u16 flags | u16 bytes of the key | key | data. On a leaf, low and high are the
 * length
 *   of the data; on a branch, low, high and flags are the page number of the child.
 * - The first tree holds lists of free pages: i64 how many numbers follow, then page numbers. A number below zero, -n,
 *   means that n pages are free from the next number on. Zero means nothing.
 */
const HEAD_BYTES = 24;
const PAGE_AT = { number: 0, transaction: 8, kind: 18, lower: 20, upper: 22, overflowPages: 20 } as const;
const META_AT = { magic: 24, pageBytes: 48, trees: [48, 96], lastPage: 144, transaction: 152, end: 168 } as const;
const META_MAGIC = 0xbeefc0de;
/** The layout of a tree's description, wherever it stands. */
const TREE_AT = { flags: 4, depth: 6, entries: 32, root: 40, end: 48 } as const;
const NODE_BYTES = 8;

const KIND_MASK = 0x6f;
const BRANCH = 0x01;
const LEAF = 0x02;
const OVERFLOW = 0x04;
/** The data is the number of the overflow page that holds the value. */
const IS_OVERFLOW = 0x01;
/** The data describes a tree. */
const IS_TREE = 0x02;
const OVERFLOW_NODE_BYTES = 24;

/** The root of an empty tree. */
const NO_PAGE = 2n ** 64n - 1n;
const MAX_DEPTH = 32;

/** Pages of 4 KB: a terabyte. The check needs a byte of memory for each. */
const MAX_PAGES = 2 ** 28;

/** Leaves are read until this many bytes of the file were read. Of further leaves only the existence is checked. */
const READ_BYTES = 64 * 1024 * 1024;

/**
 * Makes sure that LMDB can open a file: its trees are whole, their nodes lie within their pages, the keys are in order
 * and complete in number, and no page in use is in a list of free ones. The values are not looked at.
 *
 * @throws StoreDamagedError
 */
export function checkPages(path: string): void {
  withFile(path, (descriptor, size) => {
    // A new file is empty until LMDB has written its first two pages.
    if (size > 0) new PageCheck(descriptor, size).run();
  });
}

/** How many bytes of the file the next transactions can fill without making it longer. */
export function freeBytesIn(path: string): number {
  let free = 0;
  withFile(path, (descriptor, size) => {
    if (size > 0) free = new PageCheck(descriptor, size).countFree();
  });
  return free;
}

/** The number of the last transaction that a file holds; undefined if it has none yet. @throws StoreDamagedError */
export function lastTransactionIn(path: string): bigint | undefined {
  let last: bigint | undefined;
  withFile(path, (descriptor, size) => {
    if (size > 0) last = new PageCheck(descriptor, size).lastTransaction();
  });
  return last;
}

function withFile(path: string, use: (descriptor: number, size: number) => void): void {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  try {
    use(descriptor, fstatSync(descriptor).size);
  } finally {
    closeSync(descriptor);
  }
}

class PageCheck {
  readonly #descriptor: number;
  readonly #size: number;
  #pageBytes = 0;
  #left = 0;
  #transaction = 0n;
  #freePages = 0;
  #taken = new Uint8Array();

  constructor(descriptor: number, size: number) {
    this.#descriptor = descriptor;
    this.#size = size;
  }

  run(): void {
    const meta = this.#begin();
    this.#checkTree(meta, META_AT.trees[1], 'names');
    this.#checkTree(meta, META_AT.trees[0], 'free');
  }

  countFree(): number {
    const meta = this.#begin();
    this.#checkTree(meta, META_AT.trees[0], 'free');
    const used = (Number(meta.readBigUInt64LE(META_AT.lastPage)) + 1) * this.#pageBytes;
    return this.#freePages * this.#pageBytes + Math.max(0, this.#size - used);
  }

  lastTransaction(): bigint {
    this.#begin();
    return this.#transaction;
  }

  /** @returns the page that describes the environment, of the last transaction */
  #begin(): Buffer {
    const first = this.#readMeta(0);
    this.#pageBytes = first.readUInt32LE(META_AT.pageBytes);
    if (this.#pageBytes < 512 || this.#pageBytes > 65_536) throw damaged('its pages have no size');
    const second = this.#readMeta(this.#pageBytes);
    const isFirst = first.readBigUInt64LE(META_AT.transaction) > second.readBigUInt64LE(META_AT.transaction);
    const meta = isFirst ? first : second;
    this.#left = Math.ceil(READ_BYTES / this.#pageBytes);
    this.#transaction = meta.readBigUInt64LE(META_AT.transaction);
    const lastPage = meta.readBigUInt64LE(META_AT.lastPage);
    if (lastPage < 1n || lastPage > BigInt(MAX_PAGES)) throw damaged('it says of too many pages');
    this.#taken = new Uint8Array(Number(lastPage) + 1);
    this.#taken.fill(1, 0, 2);
    return meta;
  }

  #readMeta(at: number): Buffer {
    const meta = Buffer.alloc(META_AT.end);
    const isWhole = readSync(this.#descriptor, meta, 0, meta.length, at) === meta.length;
    if (!isWhole || meta.readUInt32LE(META_AT.magic) !== META_MAGIC) throw damaged('it does not begin as it should');
    return meta;
  }

  /**
   * @param kind `free`: lists of free pages, with numbers for keys; `names`: the trees of the databases; `database`:
   * one of them
   */
  #checkTree(description: Buffer, at: number, kind: 'free' | 'names' | 'database'): void {
    if (kind === 'database' && description.readUInt16LE(at + TREE_AT.flags) !== 0)
      throw damaged('a database is of another kind');
    const root = description.readBigUInt64LE(at + TREE_AT.root);
    if (root === NO_PAGE) return;
    const depth = description.readUInt16LE(at + TREE_AT.depth);
    if (depth > MAX_DEPTH) throw damaged('a tree is too deep');
    const tree: Tree = {
      isFree: kind === 'free',
      isNames: kind === 'names',
      entries: 0,
      last: undefined,
      isRead: true,
    };
    this.#checkPage(Number(root), depth, tree);
    const entries = Number(description.readBigUInt64LE(at + TREE_AT.entries));
    if (tree.isRead && tree.entries !== entries) throw damaged(`a tree has ${tree.entries} entries, not ${entries}`);
  }

  #checkPage(number: number, depth: number, tree: Tree): void {
    this.#claim(number, 1);
    if (depth === 1 && this.#left === 0 && !tree.isFree) {
      tree.isRead = false;
      return;
    }
    this.#left = Math.max(0, this.#left - 1);
    const page = Buffer.allocUnsafe(this.#pageBytes);
    readSync(this.#descriptor, page, 0, page.length, number * this.#pageBytes);
    const isBranch = depth > 1;
    this.#checkHead(page, number, isBranch ? BRANCH : LEAF);
    const lower = page.readUInt16LE(PAGE_AT.lower);
    const upper = page.readUInt16LE(PAGE_AT.upper);
    const space = this.#pageBytes - HEAD_BYTES;
    if (lower % 2 !== 0 || lower > upper || upper > space) throw damaged(`page ${number} is no page of nodes`);
    for (let at = HEAD_BYTES; at < HEAD_BYTES + lower; at += 2) {
      const place = page.readUInt16LE(at);
      const node = HEAD_BYTES + place;
      if (place < upper || place + NODE_BYTES > space) throw damaged(`page ${number} has a node beyond its nodes`);
      const flags = page.readUInt16LE(node + 4);
      const key = node + NODE_BYTES;
      const keyEnd = key + page.readUInt16LE(node + 6);
      if (keyEnd > this.#pageBytes) throw damaged(`page ${number} has a key beyond its end`);
      const low = page.readUInt32LE(node);
      if (isBranch) {
        this.#checkPage(low + flags * 2 ** 32, depth - 1, tree);
        continue;
      }
      const dataEnd = keyEnd + ((flags & IS_OVERFLOW) === 0 ? low : OVERFLOW_NODE_BYTES);
      if (dataEnd > this.#pageBytes) throw damaged(`page ${number} has a value beyond its end`);
      if ((flags & ~(tree.isNames ? IS_OVERFLOW | IS_TREE : IS_OVERFLOW)) !== 0) {
        throw damaged(`page ${number} has a value of no kind`);
      }
      tree.entries++;
      if (!tree.isFree) this.#checkOrder(tree, page.subarray(key, keyEnd), number);
      const overflow = (flags & IS_OVERFLOW) === 0 ? undefined : Number(page.readBigUInt64LE(keyEnd));
      if (overflow !== undefined) this.#checkOverflow(overflow, low);
      if (tree.isFree)
        this.#checkFree(overflow === undefined ? page.subarray(keyEnd, dataEnd) : this.#readOverflow(overflow, low));
      if ((flags & IS_TREE) !== 0) {
        if (low !== TREE_AT.end) throw damaged(`page ${number} has a tree that is none`);
        this.#checkTree(page, keyEnd, 'database');
      }
    }
  }

  #checkOrder(tree: Tree, key: Buffer, page: number): void {
    if (tree.last !== undefined && Buffer.compare(tree.last, key) >= 0)
      throw damaged(`keys of page ${page} are in disorder`);
    tree.last = key;
  }

  #checkOverflow(number: number, bytes: number): void {
    const pages = Math.ceil((HEAD_BYTES + bytes) / this.#pageBytes);
    this.#claim(number, pages);
    if (this.#left === 0) return;
    this.#left--;
    const head = Buffer.alloc(HEAD_BYTES);
    readSync(this.#descriptor, head, 0, head.length, number * this.#pageBytes);
    this.#checkHead(head, number, OVERFLOW);
    if (head.readUInt32LE(PAGE_AT.overflowPages) < pages) throw damaged(`page ${number} is too short for its value`);
  }

  #readOverflow(number: number, bytes: number): Buffer {
    const data = Buffer.alloc(bytes);
    readSync(this.#descriptor, data, 0, bytes, number * this.#pageBytes + HEAD_BYTES);
    return data;
  }

  #checkFree(list: Buffer): void {
    const count = list.length < 8 ? -1n : list.readBigInt64LE(0);
    if (count < 0n || (count + 1n) * 8n > BigInt(list.length)) throw damaged('a list of free pages has no length');
    const end = 8 * (Number(count) + 1);
    for (let at = 8; at < end; at += 8) {
      const entry = list.readBigInt64LE(at);
      if (entry >= 0n) {
        if (entry > 0n) this.#takeFree(Number(entry), 1);
        continue;
      }
      at += 8;
      if (at >= end) throw damaged('a list of free pages ends too early');
      this.#takeFree(Number(list.readBigInt64LE(at)), Number(-entry));
    }
  }

  #takeFree(number: number, count: number): void {
    this.#take(number, count);
    this.#freePages += count;
  }

  #checkHead(page: Buffer, number: number, kind: number): void {
    const isIt = page.readBigUInt64LE(PAGE_AT.number) === BigInt(number);
    // LMDB would take a page of a later transaction for one that this process has in memory.
    const isPast = page.readBigUInt64LE(PAGE_AT.transaction) <= this.#transaction;
    if (isIt && isPast && (page.readUInt16LE(PAGE_AT.kind) & KIND_MASK) === kind) return;
    throw damaged(`page ${number} is not what it should be`);
  }

  /** A page of a tree. It must be in the file. */
  #claim(number: number, count: number): void {
    if ((number + count) * this.#pageBytes > this.#size) throw damaged(`page ${number} is not there`);
    this.#take(number, count);
  }

  /**
   * Notes that a page is used, in a tree or in a list of free pages: once only. Free pages may lie behind the end of
   * the file.
   */
  #take(number: number, count: number): void {
    if (number < 0 || number + count > this.#taken.length) throw damaged(`there is no page ${number}`);
    for (let at = number; at < number + count; at++) {
      if (this.#taken[at] === 1) throw damaged(`page ${at} is in two places`);
      this.#taken[at] = 1;
    }
  }
}

interface Tree {
  readonly isFree: boolean;
  /** Whether the values of the tree are trees. */
  readonly isNames: boolean;
  entries: number;
  /** The previous key. */
  last: Buffer | undefined;
  /** Whether all leaves of the tree were read. */
  isRead: boolean;
}

function damaged(what: string): StoreDamagedError {
  return new StoreDamagedError(`data.mdb is damaged: ${what}`);
}
