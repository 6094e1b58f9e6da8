import { setTimeout as delay } from 'node:timers/promises';
import type { Journal, JournalPosition } from './journal.ts';
import type { JournalEntry } from './journal-frame.ts';
import { isDamage, type LmdbEnvironment, MAX_KEY_BYTES } from './lmdb-environment.ts';
import { LMDB_STORE_DEFAULTS, type LmdbStoreOptions } from './lmdb-store-options.ts';
import { openLmdb } from './open-lmdb.ts';
import { type Entry, halfOpen, type RangeQuery, type Store, type StoreKey, type StoreName } from './store.ts';
import { leaveIfDamaged, StoreDamagedError, unlessDamaged } from './store-damage.ts';
import { REMOVED, rangeOver, WriteBatch, type Written, writtenBetween } from './write-batch.ts';

/** The journal may be so many batches long: rewriting few keys fills it and not the batch. */
const JOURNAL_BATCHES = 4;

/** The wait after a failed commit: a full disk stays full for a while, and lmdb-js writes each failure to stderr. */
const RETRY_AFTER_MS = 500;

/** While a store that is damaged waits for what is under way. */
const BUSY_POLL_MS = 2;

/** A write, and what the pending batch said of its key before: with that it can be taken back. */
interface Unkept extends JournalEntry {
  readonly before: Written | undefined;
}

type Done = (error?: Error) => void;

/** An append to the journal under way. */
interface Append {
  readonly entries: readonly Unkept[];
  readonly waiting: readonly Done[];
  /** Whether the batch that these entries complete goes to LMDB next. */
  readonly settles: boolean;
}

/**
 * A node's store: LMDB for what is settled, a journal for what is promised, and two batches in memory for what LMDB does
 * not show yet, which reads see first: `#pending`, which gathers writes, and `#committing`, which LMDB is writing.
 *
 * A flush appends what is not in the journal yet; all flushes that are asked for during an append share the next. A batch
 * goes to LMDB when it is large or old, so that many writes share its pages, and of several writes to a key only the last
 * is ever written there: an accepted record that is committed soon after never is. With `durability: 'memory'` there is
 * no journal.
 *
 * Measured, us of CPU per PutItem on three nodes, all threads (bench/README.md): a transaction per flush instead of the
 * journal costs 35 more without sync and 60 more with.
 *
 * A disk that refuses an append makes the flush fail, and all writes since are taken back. One that refuses a commit is
 * asked again; until then the batch stays in memory and in the journal, and when the next is full as well, flushes fail.
 *
 * A store that cannot be read, or whose pages are damaged, is of no use any more: it says so once, and then refuses everything.
 */
export class LmdbStore implements Store {
  onLost: (() => void) | undefined = undefined;
  /** Called once, when it turns out that the store is damaged. Every call throws a StoreDamagedError from then on. */
  onDamaged: ((error: StoreDamagedError) => void) | undefined = undefined;
  /** Called when the disk has taken something, or has refused to. */
  onWritten: ((refusal?: Error) => void) | undefined = undefined;
  readonly #lmdb: LmdbEnvironment;
  /** Undefined: nothing is promised beyond the process. */
  readonly #journal: Journal | undefined;
  readonly #options: Required<LmdbStoreOptions>;
  #pending = new WriteBatch();
  #committing: WriteBatch | undefined;
  /** LMDB is at it. */
  #isCommitting = false;
  /** Where the journal is when `#committing` has committed. */
  #committingTo: JournalPosition | undefined;
  /** Writes that no append has taken yet, oldest first. */
  #unkept: Unkept[] = [];
  #waiting: Done[] = [];
  #append: Append | undefined;
  #damage: StoreDamagedError | undefined;
  /** Why LMDB refused `#committing` the last time. */
  #commitFailure: Error | undefined;
  /** There are writes that have waited for their append long enough. */
  #isLate = false;
  /** The pending batch is to be committed although it is not full. */
  #isAged = false;
  #lazyTimer: NodeJS.Timeout | undefined;
  #agingTimer: NodeJS.Timeout | undefined;
  /** Defined while LMDB refuses `#committing` and is left alone. */
  #retryTimer: NodeJS.Timeout | undefined;
  #turn: NodeJS.Immediate | undefined;
  /** Called when LMDB has taken or refused a batch. */
  #onCommitted: (() => void) | undefined;

  /** What may have been lost of what it had acknowledged, although it was opened: for the log. */
  readonly loss: string | undefined;

  /**
   * Opens the store in the directory `path`, or makes it.
   *
   * @throws StoreDamagedError if it may have lost what it had acknowledged; what the system says where it cannot be opened
   */
  constructor(path: string, options: LmdbStoreOptions) {
    this.#options = { ...LMDB_STORE_DEFAULTS, ...options };
    const { lmdb, journal, loss } = openLmdb(path, this.#options);
    this.#lmdb = lmdb;
    this.#journal = journal;
    this.loss = loss;
  }

  get(name: StoreName, key: StoreKey): Uint8Array | undefined {
    const pending = this.#pending.tables[name].get(key);
    const written = pending === undefined ? this.#committing?.tables[name].get(key) : pending;
    if (written !== undefined) return written === REMOVED ? undefined : written;
    if (this.#damage !== undefined) throw this.#damage;
    try {
      return this.#lmdb.get(name, key);
    } catch (error) {
      throw this.#noteDamage(error);
    }
  }

  put(name: StoreName, key: StoreKey, value: Uint8Array): void {
    this.#note(name, key, value);
    this.#pending.set(name, key, value);
  }

  remove(name: StoreName, key: StoreKey): void {
    const isPending = this.#note(name, key, REMOVED) !== undefined;
    // Looking costs less than a removal of nothing; of the keys in `paxos`, most come and go between two batches.
    if (isPending && this.#isAbsentBelow(name, key)) this.#pending.forget(name, key);
    else this.#pending.set(name, key, REMOVED);
  }

  range(name: StoreName, query: RangeQuery): Entry[] {
    const { limit, order = 'forward' } = query;
    const range = halfOpen(query);
    if (range.from >= range.to || limit <= 0) return [];
    const batches = [this.#committing, this.#pending].filter((batch) => batch !== undefined);
    if (this.#damage !== undefined) throw this.#damage;
    try {
      const written = writtenBetween(batches, name, range, order);
      return rangeOver(this.#lmdb.range(name, range, order), written, order, limit);
    } catch (error) {
      throw this.#noteDamage(error);
    }
  }

  flush(done: Done): void {
    if (this.#damage !== undefined) throw this.#damage;
    const isKept = this.#unkept.length === 0;
    if (this.#journal === undefined ? !this.#isFull() : isKept && this.#append === undefined) {
      this.#unkept.length = 0;
      return done();
    }
    this.#waiting.push(done);
    this.#schedule();
  }

  giveUp(reason: string): StoreDamagedError {
    return this.#noteDamage(new Error(reason));
  }

  /**
   * Rejects if the disk refuses the last writes; what the journal has is then there at the next start. One that is damaged is
   * only let go of.
   */
  async close(): Promise<void> {
    const failure = this.#damage ?? (await this.settle().catch((error: unknown) => error));
    // Nothing may be under way: what is closed is used again by others.
    while (this.#append !== undefined || this.#isCommitting) await delay(BUSY_POLL_MS);
    for (const timer of [this.#lazyTimer, this.#agingTimer, this.#retryTimer]) clearTimeout(timer);
    clearImmediate(this.#turn);
    try {
      if (failure === undefined && this.#journal !== undefined) this.#dismissJournal(this.#journal);
      await this.#lmdb.close();
    } finally {
      await this.#journal?.close();
    }
    if (failure !== undefined && failure !== this.#damage) throw failure;
  }

  /** LMDB has it all: nobody is to look for anything in the journal's files. */
  #dismissJournal({ position }: Journal): void {
    try {
      this.#lmdb.commitSync(new WriteBatch(), { ...position, run: null });
    } catch {
      // As after a kill: the files will be looked into.
    }
  }

  /** Resolves when LMDB has all earlier writes, whatever the durability; with `disk`, on disk. Rejects if it refuses them. */
  async settle(): Promise<void> {
    if (this.#retryTimer !== undefined) this.#retry();
    const refusal = await new Promise<Error | undefined>((resolve) => this.flush(resolve));
    while ((this.#committing !== undefined || this.#hasUnsettled()) && this.#retryTimer === undefined) {
      if (this.#damage !== undefined) throw this.#damage;
      await new Promise<void>((resolve) => {
        this.#onCommitted = resolve;
        this.#isAged = true;
        this.#schedule();
      });
    }
    const failure = refusal ?? this.#commitFailure;
    if (failure !== undefined) throw failure;
  }

  /** @returns what the pending batch says of the key before this write */
  #note(name: StoreName, key: StoreKey, written: Written): Written | undefined {
    if (this.#damage !== undefined) throw this.#damage;
    // LMDB would refuse it much later, and the whole batch with it.
    if (key.length === 0 || key.length > MAX_KEY_BYTES) throw new Error(`a store key of ${key.length} bytes`);
    const before = this.#pending.tables[name].get(key);
    // Without a journal nothing is refused, and so nothing taken back, unless LMDB refuses.
    if (this.#journal !== undefined || this.#commitFailure !== undefined) {
      this.#unkept.push({ name, key, written, before });
    }
    this.#agingTimer ??= setTimeout(() => {
      this.#isAged = true;
      this.#schedule();
    }, this.#options.settleAfterMs);
    if (this.#journal !== undefined) {
      this.#lazyTimer ??= setTimeout(() => {
        this.#isLate = true;
        this.#schedule();
      }, this.#options.lazyFlushMs);
    }
    if (this.#isFull()) this.#schedule();
    return before;
  }

  /** True if the key is neither in LMDB nor on its way there. */
  #isAbsentBelow(name: StoreName, key: StoreKey): boolean {
    const committing = this.#committing?.tables[name].get(key);
    if (committing !== undefined) return committing === REMOVED;
    try {
      return !this.#lmdb.has(name, key);
    } catch (error) {
      throw this.#noteDamage(error);
    }
  }

  #isFull(): boolean {
    const { batchBytes, batchEntries } = this.#options;
    if (this.#pending.byteCount >= batchBytes || this.#pending.entryCount >= batchEntries) return true;
    return this.#journal !== undefined && this.#journal.length >= JOURNAL_BATCHES * batchBytes;
  }

  /** LMDB lacks something that is not in `#committing`. */
  #hasUnsettled(): boolean {
    return this.#pending.entryCount > 0 || (this.#journal?.length ?? 0) > 0;
  }

  /** What was asked for during an append or a commit; timers that ran out then do not run again. */
  #scheduleWaiting(): void {
    const settles = this.#isAged && this.#committing === undefined;
    if (this.#waiting.length > 0 || this.#isLate || settles || this.#isFull()) this.#schedule();
  }

  /** Whatever is asked for in one turn of the event loop is done together at its end. */
  #schedule(): void {
    if (this.#damage === undefined && this.#append === undefined) this.#turn ??= setImmediate(() => this.#takeTurn());
  }

  #takeTurn(): void {
    this.#turn = undefined;
    const isFull = this.#isFull();
    if (isFull && this.#committing !== undefined) {
      // Writers have outrun LMDB: they wait for it, unless it refuses.
      if (this.#retryTimer !== undefined) this.#takeBack(this.#commitFailure!);
      return;
    }
    const settles = (isFull || this.#isAged) && this.#committing === undefined && this.#hasUnsettled();
    const { entries, waiting } = this.#takeUnkept();
    // From here on writes belong to the next batch: this one is exactly what the journal has after the append.
    if (settles) this.#beginBatch();
    if (this.#journal === undefined || entries.length === 0) {
      this.#finish({ entries, waiting, settles });
      return;
    }
    this.#append = { entries, waiting, settles };
    this.#journal.append(entries, (error) => {
      const append = this.#append!;
      this.#append = undefined;
      this.onWritten?.(error);
      if (error === undefined) this.#finish(append);
      else this.#fail(append, error);
      this.#scheduleWaiting();
    });
  }

  #takeUnkept(): { entries: Unkept[]; waiting: Done[] } {
    const taken = { entries: this.#unkept, waiting: this.#waiting };
    this.#unkept = [];
    this.#waiting = [];
    this.#isLate = false;
    clearTimeout(this.#lazyTimer);
    this.#lazyTimer = undefined;
    return taken;
  }

  #beginBatch(): void {
    this.#committing = this.#pending;
    this.#pending = new WriteBatch();
    this.#isAged = false;
    clearTimeout(this.#agingTimer);
    this.#agingTimer = undefined;
  }

  #finish({ waiting, settles }: Append): void {
    if (settles) {
      this.#committingTo = this.#journal?.position;
      this.#journal?.rotate();
      this.#commit();
    }
    tellAll(waiting);
  }

  /** Takes back what the journal refused, and all that came after it. */
  #fail({ entries, waiting, settles }: Append, cause: Error): void {
    if (settles) {
      // All of the new batch came after.
      this.#pending = this.#committing!;
      this.#committing = undefined;
      this.#unkept = [];
      // What the journal had before can still be settled, which gives the next append another file.
      this.#isAged = true;
    }
    this.#unkept = [...entries, ...this.#unkept];
    this.#waiting = [...waiting, ...this.#waiting];
    this.#takeBack(cause);
  }

  #takeBack(cause: Error): void {
    const { entries, waiting } = this.#takeUnkept();
    for (const { name, key, before } of entries.reverse()) {
      if (before === undefined) this.#pending.forget(name, key);
      else this.#pending.set(name, key, before);
    }
    const error = new Error(`the store could not be written, is the disk full? (${cause.message})`, { cause });
    if (entries.length > 0) unlessDamaged(() => this.onLost?.());
    tellAll(waiting, error);
  }

  /** The store is of no use any more, which is told once. @returns what every call throws from now on */
  #noteDamage(cause: unknown): StoreDamagedError {
    if (this.#damage !== undefined) return this.#damage;
    const damage = new StoreDamagedError(cause instanceof Error ? cause.message : String(cause), { cause });
    this.#damage = damage;
    for (const timer of [this.#lazyTimer, this.#agingTimer, this.#retryTimer]) clearTimeout(timer);
    const { waiting } = this.#takeUnkept();
    this.onDamaged?.(damage);
    tellAll(waiting, damage);
    this.#onCommitted?.();
    return damage;
  }

  #commit(): void {
    this.#isCommitting = true;
    this.#lmdb.commit(this.#committing!, this.#committingTo).then(
      () => {
        this.#isCommitting = false;
        this.onWritten?.();
        this.#committing = undefined;
        this.#commitFailure = undefined;
        this.#scheduleWaiting();
        this.#onCommitted?.();
      },
      (cause: unknown) => {
        this.#isCommitting = false;
        if (isDamage(cause)) this.#noteDamage(cause);
        this.#commitFailure = cause instanceof Error ? cause : new Error(String(cause));
        if (this.#damage === undefined) this.onWritten?.(this.#commitFailure);
        if (this.#damage === undefined) this.#retryTimer = setTimeout(() => this.#retry(), RETRY_AFTER_MS);
        this.#scheduleWaiting();
        this.#onCommitted?.();
      },
    );
  }

  #retry(): void {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
    this.#commit();
  }
}

/** Whoever builds on a flush may read, and so find out that the store is damaged. */
function tellAll(waiting: readonly Done[], error?: Error): void {
  for (const done of waiting) {
    try {
      done(error);
    } catch (thrown) {
      leaveIfDamaged(thrown);
    }
  }
}
