import type { Trace, TraceEvent } from '../api/admin.ts';
import { isoTime } from '../api/iso-time.ts';
import { type Ballot, TICKS_PER_MS } from '../dynamo/ballot.ts';
import type { CoordinatorEvent, CoordinatorTrace } from '../dynamo/coordinating-node.ts';

/** Numbers of an event: when, and the three of its ballot. */
const NUMBERS = 4;
/** Where a ballot would be if there were one: no ballot has this time. */
const NONE = -1;

/**
 * What happened for one request. The oldest record is used again for the next request. A record keeps numbers and names
 * alone: objects that live as long as a thousand requests would double the work of the garbage collector.
 */
export class TraceRecord {
  requestId = '';
  operation = '';
  /** Grows with each use. An answer that comes late for an earlier request is known by its older number. */
  use = 0;
  isRunning = false;
  /** Whether a coordinator was last asked for a write. */
  isWrite = false;
  coordinator: string | undefined;
  /** The ballot of the last prepare for the request; its time is `NONE` if there was none. */
  readonly #ballot = new Float64Array(3);
  #beganAtMs = 0;
  #ms = 0;
  /** Whether its coordinator is known to have asked somebody, or it is not known whether it has. */
  #hasAsked = false;
  #count = 0;
  readonly #limit: number;
  readonly #now: () => number;
  readonly #numbers: Float64Array;
  readonly #whats: TraceEvent['what'][] = [];
  readonly #nodes: (string | undefined)[] = [];
  readonly #details: string[] = [];

  /**
   * @param limit how many events are kept; those beyond are dropped
   * @param now milliseconds since some moment in the past
   */
  constructor(limit: number, now: () => number) {
    this.#now = now;
    this.#limit = limit;
    this.#numbers = new Float64Array(limit * NUMBERS);
  }

  begin(requestId: string, operation: string): void {
    this.requestId = requestId;
    this.operation = operation;
    this.use++;
    this.isRunning = true;
    this.isWrite = false;
    this.coordinator = undefined;
    this.#ballot[0] = NONE;
    this.#beganAtMs = this.#now();
    this.#hasAsked = false;
    this.#count = 0;
  }

  end(): void {
    this.isRunning = false;
    this.#ms = this.#now() - this.#beganAtMs;
  }

  /** A coordinator asks replicas to prepare a ballot for the request. */
  notePrepare({ hlc, coordinator, boot }: Ballot): void {
    this.#ballot[0] = hlc;
    this.#ballot[1] = coordinator;
    this.#ballot[2] = boot;
  }

  /** Whether the last prepare for the request had this ballot. */
  hasPrepared({ hlc, coordinator, boot }: Ballot): boolean {
    return this.#ballot[0] === hlc && this.#ballot[1] === coordinator && this.#ballot[2] === boot;
  }

  /** A node has sent a message for the request. */
  noteMessage(): void {
    this.#hasAsked = true;
  }

  /** Milliseconds. */
  sinceBegunMs(): number {
    return this.#now() - this.#beganAtMs;
  }

  /** Adds an event that happens now, unless there are as many as are kept. */
  add(what: TraceEvent['what'], node: string | undefined, detail: string, ballot?: Ballot): void {
    this.#noteBallot(this.#addAt(this.sinceBegunMs(), what, node, detail), ballot);
  }

  /**
   * Adds what a coordinator of another process has done. Its clock is another one: what it did not take of the time until
   * now was for the way there and back, half of it each.
   *
   * @param trace undefined: it does not say
   */
  addRemote(trace: CoordinatorTrace | undefined, askedAtMs: number): void {
    if (trace === undefined) {
      this.#hasAsked = true;
      return;
    }
    const arrivedAtMs = askedAtMs + Math.max(0, (this.sinceBegunMs() - askedAtMs - trace.ms) / 2);
    for (const { atMs, what, node, detail, ballot } of trace.events) {
      this.#hasAsked = true;
      this.#noteBallot(this.#addAt(Math.max(askedAtMs, arrivedAtMs + atMs), what, node, detail), ballot);
    }
  }

  /** Takes the events out, with their times since the request began. */
  takeEvents(): CoordinatorEvent[] {
    const events = Array.from({ length: this.#count }, (_, at): CoordinatorEvent => {
      const [atMs, hlc, coordinator, boot] = this.#numbers.subarray(at * NUMBERS, (at + 1) * NUMBERS);
      const ballot = hlc === NONE ? undefined : { hlc: hlc!, coordinator: coordinator!, boot: boot! };
      return { atMs: atMs!, what: this.#whats[at]!, node: this.#nodes[at], detail: this.#details[at]!, ballot };
    });
    this.#count = 0;
    return events;
  }

  /** @returns the number of the event; undefined: there are as many as are kept */
  #addAt(atMs: number, what: TraceEvent['what'], node: string | undefined, detail: string): number | undefined {
    if (this.#count >= this.#limit) return undefined;
    const at = this.#count++;
    this.#whats[at] = what;
    this.#nodes[at] = node;
    this.#details[at] = detail;
    this.#numbers[at * NUMBERS] = atMs;
    this.#numbers[at * NUMBERS + 1] = NONE;
    return at;
  }

  #noteBallot(at: number | undefined, ballot: Ballot | undefined): void {
    if (at === undefined || ballot === undefined) return;
    const numbers = this.#numbers;
    const from = at * NUMBERS;
    numbers[from + 1] = ballot.hlc;
    numbers[from + 2] = ballot.coordinator;
    numbers[from + 3] = ballot.boot;
  }

  /** @param nodeOf the node that has a disk */
  describe(nodeOf: (diskId: number) => string | undefined): Trace {
    const { requestId, operation, coordinator } = this;
    const ms = rounded(this.isRunning ? this.#now() - this.#beganAtMs : this.#ms);
    const events = Array.from({ length: this.#count }, (_, at) => this.#eventAt(at, nodeOf));
    // Those that another process has told of came in together.
    events.sort((one, other) => one.atMs - other.atMs);
    return { requestId, operation, coordinator, ms, events };
  }

  #eventAt(at: number, nodeOf: (diskId: number) => string | undefined): TraceEvent {
    const [atMs, hlc, disk, boot] = this.#numbers.subarray(at * NUMBERS, (at + 1) * NUMBERS);
    const what = this.#whats[at]!;
    const node = this.#nodes[at];
    const detail = this.#details[at]!;
    // The coordinator has sent no message.
    const isOwn = what === 'answered' && !this.#hasAsked && (detail === 'found' || detail === 'none');
    return {
      atMs: rounded(atMs!),
      what,
      ...(node === undefined ? {} : { node }),
      detail: isOwn ? `${detail} by its own replica` : detail,
      ...(hlc === NONE ? {} : { ballot: ballotText(hlc!, nodeOf(disk!) ?? `disk ${disk!.toString(16)}`, boot!) }),
    };
  }
}

/**
 * `2026-01-31T12:00:00.000Z+17 node-1 boot 2`: a time and ticks of 1/1024 ms within it, whose, and since which start.
 */
function ballotText(hlc: number, node: string, boot: number): string {
  const ms = Math.floor(hlc / TICKS_PER_MS);
  return `${isoTime(ms)}+${hlc - ms * TICKS_PER_MS} ${node} boot ${boot}`;
}

/** To a microsecond. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
