import type { Condition } from './expression/ast.ts';
import type { ItemImage } from './item.ts';

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
