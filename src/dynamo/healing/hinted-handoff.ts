import type { ByteString } from '../../api/primary-key.ts';
import type { Clock, Timer } from '../../env/clock.ts';
import type { Log } from '../../env/log.ts';
import { DAMAGED, type Store, type StoreKey } from '../../env/store.ts';
import type { Transport } from '../../env/transport.ts';
import { compareBallots, sameBallot } from '../ballot.ts';
import { tableOf } from '../keyspace.ts';
import { isKeptSince, type PartitionConfig, type Reply, type Request } from '../messages.ts';
import type { NodeLimits } from '../node-settings.ts';
import { ballotIn, decodeRecord, type ItemRecord } from '../record.ts';
import type { NodeId } from '../ring.ts';

/** Separates the home from the key in the key of a hint; no node id contains it. */
const SEPARATOR = '\0';
const HINTS_END: StoreKey = '\xff';
/** A hint is the time at which it was kept, in ms since 1970, and the record. */
const TIME_BYTES = 8;
/** Hints read at a time when they are counted. */
const PAGE = 256;

/**
 * Committed records that this node keeps for home replicas which did not take them (the Dynamo paper, section 4.6), apart
 * from its own. They are offered again and again, and dropped when the home has them; a restart keeps them. What finds no
 * room, grows too old or cannot be read, is left to Merkle repair.
 */
export class HintedHandoff {
  readonly #parts: HintedHandoffParts;
  /** How many hints there are for each home. */
  readonly #counts = new Map<NodeId, number>();
  #bytes = 0;
  /** Homes to which hints are on their way. */
  readonly #delivering = new Set<NodeId>();
  /** Up to where hints were offered to homes that hold some back. */
  readonly #offered = new Map<NodeId, StoreKey>();
  /** Up to where the hints of homes that are down were looked through. */
  readonly #lookedThrough = new Map<NodeId, StoreKey>();
  #timer: Timer | undefined;
  #isStopped = false;
  #damaged = 0;

  constructor(parts: HintedHandoffParts) {
    this.#parts = parts;
    this.reload();
  }

  /** Counts the hints again, as at a start or after writes were lost. */
  reload(): void {
    this.#counts.clear();
    this.#bytes = 0;
    for (const { key, value } of this.#all()) {
      if (value === DAMAGED) this.#remove(key);
      else this.#count(homeOf(key), 1, value.length);
    }
  }

  /** Hints that could not be read, since the start. */
  get damaged(): number {
    return this.#damaged;
  }

  get count(): number {
    let count = 0;
    for (const each of this.#counts.values()) count += each;
    return count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Keeps a committed record for `home`, unless it has a newer one for it. @returns false if there is no room */
  keep(home: NodeId, key: StoreKey, record: ItemRecord): boolean {
    const { store, clock, limits } = this.#parts;
    const hint = hintKey(home, key);
    const before = this.#get(hint);
    if (before !== undefined && compareBallots(ballotIn(before.subarray(TIME_BYTES)), record.ballot) >= 0) return true;
    const { stored } = record;
    const value = Buffer.allocUnsafe(TIME_BYTES + stored.length);
    value.writeDoubleBE(clock.now());
    value.set(stored, TIME_BYTES);
    const moreBytes = value.length - (before?.length ?? 0);
    if (before === undefined && this.count >= limits.hintsKept) return false;
    if (this.#bytes + moreBytes > limits.hintBytesKept) return false;
    store.put('hints', hint, value);
    this.#count(home, before === undefined ? 1 : 0, moreBytes);
    return true;
  }

  /** Whether anything is kept for the key, for whomever. */
  hasHint(key: StoreKey): boolean {
    return this.#kept(key).length > 0;
  }

  /** The newest record of the key that is kept for anybody, unless it is too old: it may have been deleted, and purged. */
  committed(key: StoreKey): ItemRecord | undefined {
    let newest: ItemRecord | undefined;
    for (const { record, isTooOld } of this.#kept(key)) {
      if (isTooOld) continue;
      if (newest === undefined || compareBallots(record.ballot, newest.ballot) > 0) newest = record;
    }
    return newest;
  }

  /** Drops what is kept of a table that was deleted. */
  forgetTable(table: ByteString): void {
    for (const { key } of this.#all()) if (tableOf(storeKeyIn(key)) === table) this.#drop(key);
  }

  /** Drops a hint if it is damaged. */
  check(hint: StoreKey): void {
    this.#get(hint);
  }

  start(): void {
    const { clock, limits, isUp } = this.#parts;
    this.#timer = clock.after(limits.hintIntervalMs, () => {
      for (const home of [...this.#counts.keys()]) {
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

  /** Offers its hints to a home, a batch after the other, until all were taken or one batch was not answered. */
  deliver(home: NodeId): void {
    if (this.#delivering.has(home) || this.#isStopped) return;
    this.#delivering.add(home);
    this.#deliverAfter(home, this.#offered.get(home) ?? hintKey(home, ''));
  }

  #deliverAfter(home: NodeId, after: StoreKey): void {
    const { store, clock, limits } = this.#parts;
    if (this.#isStopped) return;
    const hints = store.range('hints', { after, to: `${home}\x01`, limit: limits.repairBatch });
    this.#offered.delete(home);
    if (hints.length === 0) {
      this.#delivering.delete(home);
      return;
    }
    let isAnyHeld = false;
    let unanswered = hints.length;
    let isOver = false;
    const finish = (next: () => void) => {
      if (isOver) return;
      isOver = true;
      clock.cancel(timer);
      next();
    };
    const last = hints.at(-1)!.key;
    // Whoever does not answer is asked again in the next round. What goes to others must not hold up what is behind it.
    const timer = clock.after(limits.phaseTimeoutMs, () =>
      finish(() => {
        if (this.#isForHome(home, last)) this.#delivering.delete(home);
        else this.#deliverAfter(home, last);
      }),
    );
    for (const { key, value } of hints) {
      this.#offer(home, key, value, (isHeld) => {
        isAnyHeld ||= isHeld;
        if (--unanswered > 0) return;
        finish(() => {
          if (!isAnyHeld) return clock.after(limits.repairPauseMs, () => this.#deliverAfter(home, last));
          // They stay, and there may be many: no more than one batch in each round.
          this.#offered.set(home, last);
          this.#delivering.delete(home);
        });
      });
    }
  }

  /** The next of the hints for a home that is down: those that are too old go, those that it has left go elsewhere. */
  #lookThrough(home: NodeId): void {
    if (this.#delivering.has(home)) return;
    const { store, limits } = this.#parts;
    const after = this.#lookedThrough.get(home) ?? hintKey(home, '');
    const hints = store.range('hints', { after, to: `${home}\x01`, limit: limits.repairBatch });
    if (hints.length < limits.repairBatch) this.#lookedThrough.delete(home);
    else this.#lookedThrough.set(home, hints.at(-1)!.key);
    for (const { key, value } of hints) {
      const isOld = value === DAMAGED || this.#isTooOld(value);
      if (isOld || !this.#isForHome(home, key)) this.#offer(home, key, value, () => {});
    }
  }

  /** Offers one hint to those who should have it; `settled` is called once they answered, and told whether any holds it back. */
  #offer(home: NodeId, hint: StoreKey, value: Uint8Array, settled: (isHeld: boolean) => void): void {
    const { log, transport, configOfKey } = this.#parts;
    if (value === DAMAGED) {
      this.#lose(hint);
      return settled(false);
    }
    const record = decodeRecord(value.subarray(TIME_BYTES));
    if (this.#isTooOld(value)) {
      log.debug('dropped a hint that is too old', { for: home });
      this.#drop(hint);
      return settled(false);
    }
    const key = storeKeyIn(hint);
    const waiting = new Set(this.#targetsOf(home, key));
    if (waiting.size === 0) {
      // This node is the only one that should have it, and its replica does.
      this.#drop(hint);
      return settled(false);
    }
    const { epoch } = configOfKey(key);
    let isTaken = true;
    let isHeld = false;
    for (const node of waiting) {
      transport.send(node, { kind: 'learn', key, record, isFlushed: true }, (reply) => {
        if (reply.kind !== 'learned' || !waiting.delete(node)) return;
        // Who has no vote yet, as on a new disk, may erase what it has before it gets one; so may one that is behind. What
        // comes to a sealed member may be too late for the next epoch.
        if (!isKeptSince(epoch, reply)) isTaken = false;
        if (reply.isHeld === true) isHeld = true;
        if (waiting.size > 0) return;
        if (!isTaken) return settled(isHeld);
        // A newer record may be kept by now.
        const now = this.#get(hint);
        if (now !== undefined && sameBallot(ballotIn(now.subarray(TIME_BYTES)), record.ballot)) this.#drop(hint);
        settled(false);
      });
    }
  }

  /** The home, as long as it is one; else those that are now, this node's own replica among them. */
  #targetsOf(home: NodeId, key: StoreKey): readonly NodeId[] {
    const members = this.#parts.configOfKey(key).members.map(({ node }) => node);
    return members.includes(home) ? [home] : members;
  }

  /** Whether the home of a hint still is one. */
  #isForHome(home: NodeId, hint: StoreKey): boolean {
    return this.#targetsOf(home, storeKeyIn(hint)).includes(home);
  }

  #isTooOld(value: Uint8Array): boolean {
    const { clock, limits } = this.#parts;
    const keptAtMs = Buffer.from(value.buffer, value.byteOffset, TIME_BYTES).readDoubleBE();
    return clock.now() - keptAtMs > limits.hintLifeMs;
  }

  #kept(key: StoreKey): { readonly record: ItemRecord; readonly isTooOld: boolean }[] {
    const kept: { record: ItemRecord; isTooOld: boolean }[] = [];
    for (const home of this.#counts.keys()) {
      const value = this.#get(hintKey(home, key));
      if (value === undefined) continue;
      kept.push({ record: decodeRecord(value.subarray(TIME_BYTES)), isTooOld: this.#isTooOld(value) });
    }
    return kept;
  }

  #drop(hint: StoreKey): void {
    const value = this.#get(hint);
    if (value === undefined) return;
    this.#parts.store.remove('hints', hint);
    this.#count(homeOf(hint), -1, -value.length);
  }

  /** What is kept; one that cannot be read is dropped. */
  #get(hint: StoreKey): Uint8Array | undefined {
    const value = this.#parts.store.get('hints', hint);
    if (value !== DAMAGED) return value;
    this.#lose(hint);
    return undefined;
  }

  /** Drops a hint that cannot be read: of its bytes it is only known that they were counted. */
  #lose(hint: StoreKey): void {
    this.#remove(hint);
    this.#count(homeOf(hint), -1, -Math.floor(this.#bytes / Math.max(1, this.count)));
  }

  #remove(hint: StoreKey): void {
    this.#damaged++;
    this.#parts.store.remove('hints', hint);
    // One that finds many does not say so of each.
    if ((this.#damaged & (this.#damaged - 1)) !== 0) return;
    const { log, self } = this.#parts;
    log.warn('hints are damaged and were dropped', { node: self, for: homeOf(hint), soFar: this.#damaged });
  }

  #count(home: NodeId, more: number, moreBytes: number): void {
    const count = (this.#counts.get(home) ?? 0) + more;
    if (count <= 0) {
      this.#counts.delete(home);
      this.#lookedThrough.delete(home);
    } else this.#counts.set(home, count);
    this.#bytes += moreBytes;
  }

  *#all(): Iterable<{ readonly key: StoreKey; readonly value: Uint8Array }> {
    let last: StoreKey = SEPARATOR;
    for (;;) {
      const page = this.#parts.store.range('hints', { after: last, to: HINTS_END, limit: PAGE });
      yield* page;
      if (page.length < PAGE) return;
      last = page.at(-1)!.key;
    }
  }
}

interface HintedHandoffParts {
  readonly self: NodeId;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: NodeLimits;
  readonly transport: Transport<Request, Reply>;
  readonly isUp: (node: NodeId) => boolean;
  /** The newest config known of a key's partition. */
  readonly configOfKey: (key: StoreKey) => PartitionConfig;
}

function hintKey(home: NodeId, key: StoreKey): StoreKey {
  return home + SEPARATOR + key;
}

function homeOf(hint: StoreKey): NodeId {
  return hint.slice(0, hint.indexOf(SEPARATOR));
}

function storeKeyIn(hint: StoreKey): StoreKey {
  return hint.slice(hint.indexOf(SEPARATOR) + 1);
}
