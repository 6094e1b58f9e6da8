import { type AttributeMap, equalValues } from '../../api/attribute-value.ts';
import type { Derivation } from '../../api/derivation.ts';
import { entryPartitionKey, entrySortKey, localSortKey } from '../../api/entry-place.ts';
import { indexEntry } from '../../api/index-entry.ts';
import { fromImage, type ItemImage, sizeOf, toImage } from '../../api/item.ts';
import type { ByteString, EncodedKey } from '../../api/primary-key.ts';
import type { SecondaryIndex } from '../../api/table-definition.ts';
import type { StoreKey } from '../../env/store.ts';
import { type Ballot, compareBallots, NO_BALLOT } from '../ballot.ts';
import { assertInvariant } from '../invariants.ts';
import { collectionPrefix, sortKeyOf, tableOf } from '../keyspace.ts';
import { ItemRecord, type RecordFields } from '../record.ts';
import type { Rules } from '../rules.ts';
import type { Derived } from './derived-section.ts';

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
  /** Everything that is due up to this ballot is settled, as a mark says. */
  readonly settled: Ballot;
  /** How many places the item may owe one index. */
  readonly owedKept: number;
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
 */
export function successor(top: ItemRecord | undefined, fields: RecordFields, basis: Basis): ItemRecord {
  const { derivation } = basis;
  // One look for tables of which nothing is derived.
  if (derivation === undefined) return new ItemRecord(fields);
  const { item, partitionKey } = fields;
  const attributes = item === undefined ? undefined : fromImage(item);
  const places = attributes === undefined ? NOWHERE : placesOf(attributes, partitionKey, derivation, basis);
  const record = new ItemRecord({ ...fields, derived: next(top, fields, { basis, derivation, attributes, places }) });
  if (attributes !== undefined && places.globals.length > 0) {
    const { globals } = places;
    PLACED.set(record, { version: derivation.version, partitions: basis.partitions, attributes, globals });
  }
  return record;
}

/**
 * What was derived from the records that this process has made. A coordinator settles most of what it writes, and then
 * needs neither to parse the item nor to hash its keys again.
 */
const PLACED = new WeakMap<
  ItemRecord,
  {
    readonly version: number;
    readonly partitions: number;
    readonly attributes: AttributeMap;
    readonly globals: Places['globals'];
  }
>();

/** The index that a record owes more than it may: then it must not be proposed. */
export function indexOverCap({ derived }: ItemRecord, { owedKept }: Basis): ByteString | undefined {
  if (derived === undefined || derived.owed.length <= owedKept) return undefined;
  const counts = new Map<ByteString, number>();
  for (const key of derived.owed) counts.set(tableOf(key), (counts.get(tableOf(key)) ?? 0) + 1);
  for (const [index, count] of counts) if (count > owedKept) return index;
  return undefined;
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
  const attributes = isKnown ? known.attributes : fromImage(item);
  const { globals } = isKnown ? known : placesOf(attributes, partitionKey, derivation, basis);
  return globals.map((place) => ({
    key: place.key,
    partitionKey: place.partitionKey,
    item: imageOf(place.entry, attributes, item),
  }));
}

/** What `top` carries when it is chosen again: what is settled is dropped, a newer derivation is taken up. */
function carry(top: ItemRecord, ballot: Ballot, basis: Basis): Derived | undefined {
  const { derived, item } = top;
  const { derivation, settled, rules } = basis;
  assertNotOlder(derivation, derived);
  if (derivation === undefined || derivation.version === derived?.version || !rules.adoptionTakesDerivation) {
    const isSettled = derived === undefined || derived.owed.length === 0 || compareBallots(settled, derived.due) < 0;
    return isSettled ? derived : { ...derived, owed: [] };
  }
  // No record before this one has left an entry in an index that is new; those of an index that is gone are forgotten with it.
  const kept = new Set(globalsOf(derivation).map(({ storageId }) => storageId));
  const owed = owedAt(derived, settled).filter((key) => kept.has(tableOf(key)));
  const places = item === undefined ? NOWHERE : placesOf(fromImage(item), top.partitionKey, derivation, basis);
  return {
    version: derivation.version,
    valueBallot: derived?.valueBallot ?? top.ballot,
    due: kept.size === 0 ? NO_BALLOT : ballot,
    owed,
    entries: keysOf(places),
    local: places.local,
    localBytes: places.localBytes,
  };
}

/** A value, by what it is derived, and where it so is in the indexes. */
interface Placing {
  readonly basis: Basis;
  readonly derivation: Derivation;
  readonly attributes: AttributeMap | undefined;
  readonly places: Places;
}

function next(
  top: ItemRecord | undefined,
  { ballot, item }: RecordFields,
  { basis, derivation, attributes, places }: Placing,
): Derived {
  const before = top?.derived;
  assertNotOlder(derivation, before);
  const entries = keysOf(places);
  const globals = globalsOf(derivation);
  const ids = new Set(globals.map(({ storageId }) => storageId));
  const { rules, owedKept, settled } = basis;
  const earlier = rules.owedIsCarried ? owedAt(before, settled) : [];
  const owed = [...new Set([...earlier, ...(before?.entries ?? [])])].filter(
    (key) => ids.has(tableOf(key)) && !entries.includes(key),
  );
  if (!rules.capIsKept) owed.splice(0, owed.length - owedKept);
  const isSame = isSameItem(top?.item, item);
  const isNewer = (before?.version ?? 0) < derivation.version && globals.length > 0 && top !== undefined;
  const isDue = isNewer || (!isSame && haveEntriesChanged(top, { entries, attributes }, derivation));
  return {
    version: derivation.version,
    valueBallot: isSame && top !== undefined ? (before?.valueBallot ?? top.ballot) : ballot,
    due: isDue ? ballot : (before?.due ?? NO_BALLOT),
    owed,
    entries,
    local: places.local,
    localBytes: places.localBytes,
  };
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

const NOWHERE: Places = { globals: [], local: [], localBytes: 0 };

/** What is still owed once everything up to `settled` is. */
function owedAt(derived: Derived | undefined, settled: Ballot): readonly StoreKey[] {
  if (derived === undefined || compareBallots(settled, derived.due) >= 0) return [];
  return derived.owed;
}

/** Whether some entry is not what it was: elsewhere, or another projection. */
function haveEntriesChanged(
  top: ItemRecord | undefined,
  { entries, attributes }: { readonly entries: readonly StoreKey[]; readonly attributes: AttributeMap | undefined },
  derivation: Derivation,
): boolean {
  const before = top?.derived?.entries ?? [];
  if (before.length !== entries.length || !entries.every((key) => before.includes(key))) return true;
  if (entries.length === 0 || attributes === undefined) return false;
  let earlier: AttributeMap | undefined;
  // In the same place, an entry differs only by attributes that are no keys.
  return globalsOf(derivation).some((index) => {
    const { ProjectionType: type, NonKeyAttributes: names = [] } = index.projection;
    if (type === 'KEYS_ONLY' || !entries.some((key) => tableOf(key) === index.storageId)) return false;
    if (type === 'ALL') return true;
    earlier ??= fromImage(top!.item!);
    return names.some((name) => !isSameAttribute(earlier!, attributes, name));
  });
}

function isSameAttribute(one: AttributeMap, other: AttributeMap, name: string): boolean {
  const [has, hasOther] = [Object.hasOwn(one, name), Object.hasOwn(other, name)];
  return has === hasOther && (!has || equalValues(one[name]!, other[name]!));
}

function isSameItem(one: ItemImage | undefined, other: ItemImage | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return Buffer.compare(one.json, other.json) === 0;
}

/** The size of an item's entries in the local indexes of its table. */
export function localBytesOf(item: ItemImage, derivation: Derivation): number {
  const attributes = fromImage(item);
  const local = derivation.indexes.filter(({ kind }) => kind === 'local');
  const entries = local.map((index) => indexEntry(derivation, index, attributes));
  return entries.reduce((bytes, entry) => bytes + (entry === undefined ? 0 : sizeOf(entry)), 0);
}

/** Where an item is in the indexes of its table. */
interface Places {
  readonly globals: readonly EntryPlace[];
  readonly local: Derived['local'];
  readonly localBytes: number;
}

function keysOf({ globals }: Places): StoreKey[] {
  return globals.map(({ key }) => key);
}

function placesOf(
  attributes: AttributeMap,
  partitionKey: ByteString,
  derivation: Derivation,
  { key, partitions }: Pick<Basis, 'key' | 'partitions'>,
): Places {
  const itemKey = { partitionKey, sortKey: sortKeyOf(key) };
  const globals: EntryPlace[] = [];
  const local: (ByteString | undefined)[] = [];
  let localBytes = 0;
  let itemBytes: number | undefined;
  for (const index of derivation.indexes) {
    if (index.kind === 'local') {
      const entry = indexEntry(derivation, index, attributes);
      local.push(entry && localSortKey(index, entry, itemKey));
      if (entry === attributes) {
        itemBytes ??= sizeOf(attributes);
        localBytes += itemBytes;
      } else if (entry !== undefined) localBytes += sizeOf(entry);
    } else if (index.storageId !== undefined) {
      const place = placeOf(index, { derivation, attributes, itemKey, partitions });
      if (place !== undefined) globals.push(place);
    }
  }
  return { globals, local, localBytes };
}

/** An item, and what says where its entries are. */
interface Placed {
  readonly derivation: Derivation;
  readonly attributes: AttributeMap;
  readonly itemKey: EncodedKey;
  readonly partitions: number;
}

/** Where the entry of a global index is, and its attributes. */
interface EntryPlace extends Omit<IndexEntry, 'item'> {
  readonly entry: AttributeMap;
}

function placeOf(
  index: SecondaryIndex,
  { derivation, attributes, itemKey, partitions }: Placed,
): EntryPlace | undefined {
  const entry = indexEntry(derivation, index, attributes);
  if (entry === undefined) return undefined;
  const partitionKey = entryPartitionKey(index, entry);
  const prefix = collectionPrefix(index.storageId!, partitionKey, partitions);
  return { entry, partitionKey, key: prefix + entrySortKey(index, entry, itemKey) };
}

/** An index that projects all attributes keeps the very bytes of the item. */
function imageOf(entry: AttributeMap, attributes: AttributeMap, item: ItemImage): ItemImage {
  return entry === attributes ? item : toImage(entry);
}

/** The global indexes whose entries the nodes keep: those of a `dynamo` table have no id. */
function globalsOf({ indexes }: Derivation): readonly SecondaryIndex[] {
  return indexes.filter(({ kind, storageId }) => kind === 'global' && storageId !== undefined);
}
