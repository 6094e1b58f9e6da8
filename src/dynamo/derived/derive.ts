import type { AttributeMap } from '../../api/attribute-value.ts';
import type { Derivation } from '../../api/derivation.ts';
import { type ItemImage, toImage } from '../../api/item.ts';
import type { ByteString } from '../../api/primary-key.ts';
import type { StoreKey } from '../../env/store.ts';
import { type Ballot, compareBallots, NO_BALLOT } from '../ballot.ts';
import type { Writer } from '../client.ts';
import { assertInvariant } from '../invariants.ts';
import { tableOf } from '../keyspace.ts';
import { ItemRecord, type RecordFields } from '../record.ts';
import type { Rules } from '../rules.ts';
import { type Change, changeOf, changesAfter, imageBytes } from './changes.ts';
import type { Derived } from './derived-section.ts';
import { type EarlierPlaces, globalsOf, isSameAttribute, NOWHERE, type Places, partOf, placesOf } from './places.ts';
import type { Settled } from './settled.ts';

/*
 * What a proposal carries beside its item (docs/protocol.md section 14.1). Pure, and the only place that decides it: writes,
 * rounds that choose a record again, the finisher and the restore of damaged records all ask here.
 */

/** What a proposal of one key derives from. */
export interface Basis {
  readonly key: StoreKey;
  /** Q */
  readonly partitions: number;
  /** Not older than the one that the newest record was made by. Undefined: nothing is derived from the table. */
  readonly derivation: Derivation | undefined;
  /** Up to where the item is settled, as marks say. */
  readonly settled: Settled;
  /** How many places the item may owe one index. */
  readonly owedKept: number;
  /** How many of its changes may wait for the log. */
  readonly changesKept: number;
  /** How many bytes their images may have, if there are several. */
  readonly changeBytesKept: number;
  readonly rules: Rules;
}

/** An entry of a global index: where it is kept, and what of it. */
export interface IndexEntry {
  readonly key: StoreKey;
  /** That of the entry in its index. */
  readonly partitionKey: ByteString;
  readonly item: ItemImage;
}

/** The newest record, to be chosen again under another ballot: `{t with b}` of the protocol. */
export function chosenAgain(top: ItemRecord, ballot: Ballot, basis: Basis): ItemRecord {
  return top.withBallot(ballot, carry(top, ballot, basis));
}

/**
 * The record of a new value.
 * @param top what it follows; undefined: nothing is there, or, in `dynamo` mode, nothing was read
 * @param by who writes, if it is no client
 */
export function successor(
  top: ItemRecord | undefined,
  fields: RecordFields,
  basis: Basis,
  by?: Writer | undefined,
): ItemRecord {
  const { derivation } = basis;
  // One look for tables of which nothing is derived.
  if (derivation === undefined) return new ItemRecord(fields);
  const { item, partitionKey } = fields;
  const part = item === undefined ? undefined : partOf(item, derivation);
  const earlier = earlierOf(top, derivation);
  const placed = { key: basis.key, partitionKey, partitions: basis.partitions };
  const places = part === undefined ? NOWHERE : placesOf({ image: item!, part }, derivation, placed, earlier);
  const record = new ItemRecord({
    ...fields,
    derived: next(top, fields, { basis, derivation, part, places, earlier, by }),
  });
  if (part !== undefined && places.globals.length > 0) {
    const { globals } = places;
    PLACED.set(record, { version: derivation.version, partitions: basis.partitions, part, globals });
  }
  return record;
}

/** Where a record has entries, and by what. */
function earlierOf(top: ItemRecord | undefined, derivation: Derivation): EarlierPlaces | undefined {
  if (top?.item === undefined || top.derived === undefined || top.derived.entries.length === 0) return undefined;
  return { part: partOf(top.item, derivation), entries: top.derived.entries };
}

/**
 * What was derived from the records that this process has made. A coordinator settles most of what it writes, and then
 * needs neither to read the item nor to hash its keys again.
 */
const PLACED = new WeakMap<
  ItemRecord,
  {
    readonly version: number;
    readonly partitions: number;
    readonly part: AttributeMap;
    readonly globals: Places['globals'];
  }
>();

/** The index or the stream that a record owes more than it may: then it must not be proposed. */
export function overCap({ derived, item }: ItemRecord, basis: Basis): ByteString | undefined {
  const { owedKept } = basis;
  if (derived === undefined) return undefined;
  if (derived.changes !== undefined && areChangesOverCap(derived.changes, item, basis))
    return derived.changes[0]!.stream;
  if (derived.owed.length <= owedKept) return undefined;
  const counts = new Map<ByteString, number>();
  for (const key of derived.owed) counts.set(tableOf(key), (counts.get(tableOf(key)) ?? 0) + 1);
  for (const [index, count] of counts) if (count > owedKept) return index;
  return undefined;
}

function areChangesOverCap(
  changes: readonly Change[],
  item: ItemImage | undefined,
  { changesKept, changeBytesKept }: Basis,
): boolean {
  if (changes.length <= 1) return false;
  return changes.length > changesKept || imageBytes(changes, item) > changeBytesKept;
}

/** Whether a record was made before what is derived from its table was changed to this. */
export function isDerivedBefore({ item, derived }: ItemRecord, derivation: Derivation | undefined): boolean {
  if (derivation === undefined || item === undefined) return false;
  return (derived?.version ?? 0) < derivation.version;
}

/** The entries of a record, with what they hold. */
export function entriesOf(record: ItemRecord, basis: Pick<Basis, 'key' | 'partitions' | 'derivation'>): IndexEntry[] {
  const { item, partitionKey } = record;
  const { derivation, partitions } = basis;
  if (item === undefined || derivation === undefined) return [];
  const known = PLACED.get(record);
  const isKnown = known?.version === derivation.version && known.partitions === partitions;
  const part = isKnown ? known.part : partOf(item, derivation);
  const placed = { key: basis.key, partitionKey, partitions };
  const { globals } = isKnown ? known : placesOf({ image: item, part }, derivation, placed);
  return globals.map((place) => ({
    key: place.key,
    partitionKey: place.partitionKey,
    // An index that projects all attributes keeps the very bytes of the item.
    item: place.entry === part ? item : toImage(place.entry),
  }));
}

/** What `top` carries when it is chosen again: what is settled is dropped, a newer derivation is taken up. */
function carry(top: ItemRecord, ballot: Ballot, basis: Basis): Derived | undefined {
  const { derived, item } = top;
  const { derivation, settled, rules } = basis;
  assertNotOlder(derivation, derived);
  if (derivation === undefined || derivation.version === derived?.version || !rules.adoptionTakesDerivation) {
    if (derived === undefined) return undefined;
    const owed = derived.owed.length === 0 ? derived.owed : owedAt(derived, settled);
    const changes = carriedChanges(derived, settled);
    const isSame = owed.length === derived.owed.length && changes.length === (derived.changes?.length ?? 0);
    return isSame ? derived : withChanges({ ...derived, owed }, changes);
  }
  // No record before this one has left an entry in an index that is new; those of an index that is gone are forgotten with it.
  const kept = new Set(globalsOf(derivation).map(({ storageId }) => storageId));
  const owed = owedAt(derived, settled).filter((key) => kept.has(tableOf(key)));
  const placed = { key: basis.key, partitionKey: top.partitionKey, partitions: basis.partitions };
  const places =
    item === undefined ? NOWHERE : placesOf({ image: item, part: partOf(item, derivation) }, derivation, placed);
  const newer = {
    version: derivation.version,
    valueBallot: derived?.valueBallot ?? top.ballot,
    due: kept.size === 0 ? NO_BALLOT : ballot,
    owed,
    entries: keysOf(places),
    local: places.local,
    localBytes: places.localBytes,
  };
  // What was changed before belongs to the stream that the table had then.
  return withChanges(newer, carriedChanges(derived, settled));
}

/** The changes of a record that are not known to be in the log. */
function carriedChanges(derived: Derived | undefined, { logged }: Settled): readonly Change[] {
  return changesAfter(derived?.changes, logged);
}

/** Most records have no changes: then they have no room for them either. */
function withChanges({ changes: _, ...derived }: Derived, changes: readonly Change[]): Derived {
  return changes.length === 0 ? derived : { ...derived, changes };
}

/** A value, by what it is derived, and where it so is in the indexes. */
interface Placing {
  readonly basis: Basis;
  readonly derivation: Derivation;
  readonly part: AttributeMap | undefined;
  readonly places: Places;
  readonly earlier: EarlierPlaces | undefined;
  /** Who writes it, if it is no client. */
  readonly by: Writer | undefined;
}

function next(top: ItemRecord | undefined, { ballot, item }: RecordFields, placing: Placing): Derived {
  const { basis, derivation, places, by } = placing;
  const before = top?.derived;
  assertNotOlder(derivation, before);
  const entries = keysOf(places);
  const isSame = isSameItem(top?.item, item);
  const globals = globalsOf(derivation);
  const isNewer = (before?.version ?? 0) < derivation.version && globals.length > 0 && top !== undefined;
  const isDue = isNewer || (!isSame && haveEntriesChanged(before?.entries ?? NO_KEYS, entries, placing));
  const derived = {
    version: derivation.version,
    valueBallot: isSame && top !== undefined ? (before?.valueBallot ?? top.ballot) : ballot,
    due: isDue ? ballot : (before?.due ?? NO_BALLOT),
    owed: owedAfter(before, entries, { basis, derivation }),
    entries,
    local: places.local,
    localBytes: places.localBytes,
  };
  const { rules } = basis;
  const carried = rules.changesAreCarried ? carriedChanges(before, basis.settled) : [];
  const change =
    isSame && rules.sameIsNoChange
      ? undefined
      : changeOf({ ballot, old: top?.item, next: item, by }, derivation, rules);
  return withChanges(derived, change === undefined ? carried : [...carried, change]);
}

const NO_KEYS: readonly StoreKey[] = [];

/** What a new value with these entries owes: what was owed, and the places that it has left. */
function owedAfter(
  before: Derived | undefined,
  entries: readonly StoreKey[],
  { basis: { rules, owedKept, settled }, derivation }: Pick<Placing, 'basis' | 'derivation'>,
): readonly StoreKey[] {
  if (before === undefined) return NO_KEYS;
  const owed: StoreKey[] = [];
  const ids = globalsOf(derivation).map(({ storageId }) => storageId);
  for (const keys of [rules.owedIsCarried ? owedAt(before, settled) : NO_KEYS, before.entries]) {
    for (const key of keys) {
      if (!entries.includes(key) && !owed.includes(key) && ids.includes(tableOf(key))) owed.push(key);
    }
  }
  if (!rules.capIsKept) owed.splice(0, owed.length - owedKept);
  return owed;
}

/** A record that is made by an older derivation would leave the entries of a newer index behind. */
function assertNotOlder(derivation: Derivation | undefined, before: Derived | undefined): void {
  const isNewEnough = derivation === undefined || before === undefined || derivation.version >= before.version;
  assertInvariant(
    isNewEnough,
    'docs/protocol.md I18',
    'a record is made by an older derivation than the one before it',
  );
}

/** What is still owed once everything up to `settled` is. */
function owedAt(derived: Derived | undefined, settled: Settled): readonly StoreKey[] {
  if (derived === undefined || compareBallots(settled.due, derived.due) >= 0) return [];
  return derived.owed;
}

/** Whether some entry is not what it was: elsewhere, or another projection. */
function haveEntriesChanged(
  before: readonly StoreKey[],
  entries: readonly StoreKey[],
  { derivation, part, earlier }: Placing,
): boolean {
  if (before.length !== entries.length || !entries.every((key) => before.includes(key))) return true;
  if (entries.length === 0 || part === undefined) return false;
  // In the same place, an entry differs only by attributes that are no keys.
  return globalsOf(derivation).some((index) => {
    const { ProjectionType: type, NonKeyAttributes: names = [] } = index.projection;
    if (type === 'KEYS_ONLY' || !entries.some((key) => tableOf(key) === index.storageId)) return false;
    if (type === 'ALL') return true;
    return names.some((name) => !isSameAttribute(earlier!.part, part, name));
  });
}

function isSameItem(one: ItemImage | undefined, other: ItemImage | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return Buffer.compare(one.json, other.json) === 0;
}

function keysOf({ globals }: Places): StoreKey[] {
  return globals.map(({ key }) => key);
}
