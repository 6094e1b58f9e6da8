import type { AttributeMap, AttributeValue } from '../attribute-value.ts';
import type { Condition, Update } from '../expression/ast.ts';
import { parseStatement } from './parse-statement.ts';
import { conditionOf } from './statement-condition.ts';
import type {
  DeleteSyntax,
  ExistsSyntax,
  InsertSyntax,
  SelectSyntax,
  StatementSyntax,
  UpdateSyntax,
} from './statement-syntax.ts';
import { updateOf } from './statement-update.ts';
import { bindParameters, itemOf, type Parameters } from './statement-values.ts';

/** A statement with its parameters, before its table is known. */
export type Statement =
  | { readonly kind: 'select'; readonly syntax: SelectSyntax; readonly condition: Condition | undefined }
  | { readonly kind: 'insert'; readonly syntax: InsertSyntax; readonly item: AttributeMap }
  | {
      readonly kind: 'update';
      readonly syntax: UpdateSyntax;
      readonly update: Update;
      readonly condition: Condition | undefined;
    }
  | { readonly kind: 'delete'; readonly syntax: DeleteSyntax; readonly condition: Condition | undefined }
  | { readonly kind: 'exists'; readonly syntax: ExistsSyntax; readonly condition: Condition | undefined };

/** A statement as a request gives it. */
export interface StatementText {
  readonly Statement: string;
  readonly Parameters?: AttributeValue[];
}

/**
 * Makes sense of a statement, apart from its table. Its parameters are normalised in place.
 * @throws ApiError (ValidationException)
 */
export function readStatement({ Statement: text, Parameters: values }: StatementText): Statement {
  const parsed = parseStatement(text);
  const parameters = bindParameters(parsed, values);
  const { body } = parsed;
  switch (body.kind) {
    case 'select':
      return { kind: 'select', syntax: body, condition: whereOf(parameters, body) };
    case 'insert':
      return { kind: 'insert', syntax: body, item: itemOf(parameters, body.value) };
    case 'update': {
      const update = updateOf(parameters, body.changes);
      return { kind: 'update', syntax: body, update, condition: whereOf(parameters, body) };
    }
    case 'delete':
      return { kind: 'delete', syntax: body, condition: whereOf(parameters, body) };
    case 'exists':
      return { kind: 'exists', syntax: body, condition: whereOf(parameters, body.select) };
  }
}

function whereOf(parameters: Parameters, { where }: SelectSyntax | UpdateSyntax | DeleteSyntax): Condition | undefined {
  return where === undefined ? undefined : conditionOf(parameters, where);
}

/** Longest statement, in characters (API reference, `PartiQLStatement`). */
const MAX_STATEMENT = 8192;

/** The syntax of a statement in a request that need not be valid. Undefined: it has none. */
export function syntaxOf(text: unknown): StatementSyntax | undefined {
  if (typeof text !== 'string' || text.length > 2 * MAX_STATEMENT) return undefined;
  try {
    return parseStatement(text);
  } catch {
    return undefined;
  }
}
