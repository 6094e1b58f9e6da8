import type { Clock, Timer } from '../../env/clock.ts';
import type { Log } from '../../env/log.ts';
import type { StoreKey } from '../../env/store.ts';
import { type Ballot, consistencyOf, NO_BALLOT, sameBallot } from '../ballot.ts';
import type { Consistency } from '../client.ts';
import { partitionOf } from '../keyspace.ts';
import type { Member, Request } from '../messages.ts';
import { highestCommitted, highestOf, type ItemRecord, type ReplicaState } from '../record.ts';
import type { Acceptor } from '../registers/acceptor.ts';
import type { Coordinator } from '../registers/coordinator.ts';
import { runTask, type Task } from '../task.ts';

/** Keys restored at a time, each of which may be an item of 400 KB. */
const RESTORES_AT_ONCE = 16;
/** Keys that wait; of more, those are found again that are read again. */
const QUEUE_LENGTH = 100_000;
/** Between two lines of the log. */
const SAY_EVERY_MS = 1_000;

/** What a node has found of damaged records since its start. */
export interface DamageFigures {
  /** Keys with a record that could not be read. */
  readonly found: number;
  readonly restored: number;
  /** Of the restored, those that so many other replicas could not read either that a newer record may be lost. */
  readonly unproven: number;
  /** Keys that are damaged still, as far as is known. */
  readonly left: number;
}

/**
 * Brings back what cannot be read of a replica's keys (docs/protocol.md section 10). Until then the replica has no
 * say about them: a record that it forgot may be one that was chosen with its voice.
 */
export class KeyRestore {
  readonly #parts: KeyRestoreParts;
  readonly #waiting = new Set<StoreKey>();
  /** With the ballot of the round, once enough others have promised it. */
  readonly #running = new Map<StoreKey, Ballot>();
  /** Tried in vain, as while another node was down. */
  readonly #failed = new Set<StoreKey>();
  #turn: Timer | undefined;
  #retry: Timer | undefined;
  #said: Timer | undefined;
  #isNews = false;
  #isStopped = false;
  #found = 0;
  #restored = 0;
  #unproven = 0;
  #whenTried: (() => void)[] = [];

  constructor(parts: KeyRestoreParts) {
    this.#parts = parts;
    for (const key of parts.acceptor.rows.damagedKeys) this.note(key);
  }

  get figures(): DamageFigures {
    const left = this.#parts.acceptor.rows.damagedKeys.size;
    return { found: this.#found, restored: this.#restored, unproven: this.#unproven, left };
  }

  /** A key is damaged. It is tried at once, and then again and again. */
  note(key: StoreKey): void {
    if (this.#isStopped || this.#waiting.has(key) || this.#running.has(key) || this.#failed.has(key)) return;
    if (this.#waiting.size + this.#failed.size >= QUEUE_LENGTH) return;
    this.#found++;
    this.#waiting.add(key);
    this.#say();
    this.#schedule();
  }

  /** Whether a record is to be adopted now. One of an earlier round, which comes late, knows nothing of what was lost since. */
  isRunning(key: StoreKey, ballot: Ballot): boolean {
    return sameBallot(this.#running.get(key) ?? NO_BALLOT, ballot);
  }

  /** Calls `done` when each key that is known to be damaged now was tried. */
  tryAll(done: () => void): void {
    if (this.#isStopped) return;
    this.#retryFailed();
    this.#whenTried.push(done);
    this.#schedule();
  }

  stop(): void {
    this.#isStopped = true;
    for (const timer of [this.#turn, this.#retry, this.#said]) this.#parts.clock.cancel(timer);
    for (const done of this.#whenTried) done();
    this.#whenTried = [];
  }

  /** Never within the call that has found the damage, which may hold what it read in its hands. */
  #schedule(): void {
    this.#turn ??= this.#parts.clock.after(0, () => {
      this.#turn = undefined;
      this.#next();
    });
  }

  #next(): void {
    let begun = 0;
    for (const key of this.#waiting) {
      if (this.#running.size >= RESTORES_AT_ONCE) return;
      // Some end at once, and there may be many.
      if (++begun > RESTORES_AT_ONCE) return this.#schedule();
      this.#waiting.delete(key);
      this.#running.set(key, NO_BALLOT);
      runTask(this.#restore(key), (isRestored) => {
        this.#running.delete(key);
        if (this.#isStopped) return;
        if (isRestored) {
          this.#restored++;
          this.#say();
        }
        // What has rotted again by then was not noted, since the key was under way.
        if (this.#parts.acceptor.rows.damagedKeys.has(key)) this.#failed.add(key);
        this.#schedule();
      });
    }
    if (this.#running.size > 0) return;
    const { clock, retryMs } = this.#parts;
    if (this.#failed.size > 0) this.#retry ??= clock.after(retryMs, () => this.#retryFailed());
    for (const done of this.#whenTried.splice(0)) done();
  }

  #retryFailed(): void {
    this.#parts.clock.cancel(this.#retry);
    this.#retry = undefined;
    for (const key of this.#failed) this.#waiting.add(key);
    this.#failed.clear();
    this.#schedule();
  }

  /**
   * An identity round that begins after the damage was found, with a fresh ballot, and without asking this replica: so many
   * others promise that one of every majority is among them. What they hold was perhaps chosen, and is then not older than
   * what is missing; this replica accepts it like the others, and with a majority it is chosen under the fresh ballot.
   */
  *#restore(key: StoreKey): Task<boolean> {
    const { self, coordinator, acceptor, clock, log } = this.#parts;
    if (!(partitionOf(key) < coordinator.view.partitions)) {
      // Its key is damaged, of whichever partition it was.
      acceptor.erase(key);
      for (let partition = 0; partition < coordinator.view.partitions; partition++) {
        this.#parts.foundAtNobody(partition);
      }
      return true;
    }
    if (!acceptor.isDamaged(key)) return true;
    const { settings } = coordinator;
    const { members, epoch } = coordinator.configOfKey(key);
    const others = members.filter(({ node }) => node !== settings.id);
    const majority = coordinator.majorityOf(coordinator.configOfKey(key));
    const enough = settings.rules.restoreMeetsEveryMajority ? members.length - majority + 1 : 1;
    if (others.length === members.length) return false;
    const ballots = coordinator.ballots[yield* this.#modeOf(key, others, enough)];
    const ballot = ballots.next();
    const request = { kind: 'prepare', key, ballot, epoch } as const;
    const { agreed, replies } = yield* coordinator.ask(others, request, 'promise', enough);
    const isProven = agreed.length >= enough;
    // The next try has to be above what this one was refused for.
    if (!isProven) for (const reply of replies) if (reply.kind === 'rejected') ballots.refused(reply.effective);
    const states = isProven ? agreed : yield* this.#askEach(others, request);
    if (states === undefined) return false;
    // What can still be read here, as of a write that came since, may be newer than what those others have.
    const newest = highestOf([acceptor.stateOf(key), ...states]);
    const record: ItemRecord | undefined = newest?.withBallot(ballot);
    this.#running.set(key, ballot);
    const adopt = { kind: 'adopt', key, ballot, record, epoch } as const;
    const adopted = yield* coordinator.ask([{ node: self }], adopt, 'accepted', 1);
    if (adopted.agreed.length === 0) return false;
    if (!isProven) {
      this.#unproven++;
      log.error('a record was damaged on too many replicas: what is restored may be old, or nothing', { node: self });
    }
    if (record === undefined) {
      // Perhaps it was the key that rotted, and the record is missing under another one.
      this.#parts.foundAtNobody(partitionOf(key));
      return true;
    }
    const accepted = yield* coordinator.ask(others, { kind: 'accept', key, record, epoch }, 'accepted', majority - 1);
    if (accepted.agreed.length < majority - 1) return false;
    const isWhole = acceptor.restored(key, record);
    const patienceMs = clock.elapsedMs() + settings.limits.phaseTimeoutMs;
    yield* coordinator.learnAt(key, record, settings.writeQuorum, patienceMs);
    return isWhole;
  }

  /**
   * The mode of the key's table, as what there is of it tells. So many others are asked as are needed anyway: the first to
   * answer may have nothing of it, and a record of a `dynamo` table must not be dated ahead.
   */
  *#modeOf(key: StoreKey, others: readonly Member[], enough: number): Task<Consistency> {
    const { acceptor, coordinator } = this.#parts;
    const { agreed } = yield* coordinator.ask(others, { kind: 'read-committed', key }, 'state', enough);
    const newest = highestCommitted([acceptor.stateOf(key), ...agreed]);
    return newest === undefined ? 'strict' : consistencyOf(newest.ballot);
  }

  /**
   * All that there is of a key, if every other member answers, although some of them cannot read theirs. Whoever has the rest
   * is not going to come: so it is lost, and waiting would only keep the key from everybody.
   */
  *#askEach(others: readonly Member[], request: Request): Task<readonly ReplicaState[] | undefined> {
    const states: ReplicaState[] = [];
    for (const member of others) {
      const { replies } = yield* this.#parts.coordinator.ask([member], request, 'promise', 1);
      const [reply] = replies;
      if (reply?.kind !== 'promise' && reply?.kind !== 'damaged') return undefined;
      states.push(reply);
    }
    return states;
  }

  /** At most one line in a while: a disk that rots does so in many places. */
  #say(): void {
    this.#isNews = true;
    if (this.#said !== undefined) return;
    const { clock, log, self } = this.#parts;
    this.#isNews = false;
    log.warn('stored records are damaged', { node: self, ...this.figures });
    this.#said = clock.after(SAY_EVERY_MS, () => {
      this.#said = undefined;
      if (this.#isNews) this.#say();
    });
  }
}

interface KeyRestoreParts {
  readonly self: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly coordinator: Coordinator;
  readonly acceptor: Acceptor;
  /** Before what was tried in vain is tried again. */
  readonly retryMs: number;
  /** There was a record in a partition under a key that no other member has. */
  readonly foundAtNobody: (partition: number) => void;
}
