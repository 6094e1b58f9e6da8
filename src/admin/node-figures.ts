import type { NodeDescription } from '../peer/ring-description.ts';
import type { NodeFigures } from '../web/metrics.ts';

/** The figures of a node for `/metrics`. */
export function nodeFigures({ id, state, status }: NodeDescription): NodeFigures {
  if (status === undefined) return { node: id, state, figures: undefined };
  const {
    partitions,
    sealed,
    suspects,
    hints,
    hintBytes,
    owed,
    settling,
    entriesConfirmed,
    propagationHeld,
    epochsBegun,
    repaired,
    tombstonesPurged,
    damage,
    damagedHints,
    scrubbed,
  } = status;
  const figures = {
    partitions: partitions.length,
    sealed: sealed.length,
    suspects: suspects.length,
    hints,
    hintBytes,
    owed,
    settling,
    entriesConfirmed,
    propagationHeld,
    epochsBegun,
    repairs: repaired.partitions,
    recordsRepaired: repaired.recordsRepaired,
    hashesExchanged: repaired.hashesExchanged,
    repairBytesExchanged: repaired.bytesExchanged,
    tombstonesPurged,
    damagedKeys: damage.left,
    damagedFound: damage.found,
    damagedRestored: damage.restored,
    damagedUnproven: damage.unproven,
    damagedHints,
    scrubs: scrubbed.scrubs,
    recordsScrubbed: scrubbed.records,
  };
  return { node: id, state, figures };
}
