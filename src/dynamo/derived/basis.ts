import { type Ballot, maxBallot, NO_BALLOT } from '../ballot.ts';
import type { Failure } from '../client.ts';
import { tableOf } from '../keyspace.ts';
import type { NodeSettings } from '../node-settings.ts';
import type { ItemRecord } from '../record.ts';
import type { Operation } from '../registers/operation.ts';
import { SOUND_RULES } from '../rules.ts';
import type { Task } from '../task.ts';
import type { DerivationSource } from './derivation-source.ts';
import type { Basis } from './derive.ts';
import type { Settler } from './settler.ts';

/** The basis of proposals for tables of which nothing is derived. */
export const NOTHING_DERIVED: Basis = {
  key: '',
  partitions: 0,
  derivation: undefined,
  settled: NO_BALLOT,
  owedKept: 0,
  rules: SOUND_RULES,
};

/** What the coordinator of a round has. */
interface BasisParts {
  readonly derivations: DerivationSource;
  readonly settler: Settler;
  readonly settings: Pick<NodeSettings, 'limits' | 'rules'>;
  readonly view: { readonly partitions: number };
}

/** What a majority has told in a prepare. */
interface Told {
  /** The newest record that it knows of. */
  readonly top: ItemRecord | undefined;
  readonly promises: readonly { readonly settled?: Ballot | undefined }[];
}

/** Whether a proposal derives nothing: then `NOTHING_DERIVED` is its basis, and nobody need be asked. */
export function isPlain({ derivation }: Operation, top: ItemRecord | undefined): boolean {
  return derivation === undefined && top?.derived === undefined;
}

/**
 * What the proposal of an operation derives from. The derivation that came with the operation may be older than the one
 * that the newest record was made by: then the newer one is fetched, since nothing may be proposed by the older.
 */
export function* basisOf(
  { derivations, settler, settings, view }: BasisParts,
  { key, derivation: told, deadlineMs }: Operation,
  { top, promises }: Told,
): Task<Basis | Failure> {
  let derivation = told === undefined ? undefined : derivations.note(told);
  const version = top?.derived?.version ?? 0;
  if ((derivation?.version ?? 0) < version) {
    const newer = yield* derivations.atLeast(tableOf(key), version, deadlineMs);
    if (newer.kind !== 'derivation') return newer;
    derivation = newer.derivation;
    // The table is being deleted.
    if ((derivation?.version ?? 0) < version) return { kind: 'unavailable', needed: 1, got: 0 };
  }
  let settled = settler.settledOf(key);
  for (const promise of promises) settled = maxBallot(settled, promise.settled ?? NO_BALLOT);
  const { partitions } = view;
  const { limits, rules } = settings;
  return { key, partitions, derivation, settled, owedKept: limits.owedKept, rules };
}
