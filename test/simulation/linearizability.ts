import { findOrder, type Model } from './order-search.ts';

/**
 * Decides whether a history of operations on registers is linearizable: whether every operation can be given one instant
 * between its call and its return so that all answers are those of plain variables (`order-search.ts`).
 */

/** What a register holds; null stands for "no item". */
export type RegisterValue = string | null;

/** When a conditional write takes place. */
export type RegisterCondition =
  | { readonly kind: 'equals'; readonly value: string }
  | { readonly kind: 'exists' }
  | { readonly kind: 'absent' };

export type RegisterCall =
  | { readonly kind: 'put'; readonly value: string; readonly condition?: RegisterCondition }
  | { readonly kind: 'delete'; readonly condition?: RegisterCondition }
  | { readonly kind: 'read' };

export type RegisterAnswer =
  | { readonly kind: 'read'; readonly value: RegisterValue }
  /** The value was not told, but that it is one of these: of an item that a query of an index did not show. */
  | { readonly kind: 'read-as-one-of'; readonly isPossible: (value: RegisterValue) => boolean }
  /** `old` only where the operation asked for the value that it replaced. */
  | { readonly kind: 'applied'; readonly old?: RegisterValue }
  /** The condition was false. `current` only where the operation asked for the value that made it so. */
  | { readonly kind: 'refused'; readonly current?: RegisterValue }
  /** May take effect at any time after the call, also after the end of the history, or never. */
  | { readonly kind: 'unknown' }
  /** Has not taken effect and never will. */
  | { readonly kind: 'not-applied' };

export interface Operation {
  readonly key: string;
  /** Any clock that never steps back; operations that share an instant count as concurrent. */
  readonly calledAt: number;
  /** Not looked at where the answer is unknown. */
  readonly returnedAt: number;
  readonly call: RegisterCall;
  readonly answer: RegisterAnswer;
}

export type Verdict =
  | { readonly kind: 'linearizable' }
  /** No order explains `operation` and all that returned before it; `possible` is what the register could have held. */
  | { readonly kind: 'violation'; readonly operation: Operation; readonly possible: readonly RegisterValue[] }
  /** `maxConfigurations` were not enough to tell. */
  | { readonly kind: 'undecided'; readonly key: string };

/**
 * Checks every key of the history on its own (linearizability is local). All registers start as "no item".
 * The verdict is that of the first key, in order of appearance, that is not linearizable.
 */
export function checkLinearizability(history: readonly Operation[], maxConfigurations = 1_000_000): Verdict {
  const keys = new Map<string, Operation[]>();
  for (const operation of history) {
    const ofKey = keys.get(operation.key);
    if (ofKey) ofKey.push(operation);
    else keys.set(operation.key, [operation]);
  }
  for (const operations of keys.values()) {
    const verdict = checkRegister(operations, maxConfigurations);
    if (verdict.kind !== 'linearizable') return verdict;
  }
  return { kind: 'linearizable' };
}

const REGISTER: Model<Operation, RegisterValue> = {
  initial: null,
  nameOf: (value) => (value === null ? '' : `=${value}`),
  effect: effectOf,
  isUnknown: ({ answer }) => answer.kind === 'unknown',
  changesNothing,
};

function checkRegister(history: readonly Operation[], maxConfigurations: number): Verdict {
  const operations = history.filter(isOfEffect);
  const found = findOrder(operations, REGISTER, maxConfigurations);
  if (found.kind === 'found') return { kind: 'linearizable' };
  if (found.kind === 'undecided') return { kind: 'undecided', key: operations[0]!.key };
  return { kind: 'violation', operation: found.operation, possible: found.possible };
}

/** Whether an operation says anything of what its register held. */
export function isOfEffect(operation: Pick<Operation, 'call' | 'answer'>): boolean {
  return operation.answer.kind !== 'not-applied' && !isUnknownRead(operation);
}

/**
 * The value after `operation` takes effect on `value`, or undefined where its answer would have been another one.
 * Of an unknown operation only its condition counts.
 */
export function effectOf(
  { call, answer }: Pick<Operation, 'call' | 'answer'>,
  value: RegisterValue,
): RegisterValue | undefined {
  if (answer.kind === 'read-as-one-of') return answer.isPossible(value) ? value : undefined;
  if (call.kind === 'read') return answer.kind === 'read' && answer.value === value ? value : undefined;
  const holds = call.condition === undefined || conditionHolds(call.condition, value);
  if (answer.kind === 'refused') {
    return !holds && (answer.current === undefined || answer.current === value) ? value : undefined;
  }
  if (!holds) return undefined;
  if (answer.kind === 'applied' && answer.old !== undefined && answer.old !== value) return undefined;
  return call.kind === 'put' ? call.value : null;
}

/** Whether a write under `condition` takes place on a register that holds `value`. */
export function conditionHolds(condition: RegisterCondition, value: RegisterValue): boolean {
  switch (condition.kind) {
    case 'equals':
      return value === condition.value;
    case 'exists':
      return value !== null;
    case 'absent':
      return value === null;
  }
}

export function changesNothing({ answer }: Pick<Operation, 'answer'>): boolean {
  return answer.kind === 'read' || answer.kind === 'read-as-one-of' || answer.kind === 'refused';
}

function isUnknownRead({ call, answer }: Pick<Operation, 'call' | 'answer'>): boolean {
  return call.kind === 'read' && answer.kind === 'unknown';
}
