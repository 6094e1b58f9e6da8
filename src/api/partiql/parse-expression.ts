import { ApiError } from '../errors.ts';
import type { Path } from '../expression/ast.ts';
import { isFunctionKeyword } from './keywords.ts';
import { malformed, placeText } from './statement-error.ts';
import type { Token } from './statement-lexer.ts';
import type { BinaryOperator, Expr } from './statement-syntax.ts';
import {
  deeper,
  endOfLast,
  isKeywordToken,
  isSymbolNext,
  isSymbolToken,
  needKeyword,
  needSymbol,
  peekToken,
  skipKeywords,
  skipSymbol,
  type TokenCursor,
  takeToken,
  unexpectedTerm,
} from './token-cursor.ts';

/** Developer guide, "Expression parameters" quotas: elements of a document path. */
const MAX_PATH_ELEMENTS = 32;
const MAX_LIST_INDEX = 2 ** 31 - 1;

/** An expression. In PartiQL, comparisons by size bind tighter than those for equality. */
export function parseExpression(cursor: TokenCursor): Expr {
  return deeper(cursor, () => parseOr(cursor));
}

function parseOr(cursor: TokenCursor): Expr {
  return parseChain(cursor, parseAnd, (token) => (isKeywordToken(token, 'or') ? 'or' : undefined));
}

function parseAnd(cursor: TokenCursor): Expr {
  return parseChain(cursor, parseNot, (token) => (isKeywordToken(token, 'and') ? 'and' : undefined));
}

function parseNot(cursor: TokenCursor): Expr {
  const { start } = peekToken(cursor);
  if (!skipKeywords(cursor, 'not')) return parseEquality(cursor);
  const operand = deeper(cursor, () => parseNot(cursor));
  return { kind: 'unary', operator: 'not', operand, start, end: operand.end };
}

/** `=`, `<>`, IS and IN. */
function parseEquality(cursor: TokenCursor): Expr {
  let left = parseOrdering(cursor);
  while (true) {
    const { start } = left;
    const operator = symbolOf(peekToken(cursor), ['=', '<>']);
    if (operator !== undefined) {
      const right = parseRight(cursor, parseOrdering);
      left = { kind: 'binary', operator, left, right, start, end: right.end };
    } else if (skipKeywords(cursor, 'is')) {
      const isNegated = skipKeywords(cursor, 'not');
      const type = takeToken(cursor);
      if (type.kind !== 'keyword') throw malformed('Expected type name');
      left = { kind: 'is', operand: left, type: type.text, isNegated, start, end: type.end };
    } else {
      const isNegated = isNegatedNext(cursor, 'in');
      if (!isNegated && !isKeywordToken(peekToken(cursor), 'in')) return left;
      if (isNegated) cursor.position++;
      const choices = parseRight(cursor, parseChoices);
      left = { kind: 'in', operand: left, choices, isNegated, start, end: choices.end };
    }
  }
}

/** What is behind IN: in parentheses, one value is a list too. */
function parseChoices(cursor: TokenCursor): Expr {
  const { start } = peekToken(cursor);
  if (!isSymbolNext(cursor, '(') || isKeywordToken(peekToken(cursor, 1), 'select')) return parseOrdering(cursor);
  cursor.position++;
  const elements = parseList(cursor);
  needSymbol(cursor, ')');
  return { kind: 'list', elements, start, end: endOfLast(cursor) };
}

/** `<`, `<=`, `>`, `>=`, BETWEEN and LIKE. */
function parseOrdering(cursor: TokenCursor): Expr {
  let left = parseSum(cursor);
  while (true) {
    const { start } = left;
    const operator = symbolOf(peekToken(cursor), ['<', '<=', '>', '>=']);
    if (operator !== undefined) {
      const right = parseRight(cursor, parseSum);
      left = { kind: 'binary', operator, left, right, start, end: right.end };
      continue;
    }
    const isNegated = isNegatedNext(cursor, 'between') || isNegatedNext(cursor, 'like');
    const keyword = peekToken(cursor, isNegated ? 1 : 0);
    if (!isKeywordToken(keyword, 'between') && !isKeywordToken(keyword, 'like')) return left;
    if (isNegated) cursor.position++;
    const right = parseRight(cursor, parseSum);
    if (keyword.text === 'like') {
      left = { kind: 'binary', operator: 'like', left, right, start, end: right.end };
    } else {
      needKeyword(cursor, 'and');
      if (peekToken(cursor).kind === 'end') throw malformed('Expected expression after AND');
      const upper = parseSum(cursor);
      left = { kind: 'between', operand: left, lower: right, upper, isNegated, start, end: upper.end };
    }
  }
}

function parseSum(cursor: TokenCursor): Expr {
  return parseChain(cursor, parseProduct, (token) => symbolOf(token, ['+', '-', '||']));
}

function parseProduct(cursor: TokenCursor): Expr {
  return parseChain(cursor, parseUnary, (token) => symbolOf(token, ['*', '/', '%']));
}

/** Operators of one rank, from left to right. */
function parseChain(
  cursor: TokenCursor,
  parseOperand: (cursor: TokenCursor) => Expr,
  operatorOf: (token: Token) => BinaryOperator | undefined,
): Expr {
  let left = parseOperand(cursor);
  while (true) {
    const operator = operatorOf(peekToken(cursor));
    if (operator === undefined) return left;
    const right = parseRight(cursor, parseOperand);
    left = { kind: 'binary', operator, left, right, start: left.start, end: right.end };
  }
}

/** The operand behind an operator, which is the present token. */
function parseRight(cursor: TokenCursor, parse: (cursor: TokenCursor) => Expr): Expr {
  cursor.position++;
  if (peekToken(cursor).kind === 'end') throw malformed('Missing right-hand side expression of infix operator');
  return parse(cursor);
}

/** A sign of a number literal is part of it. */
function parseUnary(cursor: TokenCursor): Expr {
  const { start } = peekToken(cursor);
  const operator = symbolOf(peekToken(cursor), ['-', '+']) as '-' | '+' | undefined;
  if (operator === undefined) return parseTerm(cursor);
  cursor.position++;
  const operand = deeper(cursor, () => parseUnary(cursor));
  const { end } = operand;
  if (operand.kind !== 'literal' || !('N' in operand.value)) return { kind: 'unary', operator, operand, start, end };
  const { N: number } = operand.value;
  if (operator === '+') return { ...operand, start };
  return { kind: 'literal', value: { N: number.startsWith('-') ? number.slice(1) : `-${number}` }, start, end };
}

function parseTerm(cursor: TokenCursor): Expr {
  const token = takeToken(cursor);
  const { start, end, text } = token;
  switch (token.kind) {
    case 'string':
      return { kind: 'literal', value: { S: text }, start, end };
    case 'number':
      return { kind: 'literal', value: { N: text }, start, end };
    case 'name':
    case 'quoted':
      if (isSymbolNext(cursor, '(')) return parseCall(cursor, token);
      return parsePathBehind(cursor, token);
    case 'keyword':
      return parseKeywordTerm(cursor, token);
    case 'symbol':
      return parseSymbolTerm(cursor, token);
    case 'end':
      throw unexpectedTerm(token);
  }
}

function parseKeywordTerm(cursor: TokenCursor, token: Token): Expr {
  const { start, end, text } = token;
  switch (text) {
    case 'true':
    case 'false':
      return { kind: 'literal', value: { BOOL: text === 'true' }, start, end };
    case 'null':
      return { kind: 'literal', value: { NULL: true }, start, end };
    case 'missing':
      return { kind: 'missing', start, end };
    default:
      if (isFunctionKeyword(text) && isSymbolNext(cursor, '(')) return parseCall(cursor, token);
      throw unexpectedTerm(token);
  }
}

function parseSymbolTerm(cursor: TokenCursor, token: Token): Expr {
  const { start, text } = token;
  switch (text) {
    case '?':
      return { kind: 'parameter', index: cursor.parameters++, start, end: token.end };
    case '(':
      return parseGroup(cursor, start);
    case '[': {
      const elements = parseUntil(cursor, ']');
      return { kind: 'list', elements, start, end: endOfLast(cursor) };
    }
    case '<<': {
      const elements = parseUntil(cursor, '>>');
      return { kind: 'bag', elements, start, end: endOfLast(cursor) };
    }
    case '{': {
      const members = parseMembers(cursor);
      return { kind: 'tuple', members, start, end: endOfLast(cursor) };
    }
    default:
      throw unexpectedTerm(token);
  }
}

/** An expression in parentheses, or several, which are a list. */
function parseGroup(cursor: TokenCursor, start: number): Expr {
  if (isKeywordToken(peekToken(cursor), 'select')) return skipQuery(cursor, start);
  if (skipSymbol(cursor, ')')) throw malformed('Expression group cannot be empty');
  const elements = parseList(cursor);
  needSymbol(cursor, ')');
  return elements.length === 1 ? elements[0]! : { kind: 'list', elements, start, end: endOfLast(cursor) };
}

/** A query within an expression is not supported, wherever it ends. */
function skipQuery(cursor: TokenCursor, start: number): Expr {
  for (let open = 1; open > 0; ) {
    const token = takeToken(cursor);
    if (token.kind === 'end') throw malformed(`Expected RIGHT_PAREN`);
    if (isSymbolToken(token, '?')) cursor.parameters++;
    if (isSymbolToken(token, '(')) open++;
    if (isSymbolToken(token, ')')) open--;
  }
  return { kind: 'select', start, end: endOfLast(cursor) };
}

function parseCall(cursor: TokenCursor, { text, start }: Token): Expr {
  needSymbol(cursor, '(');
  const name = text.toLowerCase();
  if (isSymbolNext(cursor, '*')) {
    if (name !== 'count') throw malformed(`${name}(*) is not allowed`);
    cursor.position++;
    needSymbol(cursor, ')');
    return { kind: 'call', name, operands: [], start, end: start + text.length };
  }
  const isQuery = isKeywordToken(peekToken(cursor), 'select');
  const operands = isQuery ? [skipQuery(cursor, peekToken(cursor).start)] : parseUntil(cursor, ')');
  return { kind: 'call', name, operands, start, end: start + text.length };
}

function parseUntil(cursor: TokenCursor, closing: string): readonly Expr[] {
  if (skipSymbol(cursor, closing)) return [];
  const elements = parseList(cursor);
  needSymbol(cursor, closing);
  return elements;
}

function parseList(cursor: TokenCursor): readonly Expr[] {
  const elements = [parseExpression(cursor)];
  while (skipSymbol(cursor, ',')) elements.push(parseExpression(cursor));
  return elements;
}

function parseMembers(cursor: TokenCursor): readonly (readonly [Expr, Expr])[] {
  if (skipSymbol(cursor, '}')) return [];
  const members: (readonly [Expr, Expr])[] = [];
  do {
    const key = parseExpression(cursor);
    needSymbol(cursor, ':');
    members.push([key, parseExpression(cursor)]);
  } while (skipSymbol(cursor, ','));
  needSymbol(cursor, '}');
  return members;
}

/** A path, as the target of a change or as what a statement is about. */
export function parseSimplePath(cursor: TokenCursor): Expr & { readonly kind: 'path' } {
  const token = takeToken(cursor);
  if (token.kind !== 'name' && token.kind !== 'quoted') throw malformed('Expected identifier for simple path');
  return parsePathBehind(cursor, token);
}

function parsePathBehind(cursor: TokenCursor, first: Token): Expr & { readonly kind: 'path' } {
  const path: (string | number)[] = [first.text];
  while (true) {
    if (skipSymbol(cursor, '.')) {
      const { kind, text } = takeToken(cursor);
      if (kind !== 'name' && kind !== 'quoted') throw malformed('Invalid path dot component');
      path.push(text);
    } else if (skipSymbol(cursor, '[')) {
      const step = parseExpression(cursor);
      needSymbol(cursor, ']');
      path.push(stepOf(cursor, step));
    } else {
      break;
    }
  }
  if (path.length > MAX_PATH_ELEMENTS) {
    const problem = `The document path has too many nesting levels; nesting levels: ${path.length}`;
    throw ApiError.validation(problem);
  }
  return { kind: 'path', path: path as Path, start: first.start, end: endOfLast(cursor) };
}

/**
 * An index of a list, or the name of an attribute in a string. The text for an index out of range was recorded by floci
 * (2026-09-17, eu-west-2), with the place of its digits.
 */
function stepOf({ text }: TokenCursor, step: Expr): string | number {
  if (step.kind === 'literal' && 'S' in step.value) return step.value.S;
  if (step.kind !== 'literal' || !('N' in step.value) || !/^-?\d+$/.test(step.value.N)) {
    throw ApiError.validation(`Unexpected path component at ${placeText(text, step)}`);
  }
  const index = Number(step.value.N);
  if (index >= 0 && index <= MAX_LIST_INDEX) return index;
  const digits = { start: step.end - step.value.N.replace('-', '').length, end: step.end };
  const problem = `List index is not within the allowable range; index: [${step.value.N}]`;
  throw ApiError.validation(`${problem} at ${placeText(text, digits)}`);
}

function isNegatedNext(cursor: TokenCursor, keyword: string): boolean {
  return isKeywordToken(peekToken(cursor), 'not') && isKeywordToken(peekToken(cursor, 1), keyword);
}

function symbolOf(token: Token, symbols: readonly BinaryOperator[]): BinaryOperator | undefined {
  return token.kind === 'symbol' ? symbols.find((symbol) => symbol === token.text) : undefined;
}
