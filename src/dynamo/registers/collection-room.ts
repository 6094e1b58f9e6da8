import type { Derivation } from '../../api/derivation.ts';
import type { ItemImage } from '../../api/item.ts';
import type { MutationOutcome } from '../../api/mutation.ts';
import { localBytesOf } from '../derived/places.ts';

/** The size that an item collection has, and that it may have at most if its table has local indexes. */
export interface CollectionSize {
  readonly bytes: number;
  readonly limitBytes: number;
}

/**
 * Refuses what would make an item collection larger than it may be (developer guide, "Item collection size limit"): it may
 * shrink, and items may be changed that do not grow. What other writes add meanwhile is not seen.
 */
export function withinCollection(
  outcome: MutationOutcome,
  derivation: Derivation | undefined,
  { bytes, limitBytes }: CollectionSize,
): MutationOutcome {
  if (derivation === undefined || outcome.kind !== 'applied' || outcome.next === undefined) return outcome;
  const locals = derivation.indexes.filter(({ kind }) => kind === 'local').length;
  // No entry is larger than its item, and nearly no collection is near the limit: most items need not be parsed.
  if (locals === 0 || bytes + outcome.next.size * (1 + locals) <= limitBytes) return outcome;
  const sizeOf = (item: ItemImage) => item.size + localBytesOf(item, derivation);
  const growth = sizeOf(outcome.next) - (outcome.old === undefined ? 0 : sizeOf(outcome.old));
  return growth > 0 && bytes + growth > limitBytes ? { kind: 'collection-full' } : outcome;
}
