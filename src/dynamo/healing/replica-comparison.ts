import type { Clock } from '../../env/clock.ts';
import type { StoreKey } from '../../env/store.ts';
import type { Transport } from '../../env/transport.ts';
import { compareBallots, NO_BALLOT, sameBallot, TICKS_PER_MS } from '../ballot.ts';
import type { Settled } from '../derived/settled.ts';
import { answersSome, isKeptSince, type KeyDigest, type Reply, type Request } from '../messages.ts';
import type { NodeLimits } from '../node-settings.ts';
import type { ItemRecord } from '../record.ts';
import type { ReplyOf } from '../registers/coordinator.ts';
import type { NodeId } from '../ring.ts';
import { pause, type Task, wait, waitAtMost } from '../task.ts';
import type { MerkleForest } from './merkle-forest.ts';
import { FANOUT, HASH_BYTES } from './merkle-tree.ts';
import { type ComparisonReport, NOTHING_EXCHANGED, sumOf } from './repair-report.ts';

/** What a comparison is to do with the records that differ. */
export type Direction =
  /** Each side takes what is newer at the other. */
  | 'both'
  /** Only this node takes what is newer at the peer. */
  | 'pull'
  /**
   * Only the peer takes what is newer here, and only records as young as a hint may be: an older one may have been
   * deleted, and purged, since this node was a member. The age of a tombstone is no limit that would do, since the
   * clocks of the members that purge and of this node differ.
   */
  | 'hand-off';

/** One partition to be compared with one peer. */
export interface Comparison {
  readonly partition: number;
  readonly peer: NodeId;
  readonly direction: Direction;
  /** Gets each key that is here and not at the peer. */
  readonly onExtra?: ((key: StoreKey) => void) | undefined;
}

export interface ComparisonParts {
  readonly self: NodeId;
  readonly clock: Clock;
  readonly limits: NodeLimits;
  readonly transport: Transport<Request, Reply>;
  readonly forest: MerkleForest;
  /** The epoch of a partition in which the peer has to vote; undefined: this partition cannot be compared. */
  readonly epochOf: (partition: number) => number | undefined;
  /** Learns a chosen record on this node. */
  readonly learnHere: (key: StoreKey, record: ItemRecord) => void;
  /** The peer knows the entries of an item to be in place, as far as they were due up to this ballot. */
  readonly noteSettled?: (key: StoreKey, settled: Settled) => void;
  /** The store is about to be closed, or is: it must not be read any more. */
  readonly isStopped: () => boolean;
  /**
   * Whether all that the peer has is needed: a peer that cannot read some of it then counts as one that does not
   * answer.
   */
  readonly needsAll?: boolean;
  /**
   * Has one of the records chosen that replicas hold of a key under one ballot, which should name one record
   * (docs/protocol.md I1).
   * @returns whether one was chosen
   */
  readonly settleConflict: (key: StoreKey) => Task<boolean>;
}

/** A ballot on the wire: time, disk and boot. */
const BALLOT_BYTES = 18;
/** Tree nodes asked for in one message. */
const HASHES_AT_A_TIME = 256;

/** A comparison under way: in the epoch in which it began. */
interface EpochComparison extends Comparison {
  readonly epoch: number;
}

/** Keys of one leaf, by what is to be done with them. */
interface Differences {
  /** The peer's record is newer, or there is none here. */
  readonly missing: readonly StoreKey[];
  /** The record here is newer, or the peer has none. */
  readonly extra: readonly StoreKey[];
  /** The records differ under one ballot. */
  readonly conflicts: readonly StoreKey[];
}

/**
 * Compares what this node has committed of a partition with what a peer has (the Dynamo paper, section 4.7): the roots,
 * then the children of nodes that differ, then the keys of leaves that differ, then only the records that differ. Safe
 * while writes go on, since all it does is to learn chosen records. It may stop anywhere: the next comparison finds
 * what is left.
 *
 * @returns undefined if the peer did not answer in time, or cannot be compared with
 */
export function* compareWithPeer(parts: ComparisonParts, comparison: Comparison): Task<ComparisonReport | undefined> {
  const { partition, peer, direction, onExtra } = comparison;
  const epoch = parts.epochOf(partition);
  // The store of a node that has stopped may be closed.
  if (epoch === undefined || parts.isStopped()) return undefined;
  const inEpoch: EpochComparison = { partition, peer, direction, onExtra, epoch };
  const found = yield* differingLeaves(parts, inEpoch);
  if (found === undefined) return undefined;
  let { report } = found;
  for (const leaf of found.leaves) {
    const repaired = yield* repairLeaf(parts, inEpoch, leaf);
    if (repaired === undefined) return undefined;
    report = sumOf(report, repaired);
  }
  return report;
}

/** Finds the leaves that differ, level by level. @returns undefined if the peer did not answer */
function* differingLeaves(
  parts: ComparisonParts,
  { partition, peer, epoch }: EpochComparison,
): Task<{ readonly leaves: readonly number[]; readonly report: ComparisonReport } | undefined> {
  const { forest, clock } = parts;
  yield* wait<void>(clock, (resume) => forest.refresh(partition, resume));
  if (parts.isStopped()) return undefined;
  let hashesExchanged = 0;
  let bytesExchanged = 0;
  let differing = [0];
  for (let level = 0; differing.length > 0; level++) {
    const next: number[] = [];
    for (let at = 0; at < differing.length; at += HASHES_AT_A_TIME) {
      const indexes = differing.slice(at, at + HASHES_AT_A_TIME);
      const request = { kind: 'merkle-hashes', epoch, partition, level, indexes } as const;
      const reply = yield* ask(parts, peer, request, 'merkle-hashes');
      if (reply === undefined || reply.hashes.length !== indexes.length * HASH_BYTES) return undefined;
      hashesExchanged += indexes.length;
      bytesExchanged += reply.hashes.length;
      const own = forest.hashes(partition, level, indexes);
      next.push(...indexes.filter((_, i) => Buffer.compare(hashAt(own, i), hashAt(reply.hashes, i)) !== 0));
    }
    differing = next;
    if (level === forest.depth) break;
    differing = next.flatMap((index) => Array.from({ length: FANOUT }, (_, child) => index * FANOUT + child));
  }
  return { leaves: differing, report: { ...NOTHING_EXCHANGED, hashesExchanged, bytesExchanged } };
}

/** One of the hashes that lie one after the other. */
function hashAt(hashes: Uint8Array, index: number): Uint8Array {
  return hashes.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES);
}

/** Goes through the keys of a leaf on both sides, page by page. @returns undefined if the peer did not answer */
function* repairLeaf(
  parts: ComparisonParts,
  comparison: EpochComparison,
  leaf: number,
): Task<ComparisonReport | undefined> {
  const { forest, limits, clock } = parts;
  const { partition, epoch, peer, onExtra } = comparison;
  const limit = limits.repairBatch;
  let report = NOTHING_EXCHANGED;
  let after: StoreKey | undefined;
  for (;;) {
    if (parts.isStopped()) return undefined;
    const page = yield* ask(parts, peer, { kind: 'merkle-keys', epoch, partition, leaf, after, limit }, 'merkle-keys');
    if (page === undefined || (parts.needsAll === true && page.entries.some(isDamaged))) return undefined;
    const digestBytes = page.entries.reduce((sum, { key }) => sum + key.length + BALLOT_BYTES + HASH_BYTES, 0);
    report = sumOf(report, { ...NOTHING_EXCHANGED, bytesExchanged: digestBytes });
    const own = forest.keys(partition, leaf, after, limit);
    // Only up to where both sides have listed their keys.
    const ends = [page, own].filter(({ more }) => more).map(({ entries }) => entries.at(-1)!.key);
    const end = ends.length === 0 ? undefined : ends.reduce((a, b) => (a < b ? a : b));
    const upTo = (entries: readonly KeyDigest[]) => entries.filter(({ key }) => end === undefined || key <= end);
    const differences = differencesOf(upTo(own.entries), upTo(page.entries), onExtra);
    const repaired = yield* repairDifferences(parts, comparison, differences);
    if (repaired === undefined) return undefined;
    report = sumOf(report, repaired);
    if (end === undefined) return report;
    after = end;
    if (differences.missing.length + differences.extra.length > 0) yield* pause(clock, limits.repairPauseMs);
  }
}

/** @returns undefined if the peer did not answer */
function* repairDifferences(
  parts: ComparisonParts,
  comparison: EpochComparison,
  { missing, extra, conflicts }: Differences,
): Task<ComparisonReport | undefined> {
  const { direction } = comparison;
  let report = NOTHING_EXCHANGED;
  // In the other directions one side has no vote: two replicas that have one will find the conflict.
  for (const key of direction === 'both' ? conflicts : []) {
    const isSettled = yield* parts.settleConflict(key);
    if (isSettled) report = sumOf(report, { ...NOTHING_EXCHANGED, recordsRepaired: 1 });
  }
  if (direction !== 'hand-off') {
    const pulled = yield* pull(parts, comparison, missing);
    if (pulled === undefined) return undefined;
    report = sumOf(report, pulled);
  }
  if (direction !== 'pull') {
    const pushed = yield* push(parts, comparison, extra);
    if (pushed === undefined) return undefined;
    report = sumOf(report, pushed);
  }
  return report;
}

/** Compares two lists in key order. */
function differencesOf(
  own: readonly KeyDigest[],
  theirs: readonly KeyDigest[],
  onExtra: Comparison['onExtra'],
): Differences {
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

/** Takes records of the peer, a message full at a time. @returns undefined if it did not send them */
function* pull(
  parts: ComparisonParts,
  { partition, peer, epoch }: EpochComparison,
  keys: readonly StoreKey[],
): Task<ComparisonReport | undefined> {
  let recordsRepaired = 0;
  let bytesExchanged = 0;
  for (let rest = keys; rest.length > 0; ) {
    const reply = yield* ask(parts, peer, { kind: 'fetch', epoch, keys: rest }, 'records');
    if (reply === undefined || !answersSome(reply, rest)) return undefined;
    // The members of a later epoch, of which the peer need not be one, may have purged meanwhile what the peer still has.
    if (parts.epochOf(partition) !== epoch) return undefined;
    for (const [i, record] of reply.records.entries()) {
      // It may have been purged meanwhile.
      if (record === undefined) continue;
      const key = rest[i]!;
      recordsRepaired++;
      bytesExchanged += key.length * 2 + record.stored.length;
      const settled = reply.settled[i];
      if (settled !== undefined) parts.noteSettled?.(key, settled);
      parts.learnHere(key, record);
    }
    rest = rest.slice(reply.records.length);
  }
  return { ...NOTHING_EXCHANGED, recordsRepaired, bytesExchanged };
}

/** Sends records to the peer, one after the other. @returns undefined if it did not acknowledge one */
function* push(
  parts: ComparisonParts,
  { peer, epoch, direction }: EpochComparison,
  keys: readonly StoreKey[],
): Task<ComparisonReport | undefined> {
  const { clock, limits, forest } = parts;
  const oldestHlc = direction === 'hand-off' ? (clock.now() - limits.hintLifeMs) * TICKS_PER_MS : 0;
  let recordsRepaired = 0;
  let bytesExchanged = 0;
  for (const key of keys) {
    const record = forest.recordOf(key);
    if (record === undefined || record.ballot.hlc < oldestHlc) continue;
    // What was handed off is erased here, so it has to be on the disk of a member that keeps it.
    const isFlushed = direction === 'hand-off';
    const reply = yield* ask(parts, peer, { kind: 'learn', key, record, isFlushed }, 'learned');
    if (reply === undefined || (isFlushed && !isKeptSince(epoch, reply))) return undefined;
    recordsRepaired++;
    bytesExchanged += key.length + record.stored.length;
  }
  return { ...NOTHING_EXCHANGED, recordsRepaired, bytesExchanged };
}

/** The reply of one node; undefined if it was of another kind, did not come in time, or this node has stopped. */
function* ask<Kind extends Reply['kind']>(
  { transport, clock, limits, isStopped }: ComparisonParts,
  node: NodeId,
  request: Request,
  kind: Kind,
): Task<ReplyOf<Kind> | undefined> {
  const reply = yield* waitAtMost<Reply>(clock, limits.repairTimeoutMs, (timed) => {
    transport.send(node, request, (answer) => timed.finish(answer));
  });
  return reply?.kind === kind && !isStopped() ? (reply as ReplyOf<Kind>) : undefined;
}
