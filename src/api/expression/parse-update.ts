import {
  acceptSymbol,
  blame,
  type Cursor,
  close,
  expectSymbol,
  fail,
  finish,
  isSymbol,
  open,
  peek,
  startCursor,
} from './cursor.ts';
import { parseOperand, parsePath } from './parser.ts';
import type { OperandSyntax, UpdateActionSyntax, UpdateSyntax, UpdateValueSyntax } from './syntax.ts';

/**
 * Parses the text of an update: clauses SET, REMOVE, ADD and DELETE in any order (developer guide, "Update
 * expressions").
 * @returns the syntax tree, with names and values still to be replaced
 * @throws ApiError for everything that is wrong with the text alone
 */
export function parseUpdate(text: string): UpdateSyntax {
  const cursor = startCursor('UpdateExpression', text);
  const actions: UpdateActionSyntax[] = [];
  const seen = new Set<string>();
  do {
    const clause = parseClauseName(cursor);
    if (seen.has(clause)) {
      blame(cursor, 'section', `The "${clause}" section can only be used once in an update expression;`);
    }
    seen.add(clause);
    do actions.push(parseAction(cursor, clause));
    while (acceptSymbol(cursor, ','));
  } while (peek(cursor).kind === 'keyword');
  finish(cursor);
  return actions;
}

type Clause = 'SET' | 'REMOVE' | 'ADD' | 'DELETE';

function parseClauseName(cursor: Cursor): Clause {
  const { kind, text } = peek(cursor);
  if (kind !== 'keyword' || !isClause(text)) throw fail(cursor);
  cursor.position++;
  return text;
}

function isClause(word: string): word is Clause {
  return word === 'SET' || word === 'REMOVE' || word === 'ADD' || word === 'DELETE';
}

function parseAction(cursor: Cursor, clause: Clause): UpdateActionSyntax {
  const path = parsePath(cursor);
  switch (clause) {
    case 'SET':
      expectSymbol(cursor, '=');
      return { kind: 'set', path, value: parseValue(cursor) };
    case 'REMOVE':
      return { kind: 'remove', path };
    case 'ADD':
      return { kind: 'add', path, value: parseReference(cursor) };
    case 'DELETE':
      return { kind: 'delete', path, value: parseReference(cursor) };
  }
}

/** An operand, or one sum or difference of two. Either may be in parentheses. A sum cannot be an operand of another. */
function parseValue(cursor: Cursor): UpdateValueSyntax {
  const left = isSymbol(cursor, '(') ? parseGroup(cursor) : parseOperand(cursor);
  if (!isOperand(left)) return left;
  const kind = acceptSymbol(cursor, '+') ? 'plus' : acceptSymbol(cursor, '-') ? 'minus' : undefined;
  if (kind === undefined) return left;
  cursor.operators++;
  return { kind, left, right: parseOperand(cursor) };
}

function parseGroup(cursor: Cursor): UpdateValueSyntax {
  const start = cursor.position;
  open(cursor);
  const inner = parseValue(cursor);
  close(cursor, start);
  return inner;
}

function parseReference(cursor: Cursor): string {
  const { kind, text } = peek(cursor);
  if (kind !== 'value-reference') throw fail(cursor);
  cursor.position++;
  return text;
}

export function isOperand(value: UpdateValueSyntax): value is OperandSyntax {
  return value.kind !== 'plus' && value.kind !== 'minus';
}
