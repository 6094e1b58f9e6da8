import type { Timer } from '../../env/clock.ts';
import type { StoreKey } from '../../env/store.ts';
import { type Ballot, NO_BALLOT } from '../ballot.ts';
import { tableOf } from '../keyspace.ts';
import type { StreamLogs } from '../log/stream-logs.ts';
import type { Reply } from '../messages.ts';
import { ItemRecord } from '../record.ts';
import type { Coordinator } from '../registers/coordinator.ts';
import type { Operation } from '../registers/operation.ts';
import type { LateCopies } from '../registers/pending-hints.ts';
import { readStrongly } from '../registers/register-read.ts';
import { runTask, type Task, together, waitAtMost } from '../task.ts';
import { type Change, changesAfter } from './changes.ts';
import { Confirmation, isDue } from './confirmation.ts';
import { entriesOf } from './derive.ts';
import type { Outbox } from './outbox.ts';
import type { PropagationHold } from './propagation-hold.ts';
import { covers, NOTHING_SETTLED, neededFor, type Settled } from './settled.ts';
import type { Settler } from './settler.ts';

/** A record whose entries are on their way. */
interface Settling {
  /** Whom to tell when every home replica that seems up has the entries, or holds them back. */
  readonly waiting: (() => void)[];
  /** In the time of `Clock.elapsedMs`. */
  readonly sinceMs: number;
  /** Ends the wait, once there is one: most entries are shown before anybody asks. */
  timer: Timer | undefined;
}

/** How a record is settled. */
interface Manner {
  /**
   * Whether a rule of lag holds back what it owes to some of its indexes, or to the stream: the others get theirs, and no mark
   * is made of what is held.
   */
  readonly isHeld: boolean;
  /** Called when every home replica that seems up has answered, or when that cannot be waited for. */
  readonly shown: () => void;
}

/** What became of one half of what a record owes. `held`: by a rule of lag, and the rest is done. */
type Half = 'settled' | 'held' | 'open';

type Mark =
  | { readonly kind: 'mark-settled'; readonly due: Ballot }
  | { readonly kind: 'mark-logged'; readonly logged: Ballot };

interface PropagationParts {
  readonly coordinator: Coordinator;
  readonly outbox: Outbox;
  readonly hold: PropagationHold;
  readonly logs: StreamLogs;
  /** The committed record of a key in the replica of this node. */
  readonly committed: (key: StoreKey) => ItemRecord | undefined;
}

/**
 * Puts the entries of chosen records in their places, removes those that earlier records have left, and has their changes
 * appended to the log (docs/protocol.md sections 14.3 and 18.2). What it cannot do stays in the outboxes of the home replicas.
 */
export class Propagation implements Settler {
  readonly #parts: PropagationParts;
  /** By key, the newest record whose entries are not shown yet, for as long as an answer may wait for that. */
  readonly #newest = new Map<StoreKey, Settling>();
  /** These, and those of earlier records that answers still wait for. */
  readonly #unshown = new Set<Settling>();
  #running = 0;
  #confirmed = 0;
  #isStopped = false;

  constructor(parts: PropagationParts) {
    this.#parts = parts;
  }

  /** Records that are being settled. */
  get running(): number {
    return this.#running;
  }

  /** Entries confirmed since the start, removals among them. */
  get confirmed(): number {
    return this.#confirmed;
  }

  settledOf(key: StoreKey): Settled {
    return this.#parts.outbox.marks.of(key);
  }

  noteSettled(key: StoreKey, settled: Settled): void {
    this.#parts.outbox.marks.note(key, settled);
  }

  chosen({ requestId, key }: Operation, record: ItemRecord): void {
    const { coordinator, hold } = this.#parts;
    if (this.#isStopped || !this.#owes(key, record)) return;
    if (this.#running >= coordinator.settings.limits.settlesAtOnce) return;
    const isHeld = hold.take(key, record);
    const operation = { requestId, key, deadlineMs: coordinator.deadline() };
    const settling = isDue(record, this.settledOf(key)) ? this.#begin(key) : undefined;
    const shown = () => settling && this.#shown(key, settling);
    this.#run(this.#settle(operation, record, { isHeld, shown }), () => {});
  }

  *settle(operation: Operation, record: ItemRecord): Task<boolean> {
    if (!this.#owes(operation.key, record)) return true;
    return yield* this.#settle(operation, record, { isHeld: false, shown: () => {} });
  }

  /** A rule of lag has held a record back until now. @param record undefined: what is there now has to be read first */
  released(key: StoreKey, record: ItemRecord | undefined): void {
    if (this.#isStopped) return;
    const operation = { requestId: undefined, key, deadlineMs: this.#parts.coordinator.deadline() };
    if (record === undefined) this.settleKey(key, 'at-once', () => {});
    else this.#run(this.settle(operation, record), () => {});
  }

  /**
   * Settles what is due of a key, whoever has coordinated it: reads it strongly, since what this replica has committed may be
   * old, and settles what that returns within the life of one operation.
   * @param when `in-turn`: a rule of lag may hold it back
   * @param done gets whether nothing of the key is due any more
   */
  settleKey(key: StoreKey, when: 'in-turn' | 'at-once', done: (isSettled: boolean) => void): void {
    if (this.#isStopped || (when === 'in-turn' && this.#parts.hold.isHoldingAll(key))) return done(false);
    this.#run(this.#readAndSettle(key, when), done);
  }

  /** Calls `done` when an eventually consistent query finds the entries of a key, or cannot soon. At once if none is due. */
  whenShown(key: StoreKey, done: () => void): void {
    const settling = this.#newest.get(key);
    if (settling === undefined) return done();
    const { clock, settings } = this.#parts.coordinator;
    const leftMs = settling.sinceMs + settings.limits.entryWaitMs - clock.elapsedMs();
    settling.waiting.push(done);
    if (leftMs <= 0) this.#shown(key, settling);
    else settling.timer ??= clock.after(leftMs, () => this.#shown(key, settling));
  }

  /** From now on nothing is begun. What waits for entries is answered. */
  stop(): void {
    this.#isStopped = true;
    const { clock } = this.#parts.coordinator;
    for (const settling of this.#unshown) {
      clock.cancel(settling.timer);
      for (const done of settling.waiting.splice(0)) done();
    }
    this.#newest.clear();
    this.#unshown.clear();
  }

  #begin(key: StoreKey): Settling {
    const settling: Settling = { waiting: [], sinceMs: this.#parts.coordinator.clock.elapsedMs(), timer: undefined };
    this.#newest.set(key, settling);
    this.#unshown.add(settling);
    return settling;
  }

  #shown(key: StoreKey, settling: Settling): void {
    if (!this.#unshown.delete(settling)) return;
    this.#parts.coordinator.clock.cancel(settling.timer);
    if (this.#newest.get(key) === settling) this.#newest.delete(key);
    for (const done of settling.waiting.splice(0)) done();
  }

  #run<T>(task: Task<T>, done: (result: T) => void): void {
    this.#running++;
    runTask(task, done, () => void this.#running--);
  }

  *#readAndSettle(key: StoreKey, when: 'in-turn' | 'at-once'): Task<boolean> {
    const { coordinator, outbox, hold, committed } = this.#parts;
    const untilMs = coordinator.deadline();
    const told = yield* coordinator.derivations.present(tableOf(key), untilMs);
    const isUntold = told.kind !== 'derivation';
    const derivation = isUntold ? undefined : told.derivation;
    // Without a majority of the register that says it, what was chosen can be settled by what is known: a new operation.
    const deadlineMs = isUntold ? coordinator.deadline() : untilMs;
    const operation = { requestId: undefined, key, deadlineMs, derivation, isUntold };
    let record = committed(key);
    if (coordinator.settings.rules.finisherReadsStrongly) {
      const read = yield* readStrongly(coordinator, operation);
      if (read.kind !== 'read') return false;
      record = read.record;
    }
    const isOpen = record !== undefined && this.#owes(key, record);
    const isHeld = isOpen && when === 'in-turn' && hold.take(key, record!);
    const isSettled = !isOpen || (yield* this.#settle(operation, record!, { isHeld, shown: () => {} }));
    // A majority without a record of the key has purged it, and it owed nothing by then.
    if (isSettled && !this.#isStopped) outbox.settledFor(key, allOf(record), committed(key));
    return isSettled;
  }

  #owes(key: StoreKey, record: ItemRecord): boolean {
    return record.isDerived && !covers(this.settledOf(key), neededFor(record));
  }

  /** The entries and the changes of a record do not wait for each other. @returns whether nothing of it is owed any more */
  *#settle(operation: Operation, record: ItemRecord, manner: Manner): Task<boolean> {
    const { coordinator, hold } = this.#parts;
    const settled = this.settledOf(operation.key);
    const changes = changesAfter(record.newestChange && record.derived!.changes, settled.logged);
    if (!isDue(record, settled)) manner.shown();
    const parts: Task<Half>[] = [];
    if (changes.length > 0) parts.push(this.#appendAll(operation, changes, manner));
    if (isDue(record, settled)) parts.push(this.#settleEntries(operation, record, manner));
    const halves = parts.length === 1 ? [yield* parts[0]!] : yield* together(coordinator.clock, parts);
    if (halves.includes('held') && !halves.includes('open')) hold.noteSentElsewhere(operation.key, record);
    return halves.every((half) => half === 'settled');
  }

  /** Puts changes into the log of their stream. */
  *#appendAll(operation: Operation, changes: readonly Change[], { isHeld }: Manner): Task<Half> {
    const { hold, logs } = this.#parts;
    if (isHeld && changes.some(({ stream }) => hold.isFor(stream))) return 'held';
    const { key, deadlineMs } = operation;
    const { ballot } = changes.at(-1)!;
    if (!(yield* logs.append(key, changes, deadlineMs)) || this.#isStopped) return 'open';
    this.#mark(operation, { kind: 'mark-logged', logged: ballot });
    return 'settled';
  }

  /** Puts the entries of a record in their places. */
  *#settleEntries(operation: Operation, record: ItemRecord, { isHeld, shown }: Manner): Task<Half> {
    const { coordinator, hold } = this.#parts;
    const { derivations, settings } = coordinator;
    const { key, deadlineMs } = operation;
    const due = record.derived!.due;
    const told = yield* derivations.atLeast(tableOf(key), record.derived!.version, deadlineMs);
    // Without a derivation the table is being deleted, and its entries with it.
    if (told.kind !== 'derivation' || told.derivation === undefined) {
      shown();
      return told.kind === 'derivation' ? 'settled' : 'open';
    }
    // It says nothing of the newest index, whose entry would be forgotten.
    if (told.derivation.version < record.derived!.version) {
      shown();
      return 'open';
    }
    const mark = { kind: 'mark-settled', due } as const;
    if (!settings.rules.marksFollowConfirms) this.#mark(operation, mark);
    const basis = { key, partitions: coordinator.view.partitions, derivation: told.derivation };
    const all = this.#confirmationsOf(record, entriesOf(record, basis));
    const sent = isHeld ? all.filter((each) => !hold.isFor(tableOf(each.key))) : all;
    const isSent = yield* this.#confirm(operation, sent, shown);
    const isSettled = isSent && sent.length === all.length;
    if (!isSettled) shown();
    else this.#mark(operation, mark);
    return isSettled ? 'settled' : isSent ? 'held' : 'open';
  }

  /** What has to be told to the homes of entries: what is there, and what is not any more. */
  #confirmationsOf(record: ItemRecord, entries: ReturnType<typeof entriesOf>): Confirmation[] {
    const { rules } = this.#parts.coordinator.settings;
    const { derived } = record;
    const ballot = rules.entriesAreOfTheirRecord ? record.ballot : derived!.valueBallot;
    const made = (key: StoreKey, item: ItemRecord['item'], partitionKey: string) =>
      new Confirmation(key, new ItemRecord({ ballot, item, partitionKey, lineage: [], isEntry: true }), rules);
    return [
      ...derived!.owed.map((key) => made(key, undefined, '')),
      // A record has no entry in an index that is newer than its derivation.
      ...entries
        .filter(({ key }) => derived!.entries.includes(key))
        .map(({ key, item, partitionKey }) => made(key, item, partitionKey)),
    ];
  }

  *#confirm(operation: Operation, all: readonly Confirmation[], shown: () => void): Task<boolean> {
    const { coordinator } = this.#parts;
    const { clock, settings } = coordinator;
    const { requestId, deadlineMs } = operation;
    const sinceMs = clock.elapsedMs();
    const sent = all.map((each) => ({ each, late: lateCopies(each, operation, sinceMs) }));
    const configOf = ({ key }: Confirmation) => coordinator.configOfKey(key);
    const isConfirmed = (each: Confirmation) => {
      const config = configOf(each);
      return each.isConfirmed(config, coordinator.majorityOf(config));
    };
    const { isUp } = coordinator;
    const isCutOff = (each: Confirmation) => {
      const config = configOf(each);
      return coordinator.isCutOff(config.members, coordinator.majorityOf(config));
    };
    if (all.length === 0) shown();
    for (let isRetry = false; all.length > 0; isRetry = true) {
      const missing = sent.filter(({ each }) => !isConfirmed(each));
      yield* waitAtMost<void>(clock, settings.limits.phaseTimeoutMs, (phase) => {
        const onReply = (each: Confirmation, late: LateCopies) => (reply: Reply) => {
          each.note(reply);
          if (phase.isOver) coordinator.noteCopy(late);
          if (all.every((one) => one.isShown(configOf(one), isUp))) shown();
          if (isConfirmed(each) && all.every(isConfirmed)) phase.finish();
        };
        for (const { each, late } of missing) {
          const { key, record } = each;
          const isFlushed = settings.rules.confirmsAreFlushed;
          const request = { kind: 'learn', requestId, key, record, isFlushed, isNeeded: isRetry } as const;
          for (const { node } of configOf(each).members) coordinator.send(node, request, onReply(each, late));
        }
      });
      if (this.#isStopped) return false;
      if (all.every(isConfirmed)) break;
      if (coordinator.isPast(deadlineMs) || missing.some(({ each }) => isCutOff(each))) return false;
      yield* coordinator.pause();
    }
    this.#confirmed += all.length;
    for (const { late } of sent) coordinator.hintLater(late);
    return true;
  }

  /** Tells the home replicas of an item that it is settled. No answer is waited for: they may as well do the work again. */
  #mark({ requestId, key }: Operation, mark: Mark): void {
    const { coordinator, outbox, hold } = this.#parts;
    const settled: Settled =
      mark.kind === 'mark-settled'
        ? { ...NOTHING_SETTLED, due: mark.due }
        : { ...NOTHING_SETTLED, logged: mark.logged };
    outbox.marks.note(key, settled);
    hold.noteSettled(key, settled);
    for (const { node } of coordinator.configOfKey(key).members) {
      coordinator.send(node, { ...mark, requestId, key }, () => {});
    }
  }
}

/** Up to where an item is settled once its newest record is: every change of that or an earlier one is in the log. */
function allOf(record: ItemRecord | undefined): Settled {
  return record?.isDerived === true ? { due: record.due ?? NO_BALLOT, logged: record.ballot } : NOTHING_SETTLED;
}

/** The homes of an entry that have not taken it yet. */
function lateCopies(
  { key, record, holders, lagging }: Confirmation,
  operation: Operation,
  sinceMs: number,
): LateCopies {
  return { operation: { ...operation, key }, record, holders, lagging, sinceMs };
}
