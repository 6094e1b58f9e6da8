import type { Failure } from '../client.ts';
import { isLogKey, tableOf } from '../keyspace.ts';
import type { NodeSettings } from '../node-settings.ts';
import { type ItemRecord, isSettled, type ReplicaState } from '../record.ts';
import type { Operation } from '../registers/operation.ts';
import { SOUND_RULES } from '../rules.ts';
import type { Task } from '../task.ts';
import type { DerivationSource } from './derivation-source.ts';
import type { Basis } from './derive.ts';
import { maxSettled, NOTHING_SETTLED, type Settled } from './settled.ts';
import type { Settler } from './settler.ts';

/**
 * The basis of proposals for tables of which nothing is derived, and of those that choose a record again with all that it
 * carries.
 */
export const NOTHING_DERIVED: Basis = {
  key: '',
  partitions: 0,
  derivation: undefined,
  settled: NOTHING_SETTLED,
  owedKept: 0,
  changesKept: 0,
  changeBytesKept: 0,
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
  readonly promises: readonly { readonly settled?: Settled | undefined }[];
}

/** Whether a proposal derives nothing: then `NOTHING_DERIVED` is its basis, and nobody need be asked. */
export function isPlain({ derivation }: Operation, top: ItemRecord | undefined): boolean {
  return derivation === undefined && top?.derived === undefined;
}

/** The newest record of a register, to be chosen again, and what so many replicas hold that a majority has no other. */
export interface Choice {
  readonly top: ItemRecord;
  readonly states: readonly (ReplicaState & { readonly settled?: Settled | undefined })[];
  /** A majority of the members. */
  readonly needed: number;
  /** Whether some of these replicas could not read what they hold. Default: no. */
  readonly mayLack?: boolean;
}

/**
 * What a record derives from that is chosen again. If nobody has told the round what is derived from the table, it asks only
 * if it has to (docs/protocol.md section 14.4).
 */
export function* basisOfChoice(parts: BasisParts, operation: Operation, choice: Choice): Task<Basis | Failure> {
  const { top, states } = choice;
  let { derivation } = operation;
  if (operation.isUntold === true) {
    if (isLogKey(operation.key) || staysAsItIs(choice, parts.settings)) return NOTHING_DERIVED;
    const told = yield* parts.derivations.present(tableOf(operation.key), operation.deadlineMs);
    if (told.kind !== 'derivation') return told;
    derivation = told.derivation;
  }
  const asTold = { ...operation, derivation };
  return isPlain(asTold, top) ? NOTHING_DERIVED : yield* basisOf(parts, asTold, { top, promises: states });
}

/**
 * Whether no index misses a record that is chosen again with what it carries, whatever was added to its table meanwhile. One
 * that was chosen before the round is found by the back-fill of an index, which chooses it again: before the round, which
 * then finds that, or after it. A deleted item has no entries, and the back-fill leaves it alone. Any other record may become
 * chosen by this very round, when the back-fill has passed its key and has found nothing there.
 */
function staysAsItIs(
  { top, states, needed, mayLack = false }: Choice,
  { rules }: Pick<NodeSettings, 'rules'>,
): boolean {
  if (!rules.unsettledAskDerivation) return true;
  return top.item === undefined || (!mayLack && isSettled(top, states, needed));
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
  for (const promise of promises) settled = maxSettled(settled, promise.settled ?? NOTHING_SETTLED);
  const { partitions } = view;
  const { limits, rules } = settings;
  const { owedKept, changesKept, changeBytesKept } = limits;
  return { key, partitions, derivation, settled, owedKept, changesKept, changeBytesKept, rules };
}
