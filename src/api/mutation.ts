import type { Condition } from './expression/ast.ts';
import { evaluateCondition } from './expression/condition.ts';
import { fromImage, type ItemImage } from './item.ts';

/**
 * What a write does to one item: plain data, so it travels to the node that coordinates it, and a pure function of the
 * item it finds, because a coordinator may apply it more than once on the way to one outcome (REPLICATION.md section 3).
 */
export type Mutation = {
  readonly condition?: Condition;
} & ({ readonly kind: 'put'; readonly item: ItemImage } | { readonly kind: 'delete' });

export type MutationOutcome =
  | { readonly kind: 'applied'; readonly next: ItemImage | undefined; readonly old: ItemImage | undefined }
  | { readonly kind: 'condition-failed'; readonly current: ItemImage | undefined };

/** Pure; parses the current item only if there is a condition. */
export function applyMutation(mutation: Mutation, current: ItemImage | undefined): MutationOutcome {
  const { condition } = mutation;
  if (condition !== undefined && !evaluateCondition(condition, current && fromImage(current))) {
    return { kind: 'condition-failed', current };
  }
  return { kind: 'applied', next: mutation.kind === 'put' ? mutation.item : undefined, old: current };
}
