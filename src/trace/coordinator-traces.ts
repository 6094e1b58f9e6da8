import { type CoordinatorTrace, MOST_TRACED } from '../dynamo/coordinating-node.ts';
import type { Reply, Request } from '../dynamo/messages.ts';
import type { KeptHint } from '../dynamo/node-settings.ts';
import { fileMessage, requestIdOf } from './file-message.ts';
import { TraceRecord } from './trace-record.ts';

/** Requests of other processes that are watched at a time; what more there are is answered without a trace. */
const MOST_WATCHED = 256;

/** Records that are kept for the next requests. */
const MOST_IDLE = 16;

interface Watched {
  readonly record: TraceRecord;
  readonly beganAtMs: number;
  /** Requests of one name that are under way: a batch has many. */
  users: number;
}

/**
 * What the node of this process does for requests of other processes' clients that are traced there: it is kept until the
 * answer, and goes with it. What comes after the answer is lost.
 */
export class CoordinatorTraces {
  readonly #now: () => number;
  readonly #watched = new Map<string, Watched>();
  /** Records that are used again. */
  readonly #idle: TraceRecord[] = [];

  /** @param now milliseconds since some moment in the past */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** A request begins. @returns ends it, with what was done so far; undefined: there are too many */
  begin(requestId: string, isWrite: boolean): (() => CoordinatorTrace) | undefined {
    const watched = this.#watched.get(requestId) ?? this.#watch(requestId);
    if (watched === undefined) return undefined;
    watched.users++;
    watched.record.isWrite = isWrite;
    const arrivedAtMs = this.#now();
    return () => {
      const { record, beganAtMs } = watched;
      const sinceFirstMs = arrivedAtMs - beganAtMs;
      const events = record.takeEvents().map((event) => ({ ...event, atMs: event.atMs - sinceFirstMs }));
      if (--watched.users === 0) this.#end(requestId, record);
      return { ms: this.#now() - arrivedAtMs, events };
    };
  }

  /** As of a trace log. @returns what is to get the reply */
  sent(to: string, request: Request, onReply: (reply: Reply) => void): (reply: Reply) => void {
    if (this.#watched.size === 0) return onReply;
    const requestId = requestIdOf(request);
    const record = requestId === undefined ? undefined : this.#watched.get(requestId)?.record;
    return record === undefined ? onReply : fileMessage(record, to, request, onReply);
  }

  /** @param by the coordinator that keeps the hint */
  hintKept(by: string, { requestId, home, ballot }: KeptHint): void {
    const watched = requestId === undefined ? undefined : this.#watched.get(requestId);
    watched?.record.add('hint', home, `kept by ${by}`, ballot);
  }

  #watch(requestId: string): Watched | undefined {
    if (this.#watched.size >= MOST_WATCHED) return undefined;
    const record = this.#idle.pop() ?? new TraceRecord(MOST_TRACED, this.#now);
    record.begin(requestId, '');
    const watched = { record, beganAtMs: this.#now(), users: 0 };
    this.#watched.set(requestId, watched);
    return watched;
  }

  #end(requestId: string, record: TraceRecord): void {
    this.#watched.delete(requestId);
    if (this.#idle.length < MOST_IDLE) this.#idle.push(record);
  }
}
