import fc from 'fast-check';
import { ATTEMPT_BYTES } from '../../src/api/mutation.ts';
import type { Pending } from '../../src/dynamo/transactions/pending-section.ts';

const bytes = (minLength: number, maxLength: number) =>
  fc.uint8Array({ minLength, maxLength }).map((array) => Buffer.from(array).toString('latin1'));

export const arbitraryAttempt = bytes(ATTEMPT_BYTES, ATTEMPT_BYTES);

/** What a record may carry of a transaction. */
export const arbitraryPending: fc.Arbitrary<Pending> = fc.record({
  ledger: bytes(0, 40),
  attempt: arbitraryAttempt,
  next: fc.oneof(
    fc.constant({ kind: 'check' as const }),
    fc.constant({ kind: 'delete' as const }),
    fc.record({
      kind: fc.constant('put' as const),
      item: fc.record({
        size: fc.integer({ min: 0, max: 409_600 }),
        json: fc.uint8Array({ maxLength: 50 }).map((array) => Buffer.from(array)),
      }),
    }),
  ),
});
