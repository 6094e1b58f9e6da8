import type { AttributeMap, AttributeValue } from '../attribute-value.ts';
import type { Expr, StatementSyntax } from './statement-syntax.ts';

/**
 * The attributes that a statement gives one value each, whatever the schema of its table: those of the item that it
 * inserts, or that have to equal a value for all else of its condition to count.
 * @param parameters of a request that need not be valid
 * @returns neither checked nor normalised
 */
export function namedValues({ body }: StatementSyntax, parameters: readonly AttributeValue[]): AttributeMap {
  if (body.kind === 'insert') return valuesOfItem(body.value, parameters);
  const { where } = body.kind === 'exists' ? body.select : body;
  const named: [string, AttributeValue][] = [];
  const open = where === undefined ? [] : [where];
  for (let expr = open.pop(); expr !== undefined; expr = open.pop()) {
    if (expr.kind !== 'binary') continue;
    const { operator, left, right } = expr;
    if (operator === 'and') open.push(left, right);
    if (operator !== '=') continue;
    const [path, other] = left.kind === 'path' ? [left, right] : [right, left];
    const value = scalarOf(other, parameters);
    if (path.kind === 'path' && path.path.length === 1 && value !== undefined) {
      named.push([path.path[0] as string, value]);
    }
  }
  return Object.fromEntries(named);
}

function valuesOfItem(item: Expr, parameters: readonly AttributeValue[]): AttributeMap {
  if (item.kind === 'parameter') {
    const value = parameters[item.index];
    return value !== undefined && 'M' in value ? value.M : {};
  }
  if (item.kind !== 'tuple') return {};
  const named: [string, AttributeValue][] = [];
  for (const [name, member] of item.members) {
    const value = scalarOf(member, parameters);
    if (name.kind === 'literal' && 'S' in name.value && value !== undefined) named.push([name.value.S, value]);
  }
  return Object.fromEntries(named);
}

function scalarOf(expr: Expr, parameters: readonly AttributeValue[]): AttributeValue | undefined {
  if (expr.kind === 'literal') return expr.value;
  return expr.kind === 'parameter' ? parameters[expr.index] : undefined;
}
