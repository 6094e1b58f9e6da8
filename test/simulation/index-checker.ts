import type { SecondaryIndex } from '../../src/api/table-definition.ts';

import { type Ballot, compareBallots, NO_BALLOT, sameBallot, TICKS_PER_MS } from '../../src/dynamo/ballot.ts';
import { localRowKey, partitionOf, sortKeyOf, tableOf, tableRange } from '../../src/dynamo/keyspace.ts';
import type { Member, PartitionConfig, Reply, Request } from '../../src/dynamo/messages.ts';
import type { NodeLimits } from '../../src/dynamo/node-settings.ts';
import type { ItemRecord } from '../../src/dynamo/record.ts';
import type { NodeId } from '../../src/dynamo/ring.ts';
import type { StoreKey } from '../../src/env/store.ts';
import type { Beginning, ChosenRecords } from './chosen-records.ts';
import { encodedKeyOf } from './index-queries.ts';
import { type IndexedItems, textOf } from './indexed-items.ts';
import { registerValueOf } from './item-value.ts';
import type { Operation } from './linearizability.ts';
import type { Membership } from './membership.ts';
import type { SimulatedHost } from './simulated-host.ts';
import type { Observer } from './simulated-network.ts';
import { showBallot, showRecord } from './trace.ts';
import { CLOCK_START_MS } from './virtual-time.ts';
import type { SimulatedKey } from './workload.ts';

/** Every index of every version of the table: those that were dropped too. */
const INDEX_TABLE = 'index-';
/** Where a store key has its table. */
const TABLE_AT = 2;

/** Whether a key is that of an entry of a global index. */
export function isEntryKey(key: StoreKey): boolean {
  return key.startsWith(INDEX_TABLE, TABLE_AT);
}

/**
 * Watches the messages about entries of global indexes: each is under the ballot of a chosen record of an item, and is what
 * the index has of that record: its entry, or a tombstone where it has none. All other messages are about items, and for
 * the chosen records to judge.
 */
export class EntryObserver implements Observer {
  readonly violations: string[] = [];
  readonly #chosen: ChosenRecords;
  readonly #items: IndexedItems;
  readonly #parts: EntryObserverParts;
  /** By item: the chosen records that were the newest, and since when. */
  readonly #newest = new Map<StoreKey, readonly { readonly ballot: Ballot; readonly sinceMs: number }[]>();
  /** By item: up to where it was said to be settled. */
  readonly #settled = new Map<StoreKey, Ballot>();
  /** By entry: the newest record of it that was said to be in its place. */
  readonly #confirmed = new Map<StoreKey, { readonly ballot: Ballot; readonly isTombstone: boolean }>();
  /** By entry: up to where tombstones were purged. */
  readonly #purged = new Map<StoreKey, Ballot>();

  constructor(chosen: ChosenRecords, items: IndexedItems, parts: EntryObserverParts) {
    this.#chosen = chosen;
    this.#items = items;
    this.#parts = parts;
  }

  /**
   * An epoch was decided: it begins with all entries that are said to be in their places.
   * @param beginnings of the members that have staged it
   * @param mayForget whether a tombstone is so old that replicas do not tell each other of it
   */
  decided(
    { partition, epoch }: PartitionConfig,
    beginnings: readonly Beginning[],
    mayForget: (tombstone: Ballot) => boolean,
  ): void {
    for (const [key, { ballot, isTombstone }] of this.#confirmed) {
      if (partitionOf(key) !== partition || isUpTo(ballot, this.#purged.get(key)) || this.#isDropped(key)) continue;
      // Whether it was removed since by a tombstone that some have, and that is too old to be told to the others.
      const isRemoved = beginnings.some((beginning) => {
        const top = beginning.topOf(key);
        return top !== undefined && top.item === undefined && !isUpTo(top.ballot, ballot) && mayForget(top.ballot);
      });
      for (const beginning of beginnings) {
        const top = beginning.topOf(key);
        if (beginning.isDamaged(key) || isUpTo(ballot, top?.ballot)) continue;
        if (top?.item === undefined && (isRemoved || (isTombstone && mayForget(ballot)))) continue;
        this.violations.push(
          `epoch ${epoch} begins with ${showRecord(top)} of an entry that was confirmed at ${showBallot(ballot)} (I19)`,
        );
      }
    }
  }

  sent(from: NodeId, request: Request): void {
    const key = entryKeyIn(request);
    if (key === undefined) {
      if (request.kind === 'accept') this.#checkPlaces(from, request.key, request.record);
      if (request.kind === 'mark-settled') this.#checkMark(from, request.key, request.due);
      if (request.kind === 'purge') this.#checkPurge(from, request.key, request.ballot);
      return this.#chosen.sent(from, request);
    }
    // The restore of a damaged entry asks for promises, and takes what others have as it is.
    if (request.kind === 'accept' || (request.kind === 'prepare' && !this.#parts.rots)) {
      this.violations.push(`${from} sends ${request.kind} for an entry, which nobody chooses`);
    }
    if (request.kind === 'purge') raise(this.#purged, key, request.ballot);
    // Hints and repairs bring what is old, for as long as tombstones live. What settles an item does not.
    const isPropagated = request.kind === 'learn' && request.isFlushed === true && request.isNeeded !== undefined;
    if (isPropagated) this.#checkAge(from, request.record);
    if ('record' in request && request.record !== undefined) this.#check(from, key, request.record);
  }

  received(replica: NodeId, request: Request & { readonly key: StoreKey }): Ballot {
    return isEntryKey(request.key) ? NO_BALLOT : this.#chosen.received(replica, request);
  }

  answered(replica: NodeId, request: Request, reply: Reply, acknowledged: Ballot): void {
    if (entryKeyIn(request) !== undefined) return;
    this.#chosen.answered(replica, request, reply, acknowledged);
    if (request.kind === 'accept' && reply.kind === 'accepted') this.#noteNewest(request.key);
  }

  delivered(request: Request, reply: Reply): void {
    if (entryKeyIn(request) === undefined) this.#chosen.delivered(request, reply);
  }

  #noteNewest(key: StoreKey): void {
    const newest = this.#chosen.chosen(key).at(-1);
    const known = this.#newest.get(key) ?? [];
    const last = known.at(-1);
    if (newest === undefined || (last !== undefined && isUpTo(newest.ballot, last.ballot))) return;
    this.#newest.set(key, [...known, { ballot: newest.ballot, sinceMs: this.#parts.nowMs() }]);
  }

  /** An item is settled within the life of an operation after its record was the newest (I20). */
  #checkAge(from: NodeId, { ballot }: ItemRecord): void {
    const { limits, nowMs, keys } = this.#parts;
    for (const { storeKey, name } of keys()) {
      if (this.#chosen.chosenUnder(storeKey, ballot) === undefined) continue;
      const overtaken = this.#newest.get(storeKey)?.find((newer) => !isUpTo(newer.ballot, ballot));
      const ageMs = nowMs() - (overtaken?.sinceMs ?? nowMs());
      if (ageMs <= limits.opLifeMs + 2 * limits.phaseTimeoutMs) continue;
      this.violations.push(`${from} settles ${showBallot(ballot)} of ${name}, overtaken ${ageMs} ms ago (I20)`);
    }
  }

  /** What is said to be settled is on the disks of a majority of the homes of each entry. */
  #checkMark(from: NodeId, key: StoreKey, due: Ballot): void {
    raise(this.#settled, key, due);
    const record = this.#chosen
      .chosen(key)
      .find(({ derived }) => derived !== undefined && sameBallot(derived.due, due));
    if (record === undefined) {
      this.violations.push(`${from} says that ${showBallot(due)} is settled, which no chosen record names`);
      return;
    }
    const { owed, entries } = record.derived!;
    for (const entry of [...owed, ...entries]) {
      if (this.#isDropped(entry) || isUpTo(due, this.#purged.get(entry))) continue;
      const config = this.#parts.configOf(partitionOf(entry));
      const holders = config.members.filter((member) => this.#hasDurably(member, config, entry, due));
      if (holders.length <= config.members.length / 2) {
        const homes = holders.map(({ node }) => node).join('');
        const what = `${from} says that ${showBallot(due)} of ${showRecord(record)} is settled`;
        this.violations.push(`${what}, but an entry is safe at ${homes || 'none'} of its homes (I19)`);
        return;
      }
      const known = this.#confirmed.get(entry);
      if (known === undefined || compareBallots(known.ballot, due) < 0) {
        this.#confirmed.set(entry, { ballot: due, isTombstone: owed.includes(entry) });
      }
    }
  }

  #hasDurably({ node, diskId }: Member, config: PartitionConfig, entry: StoreKey, due: Ballot): boolean {
    const host = this.#parts.hostOf(node);
    // The loss of a disk is another matter: the others make up for it.
    if (host.member.diskId !== diskId) return true;
    // So is an entry that has rotted since, until it is restored from the others.
    if (host.isDamaged(entry)) return true;
    const record = host.durableOf(entry);
    if (record === 'damaged' || isUpTo(due, record?.ballot)) return true;
    return isUpTo(due, host.beginningOf(config)?.topOf(entry)?.ballot);
  }

  /** An item that is gone for ever owes nothing: nobody else knows where its entries are. */
  #checkPurge(from: NodeId, key: StoreKey, ballot: Ballot): void {
    const due = this.#chosen.chosenUnder(key, ballot)?.derived?.due;
    if (due === undefined || sameBallot(due, NO_BALLOT) || isUpTo(due, this.#settled.get(key))) return;
    this.violations.push(`${from} purges ${showBallot(ballot)}, of which ${showBallot(due)} is not settled`);
  }

  #isDropped(entry: StoreKey): boolean {
    return this.#items.latest.version > 1 && tableOf(entry) === this.#items.dropped;
  }

  /** A record says where the entries of its item are, by the derivation that it names. */
  #checkPlaces(from: NodeId, key: StoreKey, { ballot, item, derived }: ItemRecord): void {
    const of = this.#parts.keys().find(({ storeKey }) => storeKey === key);
    if (of === undefined) return;
    const value = registerValueOf(item);
    const indexes = derived === undefined ? [] : this.#items.globalsOf(derived.version);
    const keys =
      value === null ? [] : indexes.flatMap((index) => this.#items.entryOf(index, encodedKeyOf(of), value)?.key ?? []);
    const where = new Set(keys);
    if (
      derived !== undefined &&
      derived.entries.length === where.size &&
      derived.entries.every((each) => where.has(each))
    ) {
      if (!derived.owed.some((each) => where.has(each))) return;
    }
    this.violations.push(
      `${from} proposes ${showBallot(ballot)}=${value} of ${of.name}, which says of entries what is not so`,
    );
  }

  #check(from: NodeId, key: StoreKey, { ballot, item }: ItemRecord): void {
    const index = this.#items.everIndexed.find(({ storageId }) => storageId === tableOf(key))!;
    const texts = this.#parts.keys().flatMap((each) => {
      const record = this.#chosen.chosenUnder(each.storeKey, ballot);
      if (record === undefined) return [];
      const value = registerValueOf(record.item);
      const entry = value === null ? undefined : this.#items.entryOf(index, encodedKeyOf(each), value);
      return [entry?.key === key ? entry.text : 'none'];
    });
    const text = item === undefined ? 'none' : textOf(item);
    if (texts.includes(text)) return;
    const what = `${from} tells of an entry ${text} of ${index.name} at ${showBallot(ballot)}`;
    this.violations.push(`${what}, ${texts.length === 0 ? 'which is not chosen' : `which has ${texts.join(', ')}`}`);
  }
}

interface EntryObserverParts {
  /** Whether entries on disks may be damaged. */
  readonly rots: boolean;
  readonly limits: NodeLimits;
  readonly nowMs: () => number;
  readonly keys: () => readonly SimulatedKey[];
  readonly hostOf: (node: NodeId) => SimulatedHost;
  /** The decided config of a partition. */
  readonly configOf: (partition: number) => PartitionConfig;
}

function isUpTo(ballot: Ballot, last: Ballot | undefined): boolean {
  return last !== undefined && compareBallots(ballot, last) <= 0;
}

function raise(ballots: Map<StoreKey, Ballot>, key: StoreKey, ballot: Ballot): void {
  if (!isUpTo(ballot, ballots.get(key))) ballots.set(key, ballot);
}

/** The entry that a message is about. */
function entryKeyIn(request: Request): StoreKey | undefined {
  return 'key' in request && isEntryKey(request.key) ? request.key : undefined;
}

export interface IndexState {
  readonly hosts: readonly SimulatedHost[];
  readonly keys: readonly SimulatedKey[];
  readonly items: IndexedItems;
  readonly membership: Membership;
}

/** How the indexes differ from the table, at each replica, when nothing is under way any more. */
export function findIndexFaults({ hosts, keys, items, membership }: IndexState): string[] {
  const faults: string[] = [];
  for (const index of items.globals) {
    const expected = new Map<StoreKey, string>();
    for (const key of keys) {
      const value = registerValueOf(key.homes[0]?.node?.stateOf(key.storeKey).committed?.item);
      const entry = value === null ? undefined : items.entryOf(index, encodedKeyOf(key), value);
      if (entry !== undefined) expected.set(entry.key, entry.text);
    }
    for (const { partition, members } of membership.configs) {
      for (const host of hosts.filter(({ id }) => members.some(({ node }) => node === id))) {
        const { from, to } = tableRange(partition, index.storageId!);
        const wanted = new Map([...expected].filter(([key]) => key >= from && key < to));
        const where = `${index.name} at ${host.id}`;
        for (const { key, record } of host.committedIn(from, to)) {
          if (record.item === undefined) continue;
          const [text, want] = [textOf(record.item), wanted.get(key)];
          wanted.delete(key);
          if (want === undefined)
            faults.push(`${where} has ${text} (${showBallot(record.ballot)}), which is of no item`);
          else if (want !== text) faults.push(`${where} has ${text} (${showBallot(record.ballot)}) instead of ${want}`);
        }
        for (const [key, text] of wanted) {
          // Damage that nobody has met yet is found when the entry is read.
          if (host.durableOf(key) !== 'damaged') faults.push(`${where} lacks ${text}`);
        }
      }
    }
  }
  return faults;
}

/**
 * The rows of local indexes that replicas lack. After a crash, one may have rows too many: readers compare them with the
 * records.
 */
export function findRowFaults({ hosts }: IndexState): string[] {
  const faults: string[] = [];
  for (const host of hosts) {
    for (const { key, record } of host.committedIn('', '\xff\xff')) {
      for (const [index, place] of (record.derived?.local ?? []).entries()) {
        if (place === undefined || host.hasLocalRow(localRowKey(key, index, place), sortKeyOf(key))) continue;
        faults.push(`${host.id} has no row of ${showRecord(record)} in local index ${index}`);
      }
    }
  }
  return faults;
}

/** Whether a replica of a global index holds a tombstone that is older than `ageMs`. */
export function hasEntryTombstone({ hosts, items, membership }: IndexState, nowMs: number, ageMs: number): boolean {
  const isOld = ({ item, ballot }: ItemRecord) =>
    item === undefined && CLOCK_START_MS + nowMs - ballot.hlc / TICKS_PER_MS > ageMs;
  return items.globals.some((index) =>
    membership.configs.some(({ partition }) => {
      const { from, to } = tableRange(partition, index.storageId!);
      return hosts.some((host) => host.committedIn(from, to).some(({ record }) => isOld(record)));
    }),
  );
}

/** A query of a global index, and what it showed of each item. */
export interface EntryRead {
  readonly index: SecondaryIndex;
  readonly calledAt: number;
  readonly answeredAt: number;
  /** The prefix of the entries that it would have shown. */
  readonly collection: StoreKey;
  readonly shown: readonly { readonly name: string; readonly text: string }[];
  /** Whether there were more entries than it has shown. */
  readonly isCut: boolean;
}

/**
 * What queries should have shown: where nothing fails, a write is answered when queries of the indexes show it. Of an item that
 * is being written, a replica may have removed the old entry and not have the new one yet.
 * @param operations those on items
 */
export function findStaleEntries(
  { keys, items }: Pick<IndexState, 'keys' | 'items'>,
  reads: readonly EntryRead[],
  operations: readonly Operation[],
  chosen: ChosenRecords,
): string[] {
  const stale: string[] = [];
  for (const key of keys) {
    const versions = chosen.chosen(key.storeKey).map(({ item }) => registerValueOf(item));
    const writes = operations.filter(({ key: of, call }) => of === key.storeKey && call.kind !== 'read');
    for (const { index, calledAt, answeredAt, collection, shown, isCut } of reads) {
      if (writes.some((write) => write.calledAt < answeredAt && write.returnedAt > calledAt)) continue;
      // The record of a write need not be chosen itself: that of the next one may contain it.
      const answered = writes
        .filter(
          ({ call, answer, returnedAt }) => call.kind === 'put' && answer.kind === 'applied' && returnedAt < calledAt,
        )
        .map(({ call }) => (call.kind === 'put' ? versions.indexOf(call.value) : -1))
        .filter((version) => version >= 0);
      if (answered.length === 0) continue;
      const texts = shown.filter(({ name }) => name === key.name).map(({ text }) => text);
      const recent = versions.slice(Math.max(...answered)).map((value) => {
        const entry = value === null ? undefined : items.entryOf(index, encodedKeyOf(key), value);
        return entry?.key.startsWith(collection) === true ? entry.text : '';
      });
      if (recent.includes(texts.join(' | ')) || (isCut && texts.length === 0)) continue;
      const what = `${index.name} (call ${calledAt}) showed ${texts.join(' | ') || 'nothing'} of ${key.name}`;
      stale.push(`${what}, which had ${recent.map((text) => text || 'nothing').join(' or ')}`);
    }
  }
  return stale;
}
