import { AssertionError } from 'node:assert';
import { sameBallot } from './ballot.ts';
import type { ItemRecord, ReplicaState } from './record.ts';

/**
 * Which assertions of invariants are on. `cheap`: those that cost a request nothing measurable. `all`: also those that
 * look something up or compare records, as simulations and tests want it.
 */
export type Checks = 'cheap' | 'all';

/** Where an invariant is stated. */
export type Invariant = `docs/protocol.md ${`I${number}` | `section ${string}`}`;

/**
 * Throws an AssertionError if an invariant of the protocol does not hold: that is a bug of ours, and what is in memory
 * cannot be relied on any more (docs/ARCHITECTURE.md, three kinds of failure). A simulation prints the seed of its
 * history.
 *
 * Cheaper than `assert` of Node, which collects its arguments: this one is on the path of every write.
 */
export function assertInvariant(isHeld: boolean, invariant: Invariant, what: string): asserts isHeld {
  if (!isHeld) throw new AssertionError({ message: `${what} (${invariant})`, stackStartFn: assertInvariant });
}

/** One ballot names one record. @param known what the replica holds of the key already */
function assertOneRecord(record: ItemRecord, known: ItemRecord | undefined): void {
  if (known === undefined || known === record || !sameBallot(record.ballot, known.ballot)) return;
  const isSame = Buffer.compare(record.stored, known.stored) === 0;
  assertInvariant(isSame, 'docs/protocol.md I1', 'two different records have one ballot');
}

/** A record contains each operation once. Walks its lineage. */
function assertOperationsOnce({ lineage }: ItemRecord): void {
  const ids = new Set(lineage.map(({ coordinator, boot, sequence }) => `${coordinator}/${boot}/${sequence}`));
  assertInvariant(ids.size === lineage.length, 'docs/protocol.md I6', 'a record contains an operation twice');
}

/** A record that is about to be accepted. @param state what the replica holds of the key already */
export function assertAcceptable(record: ItemRecord, { accepted, committed }: ReplicaState): void {
  assertOperationsOnce(record);
  assertOneRecord(record, accepted);
  assertOneRecord(record, committed);
}
