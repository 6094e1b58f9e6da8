import type { Comparator } from './ast.ts';
import {
  acceptKeyword,
  acceptSymbol,
  blame,
  type Cursor,
  close,
  expectKeyword,
  expectSymbol,
  fail,
  finish,
  isSymbol,
  open,
  peek,
  startCursor,
} from './cursor.ts';
import type { ExpressionKind } from './lexer.ts';
import { isReservedWord } from './reserved-words.ts';
import type { CallSyntax, ConditionSyntax, OperandSyntax, PathSyntax, ProjectionSyntax } from './syntax.ts';

/** Developer guide, "Expression parameters" quotas: elements of a document path. */
const MAX_PATH_ELEMENTS = 32;
const MAX_LIST_INDEX = 2 ** 31 - 1;

const CONDITION_FUNCTIONS: ReadonlySet<string> = new Set([
  'attribute_exists',
  'attribute_not_exists',
  'attribute_type',
  'begins_with',
  'contains',
  'size',
]);
const UPDATE_FUNCTIONS: ReadonlySet<string> = new Set(['if_not_exists', 'list_append']);

/**
 * Parses the text of a condition or filter.
 * @param kind the parameter that has the text, for the error
 * @returns the syntax tree, with names and values still to be replaced
 * @throws ApiError for everything that is wrong with the text alone
 */
export function parseCondition(kind: ExpressionKind, text: string): ConditionSyntax {
  const cursor = startCursor(kind, text);
  const condition = parseOr(cursor, 'expression');
  checkIsCondition(cursor, condition);
  finish(cursor);
  // Only within parentheses can it be a bare operand, see parsePrimary.
  return condition as ConditionSyntax;
}

/** Parses the text of a projection; see {@link parseCondition}. */
export function parseProjection(kind: ExpressionKind, text: string): ProjectionSyntax {
  const cursor = startCursor(kind, text);
  const paths = [parsePath(cursor)];
  while (acceptSymbol(cursor, ',')) paths.push(parsePath(cursor));
  finish(cursor);
  return paths;
}

/** Where a part of an expression is: directly within parentheses, where it may be a bare operand, or anywhere else. */
type Place = 'parentheses' | 'expression';

/** In the grammar of the service, NOT binds tighter than AND, and AND tighter than OR. */
function parseOr(cursor: Cursor, place: Place): ConditionSyntax | OperandSyntax {
  let left = parseAnd(cursor, place);
  while (acceptKeyword(cursor, 'OR')) left = connect(cursor, 'or', left, parseAnd(cursor, 'expression'));
  return left;
}

function parseAnd(cursor: Cursor, place: Place): ConditionSyntax | OperandSyntax {
  let left = parseNot(cursor, place);
  while (acceptKeyword(cursor, 'AND')) left = connect(cursor, 'and', left, parseNot(cursor, 'expression'));
  return left;
}

function parseNot(cursor: Cursor, place: Place): ConditionSyntax | OperandSyntax {
  let negations = 0;
  while (acceptKeyword(cursor, 'NOT')) negations++;
  let operand = parsePrimary(cursor, negations === 0 ? place : 'expression');
  for (; negations > 0; negations--) {
    cursor.operators++;
    checkIsCondition(cursor, operand);
    operand = { kind: 'not', condition: operand as ConditionSyntax };
  }
  return operand;
}

function connect(
  cursor: Cursor,
  kind: 'and' | 'or',
  left: ConditionSyntax | OperandSyntax,
  right: ConditionSyntax | OperandSyntax,
): ConditionSyntax {
  cursor.operators++;
  checkIsCondition(cursor, left);
  checkIsCondition(cursor, right);
  return { kind, left: left as ConditionSyntax, right: right as ConditionSyntax };
}

/**
 * A comparison, BETWEEN, IN, a function, or a condition in parentheses. Operands may be in parentheses too, and only
 * the text behind the `)` shows which it was. So a group is parsed as either. Only a group directly within parentheses
 * may be a bare operand, such as the `(a)` in `((a)) = :v`: its comparator follows further out.
 */
function parsePrimary(cursor: Cursor, place: Place): ConditionSyntax | OperandSyntax {
  const first = isSymbol(cursor, '(') ? parseGroup(cursor) : parseOperand(cursor);
  if (isCondition(first)) return first;
  const tail = parseComparison(cursor, first);
  if (tail !== undefined) return tail;
  if (first.kind !== 'call' && !(place === 'parentheses' && isSymbol(cursor, ')'))) throw fail(cursor);
  return first;
}

function parseGroup(cursor: Cursor): ConditionSyntax | OperandSyntax {
  const start = cursor.position;
  open(cursor);
  const inner = parseOr(cursor, 'parentheses');
  close(cursor, start);
  return inner;
}

function parseComparison(cursor: Cursor, left: OperandSyntax): ConditionSyntax | undefined {
  const token = peek(cursor);
  if (token.kind === 'symbol' && isComparator(token.text)) {
    cursor.position++;
    const right = parseOperand(cursor);
    checkOperands(cursor, [left, right]);
    cursor.operators++;
    return { kind: 'compare', comparator: token.text, left, right };
  }
  if (acceptKeyword(cursor, 'BETWEEN')) {
    const lower = parseOperand(cursor);
    expectKeyword(cursor, 'AND');
    const upper = parseOperand(cursor);
    checkOperands(cursor, [left, lower, upper]);
    cursor.operators++;
    return { kind: 'between', operand: left, lower, upper };
  }
  if (acceptKeyword(cursor, 'IN')) {
    expectSymbol(cursor, '(');
    const choices = parseOperands(cursor);
    expectSymbol(cursor, ')');
    checkOperands(cursor, [left, ...choices]);
    cursor.operators++;
    return { kind: 'in', operand: left, choices };
  }
  return undefined;
}

function parseOperands(cursor: Cursor): OperandSyntax[] {
  const operands = [parseOperand(cursor)];
  while (acceptSymbol(cursor, ',')) operands.push(parseOperand(cursor));
  return operands;
}

/** A path, a `:value`, a call, or one of them in parentheses. */
export function parseOperand(cursor: Cursor): OperandSyntax {
  const token = peek(cursor);
  if (token.kind === 'value-reference') {
    cursor.position++;
    return { kind: 'value', name: token.text };
  }
  if (token.kind === 'name' && cursor.tokens[cursor.position + 1]?.text === '(') return parseCall(cursor);
  if (isSymbol(cursor, '(')) {
    const start = cursor.position;
    open(cursor);
    const operand = parseOperand(cursor);
    close(cursor, start);
    return operand;
  }
  return { kind: 'path', path: parsePath(cursor) };
}

function parseCall(cursor: Cursor): CallSyntax {
  const { text: name } = peek(cursor);
  cursor.position++;
  cursor.operators++;
  checkFunction(cursor, name);
  open(cursor);
  const operands = parseOperands(cursor);
  expectSymbol(cursor, ')');
  cursor.openParentheses--;
  if (cursor.kind !== 'UpdateExpression') checkOperands(cursor, operands);
  else if (name === 'list_append') checkNotNested(cursor, operands);
  return { kind: 'call', name, operands };
}

function checkFunction(cursor: Cursor, name: string): void {
  const isUpdate = cursor.kind === 'UpdateExpression';
  if ((isUpdate ? UPDATE_FUNCTIONS : CONDITION_FUNCTIONS).has(name)) return;
  if ((isUpdate ? CONDITION_FUNCTIONS : UPDATE_FUNCTIONS).has(name)) {
    const place = isUpdate ? 'an update' : 'a condition';
    blame(cursor, 'function', `The function is not allowed in ${place} expression; function: ${name}`);
  } else {
    blame(cursor, 'function', `Invalid function name; function: ${name}`);
  }
}

export function parsePath(cursor: Cursor): PathSyntax {
  const path: (string | number)[] = [parseName(cursor)];
  for (;;) {
    if (acceptSymbol(cursor, '.')) {
      path.push(parseName(cursor));
    } else if (acceptSymbol(cursor, '[')) {
      path.push(parseIndex(cursor));
      expectSymbol(cursor, ']');
    } else {
      if (path.length > MAX_PATH_ELEMENTS) {
        const problem = `The document path has too many nesting levels; nesting levels: ${path.length}`;
        blame(cursor, 'path', problem);
      }
      return path;
    }
  }
}

function parseName(cursor: Cursor): string {
  const token = peek(cursor);
  if (token.kind !== 'name' && token.kind !== 'name-reference') throw fail(cursor);
  cursor.position++;
  if (token.kind === 'name' && isReservedWord(token.text)) {
    blame(cursor, 'reserved', `Attribute name is a reserved keyword; reserved keyword: ${token.text}`);
  }
  return token.text;
}

function parseIndex(cursor: Cursor): number {
  const token = peek(cursor);
  if (token.kind !== 'index') throw fail(cursor);
  cursor.position++;
  const index = Number(token.text);
  if (index > MAX_LIST_INDEX) {
    blame(cursor, 'path', `List index is not within the allowable range; index: [${token.text}]`);
  }
  return index;
}

/** Only `size` has a value; every other function is a condition. */
function checkOperands(cursor: Cursor, operands: readonly OperandSyntax[]): void {
  for (const operand of operands) {
    if (operand.kind === 'call' && operand.name !== 'size') blameMisuse(cursor, operand);
  }
}

/**
 * The result of `list_append` cannot be an operand of another `list_append` (recorded 2026-09-20 to 2026-10-09,
 * eu-west-2 and us-east-1).
 */
function checkNotNested(cursor: Cursor, operands: readonly OperandSyntax[]): void {
  for (const operand of operands) {
    if (operand.kind === 'call' && operand.name === 'list_append') blameMisuse(cursor, operand);
  }
}

function checkIsCondition(cursor: Cursor, operand: ConditionSyntax | OperandSyntax): void {
  if (operand.kind === 'call' && operand.name === 'size') blameMisuse(cursor, operand);
}

function blameMisuse(cursor: Cursor, call: CallSyntax): void {
  const problem = `The function is not allowed to be used this way in an expression; function: ${call.name}`;
  blame(cursor, 'misuse', problem);
}

function isComparator(symbol: string): symbol is Comparator {
  return symbol === '=' || symbol === '<>' || symbol === '<' || symbol === '<=' || symbol === '>' || symbol === '>=';
}

function isCondition(node: ConditionSyntax | OperandSyntax): node is Exclude<ConditionSyntax, CallSyntax> {
  return node.kind !== 'call' && node.kind !== 'path' && node.kind !== 'value';
}
