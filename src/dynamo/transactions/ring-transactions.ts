import { strict as assert } from 'node:assert';
import type { Clock } from '../../env/clock.ts';
import type { Random } from '../../env/random.ts';
import type { WriteOptions, WriteOutcome } from '../client.ts';
import type { LookAnswer } from '../coordination-messages.ts';
import type { NodeLimits } from '../node-settings.ts';
import { SOUND_RULES } from '../rules.ts';
import { runTask, type Task } from '../task.ts';
import type {
  TogetherRequest,
  TransactingClient,
  TransactionOutcome,
  TransactionReadOutcome,
  TransactionRequest,
} from '../transaction-client.ts';
import { readTogether } from './read-together.ts';
import { transact } from './transact.ts';
import type { ItemLook, ItemWrite, TransactionDoor } from './transaction-door.ts';

interface RingTransactionsParts {
  readonly clock: Clock;
  /** Undefined: this client does no transactions. */
  readonly random: Random | undefined;
  readonly limits: NodeLimits;
  /** Q */
  readonly partitions: number;
  readonly write: (request: ItemWrite, options: WriteOptions) => Promise<WriteOutcome>;
  readonly look: (request: ItemLook) => Promise<LookAnswer>;
}

/** Leads transactions for a client of the ring. */
export class RingTransactions implements TransactingClient {
  readonly #parts: RingTransactionsParts;

  constructor(parts: RingTransactionsParts) {
    this.#parts = parts;
  }

  transact(request: TransactionRequest): Promise<TransactionOutcome> {
    return promised(transact(this.#door(), request));
  }

  readTogether(request: TogetherRequest): Promise<TransactionReadOutcome> {
    return promised(readTogether(this.#door(), request));
  }

  #door(): TransactionDoor {
    const { random, write, look } = this.#parts;
    assert(random !== undefined, 'the ids of transactions are drawn');
    return {
      ...this.#parts,
      random,
      rules: SOUND_RULES,
      write: (request, done) => {
        const { derivation, requestId } = request;
        void write(request, { consistency: 'strict', wantsOld: true, derivation, requestId }).then(done);
      },
      look: (request, done) => {
        void look(request).then(done);
      },
    };
  }
}

function promised<T>(task: Task<T>): Promise<T> {
  return new Promise((resolve) => runTask(task, resolve));
}
