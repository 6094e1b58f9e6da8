import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { conditionHolds, type Operation, type RegisterCondition, type RegisterValue } from './linearizability.ts';
import { checkSerializability, type TransactionOperation } from './serializability.ts';

const KEYS = ['x', 'y'] as const;
type Values = readonly RegisterValue[];

/** What a client does, and how long it takes around the moment at which it happens. */
interface Deed {
  readonly kind: 'put' | 'read' | 'together' | 'transaction';
  readonly key: number;
  readonly condition: RegisterCondition | undefined;
  readonly before: number;
  readonly after: number;
  readonly isUnknown: boolean;
  /** Whether the answer is made up. */
  readonly lies: boolean;
}

const deed: fc.Arbitrary<Deed> = fc.record({
  kind: fc.constantFrom('put' as const, 'read' as const, 'together' as const, 'transaction' as const),
  key: fc.nat(1),
  condition: fc.option(
    fc.oneof(
      fc.constant({ kind: 'absent' as const }),
      fc.constant({ kind: 'exists' as const }),
      fc.nat(4).map((value) => ({ kind: 'equals' as const, value: String(value) })),
    ),
    { nil: undefined },
  ),
  before: fc.nat(25),
  after: fc.nat(25),
  isUnknown: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  lies: fc.integer({ min: 0, max: 14 }).map((n) => n === 0),
});

/** The history of deeds that happen one after the other, some of which nobody hears of. */
function historyOf(deeds: readonly Deed[]) {
  const operations: Operation[] = [];
  const transactions: TransactionOperation[] = [];
  let values: Values = [null, null];
  for (const [at, { kind, key, condition, before, after, isUnknown, lies }] of deeds.entries()) {
    const times = { calledAt: at * 10 - before - 0.5 + at / 1_000, returnedAt: at * 10 + after + at / 1_000 };
    const shown: Values = lies ? values.map((value) => (value === null ? '0' : null)) : values;
    const written = String(at);
    if (kind === 'read') {
      operations.push({ key: KEYS[key]!, ...times, call: { kind }, answer: { kind, value: shown[key]! } });
    } else if (kind === 'together') {
      const parts = KEYS.map((name) => ({ key: name, call: { kind: 'read' } as const }));
      transactions.push({ parts, ...times, answer: { kind: 'read', values: shown } });
    } else if (kind === 'put') {
      const call = { kind, value: written, ...(condition && { condition }) } as const;
      const holds = condition === undefined || conditionHolds(condition, values[key]!);
      const answer = holds
        ? ({ kind: 'applied', old: shown[key]! } as const)
        : ({ kind: 'refused', current: shown[key]! } as const);
      operations.push({ key: KEYS[key]!, ...times, call, answer: isUnknown ? { kind: 'unknown' } : answer });
      if (holds) values = values.map((value, other) => (other === key ? written : value));
    } else {
      const holds = condition === undefined || conditionHolds(condition, values[key]!);
      const parts = KEYS.map((name, number) => ({
        key: name,
        call: { kind: 'put', value: `${written}${name}`, ...(number === key && condition && { condition }) } as const,
      }));
      const answer = holds ? ({ kind: 'committed', olds: shown } as const) : ({ kind: 'not-applied' } as const);
      transactions.push({ parts, ...times, answer: isUnknown ? { kind: 'unknown' } : answer });
      if (holds) values = KEYS.map((name) => `${written}${name}`);
    }
  }
  return { operations, transactions };
}

/** Tries all orders. */
function hasOrder(operations: readonly Operation[], transactions: readonly TransactionOperation[]): boolean {
  const all = [...operations, ...transactions].filter(({ answer }) => answer.kind !== 'not-applied');
  const effect = (one: Operation | TransactionOperation, values: Values): Values | undefined => {
    const next = [...values];
    const parts = 'parts' in one ? one.parts : [one];
    for (const [at, { key, call }] of parts.entries()) {
      const number = KEYS.indexOf(key as 'x');
      const value = values[number]!;
      const { answer } = one;
      if (answer.kind === 'read') {
        if (
          (answer as { values?: Values; value?: RegisterValue }).values !== undefined
            ? (answer as { values: Values }).values[at] !== value
            : (answer as { value: RegisterValue }).value !== value
        )
          return undefined;
        continue;
      }
      if (call.kind !== 'put') return undefined;
      const holds = call.condition === undefined || conditionHolds(call.condition, value);
      if (answer.kind === 'refused') {
        if (holds || answer.current !== value) return undefined;
        continue;
      }
      if (!holds) return undefined;
      if (answer.kind === 'applied' && answer.old !== value) return undefined;
      if (answer.kind === 'committed' && answer.olds![at] !== value) return undefined;
      next[number] = call.value;
    }
    return next;
  };
  const seen = new Set<string>();
  const search = (done: ReadonlySet<number>, values: Values): boolean => {
    const left = [...all.keys()].filter((at) => !done.has(at));
    if (left.every((at) => all[at]!.answer.kind === 'unknown')) return true;
    const name = `${[...done].sort((a, b) => a - b)} ${values}`;
    if (seen.has(name)) return false;
    seen.add(name);
    const known = left.filter((at) => all[at]!.answer.kind !== 'unknown');
    const until = Math.min(...known.map((at) => all[at]!.returnedAt));
    return left.some((at) => {
      if (all[at]!.calledAt > until) return false;
      const after = effect(all[at]!, values);
      return after !== undefined && search(new Set([...done, at]), after);
    });
  };
  return search(
    new Set(),
    KEYS.map(() => null),
  );
}

describe('the check of transactions', () => {
  test('finds an order if and only if there is one', () => {
    let [good, bad] = [0, 0];
    fc.assert(
      fc.property(fc.array(deed, { minLength: 2, maxLength: 9 }), (deeds) => {
        const { operations, transactions } = historyOf(deeds);
        const verdict = checkSerializability(operations, transactions);
        const expected = hasOrder(operations, transactions);
        expect(verdict.kind).toBe(expected ? 'serializable' : 'violation');
        if (expected) good++;
        else bad++;
        if (deeds.every(({ lies }) => !lies)) expect(expected).toBe(true);
      }),
      { numRuns: 3_000 },
    );
    expect(good).toBeGreaterThan(500);
    expect(bad).toBeGreaterThan(500);
  });

  test('sees a transaction of which two reads show halves', () => {
    const write: TransactionOperation = {
      parts: KEYS.map((key) => ({ key, call: { kind: 'put', value: '1' } })),
      calledAt: 1,
      returnedAt: 9,
      answer: { kind: 'committed' },
    };
    const read = (key: string, value: RegisterValue, at: number): Operation => ({
      key,
      calledAt: at,
      returnedAt: at + 1,
      call: { kind: 'read' },
      answer: { kind: 'read', value },
    });
    expect(checkSerializability([read('x', '1', 2), read('y', '1', 4)], [write]).kind).toBe('serializable');
    expect(checkSerializability([read('x', '1', 2), read('y', null, 4)], [write]).kind).toBe('violation');
    expect(checkSerializability([read('x', null, 2), read('y', '1', 4)], [write]).kind).toBe('serializable');
  });
});
