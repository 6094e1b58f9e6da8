import type { AttributeValue } from '../attribute-value.ts';
import type { Path } from '../expression/ast.ts';
import type { Place } from './statement-error.ts';

/*
 * The syntax of a statement. It depends on the text alone, so it is kept and used for many requests; nothing in it may be
 * changed.
 */

export type BinaryOperator =
  | '='
  | '<>'
  | '<'
  | '<='
  | '>'
  | '>='
  | 'and'
  | 'or'
  | '+'
  | '-'
  | '*'
  | '/'
  | '%'
  | '||'
  | 'like';

export type Expr = Place &
  (
    | { readonly kind: 'path'; readonly path: Path }
    /** A string, a number (as written), a boolean or NULL. */
    | { readonly kind: 'literal'; readonly value: AttributeValue }
    | { readonly kind: 'missing' }
    /** A `?`. Counted from 0. */
    | { readonly kind: 'parameter'; readonly index: number }
    | { readonly kind: 'list' | 'bag'; readonly elements: readonly Expr[] }
    | { readonly kind: 'tuple'; readonly members: readonly (readonly [key: Expr, value: Expr])[] }
    /** The name is in lower case. */
    | { readonly kind: 'call'; readonly name: string; readonly operands: readonly Expr[] }
    | { readonly kind: 'unary'; readonly operator: '-' | '+' | 'not'; readonly operand: Expr }
    | { readonly kind: 'binary'; readonly operator: BinaryOperator; readonly left: Expr; readonly right: Expr }
    | {
        readonly kind: 'between';
        readonly operand: Expr;
        readonly lower: Expr;
        readonly upper: Expr;
        readonly isNegated: boolean;
      }
    | { readonly kind: 'in'; readonly operand: Expr; readonly choices: Expr; readonly isNegated: boolean }
    | { readonly kind: 'is'; readonly operand: Expr; readonly type: string; readonly isNegated: boolean }
    /** A query within an expression. */
    | { readonly kind: 'select' }
  );

/** What a statement is about: a table, or an index of it. */
export interface Source {
  readonly table: string;
  readonly index: string | undefined;
}

/** One attribute of ORDER BY. */
export interface OrderTerm {
  readonly attribute: string;
  readonly isDescending: boolean;
}

export type Returning = 'ALL OLD' | 'MODIFIED OLD' | 'ALL NEW' | 'MODIFIED NEW';

export interface SelectSyntax {
  readonly kind: 'select';
  readonly source: Source;
  /** The paths of the answered attributes. Undefined: `*`. */
  readonly columns: readonly Path[] | undefined;
  readonly where: Expr | undefined;
  readonly order: readonly OrderTerm[];
}

export interface InsertSyntax {
  readonly kind: 'insert';
  readonly source: Source;
  readonly value: Expr;
}

/** One change of an UPDATE. */
export type Change =
  | { readonly kind: 'set'; readonly path: Path; readonly value: Expr }
  | { readonly kind: 'remove'; readonly path: Path };

export interface UpdateSyntax {
  readonly kind: 'update';
  readonly source: Source;
  readonly changes: readonly Change[];
  readonly where: Expr | undefined;
  readonly returning: Returning | undefined;
}

export interface DeleteSyntax {
  readonly kind: 'delete';
  readonly source: Source;
  readonly where: Expr | undefined;
  readonly returning: Returning | undefined;
}

/** A condition of a transaction. */
export interface ExistsSyntax {
  readonly kind: 'exists';
  readonly source: Source;
  readonly select: SelectSyntax;
}

export type StatementBody = SelectSyntax | InsertSyntax | UpdateSyntax | DeleteSyntax | ExistsSyntax;

/** A parsed statement. */
export interface StatementSyntax {
  /** As the client wrote it: messages name places in it. */
  readonly text: string;
  readonly body: StatementBody;
  /** How many `?` it has. */
  readonly parameterCount: number;
}
