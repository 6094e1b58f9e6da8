import { keywordOf } from './keywords.ts';
import { malformed, type Place } from './statement-error.ts';

export interface Token extends Place {
  readonly kind: 'name' | 'quoted' | 'keyword' | 'string' | 'number' | 'symbol' | 'end';
  /**
   * What the token means: a name, the content of a quoted name or a string, a keyword in lower case, a number as written, a
   * symbol (`!=` as `<>`).
   */
  readonly text: string;
}

const SYMBOLS_OF_TWO: ReadonlySet<string> = new Set(['<>', '!=', '<=', '>=', '<<', '>>', '||']);
const SYMBOLS_OF_ONE = '()[]{},:;.?*+-/%=<>@';

const NAME = /[A-Za-z_$][A-Za-z0-9_$]*/y;
const NUMBER = /(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y;
const BLANK = /[\s]+/y;

/**
 * @returns the tokens of a statement; only the last one is of kind `end`
 * @throws ApiError (ValidationException) for a text that is not a sequence of tokens
 */
export function tokenizeStatement(text: string): Token[] {
  const tokens: Token[] = [];
  let at = skipBlanks(text, 0);
  while (at < text.length) {
    const token = readToken(text, at);
    tokens.push(token);
    at = skipBlanks(text, token.end);
  }
  tokens.push({ kind: 'end', text: '', start: text.length, end: text.length });
  return tokens;
}

function readToken(text: string, start: number): Token {
  const character = text[start]!;
  if (character === "'" || character === '"') {
    const { content, end } = readQuoted(text, start, character);
    return { kind: character === "'" ? 'string' : 'quoted', text: content, start, end };
  }
  const name = matchAt(NAME, text, start);
  if (name !== undefined) {
    const keyword = keywordOf(name);
    const kind = keyword === undefined ? 'name' : 'keyword';
    return { kind, text: keyword ?? name, start, end: start + name.length };
  }
  const number = matchAt(NUMBER, text, start);
  if (number !== undefined) return { kind: 'number', text: number, start, end: start + number.length };
  const two = text.slice(start, start + 2);
  if (SYMBOLS_OF_TWO.has(two)) return { kind: 'symbol', text: two === '!=' ? '<>' : two, start, end: start + 2 };
  if (SYMBOLS_OF_ONE.includes(character)) return { kind: 'symbol', text: character, start, end: start + 1 };
  throw malformed('');
}

/** A quotation mark within a quoted text is doubled. */
function readQuoted(text: string, start: number, quote: string): { readonly content: string; readonly end: number } {
  let content = '';
  let from = start + 1;
  while (true) {
    const at = text.indexOf(quote, from);
    if (at < 0) throw malformed('');
    content += text.slice(from, at);
    if (text[at + 1] !== quote) return { content, end: at + 1 };
    content += quote;
    from = at + 2;
  }
}

/** Blanks and comments: from `--` to the end of the line, and between slashes with stars. */
function skipBlanks(text: string, start: number): number {
  let at = start;
  while (true) {
    at += matchAt(BLANK, text, at)?.length ?? 0;
    if (text.startsWith('--', at)) {
      const end = text.indexOf('\n', at);
      if (end < 0) return text.length;
      at = end;
    } else if (text.startsWith('/*', at)) {
      const end = text.indexOf('*/', at + 2);
      if (end < 0) throw malformed('');
      at = end + 2;
    } else {
      return at;
    }
  }
}

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}
