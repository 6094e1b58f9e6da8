import type { Departure } from '../api/departure.ts';
import type { Derivation } from '../api/derivation.ts';
import type { ItemImage } from '../api/item.ts';
import type { MutationOutcome, TransactionChange } from '../api/mutation.ts';
import type { ByteString } from '../api/primary-key.ts';
import type { Failure, ItemKey } from './client.ts';

/** Items of one transaction may have so many bytes together, by the service's rules ("Constraints" in its developer guide). */
export const MOST_BYTES_TOGETHER = 4 * 1024 * 1024;

/** One action of a transaction that writes: on an item that no other action of it names, of a table in `strict` mode. */
export interface TransactionAction {
  readonly key: ItemKey;
  /** What it does to its item; `check` only needs its condition to hold. */
  readonly change: TransactionChange;
  /** As in `WriteOptions`. */
  readonly derivation?: Derivation | undefined;
}

export interface TransactionToken {
  /** The client's token with all that scopes it. */
  readonly name: ByteString;
  /** Under one name, another one is another request. */
  readonly digest: string;
  /**
   * Whether tables were deleted, by their ids. A token that was used for such tables alone is free for others. Default: they
   * are there. Rejects if that cannot be found out now.
   */
  readonly areGone?: ((tables: readonly ByteString[]) => Promise<boolean>) | undefined;
}

export interface TransactionRequest {
  /** 1 to 100. */
  readonly actions: readonly TransactionAction[];
  /** Makes a repetition within ten minutes answer what the first one came to. */
  readonly token?: TransactionToken | undefined;
  /** As in `WriteOptions`. */
  readonly requestId?: string | undefined;
}

/** What became of one action of a transaction that was cancelled, or why it was. */
export type ActionOutcome =
  /** It was not the cause. */
  | { readonly kind: 'none' }
  /** `conflict`: another transaction holds its item. */
  | Exclude<MutationOutcome, { readonly kind: 'applied' }>
  | Extract<Failure, { readonly kind: 'index-behind' | 'table-gone' }>;

export type TransactionOutcome =
  /** All actions have happened, at one moment. Of a repetition nothing was done now, and the items are not known. */
  | {
      readonly kind: 'committed';
      readonly isRepeated: boolean;
      /** In the order of the actions; empty for a repetition. */
      readonly items: readonly { readonly old: ItemImage | undefined; readonly next: ItemImage | undefined }[];
    }
  /** None has happened. In the order of the actions. */
  | { readonly kind: 'cancelled'; readonly reasons: readonly ActionOutcome[] }
  /** The items that it is of are too large together. None of it has happened. */
  | { readonly kind: 'too-large' }
  /** The token names another request. */
  | { readonly kind: 'token-mismatch' }
  /** The transaction of this token is under way. */
  | { readonly kind: 'in-progress' }
  | Failure;

export type TransactionReadOutcome =
  /** All as they were at one moment, in the order asked. */
  | { readonly kind: 'items'; readonly items: readonly (ItemImage | undefined)[] }
  /** They are too large together. */
  | { readonly kind: 'too-large' }
  /** The items kept changing, or transactions held them: true for each such item. */
  | { readonly kind: 'cancelled'; readonly conflicts: readonly boolean[] }
  | Failure;

export interface TogetherRequest {
  /** 1 to 100, all different. */
  readonly items: readonly { readonly key: ItemKey; readonly derivation?: Derivation | undefined }[];
  /** As in `WriteOptions`. */
  readonly requestId?: string | undefined;
  /** As in `ReadRequest`. */
  readonly departure?: Departure | undefined;
}

/** Transactions over several items of tables in `strict` mode (docs/protocol.md section 17). */
export interface TransactingClient {
  /** Does all actions at one moment, or none. */
  transact(request: TransactionRequest): Promise<TransactionOutcome>;
  /** Reads items as they were at one moment. */
  readTogether(request: TogetherRequest): Promise<TransactionReadOutcome>;
}
