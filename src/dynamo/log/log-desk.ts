import type { Departure } from '../../api/departure.ts';
import { TICKS_PER_MS } from '../ballot.ts';
import type { Failure } from '../client.ts';
import type { AnswerTo, DrainLog, EndLog, LogEndsOf, LogRequest, ReadLog, TrimLog } from '../coordination-messages.ts';
import { logPrefix, partitionOf } from '../keyspace.ts';
import type { Coordinator } from '../registers/coordinator.ts';
import { runTask, runUntilGone } from '../task.ts';
import type { LogAccess } from './log-access.ts';
import { cellOf, isCellKey, prefixOfCell } from './log-keys.ts';
import { readEnds, readLog } from './read-log.ts';
import type { StreamLogs } from './stream-logs.ts';
import { trimLog } from './trim-log.ts';

type ReplyTo<R extends LogRequest> = (answer: AnswerTo<R>) => void;

/** Serves the requests for logs of streams that clients of the ring hand to this node. */
export class LogDesk {
  readonly #coordinator: Coordinator;
  readonly #logs: StreamLogs;

  constructor(coordinator: Coordinator, logs: StreamLogs) {
    this.#coordinator = coordinator;
    this.#logs = logs;
  }

  serve(request: LogRequest, reply: (answer: never) => void, departure: Departure | undefined): void {
    if (!this.#isOfLog(request)) return (reply as (refusal: Failure) => void)(NO_LOG);
    switch (request.kind) {
      case 'read-log':
        return this.#read(request, reply as ReplyTo<ReadLog>, departure);
      case 'log-ends':
        return runTask(readEnds(this.#accessTo(request)), reply as ReplyTo<LogEndsOf>);
      case 'trim-log':
        return runTask(trimLog(this.#accessTo(request), request.beforeMs), reply as ReplyTo<TrimLog>);
      case 'end-log':
        return this.#end(request, reply as ReplyTo<EndLog>);
      case 'drain-log':
        return this.#logs.whenDrained(prefixOfCell(request.key), () =>
          (reply as ReplyTo<DrainLog>)({ kind: 'drained' }),
        );
      default:
        // A kind that is missing above would never be answered.
        return request satisfies never;
    }
  }

  #read(request: ReadLog, reply: ReplyTo<ReadLog>, departure: Departure | undefined): void {
    const { key, offset, limit } = request;
    const task = readLog(this.#accessTo(request), { from: { cell: cellOf(key), offset }, limit });
    if (departure === undefined) return runTask(task, reply);
    runUntilGone(task, departure, (outcome) => reply(outcome ?? NO_LOG));
  }

  #end({ key }: EndLog, reply: ReplyTo<EndLog>): void {
    const appender = this.#logs.appenderOf(prefixOfCell(key));
    appender.end(this.#coordinator.deadline(), (isEnded) =>
      reply(isEnded ? { kind: 'log-ended' } : { kind: 'unknown' }),
    );
  }

  #accessTo({ key, requestId }: Exclude<LogRequest, DrainLog>): LogAccess {
    return { coordinator: this.#coordinator, prefix: prefixOfCell(key), requestId };
  }

  /** A process may have made the request up. */
  #isOfLog(request: LogRequest): boolean {
    const { key } = request;
    const { partitions } = this.#coordinator.view;
    if (request.kind === 'trim-log' && !isTime(request.beforeMs)) return false;
    if (partitionOf(key) >= partitions) return false;
    return isCellKey(key, (stream, partition) => logPrefix(stream, partition, partitions));
  }
}

/** Whether a number can be a time in ms since 1970, which has a ballot. */
function isTime(ms: number): boolean {
  return ms >= 0 && ms * TICKS_PER_MS <= Number.MAX_SAFE_INTEGER;
}

const NO_LOG: Failure = { kind: 'unavailable', needed: 1, got: 0 };
