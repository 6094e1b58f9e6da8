import type { AttributeType, AttributeValue } from '../attribute-value.ts';

/**
 * Resolved expressions: `#name` and `:value` are replaced, so an AST is plain data, which a mutation can carry to
 * another process. A path is the list of its steps: a text names an attribute, a number indexes a list.
 */
export type Path = readonly (string | number)[];

export type Operand =
  | { readonly kind: 'path'; readonly path: Path }
  | { readonly kind: 'value'; readonly value: AttributeValue }
  | { readonly kind: 'size'; readonly operand: Operand };

export type Comparator = '=' | '<>' | '<' | '<=' | '>' | '>=';

export type Condition =
  | { readonly kind: 'compare'; readonly comparator: Comparator; readonly left: Operand; readonly right: Operand }
  | { readonly kind: 'between'; readonly operand: Operand; readonly lower: Operand; readonly upper: Operand }
  | { readonly kind: 'in'; readonly operand: Operand; readonly choices: readonly Operand[] }
  | { readonly kind: 'and' | 'or'; readonly left: Condition; readonly right: Condition }
  | { readonly kind: 'not'; readonly condition: Condition }
  | { readonly kind: 'exists' | 'not-exists'; readonly path: Path }
  | { readonly kind: 'type'; readonly operand: Operand; readonly type: AttributeType }
  | { readonly kind: 'begins-with' | 'contains'; readonly operand: Operand; readonly argument: Operand };

/** The value that SET gives an attribute. */
export type UpdateValue =
  | { readonly kind: 'path'; readonly path: Path }
  | { readonly kind: 'value'; readonly value: AttributeValue }
  | { readonly kind: 'plus' | 'minus' | 'list-append'; readonly left: UpdateValue; readonly right: UpdateValue }
  | { readonly kind: 'if-not-exists'; readonly path: Path; readonly otherwise: UpdateValue };

/** One change of an update. The legacy ADD may add a list, which appends. */
export type UpdateAction =
  | { readonly kind: 'set'; readonly path: Path; readonly value: UpdateValue }
  | { readonly kind: 'remove'; readonly path: Path }
  | { readonly kind: 'add' | 'delete'; readonly path: Path; readonly value: AttributeValue };

/**
 * `UpdateExpression` or the legacy `AttributeUpdates`: their error texts differ. No path leads to or through another.
 */
export interface Update {
  readonly origin: 'expression' | 'legacy';
  readonly actions: readonly UpdateAction[];
}

/** The paths of an item that `ProjectionExpression` or `AttributesToGet` keeps. */
export type Projection = readonly Path[];
