import type { ApiError } from '../errors.ts';
import { type ExpressionKind, expressionError, syntaxError, type Token, tokenize } from './lexer.ts';

/** Developer guide, "Expression parameters" quotas: bytes of one expression's text. */
const MAX_EXPRESSION_BYTES = 4096;
/** The same page: operators and functions of one expression. Connectives, NOT and function calls count too. */
const MAX_OPERATORS = 300;
/**
 * How many parentheses and calls may be open at once, so that recursion is bounded. A valid expression never needs more
 * than its operators and an outer pair. A deeper one has too many operators or redundant parentheses (or a syntax error
 * further on, which is not found).
 */
const MAX_OPEN_PARENTHESES = MAX_OPERATORS + 20;
/**
 * The service stops counting at one more than the limit (recorded 2026-09-20 to 2026-10-09, eu-west-2 and us-east-1).
 */
const TOO_MANY_OPERATORS = `The expression contains too many operators; operator count: ${MAX_OPERATORS + 1}`;
const REDUNDANT_PARENTHESES = 'The expression has redundant parentheses;';

/**
 * The faults that the service reports only if the syntax of the whole expression is right, in its order of preference.
 * Of each kind, it reports the first in the text.
 */
const FAULTS = ['section', 'parentheses', 'function', 'misuse', 'reserved', 'path', 'operators'] as const;
export type Fault = (typeof FAULTS)[number];

/** The position of a parser in an expression, and the faults that it has noted so far. All grammars use it. */
export interface Cursor {
  readonly kind: ExpressionKind;
  readonly text: string;
  readonly tokens: readonly Token[];
  position: number;
  openParentheses: number;
  /** Operators read so far. */
  operators: number;
  /** The positions of `(` and `)` of the parenthesised group that was completed last. */
  groupStart: number;
  groupEnd: number;
  readonly faults: Partial<Record<Fault, string>>;
}

/** Checks the size of the text and reads its tokens. */
export function startCursor(kind: ExpressionKind, text: string): Cursor {
  if (text === '') throw expressionError(kind, 'The expression can not be empty;');
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_EXPRESSION_BYTES) {
    throw expressionError(kind, `Expression size has exceeded the maximum allowed size; expression size: ${bytes}`);
  }
  return {
    kind,
    text,
    tokens: tokenize(text),
    position: 0,
    openParentheses: 0,
    operators: 0,
    groupStart: -1,
    groupEnd: -1,
    faults: {},
  };
}

/** To be called at the end of the grammar: throws for text that is left, and then for the first noted fault. */
export function finish(cursor: Cursor): void {
  if (peek(cursor).kind !== 'end') throw fail(cursor);
  if (cursor.operators > MAX_OPERATORS) blame(cursor, 'operators', TOO_MANY_OPERATORS);
  throwFirstFault(cursor);
}

function throwFirstFault(cursor: Cursor): void {
  for (const fault of FAULTS) {
    const problem = cursor.faults[fault];
    if (problem !== undefined) throw expressionError(cursor.kind, problem);
  }
}

/** Notes a fault. It is reported only if no syntax error follows. */
export function blame(cursor: Cursor, fault: Fault, problem: string): void {
  cursor.faults[fault] ??= problem;
}

/** @returns the syntax error for the present token */
export function fail(cursor: Cursor): ApiError {
  return syntaxError(cursor.kind, cursor.text, cursor.tokens, cursor.position);
}

/** Enters the parenthesis of a group or a call. */
export function open(cursor: Cursor): void {
  expectSymbol(cursor, '(');
  cursor.openParentheses++;
  if (cursor.openParentheses > MAX_OPEN_PARENTHESES) {
    if (cursor.operators > MAX_OPERATORS) blame(cursor, 'operators', TOO_MANY_OPERATORS);
    else blame(cursor, 'parentheses', REDUNDANT_PARENTHESES);
    throwFirstFault(cursor);
  }
}

/** Leaves the parenthesis of a group that was entered at token `start`, and notes a redundant one. */
export function close(cursor: Cursor, start: number): void {
  const end = cursor.position;
  expectSymbol(cursor, ')');
  cursor.openParentheses--;
  if (cursor.groupStart === start + 1 && cursor.groupEnd === end - 1) {
    blame(cursor, 'parentheses', REDUNDANT_PARENTHESES);
  }
  cursor.groupStart = start;
  cursor.groupEnd = end;
}

/** @returns the present token */
export function peek(cursor: Cursor): Token {
  return cursor.tokens[cursor.position]!;
}

export function isSymbol(cursor: Cursor, symbol: string): boolean {
  const token = peek(cursor);
  return token.kind === 'symbol' && token.text === symbol;
}

export function acceptSymbol(cursor: Cursor, symbol: string): boolean {
  if (!isSymbol(cursor, symbol)) return false;
  cursor.position++;
  return true;
}

export function expectSymbol(cursor: Cursor, symbol: string): void {
  if (!acceptSymbol(cursor, symbol)) throw fail(cursor);
}

export function acceptKeyword(cursor: Cursor, keyword: string): boolean {
  const token = peek(cursor);
  if (token.kind !== 'keyword' || token.text !== keyword) return false;
  cursor.position++;
  return true;
}

export function expectKeyword(cursor: Cursor, keyword: string): void {
  if (!acceptKeyword(cursor, keyword)) throw fail(cursor);
}
