import type { ApiError } from '../errors.ts';
import { malformed } from './statement-error.ts';
import type { Token } from './statement-lexer.ts';
import { tokenizeStatement } from './statement-lexer.ts';

/**
 * How deep expressions may be in one another: it bounds every recursion over a statement. Values are deeper than the service
 * allows at 32 levels, and conditions have 300 operators at most.
 */
const MOST_LEVELS = 200;

/** The position of the parser in a statement. */
export interface TokenCursor {
  readonly text: string;
  readonly tokens: readonly Token[];
  position: number;
  levels: number;
  parameters: number;
}

export function startTokens(text: string): TokenCursor {
  return { text, tokens: tokenizeStatement(text), position: 0, levels: 0, parameters: 0 };
}

/** @param ahead how many tokens behind the present one */
export function peekToken(cursor: TokenCursor, ahead = 0): Token {
  return cursor.tokens[Math.min(cursor.position + ahead, cursor.tokens.length - 1)]!;
}

/** @returns the present token, and goes on to the next one */
export function takeToken(cursor: TokenCursor): Token {
  const token = peekToken(cursor);
  if (token.kind !== 'end') cursor.position++;
  return token;
}

/** Where the token before the present one ends. */
export function endOfLast(cursor: TokenCursor): number {
  return cursor.tokens[cursor.position - 1]?.end ?? 0;
}

export function isSymbolNext(cursor: TokenCursor, symbol: string): boolean {
  return isSymbolToken(peekToken(cursor), symbol);
}

export function isSymbolToken({ kind, text }: Token, symbol: string): boolean {
  return kind === 'symbol' && text === symbol;
}

export function isKeywordToken({ kind, text }: Token, keyword: string): boolean {
  return kind === 'keyword' && text === keyword;
}

export function skipSymbol(cursor: TokenCursor, symbol: string): boolean {
  if (!isSymbolNext(cursor, symbol)) return false;
  cursor.position++;
  return true;
}

/** Goes on behind several keywords, if all of them are next. */
export function skipKeywords(cursor: TokenCursor, ...keywords: readonly string[]): boolean {
  if (!keywords.every((keyword, ahead) => isKeywordToken(peekToken(cursor, ahead), keyword))) return false;
  cursor.position += keywords.length;
  return true;
}

/** The names of symbols in messages. */
const SYMBOL_NAMES: Readonly<Record<string, string>> = {
  '(': 'LEFT_PAREN',
  ')': 'RIGHT_PAREN',
  '[': 'LEFT_BRACKET',
  ']': 'RIGHT_BRACKET',
  '}': 'RIGHT_CURLY',
  ':': 'COLON',
  '>>': 'RIGHT_DOUBLE_ANGLE_BRACKET',
  '*': 'STAR',
};

/** @throws ApiError if another token is next */
export function needSymbol(cursor: TokenCursor, symbol: string): void {
  if (!skipSymbol(cursor, symbol)) throw malformed(`Expected ${SYMBOL_NAMES[symbol]}`);
}

/** @throws ApiError if another token is next */
export function needKeyword(cursor: TokenCursor, keyword: string): void {
  if (!skipKeywords(cursor, keyword)) throw malformed(`Expected ${keyword.toUpperCase()}`);
}

/** The error for a token that begins no term. */
export function unexpectedTerm({ kind, text }: Token): ApiError {
  if (kind === 'keyword') return malformed('Unexpected keyword');
  const isOperator = kind === 'symbol' && ['=', '<>', '<', '<=', '>', '>=', '/', '%', '||', '@'].includes(text);
  return malformed(isOperator ? 'Unexpected operator' : 'Unexpected term');
}

/** Runs a part of the parser one level deeper. */
export function deeper<T>(cursor: TokenCursor, parse: () => T): T {
  if (++cursor.levels > MOST_LEVELS) throw malformed('Expressions are nested too deeply');
  const result = parse();
  cursor.levels--;
  return result;
}
