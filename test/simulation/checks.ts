import { compareBallots, NO_BALLOT, sameBallot } from '../../src/dynamo/ballot.ts';
import { highestCommitted, type ItemRecord } from '../../src/dynamo/record.ts';
import type { StoreKey } from '../../src/env/store.ts';
import type { ChosenRecords } from './chosen-records.ts';
import type { EventualRead } from './history.ts';
import { registerValueOf } from './item-value.ts';
import { checkLinearizability, type Operation, type RegisterValue, type Verdict } from './linearizability.ts';
import { checkSerializability, type TransactionOperation } from './serializability.ts';
import type { SimulatedHost } from './simulated-host.ts';
import type { ToldRecords } from './told-records.ts';
import { showBallot, showRecord } from './trace.ts';
import type { SimulatedKey } from './workload.ts';

export interface Violation {
  readonly kind: /** The answers are not those of one variable. */
    | 'not-linearizable'
    /** The protocol broke one of its own invariants, seen or not. */
    | 'invariant'
    /** An eventually consistent read showed a value that was not chosen by then; in `dynamo` mode, not even written. */
    | 'dirty-read'
    /** It showed a value older than a write that had been answered, although W + R > N. */
    | 'stale-read'
    /** Replicas that told each other all they have committed do not hold the same. */
    | 'diverged'
    /** With all faults over, and nothing under way, an index was not what follows from its table. */
    | 'wrong-index'
    /** A stream did not show what had changed in its table: each change once, those of an item in order. */
    | 'wrong-stream'
    /** With all faults over, replicas were not alike after the time they have for it, or a node was not what it should be. */
    | 'not-healed'
    /** Two configs of one epoch were decided, or somebody acted on one that was not. */
    | 'fork'
    /** A config was decided without members that it counts on, or a cluster formed without a founder. */
    | 'unfounded'
    /** There are two clusters at a time, where one was to be founded. */
    | 'two-clusters'
    /** An acknowledged write in `dynamo` mode is gone, and nothing newer took its place. */
    | 'lost-write'
    /** With all faults over, a read was not answered; or a write with W=1 in `dynamo` mode, at any time. */
    | 'unavailable'
    /** The same history ran otherwise the second time. */
    | 'not-repeatable'
    /** The code threw. */
    | 'threw';
  readonly what: string;
}

export interface Evidence {
  readonly operations: readonly Operation[];
  readonly transactions: readonly TransactionOperation[];
  readonly eventualReads: readonly EventualRead[];
  readonly chosen: ChosenRecords;
  readonly keys: readonly SimulatedKey[];
  /** Names of the final reads that were not answered. */
  readonly unanswered: ReadonlySet<string>;
  /** What was found at the time by which the ring should have healed; undefined if it does not heal by itself. */
  readonly wounds: readonly string[] | undefined;
  /** Whether eventually consistent reads must show every answered write. */
  readonly isFresh: boolean;
  /** Entries of indexes that queries have shown, and no chosen version had. */
  readonly dirtyEntries: readonly string[];
  /** What is wrong with the configs that members have decided. */
  readonly configViolations: readonly Violation[];
  /** Entries that nodes told each other, and that were not made of chosen records. */
  readonly falseEntries: readonly string[];
  /** What queries of indexes should have shown where nothing fails. */
  readonly staleEntries: readonly string[];
  /** How indexes differ from their table in the end. */
  readonly indexFaults: readonly string[];
  /** How a stream, or what was read of it, differs from what has changed in its table. */
  readonly streamFaults: readonly string[];
}

/** Everything that is wrong with a history, the worst first. */
export function findViolations(evidence: Evidence): Violation[] {
  const { chosen, keys, unanswered, isFresh, operations, transactions, eventualReads, wounds } = evidence;
  const violations: Violation[] = [];
  if (transactions.length > 0) violations.push(...findUnserializable(operations, transactions));
  const verdict = transactions.length > 0 ? LINEARIZABLE : checkLinearizability(operations);
  if (verdict.kind === 'undecided') throw new Error('the history is too hard to check');
  if (verdict.kind === 'violation') {
    const { key, call, answer } = verdict.operation;
    const { name } = keys.find(({ storeKey }) => storeKey === key)!;
    const possible = verdict.possible.map((value) => value ?? 'nothing').join(' or ');
    const what = `${name}: ${JSON.stringify(call)} answered ${JSON.stringify(answer)}, possible: ${possible}`;
    violations.push({ kind: 'not-linearizable', what });
  }
  chosen.checkChains();
  for (const what of chosen.violations) violations.push({ kind: 'invariant', what });
  violations.push(...evidence.configViolations);
  for (const { storeKey } of keys) {
    const versions = chosen.chosen(storeKey).map(({ item }) => registerValueOf(item));
    const reads = eventualReads.filter(({ key }) => key === storeKey);
    for (const { value, wasChosen } of reads) {
      if (!wasChosen) violations.push({ kind: 'dirty-read', what: `showed ${value ?? 'nothing'}` });
    }
    if (isFresh) violations.push(...findStaleReads(reads, operations, storeKey, versions));
  }
  for (const what of evidence.falseEntries) violations.push({ kind: 'invariant', what });
  for (const what of evidence.dirtyEntries) violations.push({ kind: 'dirty-read', what });
  for (const what of evidence.staleEntries) violations.push({ kind: 'stale-read', what });
  for (const what of evidence.indexFaults) violations.push({ kind: 'wrong-index', what });
  for (const what of evidence.streamFaults) violations.push({ kind: 'wrong-stream', what });
  if (wounds === undefined) for (const key of keys) violations.push(...findDivergence(key));
  for (const what of wounds ?? []) violations.push({ kind: 'not-healed', what });
  for (const what of unanswered)
    violations.push({ kind: 'unavailable', what: `no answer to the final read of ${what}` });
  return violations;
}

const LINEARIZABLE: Verdict = { kind: 'linearizable' };

function findUnserializable(
  operations: readonly Operation[],
  transactions: readonly TransactionOperation[],
): Violation[] {
  const verdict = checkSerializability(operations, transactions);
  if (verdict.kind === 'undecided') throw new Error('the history is too hard to check');
  if (verdict.kind === 'serializable') return [];
  const { calledAt, returnedAt, ...operation } = verdict.operation;
  const what = `${JSON.stringify(operation)} (call ${calledAt}, return ${returnedAt})`;
  return [{ kind: 'not-linearizable', what: `${what}, possible: ${verdict.possible.join(' or ')}` }];
}

/** What is wrong with a history of blind writes in `dynamo` mode, where the last one wins and reads may step back. */
export function findLostWrites({
  told,
  keys,
  wounds,
  unanswered,
  keepsAll,
  clocksAgree,
  writeQuorum,
}: {
  readonly told: ToldRecords;
  readonly keys: readonly SimulatedKey[];
  readonly wounds: readonly string[];
  readonly unanswered: ReadonlySet<string>;
  /** Whether no disk is lost, and no member is left behind. */
  readonly keepsAll: boolean;
  /** Then of two writes, one after the other, the later one wins. */
  readonly clocksAgree: boolean;
  /** W */
  readonly writeQuorum: number;
}): Violation[] {
  const violations: Violation[] = [];
  for (const { name, homes, storeKey } of keys) {
    const newest = told.newestAcknowledged(storeKey);
    const last = newest?.ballot ?? NO_BALLOT;
    for (const { id, node } of keepsAll ? homes : []) {
      const ballot = node!.stateOf(storeKey).committed?.ballot ?? NO_BALLOT;
      if (newest === undefined || compareBallots(ballot, last) >= 0) continue;
      // What was deleted and purged is nothing. The delete need not be one that was acknowledged.
      const isPurged = newest.value === null || compareBallots(told.purgedUpTo(storeKey), last) > 0;
      if (isPurged && sameBallot(ballot, NO_BALLOT)) continue;
      const what = `${id} has ${showBallot(ballot)} of ${name}, older than ${showBallot(last)}=${newest.value}`;
      violations.push({ kind: 'lost-write', what: `${what}, which was acknowledged` });
    }
    for (const { write, by } of clocksAgree ? told.overtaken(storeKey) : []) {
      const [lost, kept] = [write, by].map((each) => `${showBallot(each.ballot)}=${each.value}`);
      violations.push({ kind: 'lost-write', what: `${lost} of ${name} loses to ${kept}, which was answered before` });
    }
  }
  for (const { storeKey, name } of keys) {
    for (const { write, by } of told.chosenAgain(storeKey)) {
      const what = `${showBallot(write.ballot)}=${write.value} of ${name} loses to ${by.value}`;
      violations.push({ kind: 'lost-write', what: `${what}, which is older and has got another ballot since` });
    }
  }
  for (const what of told.violations) violations.push({ kind: 'lost-write', what });
  for (const { value, wasWritten } of told.reads) {
    if (!wasWritten) violations.push({ kind: 'dirty-read', what: `showed ${value}, which nobody has written` });
  }
  for (const what of wounds) violations.push({ kind: 'not-healed', what });
  for (const { value, ballot, outcome, isCoordinatorAlive } of told.writes) {
    if (writeQuorum > 1 || outcome === 'applied' || !isCoordinatorAlive()) continue;
    violations.push({ kind: 'unavailable', what: `${showBallot(ballot)}=${value} was ${outcome}` });
  }
  for (const what of unanswered)
    violations.push({ kind: 'unavailable', what: `no answer to the final read of ${what}` });
  return violations;
}

/** @param versions the values of the chosen records, oldest first */
function findStaleReads(
  reads: readonly EventualRead[],
  operations: readonly Operation[],
  key: StoreKey,
  versions: readonly RegisterValue[],
): Violation[] {
  const violations: Violation[] = [];
  for (const { value, calledAt, from } of reads) {
    if (from === 'laggard') continue;
    const shown = versions.lastIndexOf(value);
    for (const { call, answer, returnedAt, key: of } of operations) {
      if (of !== key || call.kind !== 'put' || answer.kind !== 'applied' || returnedAt > calledAt) continue;
      if (versions.indexOf(call.value) <= shown) continue;
      const what = `showed ${value ?? 'nothing'} (call ${calledAt}) after ${call.value} was answered (${returnedAt})`;
      violations.push({ kind: 'stale-read', what });
      break;
    }
  }
  return violations;
}

/** Lets the replicas of a key tell each other, without loss, what they have committed. @returns how they then differ */
function findDivergence({ name, homes, storeKey: key }: SimulatedKey): Violation[] {
  const committed = () => homes.map((home) => readCommitted(home, key));
  const before = committed();
  const newest = highestCommitted(before.map((record) => ({ committed: record })));
  for (const [index, record] of before.entries()) {
    if (record === undefined) continue;
    for (const home of homes) {
      if (home !== homes[index]) home.receive!(home.id, { kind: 'learn', key, record }, () => {});
    }
  }
  const after = committed();
  if (after.every((record) => isSameRecord(record, newest))) return [];
  return [
    { kind: 'diverged', what: `${name}: ${after.map(showRecord).join(', ')}; the newest is ${showRecord(newest)}` },
  ];
}

function readCommitted({ id, receive }: SimulatedHost, key: StoreKey): ItemRecord | undefined {
  let record: ItemRecord | undefined;
  receive!(id, { kind: 'read-committed', key }, (reply) => {
    if (reply.kind === 'state') record = reply.committed;
  });
  return record;
}

function isSameRecord(one: ItemRecord | undefined, other: ItemRecord | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return Buffer.compare(one.stored, other.stored) === 0;
}
