import type { AttributeMap, AttributeValue } from '../../api/attribute-value.ts';
import { fromImage, type ItemImage, sizeOf } from '../../api/item.ts';
import type { Mutation } from '../../api/mutation.ts';
import type { ByteString } from '../../api/primary-key.ts';
import type { StoreKey } from '../../env/store.ts';
import { type ItemKey, SYSTEM_TABLE } from '../client.ts';
import type { TransactionAttempt } from './pending-section.ts';

/*
 * The ledger: an item of the system table for each transaction that is under way or was lately. It alone says what comes of
 * the transaction (docs/protocol.md section 17.1). Each change of it is a write under a condition, so of all who want to
 * decide a transaction one does.
 */

export type LedgerState = 'PREPARING' | 'COMMITTED' | 'ABORTED';

export interface LedgerEntry {
  readonly state: LedgerState;
  readonly attempt: ByteString;
  /** Of its items. */
  readonly keys: readonly StoreKey[];
  /** Of the request, if it has a token. */
  readonly digest: string | undefined;
  /** When the attempt began, in ms since 1970 by the clock of who leads it. */
  readonly createdAtMs: number;
  /** Whether no item has anything of the attempt any more. */
  readonly isSettled: boolean;
}

const PREFIX = 'transaction:';

export function ledgerKey(ledger: ByteString): ItemKey {
  return { table: SYSTEM_TABLE, partitionKey: PREFIX + ledger, sortKey: '' };
}

/** The `ledger` of which `ledgerKey` is the key; undefined for another item of the system table. */
export function ledgerOf(partitionKey: ByteString): ByteString | undefined {
  return partitionKey.startsWith(PREFIX) ? partitionKey.slice(PREFIX.length) : undefined;
}

/** Whether an entry says what became of this attempt: another one has the entry only when nothing can come of the first. */
export function isOf(entry: LedgerEntry | undefined, { attempt }: Pick<TransactionAttempt, 'attempt'>): boolean {
  return entry?.attempt === attempt;
}

export function ledgerEntryOf(image: ItemImage | undefined): LedgerEntry | undefined {
  if (image === undefined) return undefined;
  const { state, attempt, keys, digest, createdAt, settled } = fromImage(image) as unknown as StoredEntry;
  return {
    state: state.S,
    attempt: latin1(attempt),
    keys: keys.L.map(latin1),
    digest: digest?.S,
    createdAtMs: Number(createdAt.N),
    isSettled: settled !== undefined,
  };
}

interface StoredEntry {
  readonly state: { readonly S: LedgerState };
  readonly attempt: { readonly B: string };
  readonly keys: { readonly L: readonly { readonly B: string }[] };
  readonly digest?: { readonly S: string };
  readonly createdAt: { readonly N: string };
  readonly settled?: { readonly BOOL: true };
}

function imageOf({ state, attempt, keys, digest, createdAtMs, isSettled }: LedgerEntry): ItemImage {
  const item: AttributeMap = {
    state: { S: state },
    attempt: binary(attempt),
    keys: { L: keys.map(binary) },
    ...(digest === undefined ? {} : { digest: { S: digest } }),
    createdAt: { N: String(createdAtMs) },
    ...(isSettled ? { settled: { BOOL: true } } : {}),
  };
  return { size: sizeOf(item), json: Buffer.from(JSON.stringify(item)) };
}

type Condition = NonNullable<Mutation['condition']>;

/**
 * Begins an attempt, unless another one is under way or has the token: then the write answers that one.
 * @param entry the new one
 * @param tokenKeptMs as in `NodeLimits`
 * @param gone one that was committed, of which no table is there any more: it has the token no longer
 */
export function beginAttempt(entry: LedgerEntry, tokenKeptMs: number, gone?: LedgerEntry): Mutation {
  const isOver = and(
    and(is('state', { S: 'COMMITTED' }), { kind: 'exists', path: ['settled'] }),
    compare('createdAt', '<', { N: String(entry.createdAtMs - tokenKeptMs) }),
  );
  const isFree: Condition = {
    kind: 'or',
    left: { kind: 'not-exists', path: ['state'] },
    right: { kind: 'or', left: is('state', { S: 'ABORTED' }), right: isOver },
  };
  const isOfGone = gone && is('attempt', binary(gone.attempt));
  const condition: Condition = isOfGone === undefined ? isFree : { kind: 'or', left: isOfGone, right: isFree };
  return { kind: 'put', item: imageOf(entry), condition };
}

/** Decides an attempt, unless it is decided; then the write answers how. */
export function decideAttempt(entry: LedgerEntry, state: 'COMMITTED' | 'ABORTED'): Mutation {
  const condition = and(is('attempt', binary(entry.attempt)), is('state', { S: 'PREPARING' }));
  return { kind: 'put', item: imageOf({ ...entry, state }), condition };
}

/** Notes that no item has anything of a decided attempt any more. */
export function markSettled(entry: LedgerEntry): Mutation {
  const condition = and(is('attempt', binary(entry.attempt)), is('state', { S: entry.state }));
  return { kind: 'put', item: imageOf({ ...entry, isSettled: true }), condition };
}

/** Removes the entry of an attempt that was decided so. */
export function forgetAttempt({ attempt, state }: Pick<LedgerEntry, 'attempt' | 'state'>): Mutation {
  return { kind: 'delete', condition: and(is('attempt', binary(attempt)), is('state', { S: state })) };
}

function and(left: Condition, right: Condition): Condition {
  return { kind: 'and', left, right };
}

function is(name: string, value: AttributeValue): Condition {
  return compare(name, '=', value);
}

function compare(name: string, comparator: '=' | '<', value: AttributeValue): Condition {
  return { kind: 'compare', comparator, left: { kind: 'path', path: [name] }, right: { kind: 'value', value } };
}

function binary(bytes: ByteString): { readonly B: string } {
  return { B: Buffer.from(bytes, 'latin1').toString('base64') };
}

function latin1({ B }: { readonly B: string }): ByteString {
  return Buffer.from(B, 'base64').toString('latin1');
}
