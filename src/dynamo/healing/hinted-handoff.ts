import type { ByteString } from '../../api/primary-key.ts';
import type { Timer } from '../../env/clock.ts';
import { DAMAGED, type StoreKey } from '../../env/store.ts';
import type { Transport } from '../../env/transport.ts';
import { compareBallots, sameBallot } from '../ballot.ts';
import { tableOf } from '../keyspace.ts';
import { isKeptSince, type PartitionConfig, type Reply, type Request } from '../messages.ts';
import type { ItemRecord } from '../record.ts';
import type { NodeId } from '../ring.ts';
import { pause, runTask, type Task, waitAtMost } from '../task.ts';
import {
  ballotOfHint,
  type HintRow,
  HintRows,
  type HintRowsParts,
  hintKey,
  nameOf,
  recordOfHint,
} from './hint-rows.ts';

/**
 * Committed records that this node keeps for home replicas which did not take them (the Dynamo paper, section 4.6),
 * apart from its own. It offers them to the home again and again, and drops them when the home has them; a restart
 * keeps them. A hint that finds no room, grows too old or cannot be read, is left to Merkle repair.
 */
export class HintedHandoff {
  readonly #parts: HintedHandoffParts;
  readonly #rows: HintRows;
  /** Home replicas to which hints are being delivered. */
  readonly #delivering = new Set<NodeId>();
  /** For home replicas where a rule of lag holds hints back: the last hint that was offered. */
  readonly #offered = new Map<NodeId, StoreKey>();
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(parts: HintedHandoffParts) {
    this.#parts = parts;
    this.#rows = new HintRows(parts);
  }

  /** Counts the hints again, after writes were lost. */
  reload(): void {
    this.#rows.recount();
  }

  get count(): number {
    return this.#rows.count;
  }

  get bytes(): number {
    return this.#rows.bytes;
  }

  /** Hints that could not be read, since the start. */
  get damaged(): number {
    return this.#rows.damaged;
  }

  /** Keeps a committed record for `home`, unless it has a newer one for it. @returns false if there is no room */
  keep(home: NodeId, { requestId, key, record }: HintedRecord): boolean {
    return this.#rows.put({ home, key }, record, requestId);
  }

  /** Whether a hint of the key is kept, for any home replica. */
  hasHint(key: StoreKey): boolean {
    return this.#kept(key).length > 0;
  }

  /**
   * The newest record of the key that is kept for any home replica. A hint that is too old does not count: its item may
   * have been deleted, and purged.
   */
  committed(key: StoreKey): ItemRecord | undefined {
    let newest: ItemRecord | undefined;
    for (const value of this.#kept(key)) {
      if (this.#rows.isTooOld(value)) continue;
      const record = recordOfHint(value);
      if (newest === undefined || compareBallots(record.ballot, newest.ballot) > 0) newest = record;
    }
    return newest;
  }

  /** Drops the hints of a table that was deleted. */
  forgetTable(table: ByteString): void {
    for (const { hint } of this.#rows.all()) if (tableOf(nameOf(hint).key) === table) this.#rows.drop(hint);
  }

  /** Drops a hint if it is damaged. */
  check(hint: StoreKey): void {
    this.#rows.get(hint);
  }

  start(): void {
    const { clock, limits, isUp } = this.#parts;
    this.#timer = clock.after(limits.hintIntervalMs, () => {
      for (const home of [...this.#rows.homes]) {
        if (isUp(home)) this.deliver(home);
        else this.#lookThrough(home);
      }
      this.start();
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#parts.clock.cancel(this.#timer);
    this.#timer = undefined;
  }

  /** Offers its hints to a home replica, batch by batch, until it has taken all or has not answered to one batch. */
  deliver(home: NodeId): void {
    if (this.#delivering.has(home) || this.#isStopped) return;
    this.#delivering.add(home);
    runTask(
      this.#deliverAll(home),
      () => {},
      () => this.#delivering.delete(home),
    );
  }

  *#deliverAll(home: NodeId): Task<void> {
    const { clock, limits } = this.#parts;
    let after = this.#offered.get(home) ?? '';
    while (!this.#isStopped) {
      const page = this.#rows.page(home, after, limits.repairBatch);
      this.#offered.delete(home);
      const last = page.at(-1)?.hint;
      if (last === undefined) return;
      const outcome = yield* this.#offerBatch(home, page);
      if (outcome === 'held') {
        // They stay, and there may be many: no more than one batch in each interval.
        this.#offered.set(home, last);
        return;
      }
      // A home replica that does not answer is tried again in the next interval. Hints that go to other replicas,
      // because this one is no home any more, must not hold up the hints behind them.
      if (outcome === 'unanswered' && this.#isForHome(home, last)) return;
      if (outcome === 'taken') yield* pause(clock, limits.repairPauseMs);
      after = last;
    }
  }

  /** Offers some hints together. `held`: a rule of lag holds at least one of them back at the home replica. */
  *#offerBatch(home: NodeId, page: readonly HintRow[]): Task<'taken' | 'held' | 'unanswered'> {
    const { clock, limits } = this.#parts;
    const offers = page.flatMap((row) => this.#offerOf(home, row) ?? []);
    if (offers.length === 0) return 'taken';
    let unanswered = offers.length;
    let isAnyHeld = false;
    const outcome = yield* waitAtMost<'taken' | 'held'>(clock, limits.phaseTimeoutMs, (timed) => {
      const answered = (isHeld: boolean) => {
        isAnyHeld ||= isHeld;
        if (--unanswered === 0) timed.finish(isAnyHeld ? 'held' : 'taken');
      };
      for (const offer of offers) this.#send(offer, answered);
    });
    return outcome ?? 'unanswered';
  }

  /**
   * Looks at the next hints for a home that is down: drops those that are too old, and sends on those that it has left.
   */
  #lookThrough(home: NodeId): void {
    if (this.#delivering.has(home)) return;
    const { limits } = this.#parts;
    for (const row of this.#rows.nextInTurn(home, limits.repairBatch)) {
      const isUseless = row.value === DAMAGED || this.#rows.isTooOld(row.value);
      if (!isUseless && this.#isForHome(home, row.hint)) continue;
      const offer = this.#offerOf(home, row);
      if (offer !== undefined) this.#send(offer, () => {});
    }
  }

  /**
   * To whom a hint is to be offered. Drops the hint if it is damaged, too old, or for this node's own replica alone.
   */
  #offerOf(home: NodeId, { hint, value }: HintRow): Offer | undefined {
    const { log, configOfKey } = this.#parts;
    if (value === DAMAGED) {
      this.#rows.dropDamaged(hint);
      return undefined;
    }
    if (this.#rows.isTooOld(value)) {
      log.debug('dropped a hint that is too old', { for: home });
      this.#rows.drop(hint);
      return undefined;
    }
    const { key } = nameOf(hint);
    const to = this.#targetsOf(home, key);
    if (to.length === 0) {
      this.#rows.drop(hint);
      return undefined;
    }
    const requestId = this.#rows.requestIdOf(hint);
    return { hint, requestId, key, record: recordOfHint(value), to, epoch: configOfKey(key).epoch };
  }

  /**
   * Sends a hint to the replicas that should have its record, and drops the hint when all of them have it.
   * @param answered called when all have answered, with whether a rule of lag holds the record back at one of them
   */
  #send({ hint, requestId, key, record, to, epoch }: Offer, answered: (isHeld: boolean) => void): void {
    const waiting = new Set(to);
    let isTaken = true;
    let isHeld = false;
    for (const node of to) {
      this.#parts.transport.send(node, { kind: 'learn', requestId, key, record, isFlushed: true }, (reply) => {
        if (reply.kind !== 'learned' || !waiting.delete(node)) return;
        // A member that has no vote yet, as on a new disk, may erase what it has before it gets one; so may a member in
        // an older epoch. What comes to a sealed member may be too late for the next epoch.
        if (!isKeptSince(epoch, reply)) isTaken = false;
        if (reply.isHeld === true) isHeld = true;
        if (waiting.size > 0) return;
        if (isTaken) this.#dropTaken(hint, record);
        answered(isHeld && !isTaken);
      });
    }
  }

  /** Drops a hint that was taken, unless a newer record is kept by now. */
  #dropTaken(hint: StoreKey, { ballot }: ItemRecord): void {
    const kept = this.#rows.get(hint);
    if (kept !== undefined && sameBallot(ballotOfHint(kept), ballot)) this.#rows.drop(hint);
  }

  /** The home, as long as it is one; else those that are now, this node's own replica among them. */
  #targetsOf(home: NodeId, key: StoreKey): readonly NodeId[] {
    const members = this.#parts.configOfKey(key).members.map(({ node }) => node);
    return members.includes(home) ? [home] : members;
  }

  /** Whether the home replica of a hint still is one. */
  #isForHome(home: NodeId, hint: StoreKey): boolean {
    return this.#targetsOf(home, nameOf(hint).key).includes(home);
  }

  /** The hints of a key, for all home replicas. */
  #kept(key: StoreKey): Uint8Array[] {
    const kept: Uint8Array[] = [];
    for (const home of this.#rows.homes) {
      const value = this.#rows.get(hintKey({ home, key }));
      if (value !== undefined) kept.push(value);
    }
    return kept;
  }
}

/** A committed record that a home replica has not taken. */
export interface HintedRecord {
  /** The client's request whose record it is. Undefined as in `ForRequest`. */
  readonly requestId: string | undefined;
  readonly key: StoreKey;
  readonly record: ItemRecord;
}

/** A hint and the replicas that should have its record. */
interface Offer extends HintedRecord {
  readonly hint: StoreKey;
  readonly to: readonly NodeId[];
  /** The epoch of the key's partition as far as this node knows. */
  readonly epoch: number;
}

interface HintedHandoffParts extends HintRowsParts {
  readonly transport: Transport<Request, Reply>;
  readonly isUp: (node: NodeId) => boolean;
  /** The newest config known of a key's partition. */
  readonly configOfKey: (key: StoreKey) => PartitionConfig;
}
