import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Mutation, TransactionChange, TransactionMutation } from '../../../src/api/mutation.ts';
import { SOUND_RULES } from '../../../src/dynamo/rules.ts';
import { changeItem, pendingAfter } from '../../../src/dynamo/transactions/item-change.ts';
import { committedItem, type Pending } from '../../../src/dynamo/transactions/pending-section.ts';
import { arbitraryPending } from '../../parts/arbitrary-pending.ts';
import { image } from '../three-nodes.ts';

const item = fc.option(fc.constantFrom('a', 'b').map(image), { nil: undefined });
const path = ['v'];
const condition = fc.constantFrom({ kind: 'exists', path } as const, { kind: 'not-exists', path } as const);
const maybeCondition = fc.option(condition, { nil: undefined });
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  maybeCondition.map((condition) => ({ kind: 'put', item: image('c'), condition }) as const),
  maybeCondition.map((condition) => ({ kind: 'delete', condition }) as const),
);
const action: fc.Arbitrary<TransactionChange> = fc.oneof(
  mutation,
  condition.map((condition) => ({ kind: 'check', condition }) as const),
);

const change = (
  change: Mutation | TransactionMutation,
  current: ReturnType<typeof image> | undefined,
  pending?: Pending,
) => changeItem(change, current, pending, SOUND_RULES);

describe('what a transaction does to an item', () => {
  test('is what the action by itself would have done, once it is committed; and nothing if it is not', () => {
    fc.assert(
      fc.property(action, item, arbitraryPending, (action, current, { ledger, attempt }) => {
        const prepare = { kind: 'prepare', ledger, attempt, action } as const;
        const alone =
          action.kind === 'check'
            ? change({ kind: 'put', item: current ?? image('any'), condition: action.condition }, current)
            : change(action, current);
        const prepared = change(prepare, current);
        expect(prepared.kind).toBe(alone.kind);
        if (prepared.kind !== 'applied' || alone.kind !== 'applied') return;
        const pending = pendingAfter(prepare)!(prepared.next);
        expect(pending).toMatchObject({ ledger, attempt });
        const settled = (isCommitted: boolean) => change({ kind: 'settle', attempt, isCommitted }, current, pending);
        const next = action.kind === 'check' ? current : alone.next;
        expect(settled(true)).toEqual({ kind: 'applied', old: current, next });
        expect(committedItem(pending, current)).toEqual(next);
        expect(settled(false)).toEqual({ kind: 'applied', old: current, next: current });
      }),
    );
  });

  test('keeps all others away until it is settled, and settles nothing of them', () => {
    fc.assert(
      fc.property(
        mutation,
        action,
        item,
        arbitraryPending,
        arbitraryPending,
        (mutation, action, current, own, other) => {
          fc.pre(own.attempt !== other.attempt);
          expect(change(mutation, current, other)).toEqual({ kind: 'conflict' });
          const { ledger, attempt } = own;
          expect(change({ kind: 'prepare', ledger, attempt, action }, current, other)).toEqual({ kind: 'conflict' });
          expect(change({ kind: 'prepare', ledger, attempt, action }, current, own)).toEqual({ kind: 'conflict' });
          for (const pending of [other, undefined]) {
            expect(change({ kind: 'settle', attempt, isCommitted: true }, current, pending).kind).toBe(
              'condition-failed',
            );
          }
          expect(pendingAfter(mutation)).toBeUndefined();
        },
      ),
    );
  });
});
