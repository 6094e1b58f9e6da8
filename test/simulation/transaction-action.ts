import type { TransactionChange } from '../../src/api/mutation.ts';
import { type Random, randomBelow } from '../../src/env/random.ts';
import { expressionOf, itemOf } from './item-value.ts';
import type { RegisterCondition } from './linearizability.ts';
import type { TransactionPart } from './serializability.ts';
import type { SimulatedKey } from './workload.ts';

/** Writes, deletes and checks of several items at one moment. */
export interface TransactionAction {
  readonly kind: 'transaction';
  readonly keys: readonly SimulatedKey[];
  readonly parts: readonly TransactionPart[];
  /** Whether it has a token, by which it is sent again if its outcome is not known. */
  readonly hasToken: boolean;
}

/** A read of several items at one moment. */
export interface TogetherAction {
  readonly kind: 'read-together';
  readonly keys: readonly SimulatedKey[];
}

/** How the values and conditions of single writes are drawn. */
export interface Draws {
  readonly random: Random;
  readonly keys: readonly SimulatedKey[];
  newValue(key: SimulatedKey): string;
  condition(key: SimulatedKey): RegisterCondition;
}

const MOST_ITEMS = 5;

export function drawTransaction(draws: Draws): TransactionAction {
  const { random } = draws;
  const keys = drawSome(draws);
  const parts = keys.map((key): TransactionPart => {
    const chance = random.next();
    const condition = random.next() < 0.35 ? draws.condition(key) : undefined;
    if (chance < 0.15) return { key: key.storeKey, call: { kind: 'check', condition: draws.condition(key) } };
    if (chance < 0.3) return { key: key.storeKey, call: { kind: 'delete', ...(condition && { condition }) } };
    return { key: key.storeKey, call: { kind: 'put', value: draws.newValue(key), ...(condition && { condition }) } };
  });
  return { kind: 'transaction', keys, parts, hasToken: random.next() < 0.6 };
}

export function drawTogether(draws: Draws): TogetherAction {
  return { kind: 'read-together', keys: drawSome(draws) };
}

/** Two or more of the keys, in any order. */
function drawSome({ random, keys }: Draws): SimulatedKey[] {
  const left = [...keys];
  const count = 2 + randomBelow(random, Math.min(MOST_ITEMS, keys.length) - 1);
  return Array.from({ length: count }, () => left.splice(randomBelow(random, left.length), 1)[0]!);
}

/** What the client of the ring is asked for. */
export function changeOf({ call }: TransactionPart, toItem = itemOf): TransactionChange {
  switch (call.kind) {
    case 'check':
      return { kind: 'check', condition: expressionOf(call.condition) };
    case 'put':
      return { kind: 'put', item: toItem(call.value), condition: call.condition && expressionOf(call.condition) };
    case 'delete':
      return { kind: 'delete', condition: call.condition && expressionOf(call.condition) };
    case 'read':
      throw new Error('no part of a transaction that writes');
  }
}

export function showTransaction(action: TransactionAction | TogetherAction): string {
  if (action.kind === 'read-together') return `read ${action.keys.map(({ name }) => name).join(' ')} together`;
  const parts = action.parts.map(({ call }, at) => {
    const condition = 'condition' in call ? call.condition : undefined;
    const held = condition && ` if ${condition.kind === 'equals' ? `= ${condition.value}` : condition.kind}`;
    return `${action.keys[at]!.name} ${call.kind}${call.kind === 'put' ? ` ${call.value}` : ''}${held ?? ''}`;
  });
  return `transaction${action.hasToken ? ' with a token' : ''}: ${parts.join(', ')}`;
}
