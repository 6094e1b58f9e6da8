import type { Trace } from '../api/admin.ts';
import type { Execute } from '../api/operations.ts';
import type { Ballot } from '../dynamo/ballot.ts';
import type { Reply, Request } from '../dynamo/messages.ts';
import type { RequestObserver } from '../dynamo/request-observer.ts';
import type { NetworkObserver } from '../env/faulty-network.ts';
import type { StoreKey } from '../env/store.ts';
import { TraceRecord } from './trace-record.ts';
import { TracesByKey } from './traces-by-key.ts';

export interface TraceLimits {
  /** Requests, of which the oldest gives way. */
  readonly tracesKept: number;
  /** Events of each. */
  readonly traceEventsKept: number;
}

/**
 * What happened for each of the last requests, seen from outside: the protocol knows nothing of it. Messages carry no
 * request, so they are told apart by what they are about. The messages of a write carry its ballot, which no other has. Its
 * first one is that of the oldest write that its coordinator runs for the key, for those take turns. Reads are sent at once,
 * so they are of the youngest read. What is told to a replica while an answer is heard is of the request that was answered.
 */
export class TraceLog implements RequestObserver, NetworkObserver<Request, Reply> {
  readonly #limits: TraceLimits;
  readonly #now: () => number;
  /** A ring. */
  readonly #records: TraceRecord[] = [];
  #next = 0;
  readonly #byKey = new TracesByKey();
  /** Whose answer is being heard. */
  #hearing: TraceRecord | undefined;

  /** @param now milliseconds since some moment in the past */
  constructor(limits: TraceLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  /** Traces what is carried out. */
  traced(execute: Execute): Execute {
    return (operation, request, context) => {
      const record = this.#begin(context.requestId, operation);
      const { use } = record;
      const answer = execute(operation, request, context);
      const end = () => {
        if (record.use === use) record.end(this.#now());
      };
      answer.then(end, end);
      return answer;
    };
  }

  /** A fault rule has fired for a request. */
  fired(requestId: string, ruleId: string, detail?: string): void {
    const text = detail === undefined ? ruleId : `${ruleId} ${detail}`;
    this.#find(requestId)?.add(this.#now(), 'fault', undefined, text);
  }

  /**
   * @param nodeOf the node that has a disk
   * @returns undefined if there was no such request, or it was too long ago
   */
  trace(requestId: string, nodeOf: (diskId: number) => string | undefined): Trace | undefined {
    return this.#find(requestId)?.describe(this.#now(), nodeOf);
  }

  asked(requestId: string, key: StoreKey, coordinator: string, isWrite: boolean): void {
    const record = this.#find(requestId);
    if (record === undefined) return;
    record.coordinator = coordinator;
    record.isCoordinated = true;
    record.isWrite = isWrite;
    if (record.key !== key) {
      this.#byKey.remove(record);
      record.key = key;
      this.#byKey.add(record);
    }
    record.add(this.#now(), 'asked', coordinator, 'coordinate');
  }

  answered(requestId: string, coordinator: string, outcome: string): void {
    const record = this.#find(requestId);
    if (record === undefined) return;
    record.isCoordinated = false;
    record.add(this.#now(), 'answered', coordinator, outcome);
  }

  sent(from: string, to: string, request: Request, onReply: (reply: Reply) => void): (reply: Reply) => void {
    let record: TraceRecord | undefined;
    let ballot: Ballot | undefined;
    switch (request.kind) {
      case 'prepare':
        ballot = request.ballot;
        record = this.#whosePrepare(from, request.key, ballot);
        break;
      case 'accept':
      case 'learn':
      case 'hint':
        ballot = request.record.ballot;
        record = this.#whoseRecord(from, request.key, ballot);
        break;
      case 'read':
      case 'read-committed':
        record = this.#byKey.youngestRead(request.key, from);
        break;
      default:
    }
    if (record === undefined) return onReply;
    note(record, this.#now(), to, request, ballot);
    return this.#hearingFor(record, onReply);
  }

  /** A coordinator keeps a record for a home replica. */
  hintKept(by: string, home: string, key: StoreKey, ballot: Ballot): void {
    this.#byKey.ofBallot(key, ballot)?.add(this.#now(), 'hint', home, `kept by ${by}`, ballot);
  }

  #hearingFor(record: TraceRecord, onReply: (reply: Reply) => void): (reply: Reply) => void {
    const { use } = record;
    return (reply) => {
      if (record.use !== use) return onReply(reply);
      record.add(this.#now(), 'answered', reply.from, reply.kind, ballotOf(reply));
      const before = this.#hearing;
      this.#hearing = record;
      onReply(reply);
      this.#hearing = before;
    };
  }

  #whosePrepare(from: string, key: StoreKey, ballot: Ballot): TraceRecord | undefined {
    // A write pauses before it tries again: what is sent while it hears an answer is the next one's, whose turn it is.
    const record = this.#byKey.oldestWrite(key, from, this.#hearing) ?? this.#byKey.youngestRead(key, from);
    record?.attempt(ballot);
    return record;
  }

  #whoseRecord(from: string, key: StoreKey, ballot: Ballot): TraceRecord | undefined {
    const hearing = this.#hearing;
    // A read that has not written tells others what somebody else wrote.
    if (hearing?.key === key && !hearing.isWrite && !hearing.hasBallot) return hearing;
    const record = this.#byKey.ofBallot(key, ballot);
    if (record !== undefined) return record;
    // In dynamo mode nothing is prepared.
    const write = this.#byKey.youngestWrite(key, from);
    if (write === undefined || write.hasBallot) return undefined;
    write.attempt(ballot);
    return write;
  }

  #begin(requestId: string, operation: string): TraceRecord {
    const at = this.#next;
    this.#next = (at + 1) % this.#limits.tracesKept;
    let record = this.#records[at];
    if (record === undefined) {
      record = new TraceRecord(this.#limits.traceEventsKept);
      this.#records.push(record);
    } else this.#byKey.remove(record);
    record.begin(requestId, operation, this.#now());
    return record;
  }

  /** From the youngest, which is nearly always the one. */
  #find(requestId: string): TraceRecord | undefined {
    const records = this.#records;
    for (let i = 1; i <= records.length; i++) {
      const at = this.#next - i;
      const record = records[at < 0 ? at + records.length : at]!;
      if (record.requestId === requestId) return record;
    }
    return undefined;
  }
}

function note(record: TraceRecord, nowMs: number, to: string, request: Request, ballot: Ballot | undefined): void {
  record.countMessage();
  if (request.kind === 'hint') return record.add(nowMs, 'hint', request.home, `kept by ${to}`, ballot);
  const isRepair = request.kind === 'learn' && !record.isWrite && !record.hasBallot;
  record.add(nowMs, isRepair ? 'read-repair' : 'asked', to, request.kind, ballot);
}

/** The ballot that an answer tells, if it does. */
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
