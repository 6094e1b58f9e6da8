import type { Trace } from '../api/admin.ts';
import type { Execute } from '../api/operations.ts';
import type { CoordinatorTrace } from '../dynamo/coordinating-node.ts';
import type { Reply, Request } from '../dynamo/messages.ts';
import type { KeptHint } from '../dynamo/node-settings.ts';
import type { RequestObserver } from '../dynamo/request-observer.ts';
import type { NetworkObserver } from '../env/faulty-network.ts';
import { fileMessage, requestIdOf } from './file-message.ts';
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
    return record === undefined ? onReply : fileMessage(record, to, request, onReply);
  }

  /** @param by the coordinator that keeps the hint */
  hintKept(by: string, { requestId, home, ballot }: KeptHint): void {
    const record = requestId === undefined ? undefined : this.#byRequestId.get(requestId);
    record?.add('hint', home, `kept by ${by}`, ballot);
  }

  /** A node of another process is asked to coordinate a request: what it tells is put where it belongs in time. */
  expect(requestId: string): ((trace: CoordinatorTrace | undefined) => void) | undefined {
    const record = this.#byRequestId.get(requestId);
    if (record === undefined) return undefined;
    const { use } = record;
    const askedAtMs = record.sinceBegunMs();
    return (trace) => {
      if (record.use === use) record.addRemote(trace, askedAtMs);
    };
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
