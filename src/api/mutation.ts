import type { AttributeMap } from './attribute-value.ts';
import { ApiError } from './errors.ts';
import type { Condition, Update } from './expression/ast.ts';
import { evaluateCondition } from './expression/condition.ts';
import { applyUpdate } from './expression/update.ts';
import { checkCollectionEntry, checkIndexKeys, type IndexedTable } from './index-entry.ts';
import { fromImage, type ItemImage, sizeOf, toImage } from './item.ts';
import { MAX_ITEM_BYTES, updateTooLarge } from './item-limits.ts';
import type { ByteString } from './primary-key.ts';

/**
 * What a write does to one item. It is plain data, so that it can be sent to its coordinator. It is a pure function of
 * the present item, because a coordinator may apply it more than once on the way to one outcome (docs/protocol.md
 * section 3.2).
 */
export type Mutation = {
  readonly condition?: Condition | undefined;
} & ({ readonly kind: 'put'; readonly item: ItemImage } | { readonly kind: 'delete' } | UpdateMutation);

/**
 * What a transaction does to one of its items, in two writes: first it prepares the item, then, when it is decided, it settles
 * what it has prepared (docs/protocol.md section 17.2). Plain data, as a `Mutation`.
 */
export type TransactionMutation = PrepareMutation | SettleMutation;

export const ATTEMPT_BYTES = 16;

/** Finds out what the action comes to, and keeps it beside the item, which stays as it is. */
export interface PrepareMutation {
  readonly kind: 'prepare';
  /** The partition key of the transaction's item in the ledger. */
  readonly ledger: ByteString;
  /** `ATTEMPT_BYTES`: of several tries of one transaction, which one it is. */
  readonly attempt: ByteString;
  readonly action: TransactionChange;
}

/** What an action does to its item; `check` only needs its condition to hold. */
export type TransactionChange = Mutation | { readonly kind: 'check'; readonly condition: Condition };

/** Puts what an attempt has prepared in the place of the item, or drops it. Nothing, if the item has nothing of that attempt. */
export interface SettleMutation {
  readonly kind: 'settle';
  readonly attempt: ByteString;
  readonly isCommitted: boolean;
}

interface UpdateMutation {
  readonly kind: 'update';
  readonly update: Update;
  /** The key of the item, in case the item does not exist yet. */
  readonly key: AttributeMap;
  /** The table and indexes that the new item has to fit. */
  readonly table: IndexedTable;
}

export type MutationOutcome =
  | { readonly kind: 'applied'; readonly next: ItemImage | undefined; readonly old: ItemImage | undefined }
  | { readonly kind: 'condition-failed'; readonly current: ItemImage | undefined }
  /** The present item does not allow the update: a ValidationException. Nothing is written. */
  | { readonly kind: 'refused'; readonly message: string }
  /** The item collection would be larger than one of a table with local indexes may be. Nothing is written. */
  | { readonly kind: 'collection-full' }
  /** A transaction that is not decided holds the item. Nothing is written. */
  | { readonly kind: 'conflict' };

/** Pure. Parses the current item only if there is a condition or an update. */
export function applyMutation(mutation: Mutation, current: ItemImage | undefined): MutationOutcome {
  const { condition } = mutation;
  const isRead = condition !== undefined || mutation.kind === 'update';
  const item = isRead && current !== undefined ? fromImage(current) : undefined;
  if (condition !== undefined && !evaluateCondition(condition, item)) return { kind: 'condition-failed', current };
  if (mutation.kind === 'update') return updated(mutation, item, current);
  return { kind: 'applied', next: mutation.kind === 'put' ? mutation.item : undefined, old: current };
}

function updated(
  mutation: UpdateMutation,
  item: AttributeMap | undefined,
  old: ItemImage | undefined,
): MutationOutcome {
  try {
    return { kind: 'applied', next: nextImage(mutation, item), old };
  } catch (error) {
    if (error instanceof ApiError) return { kind: 'refused', message: error.message };
    throw error;
  }
}

/**
 * For an item that an update expression makes, the limit without the key is so many bytes lower: recorded 2026-09-20 to
 * 2026-10-09 in most regions, with a key `pk` of one character, as a limit of 409,581 bytes.
 */
const EXPRESSION_RESERVE_BYTES = 22;

function maxUpdatedBytes({ origin, actions }: Update, key: AttributeMap): number {
  if (origin === 'legacy' || actions.length === 0) return MAX_ITEM_BYTES;
  return Math.min(MAX_ITEM_BYTES, MAX_ITEM_BYTES - EXPRESSION_RESERVE_BYTES + sizeOf(key));
}

function nextImage({ update, key, table }: UpdateMutation, current: AttributeMap | undefined): ItemImage | undefined {
  const item = applyUpdate(update, current, key);
  if (item === undefined) return undefined;
  const size = sizeOf(item);
  if (size > maxUpdatedBytes(update, key)) throw updateTooLarge();
  checkIndexKeys(table.indexes, item, update.origin);
  checkCollectionEntry(table, item, size, updateTooLarge);
  return toImage(item, size);
}
