import type { Derivation } from '../../api/derivation.ts';
import type { StoreKey } from '../../env/store.ts';

/** What an operation on one register carries through all its rounds. */
export interface Operation {
  /** The client's request that it is for, which its messages carry. Undefined as in `ForRequest`. */
  readonly requestId: string | undefined;
  readonly key: StoreKey;
  /** When the coordinator gives up, in the time of `Clock.elapsedMs`. */
  readonly deadlineMs: number;
  /**
   * What is derived from the table, as the client's request or `DerivationSource.present` has told. Undefined: nothing, or
   * the operation proposes no record.
   */
  readonly derivation?: Derivation | undefined;
  /**
   * Whether a node has begun it by itself, so that nobody has told it a derivation: a round asks for that if it needs it
   * (`basisOfChoice`). Default: no.
   */
  readonly isUntold?: boolean;
}
