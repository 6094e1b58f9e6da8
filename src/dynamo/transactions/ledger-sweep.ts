import type { Clock } from '../../env/clock.ts';
import { DAMAGED, isCutShort, keyAfter, type Store, type StoreKey } from '../../env/store.ts';
import { TICKS_PER_MS } from '../ballot.ts';
import { SYSTEM_TABLE } from '../client.ts';
import { storeKeyOf, tableRange } from '../keyspace.ts';
import { ballotIn, decodeRecord } from '../record.ts';
import type { Coordinator } from '../registers/coordinator.ts';
import { readStrongly } from '../registers/register-read.ts';
import { RepeatedPass } from '../registers/repeated-pass.ts';
import { runTask, type Task, together, wait } from '../task.ts';
import { abort, type Freed, isOverdue, writeLedger } from './decision.ts';
import { forgetAttempt, type LedgerEntry, ledgerEntryOf, ledgerKey, ledgerOf, markSettled } from './ledger.ts';
import { ITEMS_AT_ONCE } from './transaction-door.ts';

/** Rows that one pass looks at. The next one goes on behind them. */
const LEAST_ROWS = 512;
/** Of a large ledger it looks at more, so that it comes round in so many passes, which are some minutes. */
const PASSES_OF_A_ROUND = 300;
const MOST_ROWS = 4_096;
/** Of transactions of 100 items, some 20 ms. */
const MOST_BYTES = 3 * 1024 * 1024;

interface LedgerSweepParts {
  readonly store: Store;
  readonly coordinator: Coordinator;
  /** Whether this node is the first member that seems up of a key's partition; undefined if it has no vote there. */
  readonly isFirst: (key: StoreKey) => boolean | undefined;
  /** As `freeItem`, in turn with all else that this node writes of the key. */
  readonly free: Free;
}

type Free = (key: StoreKey, done: (freed: Freed) => void) => void;

/**
 * Ends transactions that nobody leads any more, and forgets those that nobody will ask for (docs/protocol.md section 17.4).
 */
export class LedgerSweep {
  readonly #parts: LedgerSweepParts;
  readonly #passes: RepeatedPass<string>;
  /** Where the last pass ended. */
  #partition = 0;
  #after: StoreKey | undefined;
  /** Rows of the round that ended last, and of the one under way. */
  #roundRows = 0;
  #rows = 0;

  constructor(parts: LedgerSweepParts) {
    this.#parts = parts;
    const { clock, settings } = parts.coordinator;
    const work = (ledger: string, done: () => void) => runTask(sweepEntry(parts, ledger), done);
    const find = () => this.#overdue();
    this.#passes = new RepeatedPass({ clock, intervalMs: settings.limits.finishIntervalMs, find, work });
  }

  start(): void {
    this.#passes.start();
  }

  stop(): void {
    this.#passes.stop();
  }

  /** The entries in the next rows that are older than any transaction that is led, as this replica has them. */
  #overdue(): readonly string[] {
    const { store, coordinator, isFirst } = this.#parts;
    const { partitions } = coordinator.view;
    const found: string[] = [];
    let left = Math.min(MOST_ROWS, Math.max(LEAST_ROWS, Math.ceil(this.#roundRows / PASSES_OF_A_ROUND)));
    for (let passed = 0; passed < partitions && left > 0; passed++) {
      const { from, to } = tableRange(this.#partition, SYSTEM_TABLE);
      const first = isFirst(from);
      // What the first member does not do, the others do later.
      const laterMs = first === true ? 0 : coordinator.settings.limits.outboxLaterMs;
      const query = { from: this.#after ?? from, to, limit: left, bytesLimit: MOST_BYTES };
      const rows = first === undefined ? [] : store.range('items', query);
      for (const { value } of rows) {
        if (value === DAMAGED || this.#isYoung(value)) continue;
        const { partitionKey, item } = decodeRecord(value);
        const ledger = item && ledgerOf(partitionKey);
        if (ledger !== undefined && mayBeSwept(coordinator, ledgerEntryOf(item)!, laterMs)) found.push(ledger);
      }
      this.#rows += rows.length;
      const isCut = isCutShort(rows, query);
      left = isCut ? 0 : left - rows.length;
      this.#after = isCut ? keyAfter(rows.at(-1)!.key) : undefined;
      if (!isCut) this.#toNextPartition(partitions);
    }
    return found;
  }

  #toNextPartition(partitions: number): void {
    this.#partition = (this.#partition + 1) % partitions;
    if (this.#partition !== 0) return;
    this.#roundRows = this.#rows;
    this.#rows = 0;
  }

  /** Whether a record is so young that its transaction is led to its end, and need not be decoded. */
  #isYoung(stored: Uint8Array): boolean {
    const { clock, settings } = this.#parts.coordinator;
    const ageMs = clock.now() - ballotIn(stored).hlc / TICKS_PER_MS;
    return ageMs >= 0 && ageMs <= settings.limits.opLifeMs;
  }
}

/** @param laterMs how much older it has to be */
function mayBeSwept(coordinator: Coordinator, entry: LedgerEntry, laterMs = 0): boolean {
  const asOld = laterMs === 0 ? entry : { ...entry, createdAtMs: entry.createdAtMs + laterMs };
  return isOverdue(coordinator, asOld) && (!entry.isSettled || isForgotten(coordinator, asOld));
}

/** Whether an entry of which all items are settled is old enough to go. */
function isForgotten({ clock, settings: { limits } }: Coordinator, entry: LedgerEntry): boolean {
  const { tokenKeptMs, opLifeMs, messageLifeMs } = limits;
  // Of an aborted one a prepare may come yet. It would be cleared all the same, but at the price of an entry made anew.
  const keptMs = entry.state === 'ABORTED' ? 2 * opLifeMs + messageLifeMs : tokenKeptMs + opLifeMs;
  const isAsked = entry.state === 'ABORTED' || entry.digest !== undefined;
  const ageMs = clock.now() - entry.createdAtMs;
  return !isAsked || ageMs > keptMs || ageMs < -limits.maxDriftMs;
}

/** Takes one transaction as far towards its end as is possible now. */
function* sweepEntry({ coordinator, free }: LedgerSweepParts, ledger: string): Task<void> {
  const operation = { requestId: undefined, deadlineMs: coordinator.deadline() };
  const key = storeKeyOf(ledgerKey(ledger), coordinator.view.partitions);
  const read = yield* readStrongly(coordinator, { ...operation, key });
  let entry = read.kind === 'read' ? ledgerEntryOf(read.record?.item) : undefined;
  if (entry === undefined || !mayBeSwept(coordinator, entry)) return;
  if (entry.state === 'PREPARING') {
    const decided = yield* abort(coordinator, operation, { ledger, entry });
    if (decided.kind !== 'decided') return;
    entry = { ...entry, state: decided.isCommitted ? 'COMMITTED' : 'ABORTED' };
  }
  if (!entry.isSettled) {
    const isSettled = yield* settleAll(coordinator.clock, entry.keys, free);
    if (!isSettled) return;
  }
  if (isForgotten(coordinator, entry)) yield* writeLedger(coordinator, operation, ledger, forgetAttempt(entry));
  else if (!entry.isSettled) yield* writeLedger(coordinator, operation, ledger, markSettled(entry));
}

/** @returns whether no item has anything of a decided attempt any more */
function* settleAll(clock: Clock, keys: readonly StoreKey[], free: Free): Task<boolean> {
  for (let at = 0; at < keys.length; at += ITEMS_AT_ONCE) {
    const some = keys.slice(at, at + ITEMS_AT_ONCE);
    const freed = yield* together(
      clock,
      some.map((key) => wait<Freed>(clock, (resume) => free(key, resume))),
    );
    if (!freed.every(isRidOfIt)) return false;
  }
  return true;
}

/** What another transaction holds has nothing of this one; and a table that is gone has no items. */
function isRidOfIt({ kind }: Freed): boolean {
  return kind === 'free' || kind === 'held' || kind === 'table-gone';
}
