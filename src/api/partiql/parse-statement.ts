import { ApiError } from '../errors.ts';
import type { Path } from '../expression/ast.ts';
import { parseExpression, parseSimplePath } from './parse-expression.ts';
import { malformed, unsupportedAt } from './statement-error.ts';
import type {
  Change,
  DeleteSyntax,
  Expr,
  InsertSyntax,
  OrderTerm,
  Returning,
  SelectSyntax,
  Source,
  StatementBody,
  StatementSyntax,
  UpdateSyntax,
} from './statement-syntax.ts';
import {
  isKeywordToken,
  isSymbolNext,
  isSymbolToken,
  needSymbol,
  peekToken,
  skipKeywords,
  skipSymbol,
  startTokens,
  type TokenCursor,
  takeToken,
  unexpectedTerm,
} from './token-cursor.ts';

/** So many statements are kept parsed. Each text has at most 8 KB, so all of them stay within some megabytes. */
const MAX_KEPT = 200;

const kept = new Map<string, StatementSyntax>();

/**
 * Parses a statement (developer guide, "PartiQL for DynamoDB"). Its length has been checked.
 * @throws ApiError (ValidationException) for everything that is wrong with the text alone
 */
export function parseStatement(text: string): StatementSyntax {
  const known = kept.get(text);
  if (known !== undefined) return known;
  const cursor = startTokens(text);
  const body = parseBody(cursor);
  skipSymbol(cursor, ';');
  if (peekToken(cursor).kind !== 'end') {
    const isSecond = isSymbolToken(cursor.tokens[cursor.position - 1]!, ';');
    throw malformed(
      isSecond ? 'Unexpected token after semicolon. (Only one query is allowed.)' : 'Unexpected token after expression',
    );
  }
  const parsed: StatementSyntax = { text, body, parameterCount: cursor.parameters };
  if (kept.size >= MAX_KEPT) {
    for (const oldest of kept.keys()) {
      kept.delete(oldest);
      break;
    }
  }
  kept.set(text, parsed);
  return parsed;
}

function parseBody(cursor: TokenCursor): StatementBody {
  if (skipKeywords(cursor, 'select')) return parseSelect(cursor);
  if (skipKeywords(cursor, 'insert', 'into')) return parseInsert(cursor);
  if (skipKeywords(cursor, 'update')) return parseUpdate(cursor);
  if (skipKeywords(cursor, 'delete')) return parseDelete(cursor);
  if (isKeywordToken(peekToken(cursor), 'exists') && isSymbolToken(peekToken(cursor, 1), '(')) {
    cursor.position += 2;
    if (!skipKeywords(cursor, 'select')) throw unexpectedTerm(peekToken(cursor));
    const select = parseSelect(cursor);
    needSymbol(cursor, ')');
    return { kind: 'exists', source: select.source, select };
  }
  throw malformed('Expected data manipulation');
}

function parseSelect(cursor: TokenCursor): SelectSyntax {
  refuseClauses(cursor, ['distinct']);
  const columns = parseColumns(cursor);
  if (!skipKeywords(cursor, 'from')) throw malformed('Expected FROM after SELECT list');
  const source = parseSource(cursor);
  const where = parseWhere(cursor);
  refuseClauses(cursor, ['group', 'having']);
  const order = skipKeywords(cursor, 'order') ? parseOrder(cursor) : [];
  refuseClauses(cursor, ['limit', 'offset']);
  return { kind: 'select', source, columns, where, order };
}

/** Clauses of PartiQL that the service does not have: recorded for LIMIT, with the place of its number. */
function refuseClauses(cursor: TokenCursor, clauses: readonly string[]): void {
  const token = peekToken(cursor);
  if (token.kind !== 'keyword' || !clauses.includes(token.text)) return;
  cursor.position++;
  const place = token.text === 'limit' || token.text === 'having' ? parseExpression(cursor) : token;
  throw unsupportedAt(cursor.text, place, `Unsupported clause: ${token.text.toUpperCase()}`);
}

function parseColumns(cursor: TokenCursor): readonly Path[] | undefined {
  if (skipSymbol(cursor, '*')) {
    if (isSymbolNext(cursor, ',')) throw starWithOthers();
    return undefined;
  }
  const columns: Path[] = [];
  do {
    if (isSymbolNext(cursor, '*')) throw starWithOthers();
    columns.push(columnOf(cursor, parseExpression(cursor)));
    refuseAlias(cursor);
  } while (skipSymbol(cursor, ','));
  return columns;
}

function starWithOthers(): ApiError {
  return malformed("Other expressions may not be present in the select list when '*' is used without dot notation.");
}

/** The text was recorded for COUNT, with the place of the word (dynoxide, 2026-07-29, eu-west-2). */
function columnOf({ text }: TokenCursor, column: Expr): Path {
  if (column.kind === 'path') return column.path;
  throw unsupportedAt(text, column, 'Unexpected path component');
}

function refuseAlias(cursor: TokenCursor): void {
  const { kind } = peekToken(cursor);
  const isAlias = kind === 'name' || kind === 'quoted' || isKeywordToken(peekToken(cursor), 'as');
  if (isAlias) throw ApiError.validation('Aliasing is not supported');
}

/** What follows FROM. Texts recorded by dynoxide (2026-08-15, eu-west-2) and floci. */
function parseSource(cursor: TokenCursor): Source {
  const term = parseExpression(cursor);
  if (term.kind !== 'path') throw unsupportedAt(cursor.text, term, 'Unexpected path component');
  refuseAlias(cursor);
  if (isSymbolNext(cursor, ',')) {
    throw unsupportedAt(cursor.text, term, 'FROM clause may only contain a single table name');
  }
  return sourceOf(term.path);
}

function sourceOf(path: Path): Source {
  const [table, index, ...more] = path;
  if (more.length > 0) throw ApiError.validation('A path may contain at most 2 components in the FROM clause');
  if (table === '' || index === '') throw ApiError.validation('Path component cannot be an empty string');
  if (typeof index === 'number') throw ApiError.validation('Invalid list expression in the FROM clause');
  return { table: table as string, index };
}

function parseTarget(cursor: TokenCursor): Source {
  const source = sourceOf(parseSimplePath(cursor).path);
  refuseAlias(cursor);
  return source;
}

function parseWhere(cursor: TokenCursor): Expr | undefined {
  return skipKeywords(cursor, 'where') ? parseExpression(cursor) : undefined;
}

function parseOrder(cursor: TokenCursor): readonly OrderTerm[] {
  if (!skipKeywords(cursor, 'by')) throw malformed('Expected BY');
  const terms: OrderTerm[] = [];
  do {
    const term = parseExpression(cursor);
    if (term.kind !== 'path') throw unsupportedAt(cursor.text, term, 'Unexpected path component');
    const isDescending = skipKeywords(cursor, 'desc');
    if (!isDescending) skipKeywords(cursor, 'asc');
    // A path into a document is no key: it is refused as one by its text.
    const attribute = term.path.length === 1 ? term.path[0] : cursor.text.slice(term.start, term.end);
    terms.push({ attribute: attribute as string, isDescending });
  } while (skipSymbol(cursor, ','));
  return terms;
}

function parseInsert(cursor: TokenCursor): InsertSyntax {
  const { start } = peekToken(cursor);
  const { path } = parseSimplePath(cursor);
  const place = { start, end: cursor.tokens.find((token) => token.start === start)!.end };
  if (path.length > 1) {
    const problem = 'FROM clause may only contain a single table name in data manipulation statements';
    throw unsupportedAt(cursor.text, place, problem);
  }
  const source = sourceOf(path);
  if (!skipKeywords(cursor, 'value')) {
    parseExpression(cursor);
    throw malformed('Unexpected token after expression');
  }
  const value = parseExpression(cursor);
  if (isKeywordToken(peekToken(cursor), 'returning')) {
    throw ApiError.validation('RETURNING is not supported in INSERT');
  }
  return { kind: 'insert', source, value };
}

function parseUpdate(cursor: TokenCursor): UpdateSyntax {
  const source = parseTarget(cursor);
  const changes: Change[] = [];
  while (true) {
    if (skipKeywords(cursor, 'set')) {
      do changes.push(parseAssignment(cursor));
      while (skipSymbol(cursor, ','));
    } else if (skipKeywords(cursor, 'remove')) {
      changes.push({ kind: 'remove', path: parseSimplePath(cursor).path });
    } else {
      break;
    }
  }
  if (changes.length === 0) throw malformed('Expected data manipulation');
  const where = parseWhere(cursor);
  return { kind: 'update', source, changes, where, returning: parseReturning(cursor) };
}

function parseAssignment(cursor: TokenCursor): Change {
  const { path } = parseSimplePath(cursor);
  if (!skipSymbol(cursor, '=')) throw malformed("Expected '='");
  return { kind: 'set', path, value: parseExpression(cursor) };
}

function parseDelete(cursor: TokenCursor): DeleteSyntax {
  if (!skipKeywords(cursor, 'from')) throw malformed('Expected FROM after DELETE');
  const source = parseTarget(cursor);
  const where = parseWhere(cursor);
  const returning = parseReturning(cursor);
  // Recorded by dynoxide (pull request 147).
  if (returning !== undefined && returning !== 'ALL OLD') {
    throw ApiError.validation(
      `Invalid returning clause: RETURNING ${returning} *. Only RETURNING ALL OLD * is allowed in DELETE statements.`,
    );
  }
  return { kind: 'delete', source, where, returning };
}

function parseReturning(cursor: TokenCursor): Returning | undefined {
  if (!skipKeywords(cursor, 'returning')) return undefined;
  const [which, when] = [takeToken(cursor), takeToken(cursor)];
  const isOne =
    (isKeywordToken(which, 'all') || isKeywordToken(which, 'modified')) &&
    (isKeywordToken(when, 'old') || isKeywordToken(when, 'new'));
  if (!isOne) throw malformed('Expected ( MODIFIED | ALL ) ( NEW | OLD )');
  if (isSymbolNext(cursor, ',')) throw unsupportedAt(cursor.text, peekToken(cursor), 'Unsupported returning clause');
  if (!skipSymbol(cursor, '*')) throw malformed('Expected STAR');
  return `${which.text} ${when.text}`.toUpperCase() as Returning;
}
