import type { ReadFrom } from '../../src/dynamo/client.ts';
import type { StoreKey } from '../../src/env/store.ts';
import type { EntryRead } from './index-checker.ts';
import type { Operation, RegisterAnswer, RegisterCall, RegisterValue } from './linearizability.ts';

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

/**
 * What clients did and were told, in the order in which it happened. An operation whose answer never came stays unknown.
 */
export class History {
  readonly operations: RunningOperation[] = [];
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
}

const UNKNOWN: RegisterAnswer = { kind: 'unknown' };
