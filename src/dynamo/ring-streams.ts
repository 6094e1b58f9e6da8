import type { Departure } from '../api/departure.ts';
import type { Patience } from './ask-all.ts';
import type { AnswerTo, DrainLog, EndLog, LogEndsOf, ReadLog, TrimLog } from './coordination-messages.ts';
import { logPrefix, partitionOfLog } from './keyspace.ts';
import { cellKey } from './log/log-keys.ts';
import type { OutcomeOf } from './outstanding-request.ts';
import type { NodeId } from './ring.ts';
import type {
  EndOutcome,
  LogEndsOutcome,
  LogOutcome,
  LogReadRequest,
  StreamClient,
  StreamShard,
  TrimOutcome,
} from './stream-client.ts';

/** How long a question for the end of a log waits for nodes that have something to write to it. */
const DRAIN_MS = 1_000;

interface RingStreamsParts {
  /** Q */
  readonly partitions: number;
  readonly ask: <R extends ReadLog | LogEndsOf | EndLog | TrimLog>(
    request: R,
    departure?: Departure,
  ) => Promise<OutcomeOf<R>>;
  /** Asks all nodes. */
  readonly askAll: (
    request: DrainLog,
    patience: Pick<Patience<DrainLog>, 'withinMs'>,
  ) => Promise<ReadonlyMap<NodeId, AnswerTo<DrainLog>>>;
}

/** The part of a client of the ring that knows streams. */
export class RingStreams implements Omit<StreamClient, 'forgetStream'> {
  readonly #parts: RingStreamsParts;

  constructor(parts: RingStreamsParts) {
    this.#parts = parts;
  }

  readLog(request: LogReadRequest): Promise<LogOutcome> {
    const { from, limit, requestId, departure } = request;
    const key = this.#keyOf(request, from.cell);
    return this.#parts.ask<ReadLog>({ kind: 'read-log', requestId, key, offset: from.offset, limit }, departure);
  }

  async logEnds(shard: StreamShard): Promise<LogEndsOutcome> {
    const key = this.#keyOf(shard, 0);
    await this.#drain(key);
    return this.#parts.ask<LogEndsOf>({ kind: 'log-ends', requestId: undefined, key });
  }

  async endStream({ stream, shards }: Pick<StreamShard, 'stream' | 'shards'>): Promise<EndOutcome> {
    for (let shard = 0; shard < shards; shard++) {
      const key = this.#keyOf({ stream, shard, shards }, 0);
      await this.#drain(key);
      const outcome = await this.#parts.ask<EndLog>({ kind: 'end-log', requestId: undefined, key });
      if (outcome.kind !== 'log-ended') return outcome;
    }
    return { kind: 'log-ended' };
  }

  trimLog({ beforeMs, ...shard }: StreamShard & { readonly beforeMs: number }): Promise<TrimOutcome> {
    const key = this.#keyOf(shard, 0);
    return this.#parts.ask<TrimLog>({ kind: 'trim-log', requestId: undefined, key, beforeMs });
  }

  async #drain(key: DrainLog['key']): Promise<void> {
    await this.#parts.askAll({ kind: 'drain-log', key }, { withinMs: DRAIN_MS });
  }

  #keyOf({ stream, shard, shards }: StreamShard, cell: number): DrainLog['key'] {
    const { partitions } = this.#parts;
    const partition = partitionOfLog(Math.floor((shard * partitions) / shards), shards, partitions);
    return cellKey(logPrefix(stream, partition, partitions), cell);
  }
}
