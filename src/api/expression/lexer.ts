import { ApiError } from '../errors.ts';

/** The parameters with expressions, which all have the same grammar of tokens. */
export type ExpressionKind =
  | 'ConditionExpression'
  | 'FilterExpression'
  | 'KeyConditionExpression'
  | 'ProjectionExpression'
  | 'UpdateExpression'
  /** No parameter: a part of a PartiQL statement, which has the same checks. */
  | 'Statement';

export type TokenKind =
  /** A letter, then letters, digits and `_`: an attribute name or a function name. */
  | 'name'
  /** `#name` */
  | 'name-reference'
  /** `:value` */
  | 'value-reference'
  /** `0`, or digits that do not begin with 0. */
  | 'index'
  /** One of `KEYWORDS`, in any case. */
  | 'keyword'
  /** Punctuation and comparators. */
  | 'symbol'
  /** One character that no expression may contain. */
  | 'unknown'
  | 'end';

export interface Token {
  readonly kind: TokenKind;
  /** The text as the client wrote it; a keyword is in upper case. */
  readonly text: string;
  /** Where the token begins and ends in the expression. */
  readonly start: number;
  readonly end: number;
}

/**
 * These words are tokens of their own in every expression. So an attribute of such a name is a syntax error, and not
 * only a reserved word (by the grammar in the service's own DAX clients).
 */
const KEYWORDS: ReadonlySet<string> = new Set(['ADD', 'AND', 'BETWEEN', 'DELETE', 'IN', 'NOT', 'OR', 'REMOVE', 'SET']);

/** @returns the tokens of `text`; only the last one is of kind `end`. Never throws. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let position = skipBlanks(text, 0);
  while (position < text.length) {
    const token = readToken(text, position);
    tokens.push(token);
    position = skipBlanks(text, token.end);
  }
  tokens.push({ kind: 'end', text: '<EOF>', start: text.length, end: text.length });
  return tokens;
}

/**
 * The service quotes the wrong token and, as `near`, the expression from the token before it to the one after it
 * (recorded: `a-b` gives `token: "-", near: "a-b"`; `SET` gives `token: "<EOF>", near: "SET"`).
 */
export function syntaxError(kind: ExpressionKind, text: string, tokens: readonly Token[], position: number): ApiError {
  const token = tokens[position]!;
  const first = tokens[position - 1] ?? token;
  const next = tokens[position + 1] ?? token;
  const last = next.kind === 'end' ? token : next;
  const end = last.kind === 'end' ? first.end : last.end;
  return expressionError(
    kind,
    `Syntax error; token: "${text.slice(token.start, token.end) || token.text}", near: "${text.slice(first.start, end)}"`,
  );
}

export function expressionError(kind: ExpressionKind, problem: string): ApiError {
  return ApiError.validation(kind === 'Statement' ? problem : `Invalid ${kind}: ${problem}`);
}

/** @returns whether expressions can refer to `text`: `prefix` (`#` or `:`), and then letters, digits and `_` */
export function isReference(text: string, prefix: '#' | ':'): boolean {
  return text.length > 1 && text[0] === prefix && endOfWord(text, 1) === text.length;
}

function readToken(text: string, start: number): Token {
  const code = text.charCodeAt(start);
  if (isLetter(code)) {
    const end = endOfWord(text, start + 1);
    const word = text.slice(start, end);
    const upper = word.length <= 7 ? word.toUpperCase() : word;
    return KEYWORDS.has(upper)
      ? { kind: 'keyword', text: upper, start, end }
      : { kind: 'name', text: word, start, end };
  }
  if (isDigit(code)) {
    let end = start + 1;
    // No leading zeros: `01` is two tokens, hence a syntax error.
    if (text[start] !== '0') while (isDigit(text.charCodeAt(end))) end++;
    return { kind: 'index', text: text.slice(start, end), start, end };
  }
  if (text[start] === '#' || text[start] === ':') {
    const end = endOfWord(text, start + 1);
    if (end > start + 1) {
      const kind = text[start] === '#' ? 'name-reference' : 'value-reference';
      return { kind, text: text.slice(start, end), start, end };
    }
  }
  return readSymbol(text, start);
}

function readSymbol(text: string, start: number): Token {
  const two = text.slice(start, start + 2);
  if (two === '<>' || two === '<=' || two === '>=') return { kind: 'symbol', text: two, start, end: start + 2 };
  const character = String.fromCodePoint(text.codePointAt(start)!);
  const kind = ',().[]=<>+-'.includes(character) ? 'symbol' : 'unknown';
  return { kind, text: character, start, end: start + character.length };
}

function skipBlanks(text: string, start: number): number {
  let position = start;
  while (position < text.length && isBlank(text.charCodeAt(position))) position++;
  return position;
}

function endOfWord(text: string, start: number): number {
  let position = start;
  while (position < text.length && isWordCharacter(text.charCodeAt(position))) position++;
  return position;
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === 0x0a || code === 0x0d;
}

function isLetter(code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a);
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function isWordCharacter(code: number): boolean {
  return isLetter(code) || isDigit(code) || code === 0x5f;
}
