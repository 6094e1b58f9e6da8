import type { Condition } from '../../src/api/expression/ast.ts';
import type { ItemImage } from '../../src/api/item.ts';
import type { RegisterCondition, RegisterValue } from './linearizability.ts';

const BEFORE_VALUE = '{"v":{"S":"';
const QUOTE = 34;

/** An item that stands for a register's value: one attribute `v` that holds it as a string. */
export function itemOf(value: string): ItemImage {
  return { size: 1 + value.length, json: Buffer.from(`{"v":{"S":"${value}"}}`, 'latin1') };
}

export function registerValueOf(item: ItemImage | undefined): RegisterValue {
  if (item === undefined) return null;
  const { json } = item;
  // An item of a table with indexes has further attributes. Values are short: a loop is faster than calls of the runtime.
  let value = '';
  for (let at = BEFORE_VALUE.length; json[at] !== QUOTE; at++) value += String.fromCharCode(json[at]!);
  return value;
}

/** The same condition as the expression that a client would send. */
export function expressionOf(condition: RegisterCondition): Condition {
  const path = ['v'];
  switch (condition.kind) {
    case 'equals':
      return {
        kind: 'compare',
        comparator: '=',
        left: { kind: 'path', path },
        right: { kind: 'value', value: { S: condition.value } },
      };
    case 'exists':
      return { kind: 'exists', path };
    case 'absent':
      return { kind: 'not-exists', path };
  }
}
