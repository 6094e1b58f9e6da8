import type { MutationOutcome } from '../../api/mutation.ts';
import type { Failure, WriteOutcome } from '../client.ts';
import type { ItemRecord } from '../record.ts';

/**
 * Names one write in lineages: by the coordinator that was asked first, its boot, and the number that it gave the
 * write.
 */
export interface OperationId {
  /** The disk of that coordinator. */
  readonly coordinator: number;
  readonly boot: number;
  readonly sequence: number;
}

/**
 * What another coordinator needs to continue a write so that it still takes effect once or not at all. Plain data.
 *
 * `round`: a consensus round (`register-write.ts`). What each attempt that was sent would have answered, by the time of
 * its ballot: one of them may be chosen, or become so, until a later ballot is.
 * `record`: a put or delete that reads nothing (`sloppy-quorum.ts`); any coordinator may send the same record again.
 */
export type Carried =
  | {
      readonly kind: 'round';
      readonly operation: OperationId;
      readonly attempts: ReadonlyMap<number, MutationOutcome>;
    }
  | { readonly kind: 'record'; readonly record: ItemRecord };

/**
 * A write that its coordinator has begun and gives up, since it is cut off from too many replicas (docs/protocol.md
 * section 3.7). This coordinator sends no further attempt, and remembers the id for as long as a lineage may contain
 * it.
 */
export interface HandedBack {
  readonly kind: 'handed-back';
  readonly carried: Carried;
}

/** What a coordinator answers to a write. */
export type WriteAnswer = WriteOutcome | HandedBack;

/**
 * The answer to a write that this coordinator has not tried. @param carried what another coordinator has begun of it
 */
export function untried(failure: Failure, carried: Carried | undefined): WriteAnswer {
  return carried === undefined ? failure : { kind: 'handed-back', carried };
}

/** Whether another coordinator may be asked instead: this one has not done what was asked, and will not. */
export function mayBePassedOn(outcome: {
  readonly kind: string;
}): outcome is HandedBack | Extract<Failure, { kind: 'unavailable' }> {
  return outcome.kind === 'unavailable' || outcome.kind === 'handed-back';
}
