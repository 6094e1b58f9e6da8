/** The item with key number `index`: nine attributes of mixed types, exactly `itemBytes` by the service's counting. */
export function makeItem(itemBytes, index, version = FIRST_VERSION) {
  return filledUp(itemBytes, makeKey(index), version);
}

export function makeKey(index) {
  return { pk: { S: `customer#${pad(index)}` } };
}

export const MOST_INDEXES = 5;
/** How many partition keys an index has: each is that of a few items. */
const INDEX_KEYS = 1000;

/** The same with attributes that are keys of indexes, which are there whether the table has indexes or not. */
export function makeIndexedItem(itemBytes, index, version = FIRST_VERSION) {
  const keys = Array.from({ length: MOST_INDEXES }, (_, at) => [
    indexKeyName(at),
    { S: `k${pad((index * (at + 1)) % INDEX_KEYS)}` },
  ]);
  return filledUp(itemBytes, { ...makeKey(index), ...Object.fromEntries(keys) }, version);
}

export const indexKeyName = (at) => `g${at}`;

/**
 * An item of a partition that has `count` of them, in a table with a sort key. Its rank is the key of the indexes, which
 * so have the items the other way round.
 */
export function makeSortedItem(itemBytes, { count, partition, position }) {
  const keys = {
    pk: { S: partitionKey(count, partition) },
    sk: { S: `order#${pad(position)}` },
    place: { S: partitionKey(count, partition) },
    rank: { N: String(count - position) },
  };
  return { ...filledUp(itemBytes, keys, FIRST_VERSION), active: { BOOL: position % 2 === 0 } };
}

export const partitionKey = (count, partition) => `of${count}#${partition}`;

const pad = (number) => String(number).padStart(8, '0');

function filledUp(itemBytes, keys, version) {
  const item = {
    ...keys,
    version: { N: String(version) },
    name: { S: 'Ada Lovelace' },
    email: { S: 'ada.lovelace@example.com' },
    balance: { N: '1234.56' },
    active: { BOOL: true },
    tags: { L: [{ S: 'analyst' }, { S: 'london' }, { S: 'countess' }] },
    address: { M: { street: { S: '12 St James Square' }, city: { S: 'London' } } },
    text: { S: '' },
  };
  const fillerBytes = itemBytes - mapSize(item);
  if (fillerBytes < 0) throw new Error(`an item of ${itemBytes} B is too small for the bench's attributes`);
  item.text.S = FILLER.repeat(Math.ceil(fillerBytes / FILLER.length)).slice(0, fillerBytes);
  return item;
}

/** Always ten digits, so that a later version can overwrite it in place. */
export const FIRST_VERSION = 1_000_000_001;

/** One table for each item size; the bare server finds the length of its answer in the name. */
export function tableName(itemBytes) {
  return `Bench${itemBytes}`;
}

/** Without quotes and backslashes, so that the filler is as long on the wire as in the item. */
const FILLER =
  'The Analytical Engine weaves algebraical patterns just as the Jacquard loom weaves flowers and leaves. ';

// Sizes as in "DynamoDB item sizes and formats": names and text in UTF-8; a number one byte for two digits and one
// more; a list or map three bytes and one for each element. All text here is ASCII.
function mapSize(map) {
  return Object.entries(map).reduce((sum, [name, value]) => sum + name.length + valueSize(value), 0);
}

function valueSize(value) {
  if (value.S !== undefined) return value.S.length;
  if (value.N !== undefined) return Math.ceil(value.N.replace('.', '').length / 2) + 1;
  if (value.BOOL !== undefined) return 1;
  if (value.L !== undefined) return 3 + value.L.reduce((sum, element) => sum + 1 + valueSize(element), 0);
  return 3 + Object.keys(value.M).length + mapSize(value.M);
}
