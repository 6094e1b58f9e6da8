import type { MutationOutcome } from '../../api/mutation.ts';
import type { Failure, WriteOutcome } from '../client.ts';
import type { ItemRecord } from '../record.ts';

/** Names one write in lineages: the number that the coordinator which was asked first gave it, in that boot. */
export interface OperationId {
  /** The disk of that coordinator. */
  readonly coordinator: number;
  readonly boot: number;
  readonly sequence: number;
}

/**
 * What another coordinator needs to carry on with a write so that it still takes effect once or not at all. Plain data.
 *
 * `round`: a consensus round (`register-write.ts`). What each attempt that was sent would have answered, by the time of
 * its ballot: one of them may be chosen, or become so, until a later ballot is.
 * `record`: a put or delete that reads nothing (`sloppy-quorum.ts`); the same record may be sent again by anybody.
 */
export type Carried =
  | {
      readonly kind: 'round';
      readonly operation: OperationId;
      readonly attempts: ReadonlyMap<number, MutationOutcome>;
    }
  | { readonly kind: 'record'; readonly record: ItemRecord };

/**
 * A write that its coordinator has begun and lets go of, since it is cut off from too many replicas (docs/protocol.md
 * section 3.7). It sends no attempt of it any more, and remembers its id for as long as a lineage may.
 */
export interface HandedBack {
  readonly kind: 'handed-back';
  readonly carried: Carried;
}

/** What a coordinator answers to a write. */
export type WriteAnswer = WriteOutcome | HandedBack;

/** What a coordinator answers to a write that it has not tried, which another may have begun (`carried`). */
export function untried(failure: Failure, carried: Carried | undefined): WriteAnswer {
  return carried === undefined ? failure : { kind: 'handed-back', carried };
}

/** Whether another coordinator may be asked instead, whatever was asked: this one has not done it, and will not. */
export function mayBePassedOn(outcome: {
  readonly kind: string;
}): outcome is HandedBack | Extract<Failure, { kind: 'unavailable' }> {
  return outcome.kind === 'unavailable' || outcome.kind === 'handed-back';
}
