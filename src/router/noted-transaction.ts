import type { ByteString } from '../api/primary-key.ts';
import type { WriteOutcome } from '../dynamo/client.ts';
import type { TransactionAction, TransactionOutcome } from '../dynamo/transaction-client.ts';
import type { ExpiringTable } from './expiring-table.ts';

/**
 * Notes when the items expire that a transaction writes.
 * @param tables by storage id, those whose items may expire
 */
export function noteTransaction(
  tables: ReadonlyMap<ByteString, ExpiringTable>,
  actions: readonly TransactionAction[],
  transacted: Promise<TransactionOutcome>,
): void {
  for (const [at, { key, change }] of actions.entries()) {
    const table = change.kind === 'check' ? undefined : tables.get(key.table);
    if (table === undefined || change.kind === 'check') continue;
    const written = transacted.then((outcome) => writeOf(outcome, at));
    // Who asked for the transaction is told why it failed.
    table.noted(key, change, written).catch(() => {});
  }
}

/** What became of one action, as if it had been a write by itself. */
function writeOf(outcome: TransactionOutcome, at: number): WriteOutcome {
  // Of a repetition the items are not known. They were noted before, unless another router did that.
  const mayHaveHappened: WriteOutcome = { kind: 'unknown' };
  switch (outcome.kind) {
    case 'committed':
      return outcome.isRepeated ? mayHaveHappened : { kind: 'applied', ...outcome.items[at]! };
    case 'unknown':
    case 'storage-failed':
      return mayHaveHappened;
    case 'cancelled': {
      const reason = outcome.reasons[at]!;
      if (reason.kind === 'condition-failed') return reason;
    }
  }
  return { kind: 'refused', message: '' };
}
