import type { Clock } from '../../env/clock.ts';
import type { StoreKey } from '../../env/store.ts';
import type { Transport } from '../../env/transport.ts';
import { compareBallots, NO_BALLOT, sameBallot, TICKS_PER_MS } from '../ballot.ts';
import { isKeptSince, type KeyDigest, type Reply, type Request } from '../messages.ts';
import type { NodeLimits } from '../node-settings.ts';
import type { ItemRecord } from '../record.ts';
import type { ReplyOf } from '../registers/coordinator.ts';
import type { NodeId } from '../ring.ts';
import { type Task, wait } from '../task.ts';
import type { MerkleForest } from './merkle-forest.ts';
import { FANOUT, HASH_BYTES } from './merkle-tree.ts';
import type { ExchangeReport } from './repair-report.ts';

/**
 * `both`: each side takes what is newer at the other. `pull`: only this one does. `hand-off`: only the other one does, and
 * only records as young as a hint may be: an older one may have been deleted, and purged, since this node was a member. Not
 * as old as a tombstone may be, for the clocks of those who purge and of this node differ.
 */
export type Direction = 'both' | 'pull' | 'hand-off';

export interface ExchangeParts {
  readonly self: NodeId;
  readonly clock: Clock;
  readonly limits: NodeLimits;
  readonly transport: Transport<Request, Reply>;
  readonly forest: MerkleForest;
  /** The epoch of a partition of which the other side has to be a member; undefined: there is nobody to compare with. */
  readonly epochOf: (partition: number) => number | undefined;
  /** The node's own door for chosen records. */
  readonly learnHere: (key: StoreKey, record: ItemRecord) => void;
  /** The store is about to be closed, or is: nothing may be looked up in it any more. */
  readonly isStopped: () => boolean;
  /** Whether all that the peer has is needed: then it is not compared with while it cannot read some of it. */
  readonly needsAll?: boolean;
  /**
   * Has one of the different records chosen that replicas hold of a key under one ballot, which names one
   * (docs/protocol.md I1).
   * @returns whether it was
   */
  readonly settleConflict: (key: StoreKey) => Task<boolean>;
}

/** A ballot on the wire: time, disk and boot. */
const BALLOT_BYTES = 18;
/** Tree nodes asked for in one message. */
const HASHES_AT_A_TIME = 256;

/**
 * Compares what this node has committed of a partition with what `peer` has (the Dynamo paper, section 4.7): the roots,
 * then the children of nodes that differ, then the keys of leaves that differ, then only the records that differ. Safe
 * while writes go on, since all it does is to learn chosen records. May be broken off anywhere: the next comparison finds
 * what is left.
 *
 * @param onExtra gets each key that is here and not at the peer
 * @returns undefined if the peer did not answer in time, or cannot be compared with
 */
export function* exchange(
  parts: ExchangeParts,
  partition: number,
  peer: NodeId,
  direction: Direction,
  onExtra?: (key: StoreKey) => void,
): Task<ExchangeReport | undefined> {
  const report: ExchangeReport = { hashesExchanged: 0, bytesExchanged: 0, recordsRepaired: 0 };
  const epoch = parts.epochOf(partition);
  // The store of a node that has stopped may be closed.
  if (epoch === undefined || parts.isStopped()) return undefined;
  const leaves = yield* differingLeaves(parts, partition, epoch, peer, report);
  if (leaves === undefined) return undefined;
  for (const leaf of leaves) {
    const isDone = yield* repairLeaf(parts, partition, epoch, leaf, peer, direction, report, onExtra);
    if (!isDone) return undefined;
  }
  return report;
}

function* differingLeaves(
  parts: ExchangeParts,
  partition: number,
  epoch: number,
  peer: NodeId,
  report: ExchangeReport,
): Task<number[] | undefined> {
  const { forest } = parts;
  yield* wait<void>((resume) => {
    let isWithin = true;
    forest.refresh(partition, () => {
      // A task is never resumed within the call that waits.
      if (isWithin) parts.clock.after(0, () => resume());
      else resume();
    });
    isWithin = false;
  });
  if (parts.isStopped()) return undefined;
  let differing = [0];
  for (let level = 0; level <= forest.depth; level++) {
    const next: number[] = [];
    for (let at = 0; at < differing.length; at += HASHES_AT_A_TIME) {
      const indexes = differing.slice(at, at + HASHES_AT_A_TIME);
      const reply = yield* ask(
        parts,
        peer,
        { kind: 'merkle-hashes', epoch, partition, level, indexes },
        'merkle-hashes',
      );
      if (reply === undefined || reply.hashes.length !== indexes.length * HASH_BYTES) return undefined;
      report.hashesExchanged += indexes.length;
      report.bytesExchanged += reply.hashes.length;
      const own = forest.hashes(partition, level, indexes);
      for (const [i, index] of indexes.entries()) {
        const from = i * HASH_BYTES;
        if (
          Buffer.compare(own.subarray(from, from + HASH_BYTES), reply.hashes.subarray(from, from + HASH_BYTES)) !== 0
        ) {
          next.push(index);
        }
      }
    }
    if (level === forest.depth || next.length === 0) return next;
    differing = next.flatMap((index) => Array.from({ length: FANOUT }, (_, child) => index * FANOUT + child));
  }
  return differing;
}

/** Goes through the keys of a leaf on both sides, page by page. @returns false if the peer did not answer */
function* repairLeaf(
  parts: ExchangeParts,
  partition: number,
  epoch: number,
  leaf: number,
  peer: NodeId,
  direction: Direction,
  report: ExchangeReport,
  onExtra: ((key: StoreKey) => void) | undefined,
): Task<boolean> {
  const { forest, limits, clock } = parts;
  const limit = limits.repairBatch;
  let after: StoreKey | undefined;
  for (;;) {
    if (parts.isStopped()) return false;
    const page = yield* ask(parts, peer, { kind: 'merkle-keys', epoch, partition, leaf, after, limit }, 'merkle-keys');
    if (page === undefined || (parts.needsAll === true && page.entries.some(isDamaged))) return false;
    for (const { key } of page.entries) report.bytesExchanged += key.length + BALLOT_BYTES + HASH_BYTES;
    const own = forest.keys(partition, leaf, after, limit);
    // Only as far as both have told.
    const ends = [page, own].filter(({ more }) => more).map(({ entries }) => entries.at(-1)!.key);
    const end = ends.length === 0 ? undefined : ends.reduce((a, b) => (a < b ? a : b));
    const upTo = (entries: readonly KeyDigest[]) => entries.filter(({ key }) => end === undefined || key <= end);
    const { missing, extra, conflicts } = compare(upTo(own.entries), upTo(page.entries), onExtra);
    // Else the peer, or this node, has no vote: those who have will meet.
    for (const key of direction === 'both' ? conflicts : []) {
      const isSettled = yield* parts.settleConflict(key);
      if (isSettled) report.recordsRepaired++;
    }
    if (direction !== 'hand-off' && !(yield* pull(parts, partition, peer, epoch, missing, report))) return false;
    if (direction !== 'pull' && !(yield* push(parts, peer, epoch, extra, direction, report))) return false;
    if (end === undefined) return true;
    after = end;
    if (missing.length + extra.length > 0)
      yield* wait<void>((resume) => clock.after(limits.repairPauseMs, () => resume()));
  }
}

/** What is newer there, what is newer here, and what is not the same although it should be. The lists are in key order. */
function compare(
  own: readonly KeyDigest[],
  theirs: readonly KeyDigest[],
  onExtra: ((key: StoreKey) => void) | undefined,
): { missing: StoreKey[]; extra: StoreKey[]; conflicts: StoreKey[] } {
  const conflicts: StoreKey[] = [];
  const missing: StoreKey[] = [];
  const extra: StoreKey[] = [];
  const byKey = new Map(theirs.map((entry) => [entry.key, entry]));
  for (const { key, ballot, digest } of own) {
    const other = byKey.get(key);
    byKey.delete(key);
    if (other === undefined) onExtra?.(key);
    const order = other === undefined ? 1 : compareBallots(ballot, other.ballot);
    if (order > 0) extra.push(key);
    else if (order < 0) missing.push(key);
    else if (digest !== other!.digest) conflicts.push(key);
  }
  for (const entry of byKey.values()) if (!isDamaged(entry)) missing.push(entry.key);
  return { missing, extra, conflicts };
}

function isDamaged({ ballot }: KeyDigest): boolean {
  return sameBallot(ballot, NO_BALLOT);
}

function* pull(
  parts: ExchangeParts,
  partition: number,
  peer: NodeId,
  epoch: number,
  keys: readonly StoreKey[],
  report: ExchangeReport,
): Task<boolean> {
  if (keys.length === 0) return true;
  const reply = yield* ask(parts, peer, { kind: 'fetch', epoch, keys }, 'records');
  if (reply === undefined || reply.records.length !== keys.length) return false;
  // In a later one its members, of which the peer need not be one, may have purged meanwhile what the peer still has.
  if (parts.epochOf(partition) !== epoch) return false;
  for (const [i, record] of reply.records.entries()) {
    // It may have been purged meanwhile.
    if (record === undefined) continue;
    report.recordsRepaired++;
    report.bytesExchanged += keys[i]!.length * 2 + record.stored.length;
    parts.learnHere(keys[i]!, record);
  }
  return true;
}

function* push(
  parts: ExchangeParts,
  peer: NodeId,
  epoch: number,
  keys: readonly StoreKey[],
  direction: Direction,
  report: ExchangeReport,
): Task<boolean> {
  const { clock, limits, forest } = parts;
  const oldestHlc = direction === 'hand-off' ? (clock.now() - limits.hintLifeMs) * TICKS_PER_MS : 0;
  for (const key of keys) {
    const record = forest.recordOf(key);
    if (record === undefined || record.ballot.hlc < oldestHlc) continue;
    // What was handed off is erased here, so it has to be on a disk there, of a member that keeps it.
    const isFlushed = direction === 'hand-off';
    const reply = yield* ask(parts, peer, { kind: 'learn', key, record, isFlushed }, 'learned');
    if (reply === undefined || (isFlushed && !isKeptSince(epoch, reply))) return false;
    report.recordsRepaired++;
    report.bytesExchanged += key.length + record.stored.length;
  }
  return true;
}

/** One answer of one node, or undefined if it was another or took too long. */
function* ask<Kind extends Reply['kind']>(
  { transport, clock, limits, isStopped }: ExchangeParts,
  node: NodeId,
  request: Request,
  kind: Kind,
): Task<ReplyOf<Kind> | undefined> {
  return yield* wait<ReplyOf<Kind> | undefined>((resume) => {
    let isOver = false;
    const finish = (reply: ReplyOf<Kind> | undefined) => {
      if (isOver) return;
      isOver = true;
      clock.cancel(timer);
      resume(isStopped?.() === true ? undefined : reply);
    };
    const timer = clock.after(limits.repairTimeoutMs, () => finish(undefined));
    transport.send(node, request, (reply) => finish(reply.kind === kind ? (reply as ReplyOf<Kind>) : undefined));
  });
}
