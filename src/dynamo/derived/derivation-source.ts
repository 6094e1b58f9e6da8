import type { Derivation } from '../../api/derivation.ts';
import type { ByteString } from '../../api/primary-key.ts';
import type { Failure } from '../client.ts';
import type { Task } from '../task.ts';

/** What is derived from a table; `derivation` is undefined if nothing is. */
export type DerivationOutcome = { readonly kind: 'derivation'; readonly derivation: Derivation | undefined } | Failure;

/**
 * Where a round learns what is derived from the items of a table (docs/protocol.md section 14.4). Requests of clients bring
 * it along; rounds that a node begins by itself have to ask.
 */
export interface DerivationSource {
  /** The derivation that a request has brought along. @returns it, or a newer one of the table */
  note(derivation: Derivation): Derivation;
  /**
   * Has rounds that this node begins from now on use this derivation, or a newer one.
   * @returns in how many ms no earlier round of this node can choose a record any more
   */
  use(derivation: Derivation): number;
  /** A round has ended whose messages may be on their way, and may choose its record yet. */
  noteLoose(): void;
  /** The newest that is known at once. */
  known(table: ByteString): Derivation | undefined;
  /** One of this version or a later one, for a round that has met a record made by it. */
  atLeast(table: ByteString, version: number, deadlineMs: number): Task<DerivationOutcome>;
  /** The present one, as a strong read that is at most `derivationFreshMs` old has found it. */
  present(table: ByteString, deadlineMs: number): Task<DerivationOutcome>;
}
