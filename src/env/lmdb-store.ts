import { setTimeout as delay } from 'node:timers/promises';
import type { Journal, JournalPosition } from './journal.ts';
import type { JournalEntry } from './journal-frame.ts';
import { isDamage, type LmdbEnvironment, MAX_KEY_BYTES } from './lmdb-environment.ts';
import { LMDB_STORE_DEFAULTS, type LmdbStoreOptions } from './lmdb-store-options.ts';
import { openLmdb } from './open-lmdb.ts';
import { type Entry, halfOpen, type RangeQuery, type Store, type StoreKey, type StoreName } from './store.ts';
import { leaveIfDamaged, StoreDamagedError, unlessDamaged } from './store-damage.ts';
import { REMOVED, rangeOver, type Visit, WriteBatch, type Written, writtenBetween } from './write-batch.ts';

/** How many full batches long the journal may be: rewriting a few keys fills the journal and not the batch. */
const JOURNAL_BATCHES = 4;

/** The wait after a failed commit: a full disk stays full for a while, and lmdb-js writes each failure to stderr. */
const RETRY_AFTER_MS = 500;

/** The pause between two looks whether a closing store is still busy. */
const BUSY_POLL_MS = 2;

/** A write, and what the pending batch held of its key before, so that the write can be undone. */
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
 * A node's store: LMDB, a journal for acknowledged writes that LMDB does not have yet, and two batches in memory, which
 * hold the writes that LMDB does not show yet. `#pending` gathers writes, and LMDB is writing `#committing`. Reads look
 * there first.
 *
 * A flush appends the writes that are not in the journal yet; all flushes that are asked for during an append share the
 * next one. A batch goes to LMDB when it is large or old, so that many writes share its pages. If a key is written
 * several times in a batch, only the last write goes to LMDB: an accepted record that is committed soon after never
 * does. With `durability: 'memory'` there is no journal.
 *
 * Measured, us of CPU per PutItem on three nodes, all threads (bench/README.md): a transaction per flush instead of the
 * journal costs 35 more without sync and 60 more with.
 *
 * If the disk refuses an append, the flush fails, and its writes and all later ones are undone. If LMDB refuses a
 * commit, the commit is retried. Until it succeeds the batch stays in memory and in the journal, and once the next
 * batch is full as well, flushes fail.
 *
 * A store that cannot be read, or whose pages are damaged, reports that once and then refuses every call.
 */
export class LmdbStore implements Store {
  onLost: (() => void) | undefined = undefined;
  /** Called once, when it turns out that the store is damaged. Every call throws a StoreDamagedError from then on. */
  onDamaged: ((error: StoreDamagedError) => void) | undefined = undefined;
  /** Called after each write to the disk, with the error if it was refused. */
  onWritten: ((refusal?: Error) => void) | undefined = undefined;
  readonly #lmdb: LmdbEnvironment;
  /** Undefined: writes need not survive the process. */
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
  /** Why LMDB refused the last commit of `#committing`; undefined if it did not. */
  #commitFailure: Error | undefined;
  /** Whether a write has waited for its append long enough. */
  #isLate = false;
  /** Whether the pending batch shall be committed although it is not full. */
  #isAged = false;
  #lazyTimer: NodeJS.Timeout | undefined;
  #agingTimer: NodeJS.Timeout | undefined;
  /** Defined while the next retry of a refused commit is waited for. */
  #retryTimer: NodeJS.Timeout | undefined;
  #turn: NodeJS.Immediate | undefined;
  /** Called when LMDB has taken or refused a batch. */
  #onCommitted: (() => void) | undefined;

  /** Which acknowledged writes may be lost although the store was opened: a text for the log. */
  readonly loss: string | undefined;

  /**
   * Opens the store in the directory `path`, or makes it.
   *
   * @throws StoreDamagedError if acknowledged writes may be lost; the system's error if the store cannot be opened
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
    // A look costs less than the removal of a key that is not there, and most keys of `paxos` come and go between two
    // batches.
    if (isPending && this.#isAbsentBelow(name, key)) this.#pending.forget(name, key);
    else this.#pending.set(name, key, REMOVED);
  }

  range(name: StoreName, query: RangeQuery): Entry[] {
    const { limit, bytesLimit, order = 'forward' } = query;
    const range = halfOpen(query);
    if (range.from >= range.to || limit <= 0) return [];
    const batches = [this.#committing, this.#pending].filter((batch) => batch !== undefined);
    if (this.#damage !== undefined) throw this.#damage;
    try {
      const written = writtenBetween(batches, name, range, order);
      const settled = (visit: Visit) => this.#lmdb.range(name, range, order, visit);
      return rangeOver(settled, written, { order, limit, bytesLimit });
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
   * Rejects if the disk refuses the last writes; the next start then finds what the journal has. A damaged store is
   * released without writing anything.
   */
  async close(): Promise<void> {
    const failure = this.#damage ?? (await this.settle().catch((error: unknown) => error));
    // Nothing may be under way when files are closed: the system gives their descriptors to others.
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

  /** LMDB has everything: notes that the next start need not read the journal's files. */
  #dismissJournal({ position }: Journal): void {
    try {
      this.#lmdb.commitSync(new WriteBatch(), { ...position, run: null });
    } catch {
      // As after a kill: the next start reads the files.
    }
  }

  /**
   * Resolves when LMDB has all earlier writes, whatever the durability, and with `disk` has synced them. Rejects if it
   * refuses them.
   */
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

  /** @returns what the pending batch held of the key before this write */
  #note(name: StoreName, key: StoreKey, written: Written): Written | undefined {
    if (this.#damage !== undefined) throw this.#damage;
    // LMDB would refuse such a key only much later, and its whole batch with it.
    if (key.length === 0 || key.length > MAX_KEY_BYTES) throw new Error(`a store key of ${key.length} bytes`);
    const before = this.#pending.tables[name].get(key);
    // Without a journal no append is refused, so writes are undone only if LMDB refuses a commit.
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

  /** Whether there are writes that are neither in LMDB nor in `#committing`. */
  #hasUnsettled(): boolean {
    return this.#pending.entryCount > 0 || (this.#journal?.length ?? 0) > 0;
  }

  /** Schedules what was asked for during an append or a commit: timers that ran out meanwhile do not run again. */
  #scheduleWaiting(): void {
    const settles = this.#isAged && this.#committing === undefined;
    if (this.#waiting.length > 0 || this.#isLate || settles || this.#isFull()) this.#schedule();
  }

  /** All that is asked for in one turn of the event loop is done together at the end of the turn. */
  #schedule(): void {
    if (this.#damage === undefined && this.#append === undefined) this.#turn ??= setImmediate(() => this.#takeTurn());
  }

  #takeTurn(): void {
    this.#turn = undefined;
    const isFull = this.#isFull();
    if (isFull && this.#committing !== undefined) {
      // Writers have outrun LMDB: they wait for it, or fail if it refuses.
      if (this.#retryTimer !== undefined) this.#takeBack(this.#commitFailure!);
      return;
    }
    const settles = (isFull || this.#isAged) && this.#committing === undefined && this.#hasUnsettled();
    const { entries, waiting } = this.#takeUnkept();
    // From here on writes go to the next batch, so that this batch is exactly what the journal holds after the append.
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

  /** Undoes the writes that the journal refused, and all later ones. */
  #fail({ entries, waiting, settles }: Append, cause: Error): void {
    if (settles) {
      // All writes of the new batch are later ones.
      this.#pending = this.#committing!;
      this.#committing = undefined;
      this.#unkept = [];
      // The writes that the journal already had can still go to LMDB, which gives the next append another file.
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

  /** Reports, once, that the store is damaged. @returns what every call throws from now on */
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

/** A callback may read from the store, and so find out that it is damaged: the others are called all the same. */
function tellAll(waiting: readonly Done[], error?: Error): void {
  for (const done of waiting) {
    try {
      done(error);
    } catch (thrown) {
      leaveIfDamaged(thrown);
    }
  }
}
