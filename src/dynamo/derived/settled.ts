import { type Ballot, compareBallots, maxBallot, NO_BALLOT } from '../ballot.ts';
import type { ItemRecord } from '../record.ts';

/**
 * Up to where what the records of an item carry along is done (docs/protocol.md sections 14.3 and 18.2). The two halves are
 * done apart: an index that cannot be reached holds back no stream.
 */
export interface Settled {
  /** The entries that are due up to this ballot are in their places. */
  readonly due: Ballot;
  /** The changes up to this ballot are in the log of their stream. */
  readonly logged: Ballot;
}

export const NOTHING_SETTLED: Settled = { due: NO_BALLOT, logged: NO_BALLOT };

/** Up to where an item has to be settled for this record to owe nothing. */
export function neededFor(record: ItemRecord | undefined): Settled {
  const due = record?.due ?? NO_BALLOT;
  const logged = record?.newestChange ?? NO_BALLOT;
  return due === NO_BALLOT && logged === NO_BALLOT ? NOTHING_SETTLED : { due, logged };
}

export function maxSettled(a: Settled, b: Settled): Settled {
  if (covers(a, b)) return a;
  return covers(b, a) ? b : { due: maxBallot(a.due, b.due), logged: maxBallot(a.logged, b.logged) };
}

/** Whether everything is settled that is needed. */
export function covers(settled: Settled, needed: Settled): boolean {
  return compareBallots(settled.due, needed.due) >= 0 && compareBallots(settled.logged, needed.logged) >= 0;
}
