import type { ReadFrom } from '../../src/dynamo/client.ts';
import type { StoreKey } from '../../src/env/store.ts';
import type { EntryRead } from './index-checker.ts';
import type { Operation, RegisterAnswer, RegisterCall, RegisterCondition, RegisterValue } from './linearizability.ts';
import type { TransactionOperation, TransactionPart } from './serializability.ts';

/** A read that may be old. */
export interface EventualRead {
  readonly key: StoreKey;
  readonly calledAt: number;
  readonly value: RegisterValue;
  /** Whether a record with this value was chosen when the read was answered. */
  readonly wasChosen: boolean;
  /** Of a laggard it may be of any age. */
  readonly from: Exclude<ReadFrom, 'latest'>;
}

/** An operation of a history that is still going on: its answer may yet come. */
export interface RunningOperation extends Operation {
  returnedAt: number;
  answer: RegisterAnswer;
}

/** As `RunningOperation`. */
export interface RunningTransaction extends TransactionOperation {
  returnedAt: number;
  answer: TransactionOperation['answer'];
}

/**
 * What clients did and were told, in the order in which it happened. An operation whose answer never came stays unknown.
 */
export class History {
  readonly operations: RunningOperation[] = [];
  readonly transactions: RunningTransaction[] = [];
  readonly eventualReads: EventualRead[] = [];
  readonly entryReads: EntryRead[] = [];
  /** Those that no chosen version of an item had. */
  readonly dirtyEntries: string[] = [];
  #instant = 0;

  /** A clock that counts what happens, so that no two events share an instant. */
  now(): number {
    return ++this.#instant;
  }

  call(key: StoreKey, call: RegisterCall): RunningOperation {
    const operation = { key, call, calledAt: this.now(), returnedAt: Number.POSITIVE_INFINITY, answer: UNKNOWN };
    this.operations.push(operation);
    return operation;
  }

  answer(operation: RunningOperation, answer: RegisterAnswer): void {
    operation.answer = answer;
    operation.returnedAt = this.now();
  }

  callTogether(parts: readonly TransactionPart[]): RunningTransaction {
    const answer: TransactionOperation['answer'] = { kind: 'unknown' };
    const transaction = { parts, calledAt: this.now(), returnedAt: Number.POSITIVE_INFINITY, answer };
    this.transactions.push(transaction);
    return transaction;
  }

  answerTogether(transaction: RunningTransaction, answer: TransactionOperation['answer']): void {
    transaction.answer = answer;
    transaction.returnedAt = this.now();
  }

  /** A part of a transaction was refused, as a write of its item by itself would have been, since `calledAt`. */
  refused(key: StoreKey, { condition, current, calledAt }: RefusedPart): void {
    const answer: RegisterAnswer = { kind: 'refused', current };
    this.operations.push({ key, call: { kind: 'delete', condition }, calledAt, returnedAt: this.now(), answer });
  }
}

interface RefusedPart {
  readonly condition: RegisterCondition;
  readonly current: RegisterValue;
  readonly calledAt: number;
}

const UNKNOWN: RegisterAnswer = { kind: 'unknown' };
