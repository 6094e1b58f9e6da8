import type { Clock, Timer } from '../../env/clock.ts';
import type { Log } from '../../env/log.ts';
import type { StoreKey } from '../../env/store.ts';
import { type Ballot, compareBallots, consistencyOf, NO_BALLOT, sameBallot } from '../ballot.ts';
import type { Consistency, Failure } from '../client.ts';
import { basisOfChoice, type Choice, NOTHING_DERIVED } from '../derived/basis.ts';
import { type Basis, chosenAgain } from '../derived/derive.ts';
import { partitionOf } from '../keyspace.ts';
import type { Member, Request } from '../messages.ts';
import { highestCommitted, highestOf, type ItemRecord, type ReplicaState } from '../record.ts';
import type { Acceptor } from '../registers/acceptor.ts';
import type { PromisedState } from '../registers/consensus-round.ts';
import type { Coordinator } from '../registers/coordinator.ts';
import { runTask, type Task } from '../task.ts';

/** Keys restored at a time, each of which may be an item of 400 KB. */
const RESTORES_AT_ONCE = 16;
/** Keys that wait. Damage of a further key is noted when it is read again. */
const QUEUE_LENGTH = 100_000;
/** The least time between two lines of the log. */
const LOG_EVERY_MS = 1_000;

/** What a node has found of damaged records since its start. */
export interface DamageFigures {
  /** Keys with a record that could not be read. */
  readonly found: number;
  readonly restored: number;
  /** Restored keys that too many other replicas could not read either: a newer record may be lost. */
  readonly unproven: number;
  /** Keys that are known to be damaged still. */
  readonly left: number;
}

/**
 * Restores the damaged records of a replica from the other replicas (docs/protocol.md section 10). Until then
 * the replica has no vote on those keys: it may have forgotten a record that was chosen with its vote.
 */
export class KeyRestore {
  readonly #parts: KeyRestoreParts;
  readonly #waiting = new Set<StoreKey>();
  /** Keys that are being restored, with the ballot of the round once enough other replicas have promised it. */
  readonly #running = new Map<StoreKey, Ballot>();
  /** Keys that could not be restored, for example while another node was down. */
  readonly #failed = new Set<StoreKey>();
  #turn: Timer | undefined;
  #retry: Timer | undefined;
  #logTimer: Timer | undefined;
  #isLogDue = false;
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

  /** Notes that a key is damaged. It is restored as soon as possible, with retries. */
  note(key: StoreKey): void {
    if (this.#isStopped || this.#waiting.has(key) || this.#running.has(key) || this.#failed.has(key)) return;
    if (this.#waiting.size + this.#failed.size >= QUEUE_LENGTH) return;
    this.#found++;
    this.#waiting.add(key);
    this.#logDamage();
    this.#schedule();
  }

  /**
   * Whether the round with this ballot still runs. A late record of an earlier round may be older than what was lost
   * since.
   */
  isRunning(key: StoreKey, ballot: Ballot): boolean {
    return sameBallot(this.#running.get(key) ?? NO_BALLOT, ballot);
  }

  /** Calls `done` when each key that is known to be damaged now was tried, or at the stop. */
  tryAll(done: () => void): void {
    if (this.#isStopped) return;
    this.#retryFailed();
    this.#whenTried.push(done);
    this.#schedule();
  }

  stop(): void {
    this.#isStopped = true;
    for (const timer of [this.#turn, this.#retry, this.#logTimer]) this.#parts.clock.cancel(timer);
    for (const done of this.#whenTried) done();
    this.#whenTried = [];
  }

  /** Never within the call that has found the damage: it may still use what it has read. */
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
      // Some tasks end at once, and there may be many of them.
      if (++begun > RESTORES_AT_ONCE) return this.#schedule();
      this.#waiting.delete(key);
      this.#running.set(key, NO_BALLOT);
      const tried = (isRestored: boolean) => this.#noteTried({ key, isRestored });
      runTask(this.#restore(key), tried, () => this.#running.delete(key));
    }
    if (this.#running.size > 0) return;
    const { clock, retryMs } = this.#parts;
    if (this.#failed.size > 0) this.#retry ??= clock.after(retryMs, () => this.#retryFailed());
    for (const done of this.#whenTried.splice(0)) done();
  }

  #noteTried({ key, isRestored }: { readonly key: StoreKey; readonly isRestored: boolean }): void {
    if (this.#isStopped) return;
    if (isRestored) {
      this.#restored++;
      this.#logDamage();
    }
    // If the record has rotted again, that was not noted, since the key was being restored.
    if (this.#parts.acceptor.rows.damagedKeys.has(key)) this.#failed.add(key);
    this.#schedule();
  }

  #retryFailed(): void {
    this.#parts.clock.cancel(this.#retry);
    this.#retry = undefined;
    for (const key of this.#failed) this.#waiting.add(key);
    this.#failed.clear();
    this.#schedule();
  }

  /**
   * A round that begins after the damage was found, with a fresh ballot, and without a promise of this replica. So many
   * others promise that they include a member of every majority. If a record was chosen, they therefore hold it or a
   * newer one. This replica adopts the newest, and the round has it chosen under the fresh ballot: an identity round.
   * Unless the newest may stay as it is (`#keepsItsBallot`): then nothing is left to choose.
   */
  *#restore(key: StoreKey): Task<boolean> {
    const { self, coordinator, acceptor, clock, log } = this.#parts;
    if (!(partitionOf(key) < coordinator.view.partitions)) {
      this.#eraseStrayKey(key);
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
    const { agreed, replies } = yield* coordinator.ask(others, request, { reply: 'promise', needed: enough });
    const isProven = agreed.length >= enough;
    // The ballot of the next try has to be above the one that this one was refused for.
    if (!isProven) for (const reply of replies) if (reply.kind === 'rejected') ballots.refused(reply.effective);
    const states = isProven ? agreed : yield* this.#askEach(others, request);
    if (states === undefined) return false;
    // What this replica can still read, for example of a write since, may be newer than what the others have.
    const held = [acceptor.stateOf(key), ...states];
    const newest = highestOf(held);
    const isKept = newest !== undefined && this.#keepsItsBallot(newest, held);
    const choice = { top: newest, states: held, needed: majority, mayLack: !isProven };
    const basis = isKept ? NOTHING_DERIVED : yield* this.#basisOf(key, choice);
    if ('kind' in basis) return false;
    const record: ItemRecord | undefined = isKept ? newest : newest && chosenAgain(newest, ballot, basis);
    this.#running.set(key, ballot);
    const adopt = { kind: 'adopt', key, ballot, record, epoch } as const;
    const adopted = yield* coordinator.ask([{ node: self }], adopt, { reply: 'accepted', needed: 1 });
    if (adopted.agreed.length === 0) return false;
    if (!isProven) {
      this.#unproven++;
      log.error('a record was damaged on too many replicas: what is restored may be old, or nothing', { node: self });
    }
    if (record === undefined) {
      // Perhaps the key itself rotted, and the record is missing under another key.
      this.#parts.nothingToRestore(partitionOf(key));
      return true;
    }
    // Whoever else lacks the record gets it by a comparison. A `learn` that is sent again could outlive its tombstone.
    if (isKept) return true;
    const accept = { kind: 'accept', key, record, epoch } as const;
    const accepted = yield* coordinator.ask(others, accept, { reply: 'accepted', needed: majority - 1 });
    if (accepted.agreed.length < majority - 1) return false;
    const isWhole = acceptor.restored(key, record);
    const deadlineMs = clock.elapsedMs() + settings.limits.phaseTimeoutMs;
    coordinator.settler.chosen({ requestId: undefined, key, deadlineMs }, record);
    yield* coordinator.learnAt({ requestId: undefined, key, deadlineMs }, record, settings.writeQuorum);
    return isWhole;
  }

  /** What the newest record derives from when it is chosen again. */
  *#basisOf(key: StoreKey, { top, ...choice }: Found): Task<Basis | Failure> {
    if (top === undefined) return NOTHING_DERIVED;
    const { coordinator } = this.#parts;
    const operation = { requestId: undefined, key, deadlineMs: coordinator.deadline(), isUntold: true };
    return yield* basisOfChoice(coordinator, operation, { ...choice, top });
  }

  /**
   * Whether the newest record stays as it is. An entry of an index has the ballot of the item's record, and one under a
   * fresh ballot would win over the next. In a `dynamo` table, a committed record stays: a blind write that is newer may be
   * out of reach there, since W nodes need not be at any majority, and the older one would win over it.
   */
  #keepsItsBallot(newest: ItemRecord, held: readonly ReplicaState[]): boolean {
    if (newest.isEntry === true) return true;
    if (!this.#parts.coordinator.settings.rules.restoredKeepsItsBallot) return false;
    const committed = highestCommitted(held);
    if (committed === undefined || compareBallots(committed.ballot, newest.ballot) < 0) return false;
    return consistencyOf(newest.ballot) === 'dynamo';
  }

  /**
   * Erases a row whose key is damaged, so that its partition is unknown. Its record may be missing in any partition.
   */
  #eraseStrayKey(key: StoreKey): void {
    const { acceptor, coordinator, nothingToRestore } = this.#parts;
    acceptor.erase(key);
    for (let partition = 0; partition < coordinator.view.partitions; partition++) nothingToRestore(partition);
  }

  /**
   * The mode of the key's table, by the newest record that can be read. As many other replicas are asked as the round
   * needs anyway: the first to answer may have no record, and a record of a `dynamo` table must not be dated ahead.
   */
  *#modeOf(key: StoreKey, others: readonly Member[], enough: number): Task<Consistency> {
    const { acceptor, coordinator } = this.#parts;
    const { agreed } = yield* coordinator.ask(
      others,
      { kind: 'read-committed', key },
      { reply: 'state', needed: enough },
    );
    const newest = highestCommitted([acceptor.stateOf(key), ...agreed]);
    return newest === undefined ? 'strict' : consistencyOf(newest.ballot);
  }

  /**
   * The states of a key on all other members, of which some cannot read theirs; undefined if one did not answer. With
   * all answers in, no further replica can bring what is missing: it is lost, and waiting would only keep the key
   * unavailable.
   */
  *#askEach(others: readonly Member[], request: Request): Task<readonly PromisedState[] | undefined> {
    const states: PromisedState[] = [];
    for (const member of others) {
      const { replies } = yield* this.#parts.coordinator.ask([member], request, {
        reply: 'promise',
        needed: 1,
      });
      const [reply] = replies;
      if (reply?.kind !== 'promise' && reply?.kind !== 'damaged') return undefined;
      states.push(reply);
    }
    return states;
  }

  /** Logs the figures, at most once in `LOG_EVERY_MS`: a disk that rots does so in many places. */
  #logDamage(): void {
    this.#isLogDue = true;
    if (this.#logTimer !== undefined) return;
    const { clock, log, self } = this.#parts;
    this.#isLogDue = false;
    log.warn('stored records are damaged', { node: self, ...this.figures });
    this.#logTimer = clock.after(LOG_EVERY_MS, () => {
      this.#logTimer = undefined;
      if (this.#isLogDue) this.#logDamage();
    });
  }
}

/** What was found of a damaged key; `top` is undefined if there is no record. */
interface Found extends Omit<Choice, 'top'> {
  readonly top: ItemRecord | undefined;
}

interface KeyRestoreParts {
  readonly self: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly coordinator: Coordinator;
  readonly acceptor: Acceptor;
  /** The pause before the keys that could not be restored are tried again. */
  readonly retryMs: number;
  /** No other member has a record of a key that is damaged here, in this partition as far as is known. */
  readonly nothingToRestore: (partition: number) => void;
}
