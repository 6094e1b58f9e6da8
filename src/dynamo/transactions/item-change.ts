import type { ItemImage } from '../../api/item.ts';
import { applyMutation, type Mutation, type MutationOutcome, type TransactionMutation } from '../../api/mutation.ts';
import type { Rules } from '../rules.ts';
import { committedItem, type Pending, type PendingNext } from './pending-section.ts';

/**
 * What a write comes to, from the item before it and what a transaction has prepared there (docs/protocol.md section 17.2).
 * Without effects, as `Change` in `register-write.ts` has to be.
 */
export function changeItem(
  mutation: Mutation | TransactionMutation,
  current: ItemImage | undefined,
  pending: Pending | undefined,
  { pendingHolds, preparesOnce }: Pick<Rules, 'pendingHolds' | 'preparesOnce'>,
): MutationOutcome {
  if (mutation.kind === 'settle') {
    if (pending?.attempt !== mutation.attempt) return { kind: 'condition-failed', current: undefined };
    return { kind: 'applied', old: current, next: mutation.isCommitted ? committedItem(pending, current) : current };
  }
  const isAgain = !preparesOnce && mutation.kind === 'prepare' && pending?.attempt === mutation.attempt;
  if (pending !== undefined && !isAgain && (pendingHolds || mutation.kind === 'prepare')) return { kind: 'conflict' };
  if (mutation.kind !== 'prepare') return applyMutation(mutation, current);
  const { action } = mutation;
  if (action.kind !== 'check') return applyMutation(action, current);
  const outcome = applyMutation({ kind: 'delete', condition: action.condition }, current);
  return outcome.kind === 'applied' ? { kind: 'applied', old: current, next: current } : outcome;
}

/** What the record of a prepared item carries. Undefined for every other write: nothing is pending after it. */
export function pendingAfter(
  mutation: Mutation | TransactionMutation,
): ((next: ItemImage | undefined) => Pending) | undefined {
  if (mutation.kind !== 'prepare') return undefined;
  const { ledger, attempt, action } = mutation;
  return (item) => {
    let next: PendingNext = { kind: action.kind === 'check' ? 'check' : 'delete' };
    if (action.kind !== 'check' && item !== undefined) next = { kind: 'put', item };
    return { ledger, attempt, next };
  };
}
