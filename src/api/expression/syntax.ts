import type { Comparator } from './ast.ts';

/**
 * The syntax of an expression, before `#name` and `:value` are replaced. It depends on the text alone, so it can be
 * cached and used for many requests.
 */

/** A text step is an attribute name as written, or a `#name`; a number indexes a list. */
export type PathSyntax = readonly (string | number)[];

export interface CallSyntax {
  readonly kind: 'call';
  readonly name: string;
  readonly operands: readonly OperandSyntax[];
}

export type OperandSyntax =
  | { readonly kind: 'path'; readonly path: PathSyntax }
  /** `name` includes the colon. */
  | { readonly kind: 'value'; readonly name: string }
  | CallSyntax;

export type ConditionSyntax =
  | {
      readonly kind: 'compare';
      readonly comparator: Comparator;
      readonly left: OperandSyntax;
      readonly right: OperandSyntax;
    }
  | {
      readonly kind: 'between';
      readonly operand: OperandSyntax;
      readonly lower: OperandSyntax;
      readonly upper: OperandSyntax;
    }
  | { readonly kind: 'in'; readonly operand: OperandSyntax; readonly choices: readonly OperandSyntax[] }
  | { readonly kind: 'and' | 'or'; readonly left: ConditionSyntax; readonly right: ConditionSyntax }
  | { readonly kind: 'not'; readonly condition: ConditionSyntax }
  | CallSyntax;

export type ProjectionSyntax = readonly PathSyntax[];

export type UpdateValueSyntax =
  | OperandSyntax
  | { readonly kind: 'plus' | 'minus'; readonly left: OperandSyntax; readonly right: OperandSyntax };

export type UpdateActionSyntax =
  | { readonly kind: 'set'; readonly path: PathSyntax; readonly value: UpdateValueSyntax }
  | { readonly kind: 'remove'; readonly path: PathSyntax }
  /** `value` includes the colon. */
  | { readonly kind: 'add' | 'delete'; readonly path: PathSyntax; readonly value: string };

/** The actions of all clauses, in the order of the text. */
export type UpdateSyntax = readonly UpdateActionSyntax[];
