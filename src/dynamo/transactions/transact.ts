import type { Mutation, MutationOutcome } from '../../api/mutation.ts';
import type { ByteString } from '../../api/primary-key.ts';
import type { Failure, WriteOutcome } from '../client.ts';
import { storeKeyOf, tableOf } from '../keyspace.ts';
import { pause, runTask, type Task, together, wait, waitAtMost } from '../task.ts';
import {
  type ActionOutcome,
  MOST_BYTES_TOGETHER,
  type TransactionOutcome,
  type TransactionRequest,
} from '../transaction-client.ts';
import { isOverdue } from './decision.ts';
import {
  beginAttempt,
  decideAttempt,
  forgetAttempt,
  isOf,
  type LedgerEntry,
  ledgerEntryOf,
  ledgerKey,
  markSettled,
} from './ledger.ts';
import { drawBytes, ITEMS_AT_ONCE, type ItemWrite, look, type TransactionDoor, write } from './transaction-door.ts';

/** An attempt under way. */
interface Attempt {
  readonly door: TransactionDoor;
  readonly request: TransactionRequest;
  readonly ledger: ByteString;
  readonly entry: LedgerEntry;
  /** When it is given up, in the time of `Clock.elapsedMs`. */
  readonly deadlineMs: number;
}

/**
 * Does all actions at one moment, or none (docs/protocol.md section 17.2). Each item is prepared by one write, which is never
 * repeated: if its outcome is not known, the attempt is aborted. The moment is the write that changes the entry of the ledger
 * from PREPARING to COMMITTED.
 */
export function* transact(door: TransactionDoor, request: TransactionRequest): Task<TransactionOutcome> {
  const ledger = request.token?.name ?? drawBytes(door);
  const deadlineMs = door.clock.elapsedMs() + door.limits.opLifeMs;
  const entry: LedgerEntry = {
    state: 'PREPARING',
    attempt: drawBytes(door),
    keys: request.actions.map(({ key }) => storeKeyOf(key, door.partitions)),
    digest: request.token?.digest,
    createdAtMs: door.clock.now(),
    isSettled: false,
  };
  const attempt: Attempt = { door, request, ledger, entry, deadlineMs };
  const refusal = yield* begin(attempt);
  if (refusal !== undefined) return refusal;
  const prepared = yield* prepareAll(attempt);
  const isPrepared = prepared?.every(({ kind }) => kind === 'applied') === true;
  const isReady = isPrepared && door.clock.elapsedMs() < deadlineMs;
  const decided = yield* decide(attempt, isReady);
  if (decided === 'unknown') return { kind: 'unknown' };
  if (decided === 'COMMITTED') {
    yield* settleAfterCommit(attempt);
    return { kind: 'committed', isRepeated: false, items: prepared!.map(itemsOf) };
  }
  const mayForget = prepared?.some(mayYetPrepare) === false;
  runTask(settleAndForget(attempt, 'ABORTED', { mayForget, settled: () => {} }), () => {});
  return prepared === undefined ? { kind: 'too-large' } : cancelled(prepared);
}

/** @returns why the attempt cannot begin; undefined if it has */
function* begin(attempt: Attempt): Task<TransactionOutcome | undefined> {
  const { door, entry, deadlineMs } = attempt;
  /** One whose tables are gone, as was found out. */
  let gone: LedgerEntry | undefined;
  while (door.clock.elapsedMs() < deadlineMs) {
    const outcome = yield* changeLedger(attempt, beginAttempt(entry, door.limits.tokenKeptMs, gone));
    if (outcome.kind === 'applied') return undefined;
    if (outcome.kind !== 'condition-failed') {
      if (outcome.kind !== 'unknown' && outcome.kind !== 'storage-failed') return failureOf(outcome);
      // It may yet begin, and comes to nothing then. If it has begun, it can go on.
      const found = yield* readEntry(attempt);
      return isOf(found, entry) ? undefined : NOT_DONE;
    }
    const earlier = ledgerEntryOf(outcome.current)!;
    if (earlier.state === 'COMMITTED') {
      const isGone: boolean | undefined = yield* areGone(attempt, tablesOf(earlier, entry));
      if (isGone === undefined) return NOT_DONE;
      if (isGone) {
        gone = earlier;
        continue;
      }
    }
    if (earlier.digest !== entry.digest) return { kind: 'token-mismatch' };
    if (earlier.state === 'COMMITTED') {
      if (!earlier.isSettled) yield* settleAfterCommit({ ...attempt, entry: earlier });
      return { kind: 'committed', isRepeated: true, items: [] };
    }
    const isOver = isOverdue({ clock: door.clock, settings: door }, earlier);
    if (earlier.state === 'PREPARING' && !isOver) return { kind: 'in-progress' };
    if (earlier.state === 'PREPARING') yield* changeLedger(attempt, decideAttempt(earlier, 'ABORTED'));
    yield* pause(door.clock, 1);
  }
  return NOT_DONE;
}

/** The tables of an attempt, if another one is on none of them. */
function tablesOf(earlier: LedgerEntry, other: LedgerEntry): readonly ByteString[] {
  const tables = new Set(earlier.keys.map(tableOf));
  return other.keys.some((key) => tables.has(tableOf(key))) ? [] : [...tables];
}

/**
 * Whether all these tables were deleted. Then a token that was used there is free for others: who creates a table anew does not
 * ask for what was done to the old one.
 * @returns undefined if that cannot be found out now
 */
function* areGone({ door, request }: Attempt, tables: readonly ByteString[]): Task<boolean | undefined> {
  const ask = request.token?.areGone;
  if (ask === undefined || tables.length === 0) return false;
  return yield* wait<boolean | undefined>(door.clock, (resume) => {
    ask(tables).then(resume, () => resume(undefined));
  });
}

/** @returns what each came to; undefined once it is known that the items are too large together */
function* prepareAll({ door, request, ledger, entry }: Attempt): Task<WriteOutcome[] | undefined> {
  const { attempt } = entry;
  const { requestId, actions } = request;
  const outcomes: WriteOutcome[] = [];
  let bytes = 0;
  while (outcomes.length < actions.length) {
    const some = actions.slice(outcomes.length, outcomes.length + ITEMS_AT_ONCE);
    const prepares = some.map(({ key, change, derivation }) =>
      prepare(door, { key, mutation: { kind: 'prepare', ledger, attempt, action: change }, derivation, requestId }),
    );
    for (const outcome of yield* together(door.clock, prepares)) {
      outcomes.push(outcome);
      if (outcome.kind === 'applied') bytes += Math.max(outcome.old?.size ?? 0, outcome.next?.size ?? 0);
    }
    if (bytes > MOST_BYTES_TOGETHER) return undefined;
  }
  return outcomes;
}

/** Never twice: one whose outcome is not known may yet take effect, and then nobody can tell it from the other. */
function* prepare(door: TransactionDoor, request: ItemWrite): Task<WriteOutcome> {
  const outcome = yield* write(door, request);
  return door.rules.preparesOnce || outcome.kind !== 'unknown' ? outcome : yield* write(door, request);
}

/** @returns what the ledger says, once it is known */
function* decide(attempt: Attempt, isReady: boolean): Task<'COMMITTED' | 'ABORTED' | 'unknown'> {
  const { door, entry, deadlineMs } = attempt;
  const untilMs = deadlineMs + door.limits.opLifeMs;
  for (let wanted: 'COMMITTED' | 'ABORTED' = isReady ? 'COMMITTED' : 'ABORTED'; ; wanted = 'ABORTED') {
    const outcome = yield* changeLedger(attempt, decideAttempt(entry, wanted));
    if (outcome.kind === 'applied') return wanted;
    // Another one has decided it, or this one by a write whose outcome was not known. What is gone was aborted: nobody
    // forgets what is committed before this one has seen to the items.
    if (outcome.kind === 'condition-failed') {
      const found = ledgerEntryOf(outcome.current);
      if (isOf(found, entry)) return found!.state === 'COMMITTED' ? 'COMMITTED' : 'ABORTED';
      return isReady ? 'unknown' : 'ABORTED';
    }
    if (door.clock.elapsedMs() >= untilMs) return isReady ? 'unknown' : 'ABORTED';
    yield* pause(door.clock, door.limits.maxBackoffMs);
  }
}

/** An answer after it should be seen by eventually consistent reads, if nothing is wrong. */
function* settleAfterCommit(attempt: Attempt): Task<void> {
  const { clock, limits } = attempt.door;
  yield* waitAtMost<void>(clock, 2 * limits.phaseTimeoutMs, (timed) => {
    runTask(settleAndForget(attempt, 'COMMITTED', { mayForget: true, settled: () => timed.finish() }), () => {});
  });
}

interface Settling {
  /** Whether no item can have anything of the attempt that is not settled now. */
  readonly mayForget: boolean;
  /** Called once all items are settled, or cannot be now. */
  readonly settled: () => void;
}

/**
 * Puts what was prepared in its place, or drops it; then the ledger need not tell of it any more. What this does not do, others
 * will (docs/protocol.md section 17.4).
 */
function* settleAndForget(
  attempt: Attempt,
  state: 'COMMITTED' | 'ABORTED',
  { mayForget, settled }: Settling,
): Task<void> {
  const { door, request, entry } = attempt;
  const { requestId, token } = request;
  const isCommitted = state === 'COMMITTED';
  const mutation = { kind: 'settle', attempt: entry.attempt, isCommitted } as const;
  const outcomes: WriteOutcome[] = [];
  while (outcomes.length < request.actions.length) {
    const some = request.actions.slice(outcomes.length, outcomes.length + ITEMS_AT_ONCE);
    const settles = some.map(({ key, derivation }) => write(door, { key, mutation, derivation, requestId }));
    outcomes.push(...(yield* together(door.clock, settles)));
  }
  settled();
  const isSettled = outcomes.every(({ kind }) => SETTLED.has(kind));
  if (door.rules.forgetsSettledOnly && !(isSettled && mayForget)) return;
  const decided = { ...entry, state };
  const isKept = isCommitted && token !== undefined;
  yield* changeLedger(attempt, isKept ? markSettled(decided) : forgetAttempt(decided));
}

function changeLedger({ door, ledger, request }: Attempt, mutation: Mutation): Task<WriteOutcome> {
  return write(door, { key: ledgerKey(ledger), mutation, requestId: request.requestId });
}

function* readEntry({ door, ledger, request }: Attempt): Task<LedgerEntry | undefined> {
  const answer = yield* look(door, { key: ledgerKey(ledger), requestId: request.requestId });
  return answer.kind === 'looked' ? ledgerEntryOf(answer.item) : undefined;
}

/** What is answered of an attempt that was aborted, by what its prepares came to. */
function cancelled(prepared: readonly WriteOutcome[]): TransactionOutcome {
  const reasons = prepared.map(reasonOf);
  if (reasons.some(({ kind }) => kind !== 'none')) return { kind: 'cancelled', reasons };
  // All is well with the actions: nodes could not do what was asked, or took too long.
  const failure = prepared.find(({ kind }) => kind !== 'applied');
  return failure?.kind === 'overloaded' ? failure : NOT_DONE;
}

function reasonOf(outcome: WriteOutcome): ActionOutcome {
  switch (outcome.kind) {
    case 'applied':
    case 'unavailable':
    case 'overloaded':
    case 'unknown':
    case 'storage-failed':
      return { kind: 'none' };
    default:
      return outcome;
  }
}

function mayYetPrepare({ kind }: WriteOutcome): boolean {
  return kind === 'unknown' || kind === 'storage-failed';
}

function itemsOf(outcome: WriteOutcome): Pick<Extract<MutationOutcome, { kind: 'applied' }>, 'old' | 'next'> {
  const { old, next } = outcome as Extract<MutationOutcome, { kind: 'applied' }>;
  return { old, next };
}

/** Of the first write of an attempt, that it has not happened. */
function failureOf(outcome: WriteOutcome): Failure {
  return outcome.kind === 'overloaded' || outcome.kind === 'unavailable' ? outcome : NOT_DONE;
}

/** Of a table that is gone nothing is left to be settled. */
const SETTLED: ReadonlySet<WriteOutcome['kind']> = new Set(['applied', 'condition-failed', 'table-gone']);

const NOT_DONE: Failure = { kind: 'unavailable', needed: 1, got: 0 };
