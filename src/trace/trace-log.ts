import type { Trace } from '../api/admin.ts';
import type { Execute } from '../api/operations.ts';
import type { Ballot } from '../dynamo/ballot.ts';
import type { Reply, Request } from '../dynamo/messages.ts';
import type { KeptHint } from '../dynamo/node-settings.ts';
import type { RequestObserver } from '../dynamo/request-observer.ts';
import type { NetworkObserver } from '../env/faulty-network.ts';
import { TraceRecord } from './trace-record.ts';

export interface TraceLimits {
  /** Requests, of which the oldest gives way. */
  readonly tracesKept: number;
  /** Events of each. */
  readonly traceEventsKept: number;
}

/**
 * What happened for each of the last requests. Each message that is sent for a request carries the request's id, and
 * the message is filed under that id. The trace log only observes: no node knows of it, and no answer depends on it.
 */
export class TraceLog implements RequestObserver, NetworkObserver<Request, Reply> {
  readonly #limits: TraceLimits;
  readonly #now: () => number;
  /** A ring buffer: when it is full, the oldest record is used again. */
  readonly #records: TraceRecord[] = [];
  #next = 0;
  readonly #byRequestId = new Map<string, TraceRecord>();

  /** @param now milliseconds since some moment in the past */
  constructor(limits: TraceLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  /** Traces the operations that are carried out. */
  traced(execute: Execute): Execute {
    return (operation, request, context) => {
      const record = this.#begin(context.requestId, operation);
      const { use } = record;
      const answer = execute(operation, request, context);
      const end = () => {
        if (record.use === use) record.end();
      };
      answer.then(end, end);
      return answer;
    };
  }

  /** A fault rule has fired for a request. */
  fired(requestId: string, ruleId: string, detail?: string): void {
    const text = detail === undefined ? ruleId : `${ruleId} ${detail}`;
    this.#byRequestId.get(requestId)?.add('fault', undefined, text);
  }

  /**
   * @param nodeOf the node that has a disk
   * @returns undefined if there was no such request, or it was too long ago
   */
  trace(requestId: string, nodeOf: (diskId: number) => string | undefined): Trace | undefined {
    return this.#byRequestId.get(requestId)?.describe(nodeOf);
  }

  asked(requestId: string, coordinator: string, kind: Parameters<RequestObserver['asked']>[2]): void {
    const record = this.#byRequestId.get(requestId);
    if (record === undefined) return;
    record.coordinator = coordinator;
    record.isWrite = kind === 'coordinate-write';
    record.add('asked', coordinator, 'coordinate');
  }

  answered(requestId: string, coordinator: string, outcome: string): void {
    this.#byRequestId.get(requestId)?.add('answered', coordinator, outcome);
  }

  sent(_from: string, to: string, request: Request, onReply: (reply: Reply) => void): (reply: Reply) => void {
    const requestId = requestIdOf(request);
    const record = requestId === undefined ? undefined : this.#byRequestId.get(requestId);
    if (record === undefined) return onReply;
    record.countMessage();
    note(record, to, request);
    const { use } = record;
    return (reply) => {
      if (record.use === use) record.add('answered', reply.from, reply.kind, ballotOf(reply));
      onReply(reply);
    };
  }

  /** @param by the coordinator that keeps the hint */
  hintKept(by: string, { requestId, home, ballot }: KeptHint): void {
    const record = requestId === undefined ? undefined : this.#byRequestId.get(requestId);
    record?.add('hint', home, `kept by ${by}`, ballot);
  }

  #begin(requestId: string, operation: string): TraceRecord {
    const at = this.#next;
    this.#next = (at + 1) % this.#limits.tracesKept;
    let record = this.#records[at];
    if (record === undefined) {
      record = new TraceRecord(this.#limits.traceEventsKept, this.#now);
      this.#records.push(record);
    } else if (this.#byRequestId.get(record.requestId) === record) this.#byRequestId.delete(record.requestId);
    record.begin(requestId, operation);
    this.#byRequestId.set(requestId, record);
    return record;
  }
}

function note(record: TraceRecord, to: string, request: Request): void {
  switch (request.kind) {
    case 'hint':
      return record.add('hint', request.home, `kept by ${to}`, request.record.ballot);
    case 'prepare':
      record.notePrepare(request.ballot);
      return record.add('asked', to, request.kind, request.ballot);
    case 'accept':
      return record.add('asked', to, request.kind, request.record.ballot);
    case 'mark-settled':
      return record.add('asked', to, request.kind, request.due);
    case 'learn': {
      const { ballot, isEntry, item } = request.record;
      if (isEntry === true) return record.add('asked', to, item === undefined ? 'remove entry' : 'learn entry', ballot);
      // A read sends what others have written, unless it has chosen the record again under a ballot of its own.
      const isRepair = !record.isWrite && !record.hasPrepared(ballot);
      return record.add(isRepair ? 'read-repair' : 'asked', to, request.kind, ballot);
    }
    default:
      return record.add('asked', to, request.kind);
  }
}

/** The client's request that a message is sent for, if it names one. */
function requestIdOf(request: Request): string | undefined {
  switch (request.kind) {
    case 'prepare':
    case 'accept':
    case 'learn':
    case 'read':
    case 'read-committed':
    case 'read-range':
    case 'hint':
    case 'mark-settled':
      return request.requestId;
    default:
      return undefined;
  }
}

/** The ballot that an answer contains, if any. */
function ballotOf(reply: Reply): Ballot | undefined {
  switch (reply.kind) {
    case 'promise':
    case 'state':
      return (reply.accepted ?? reply.committed)?.ballot;
    case 'rejected':
      return reply.effective;
    default:
      return undefined;
  }
}
