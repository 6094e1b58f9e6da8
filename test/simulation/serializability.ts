import {
  changesNothing,
  conditionHolds,
  effectOf,
  isOfEffect,
  type Operation,
  type RegisterAnswer,
  type RegisterCall,
  type RegisterCondition,
  type RegisterValue,
} from './linearizability.ts';
import { findOrder, type Model, type TimedCall } from './order-search.ts';

/**
 * Decides whether a history of transactions and of operations on single registers is strictly serializable: whether each of
 * them can be given one instant between its call and its return so that all answers are those of plain variables.
 */

/** What a transaction does to one register: an operation, or only that its condition holds. */
export interface TransactionPart {
  readonly key: string;
  readonly call: RegisterCall | { readonly kind: 'check'; readonly condition: RegisterCondition };
}

export interface TransactionOperation extends TimedCall {
  readonly parts: readonly TransactionPart[];
  readonly answer:
    | { readonly kind: 'read'; readonly values: readonly RegisterValue[] }
    /** `olds` only where the answer had what the items were before. */
    | { readonly kind: 'committed'; readonly olds?: readonly RegisterValue[] }
    /** May happen at any time after the call, or never. */
    | { readonly kind: 'unknown' }
    | { readonly kind: 'not-applied' };
}

type Joint = Operation | TransactionOperation;
/** By the number of the register. */
type State = readonly RegisterValue[];

export type JointVerdict =
  | { readonly kind: 'serializable' }
  | { readonly kind: 'violation'; readonly operation: Joint; readonly possible: readonly string[] }
  | { readonly kind: 'undecided' };

/** All registers start as "no item". Registers that no transaction links are checked apart. */
export function checkSerializability(
  operations: readonly Operation[],
  transactions: readonly TransactionOperation[],
  maxConfigurations = 1_000_000,
): JointVerdict {
  const said = transactions.filter(isOfEffectTogether);
  for (const keys of linkedKeys(operations, said)) {
    const numbers = new Map([...keys].map((key, number) => [key, number]));
    const history: Joint[] = [
      ...operations.filter((each) => keys.has(each.key) && isOfEffect(each)),
      ...said.filter(({ parts }) => keys.has(parts[0]!.key)),
    ];
    const found = findOrder(history, modelOf(numbers), maxConfigurations);
    if (found.kind === 'undecided') return found;
    if (found.kind === 'found') continue;
    const possible = found.possible.map((state) => state.map((value) => value ?? '-').join(' '));
    return { kind: 'violation', operation: found.operation, possible };
  }
  return { kind: 'serializable' };
}

/** Sets of registers that transactions link. */
function linkedKeys(
  operations: readonly Operation[],
  transactions: readonly TransactionOperation[],
): ReadonlySet<Set<string>> {
  const setOf = new Map<string, Set<string>>();
  for (const { key } of operations) if (!setOf.has(key)) setOf.set(key, new Set([key]));
  for (const { parts } of transactions) {
    const all = new Set(parts.flatMap(({ key }) => [...(setOf.get(key) ?? [key])]));
    for (const key of all) setOf.set(key, all);
  }
  return new Set(setOf.values());
}

function modelOf(numbers: ReadonlyMap<string, number>): Model<Joint, State> {
  return {
    initial: [...numbers.keys()].map(() => null),
    nameOf: (state) => state.map((value) => value ?? '').join(),
    effect(operation, state) {
      const after = [...state];
      for (const [at, { key, call }] of partsOf(operation).entries()) {
        const number = numbers.get(key)!;
        const value = effectOfPart(call, answerOf(operation, at), state[number]!);
        if (value === undefined) return undefined;
        after[number] = value;
      }
      return after;
    },
    isUnknown: ({ answer }) => answer.kind === 'unknown',
    changesNothing: (operation) =>
      'parts' in operation
        ? operation.parts.every(({ call }) => call.kind === 'check' || call.kind === 'read')
        : changesNothing(operation),
  };
}

function partsOf(operation: Joint): readonly TransactionPart[] {
  return 'parts' in operation ? operation.parts : [operation];
}

function answerOf(operation: Joint, at: number): RegisterAnswer {
  if (!('parts' in operation)) return operation.answer;
  const { answer } = operation;
  if (answer.kind === 'read') return { kind: 'read', value: answer.values[at]! };
  if (answer.kind === 'committed')
    return answer.olds ? { kind: 'applied', old: answer.olds[at]! } : { kind: 'applied' };
  return answer;
}

function effectOfPart(
  call: TransactionPart['call'],
  answer: RegisterAnswer,
  value: RegisterValue,
): RegisterValue | undefined {
  if (call.kind !== 'check') return effectOf({ call, answer }, value);
  if (!conditionHolds(call.condition, value)) return undefined;
  return answer.kind === 'applied' && answer.old !== undefined && answer.old !== value ? undefined : value;
}

function isOfEffectTogether({ parts, answer }: TransactionOperation): boolean {
  if (answer.kind === 'not-applied') return false;
  return answer.kind !== 'unknown' || parts.some(({ call }) => call.kind === 'put' || call.kind === 'delete');
}
