import { textOf } from './answer.ts';
import type { Result } from './connection.ts';
import { TransferError } from './failure.ts';
import { LIMITS } from './limits.ts';
import type { BadInput, Write } from './write.ts';

/** A part of the input, in its order. `done` parts need no request; they carry a place to go on from. */
export interface Entry<Place> {
  readonly place: Place;
  /** What it holds in memory, about. */
  readonly bytes: number;
  readonly work: Write | BadInput | { readonly kind: 'done' };
}

/** What became of an entry. */
export type Outcome = { readonly kind: 'done' } | BadInput;

interface Pending<Place> {
  readonly entry: Entry<Place>;
  outcome?: Outcome;
}

/** Refusals that are about the item; all others are about the table or the user. */
const OF_THE_ITEM = ['ValidationException', 'SerializationException', 'ItemCollectionSizeLimitExceededException'];

/**
 * Sends writes, many at a time, and reports what became of them in the order of the input: so all input up to the last
 * report is dealt with. Writes of one item are sent one after another, so that the last one stands.
 */
export class WriteQueue<Place> {
  readonly #send: (write: Write) => Promise<Result>;
  readonly #report: (entry: Entry<Place>, outcome: Outcome) => void;
  readonly #concurrency: number;
  readonly #onFailure: () => void;
  /** In the order of the input; those before `#first` are reported, and let go of. */
  #pending: (Pending<Place> | undefined)[] = [];
  #first = 0;
  #pendingBytes = 0;
  #underWay = 0;
  readonly #lastOfKey = new Map<string, Promise<void>>();
  #failure: { readonly error: unknown } | undefined;
  /** Nothing after the entry whose report has thrown is reported. */
  #hasReportFailed = false;
  #wake: (() => void) | undefined;

  /**
   * @param report may throw, which ends the queue as a failed request does
   * @param onFailure is called then, while others are under way
   */
  constructor(
    send: (write: Write) => Promise<Result>,
    report: (entry: Entry<Place>, outcome: Outcome) => void,
    concurrency: number,
    onFailure: () => void = () => {},
  ) {
    this.#send = send;
    this.#report = report;
    this.#concurrency = concurrency;
    this.#onFailure = onFailure;
  }

  /** Whether another entry has to wait. */
  get isFull(): boolean {
    const count = this.#pending.length - this.#first;
    return (
      this.#underWay >= this.#concurrency ||
      count >= LIMITS.maxEntriesPending ||
      (count > 0 && this.#pendingBytes >= LIMITS.maxBytesPending)
    );
  }

  /** Whether it has failed: it takes no more. */
  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** Takes the next entry of the input. It is for the caller to wait for `room`. */
  add(entry: Entry<Place>): void {
    const pending: Pending<Place> = { entry };
    this.#pending.push(pending);
    this.#pendingBytes += entry.bytes;
    if (entry.work.kind === 'write') return this.#start(pending, entry.work);
    pending.outcome = entry.work;
    this.#reportCompleted();
  }

  /** Resolves when there is room for one more, or the queue has failed. */
  async room(): Promise<void> {
    while (this.isFull && !this.hasFailed) await this.#change();
  }

  /** Resolves when nothing is under way. @throws whatever a request or a report has thrown */
  async drained(): Promise<void> {
    await this.settled();
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Resolves when nothing is under way, whatever became of it. */
  async settled(): Promise<void> {
    while (this.#underWay > 0) await this.#change();
  }

  #start(pending: Pending<Place>, write: Write): void {
    this.#underWay++;
    const before = this.#lastOfKey.get(write.key);
    const done = (before === undefined ? this.#write(pending, write) : before.then(() => this.#write(pending, write)))
      .catch((error: unknown) => {
        this.#failure ??= { error };
        this.#onFailure();
      })
      .finally(() => {
        if (this.#lastOfKey.get(write.key) === done) this.#lastOfKey.delete(write.key);
        this.#underWay--;
        this.#reportCompleted();
        this.#wake?.();
      });
    this.#lastOfKey.set(write.key, done);
  }

  async #write(pending: Pending<Place>, write: Write): Promise<void> {
    // After a failure nothing more is sent: what was not reported is read again when the user goes on.
    if (this.hasFailed) return;
    const result = await this.#send(write).catch((error: unknown) => {
      throw error instanceof TransferError ? new FailedWrite(pending.entry.place, error.message) : error;
    });
    if (result.kind === 'answered') pending.outcome = { kind: 'done' };
    else if (OF_THE_ITEM.includes(result.name)) {
      pending.outcome = { kind: 'bad', problem: textOf(result.name, result.message) };
    } else throw new FailedWrite(pending.entry.place, textOf(result.name, result.message));
  }

  #reportCompleted(): void {
    while (!this.#hasReportFailed && this.#first < this.#pending.length) {
      const { entry, outcome } = this.#pending[this.#first]!;
      if (outcome === undefined) break;
      try {
        this.#report(entry, outcome);
      } catch (error) {
        this.#hasReportFailed = true;
        this.#failure = { error };
        this.#onFailure();
        break;
      }
      this.#pending[this.#first++] = undefined;
      this.#pendingBytes -= entry.bytes;
    }
    if (this.#first < LIMITS.maxEntriesPending) return;
    this.#pending = this.#pending.slice(this.#first);
    this.#first = 0;
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

/** A write that failed for a reason that the next ones would not escape: no such table, no permission, no answer. */
export class FailedWrite<Place> extends Error {
  override readonly name = 'FailedWrite';
  readonly place: Place;

  constructor(place: Place, message: string) {
    super(message);
    this.place = place;
  }
}
