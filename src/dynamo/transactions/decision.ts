import type { ItemImage } from '../../api/item.ts';
import { applyMutation, type Mutation } from '../../api/mutation.ts';
import type { Failure } from '../client.ts';
import { storeKeyOf, tableOf } from '../keyspace.ts';
import type { NodeSettings } from '../node-settings.ts';
import type { ItemRecord } from '../record.ts';
import type { Coordinator } from '../registers/coordinator.ts';
import type { WriteAnswer } from '../registers/handed-back.ts';
import type { Operation } from '../registers/operation.ts';
import { type RegisterReadOutcome, readStrongly } from '../registers/register-read.ts';
import { type RegisterWrite, writeRegister } from '../registers/register-write.ts';
import type { Task } from '../task.ts';
import { changeItem } from './item-change.ts';
import { decideAttempt, isOf, type LedgerEntry, ledgerEntryOf, ledgerKey } from './ledger.ts';
import { committedItem, type Pending, type TransactionAttempt } from './pending-section.ts';

/*
 * What a node does that meets an item which a transaction has prepared (docs/protocol.md section 17.3): it asks the ledger.
 */

/** An item as a strong read shows it. */
export interface DecidedItem {
  readonly kind: 'decided';
  readonly item: ItemImage | undefined;
  /** The attempt that has made the item, if that is committed and not settled yet. */
  readonly committed: string | undefined;
  /** Whether a transaction holds the item that is not decided. */
  readonly isHeld: boolean;
  readonly record: ItemRecord | undefined;
}

type Unavailable = Extract<Failure, { kind: 'unavailable' }>;
const NOT_IN_TIME: Unavailable = { kind: 'unavailable', needed: 1, got: 0 };

/**
 * A linearizable read of an item that a transaction may hold.
 * @param known what a strong read of it has found just before
 */
export function* readDecided(
  coordinator: Coordinator,
  operation: Operation,
  known?: RegisterReadOutcome,
): Task<DecidedItem | Failure> {
  /** The attempt of which the ledger has said nothing, when the item was last looked at. */
  let gone: string | undefined;
  let read = known ?? (yield* readStrongly(coordinator, operation));
  for (;;) {
    if (read.kind !== 'read') return read;
    const { record } = read;
    const pending = record?.pending;
    if (record === undefined || pending === undefined) return asItIs(record);
    if (!coordinator.settings.rules.readsAskLedger || pending.attempt === gone) return asItIs(record);
    const entry = yield* readLedger(coordinator, operation, pending);
    if (entry !== undefined && 'kind' in entry) return entry;
    if (isOf(entry, pending)) return asDecided(record, pending, entry!);
    if (!coordinator.settings.rules.goneIsReadAgain) return asItIs(record);
    // The entry of an attempt goes when no item has anything of it any more, or when it was aborted: the next look tells.
    gone = pending.attempt;
    if (coordinator.isPast(operation.deadlineMs)) return NOT_IN_TIME;
    read = yield* readStrongly(coordinator, operation);
  }
}

/**
 * As `readDecided`, for who needs what is derived of the item: that is in its record once the transaction is settled.
 */
export function* readSettled(coordinator: Coordinator, operation: Operation): Task<RegisterReadOutcome> {
  for (;;) {
    const decided = yield* readDecided(coordinator, operation);
    if (decided.kind !== 'decided') return decided;
    const { record, item } = decided;
    if (record?.item === item) return { kind: 'read', record };
    const freed = yield* freeItem(coordinator, operation);
    if (freed.kind !== 'free' && freed.kind !== 'held') return freed;
  }
}

function asItIs(record: ItemRecord | undefined): DecidedItem {
  return { kind: 'decided', item: record?.item, committed: undefined, isHeld: false, record };
}

function asDecided(record: ItemRecord, pending: Pending, { state }: LedgerEntry): DecidedItem {
  if (state === 'COMMITTED') {
    const { attempt } = pending;
    return { kind: 'decided', item: committedItem(pending, record.item), committed: attempt, isHeld: false, record };
  }
  return { ...asItIs(record), isHeld: state === 'PREPARING' };
}

/**
 * Names the version of an item: another one as soon as the item may be another, and it never comes again. A record that is
 * chosen again keeps it: it names the attempt that made the record. Apart from the read, since most who read need none.
 */
export function versionOf({ record, committed }: DecidedItem): string {
  if (committed !== undefined) return `committed ${committed}`;
  if (record === undefined) return 'none';
  const last = record.lineage.at(-1);
  const { coordinator, boot, hlc } = last ?? record.ballot;
  return `${coordinator} ${boot} ${last?.sequence} ${hlc}`;
}

/** @returns undefined if there is no entry */
function* readLedger(
  coordinator: Coordinator,
  { requestId, deadlineMs }: Operation,
  { ledger }: TransactionAttempt,
): Task<LedgerEntry | undefined | Failure> {
  const key = storeKeyOf(ledgerKey(ledger), coordinator.view.partitions);
  const read = yield* readStrongly(coordinator, { requestId, key, deadlineMs });
  return read.kind === 'read' ? ledgerEntryOf(read.record?.item) : read;
}

/** Whether an item is free for a write, as far as transactions go. `held`: one is under way. */
export type Freed = { readonly kind: 'free' } | { readonly kind: 'held' } | Failure;

/**
 * Has what a transaction has prepared of an item settled, if it is decided. One that has taken longer than it may is aborted
 * before: whoever led it is gone, or will find that out.
 */
export function* freeItem(coordinator: Coordinator, operation: Operation): Task<Freed> {
  while (!coordinator.isPast(operation.deadlineMs)) {
    const read = yield* readStrongly(coordinator, operation);
    if (read.kind !== 'read') return read;
    const { record } = read;
    const pending = record?.pending;
    if (record === undefined || pending === undefined) return { kind: 'free' };
    const { rules } = coordinator.settings;
    const entry = yield* readLedger(coordinator, operation, pending);
    if (entry !== undefined && 'kind' in entry) return entry;
    // What has no entry was aborted; or it is settled by now, and then the write below finds nothing to do.
    let isCommitted = isOf(entry, pending) && entry!.state === 'COMMITTED';
    if (isOf(entry, pending) && entry!.state === 'PREPARING') {
      if (!isOverdue(coordinator, entry!)) return { kind: 'held' };
      if (rules.clearsByLedger) {
        const decided = yield* abort(coordinator, operation, { ledger: pending.ledger, entry: entry! });
        if (decided.kind !== 'decided') return decided;
        isCommitted = decided.isCommitted;
      }
    }
    const settled = yield* settleItem(coordinator, operation, { record, attempt: pending.attempt, isCommitted });
    if (settled !== undefined) return settled;
  }
  return NOT_IN_TIME;
}

/** Whether an attempt is older than any that is led to its end. A clock that was set back must not keep it for ever. */
export function isOverdue(
  { clock, settings: { limits } }: Pick<Coordinator, 'clock'> & { readonly settings: Pick<NodeSettings, 'limits'> },
  { createdAtMs }: LedgerEntry,
): boolean {
  const ageMs = clock.now() - createdAtMs;
  return ageMs > limits.opLifeMs || ageMs < -limits.maxDriftMs;
}

type Decision = { readonly kind: 'decided'; readonly isCommitted: boolean } | Failure;

/** Aborts an attempt, unless it is decided by now. */
export function* abort(
  coordinator: Coordinator,
  operation: Pick<Operation, 'requestId' | 'deadlineMs'>,
  { ledger, entry }: { readonly ledger: string; readonly entry: LedgerEntry },
): Task<Decision> {
  const outcome = yield* writeLedger(coordinator, operation, ledger, decideAttempt(entry, 'ABORTED'));
  if (outcome.kind === 'applied') return { kind: 'decided', isCommitted: false };
  if (outcome.kind !== 'condition-failed') return NOT_IN_TIME;
  const current = ledgerEntryOf(outcome.current);
  return { kind: 'decided', isCommitted: isOf(current, entry) && current!.state === 'COMMITTED' };
}

/** Changes an entry of the ledger. */
export function writeLedger(
  coordinator: Coordinator,
  { requestId, deadlineMs }: Pick<Operation, 'requestId' | 'deadlineMs'>,
  ledger: string,
  mutation: Mutation,
): ReturnType<typeof writeRegister> {
  const { partitionKey, ...rest } = ledgerKey(ledger);
  const key = storeKeyOf({ ...rest, partitionKey }, coordinator.view.partitions);
  const change = (current: ItemImage | undefined) => applyMutation(mutation, current);
  return writeRegister(coordinator, {
    ...{ requestId, key, deadlineMs, partitionKey, change },
    mode: 'strict',
    carried: undefined,
  });
}

/**
 * A write of an item that a transaction may hold: once that is decided, it is settled and the write tried again. An undecided
 * one is a conflict, which the write answers.
 */
export function* writeOnceFree(coordinator: Coordinator, write: RegisterWrite): Task<WriteAnswer> {
  let outcome = yield* writeRegister(coordinator, write);
  // Whatever was sent before, under another coordinator too, has not happened and will not.
  while (outcome.kind === 'conflict') {
    const freed = yield* freeItem(coordinator, write);
    if (freed.kind === 'held') return outcome;
    if (freed.kind !== 'free') return freed;
    outcome = yield* writeRegister(coordinator, { ...write, carried: undefined });
  }
  return outcome;
}

interface DecidedAttempt {
  /** What has the attempt's mark, as it was read. */
  readonly record: ItemRecord;
  readonly attempt: string;
  readonly isCommitted: boolean;
}

/**
 * Puts what a decided attempt has prepared in the place of the item, or drops it; nothing if that was done.
 * @returns why not, if it was not
 */
function* settleItem(
  coordinator: Coordinator,
  operation: Operation,
  { record, attempt, isCommitted }: DecidedAttempt,
): Task<Failure | undefined> {
  const { key, deadlineMs } = operation;
  let { derivation } = operation;
  if (operation.isUntold === true) {
    const told = yield* coordinator.derivations.present(tableOf(key), deadlineMs);
    if (told.kind !== 'derivation') return told;
    derivation = told.derivation;
  }
  const mutation = { kind: 'settle', attempt, isCommitted } as const;
  const { requestId } = operation;
  const { rules } = coordinator.settings;
  const outcome = yield* writeRegister(coordinator, {
    ...{ requestId, key, deadlineMs, derivation },
    partitionKey: record.partitionKey,
    change: (current, record) => changeItem(mutation, current, record?.pending, rules),
    mode: 'strict',
    carried: undefined,
    isExempt: true,
  });
  return outcome.kind === 'applied' || outcome.kind === 'condition-failed' ? undefined : NOT_IN_TIME;
}
