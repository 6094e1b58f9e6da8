import { NO_BALLOT } from '../ballot.ts';
import type { Failure } from '../client.ts';
import { tableOf } from '../keyspace.ts';
import type { ItemRecord } from '../record.ts';
import type { Operation } from '../registers/operation.ts';
import type { Task } from '../task.ts';
import type { DerivationSource } from './derivation-source.ts';
import type { Basis } from './derive.ts';

/** The basis of proposals for tables of which nothing is derived. */
export const NOTHING_DERIVED: Basis = { key: '', partitions: 0, derivation: undefined, settled: NO_BALLOT };

/** What the coordinator of a round has. */
interface BasisParts {
  readonly derivations: DerivationSource;
  readonly view: { readonly partitions: number };
}

/** Whether a proposal derives nothing: then `NOTHING_DERIVED` is its basis, and nobody need be asked. */
export function isPlain({ derivation }: Operation, top: ItemRecord | undefined): boolean {
  return derivation === undefined && top?.derived === undefined;
}

/**
 * What the proposal of an operation derives from. The derivation that came with the operation may be older than the one
 * that the newest record was made by: then the newer one is fetched, since nothing may be proposed by the older.
 * @param top the newest record that a majority knows of
 */
export function* basisOf(
  { derivations, view }: BasisParts,
  { key, derivation: told, deadlineMs }: Operation,
  top: ItemRecord | undefined,
): Task<{ readonly kind: 'basis'; readonly basis: Basis } | Failure> {
  let derivation = told;
  if (derivation !== undefined) derivations.note(derivation);
  const version = top?.derived?.version ?? 0;
  if ((derivation?.version ?? 0) < version) {
    const newer = yield* derivations.atLeast(tableOf(key), version, deadlineMs);
    if (newer.kind !== 'derivation') return newer;
    derivation = newer.derivation;
    // The table is being deleted.
    if ((derivation?.version ?? 0) < version) return { kind: 'unavailable', needed: 1, got: 0 };
  }
  return { kind: 'basis', basis: { key, partitions: view.partitions, derivation, settled: NO_BALLOT } };
}
