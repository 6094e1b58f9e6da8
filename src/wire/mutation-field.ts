import type { AttributeMap, AttributeType, AttributeValue } from '../api/attribute-value.ts';
import type { Derivation, DerivedStream } from '../api/derivation.ts';
import type { Comparator, Condition, Operand, Path, Update, UpdateAction, UpdateValue } from '../api/expression/ast.ts';
import type { IndexedTable } from '../api/index-entry.ts';
import type { ItemImage } from '../api/item.ts';
import { ATTEMPT_BYTES, type Mutation, type TransactionChange, type TransactionMutation } from '../api/mutation.ts';
import type { ByteString, KeyAttribute, KeySchema, KeyType } from '../api/primary-key.ts';
import type { SecondaryIndex } from '../api/table-definition.ts';
import { malformed } from './byte-reader.ts';
import { bool, byteString, double, type Field, list, object, oneOf, optional, text, uint } from './field.ts';
import { fieldsOf, type KindCodecs, nested, union } from './union.ts';
import { MAX_LEDGER_BYTES, MAX_UINT32 } from './wire-limits.ts';

export const image: Field<ItemImage> = {
  leastBytes: 2,
  write(output, { size, json }) {
    output.uint(size);
    output.bytes(json);
  },
  read: (input) => ({ size: input.uint(MAX_UINT32), json: input.bytes() }),
};

const attributeType = oneOf<AttributeType>({
  S: 0,
  N: 1,
  B: 2,
  SS: 3,
  NS: 4,
  BS: 5,
  M: 6,
  L: 7,
  NULL: 8,
  BOOL: 9,
});

const attributeValue: Field<AttributeValue> = {
  leastBytes: 2,
  write(output, value) {
    const [type, content] = Object.entries(value)[0] as [AttributeType, never];
    attributeType.write(output, type);
    CONTENTS[type].write(output, content);
  },
  read(input) {
    const type = attributeType.read(input);
    return { [type]: CONTENTS[type].read(input) } as unknown as AttributeValue;
  },
};

/** Hazard: clients choose the names, so `__proto__` occurs. `Object.fromEntries` makes it an own property. */
const attributeMap: Field<AttributeMap> = {
  leastBytes: 1,
  write(output, map) {
    const entries = Object.entries(map);
    output.uint(entries.length);
    for (const [name, value] of entries) {
      output.text(name);
      attributeValue.write(output, value);
    }
  },
  read(input) {
    const entries: [string, AttributeValue][] = [];
    for (let left = input.count(3); left > 0; left--) entries.push([input.text(), attributeValue.read(input)]);
    const map = Object.fromEntries(entries);
    if (Object.keys(map).length !== entries.length) throw malformed('an attribute twice');
    return map;
  },
};

/** The content of a value of one type. */
type ContentOf<Value, Type extends string> = Value extends Readonly<Record<Type, infer Content>> ? Content : never;

const CONTENTS: { readonly [Type in AttributeType]: Field<ContentOf<AttributeValue, Type>> } = {
  S: text,
  N: text,
  B: text,
  SS: list(text),
  NS: list(text),
  BS: list(text),
  M: nested(() => attributeMap),
  L: nested(() => list(attributeValue)),
  NULL: bool,
  BOOL: bool,
};

/** A step of a path: the index of a list plus one, or 0 and then the name of an attribute. */
const step: Field<string | number> = {
  leastBytes: 1,
  write(output, value) {
    output.uint(typeof value === 'number' ? value + 1 : 0);
    if (typeof value === 'string') output.text(value);
  },
  read(input) {
    const index = input.uint();
    return index === 0 ? input.text() : index - 1;
  },
};
const path: Field<Path> = list(step);

const operand: Field<Operand> = nested(() => OPERAND);
const OPERAND = union<Operand>({
  path: fieldsOf(1, { path }),
  value: fieldsOf(2, { value: attributeValue }),
  size: fieldsOf(3, { operand }),
});

const condition: Field<Condition> = nested(() => CONDITION);
const CONDITION = union<Condition>({
  compare: fieldsOf(1, {
    comparator: oneOf<Comparator>({ '=': 0, '<>': 1, '<': 2, '<=': 3, '>': 4, '>=': 5 }),
    left: operand,
    right: operand,
  }),
  between: fieldsOf(2, { operand, lower: operand, upper: operand }),
  in: fieldsOf(3, { operand, choices: list(operand) }),
  and: fieldsOf(4, { left: condition, right: condition }),
  or: fieldsOf(5, { left: condition, right: condition }),
  not: fieldsOf(6, { condition }),
  exists: fieldsOf(7, { path }),
  'not-exists': fieldsOf(8, { path }),
  type: fieldsOf(9, { operand, type: attributeType }),
  'begins-with': fieldsOf(10, { operand, argument: operand }),
  contains: fieldsOf(11, { operand, argument: operand }),
});

const updateValue: Field<UpdateValue> = nested(() => UPDATE_VALUE);
const UPDATE_VALUE = union<UpdateValue>({
  path: fieldsOf(1, { path }),
  value: fieldsOf(2, { value: attributeValue }),
  plus: fieldsOf(3, { left: updateValue, right: updateValue }),
  minus: fieldsOf(4, { left: updateValue, right: updateValue }),
  'list-append': fieldsOf(5, { left: updateValue, right: updateValue }),
  'if-not-exists': fieldsOf(6, { path, otherwise: updateValue }),
});

const updateAction = union<UpdateAction>({
  set: fieldsOf(1, { path, value: updateValue }),
  remove: fieldsOf(2, { path }),
  add: fieldsOf(3, { path, value: attributeValue }),
  delete: fieldsOf(4, { path, value: attributeValue }),
});

const update: Field<Update> = object({ origin: oneOf({ expression: 0, legacy: 1 }), actions: list(updateAction) });

const keyAttribute: Field<KeyAttribute> = object({ name: text, type: oneOf<KeyType>({ S: 0, N: 1, B: 2 }) });
const keySchema: Field<KeySchema> = object({ partition: keyAttribute, sort: optional(keyAttribute) });

const secondaryIndex: Field<SecondaryIndex> = object({
  name: text,
  kind: oneOf({ local: 0, global: 1 }),
  storageId: optional(byteString),
  key: object({ partition: list(keyAttribute), sort: list(keyAttribute) }),
  projection: object({
    ProjectionType: optional(oneOf({ ALL: 0, KEYS_ONLY: 1, INCLUDE: 2 })),
    NonKeyAttributes: optional(list(text)),
  }),
  throughput: optional(
    object({
      readUnits: double,
      writeUnits: double,
      increasedAtMs: optional(double),
      decreasedAtMs: optional(double),
      decreases: optional(double),
      onDemand: optional(object({ MaxReadRequestUnits: optional(double), MaxWriteRequestUnits: optional(double) })),
      warm: object({ ReadUnitsPerSecond: double, WriteUnitsPerSecond: double }),
    }),
  ),
});

const indexedTable: Field<IndexedTable> = object({ key: keySchema, indexes: list(secondaryIndex) });

const ofIndexes: Field<Derivation> = object<Omit<Derivation, 'stream'>>({
  table: byteString,
  version: uint,
  key: keySchema,
  indexes: list(secondaryIndex),
});
const stream: Field<DerivedStream> = object({
  storageId: byteString,
  view: oneOf({ KEYS_ONLY: 0, NEW_IMAGE: 1, OLD_IMAGE: 2, NEW_AND_OLD_IMAGES: 3 }),
  shards: uint,
});

/**
 * That of a table with a stream begins with an empty id and the stream: a peer that knows no streams refuses the message. It
 * must not write to such a table, since it would make no changes.
 */
export const derivation: Field<Derivation> = {
  leastBytes: ofIndexes.leastBytes,
  write(output, value) {
    if (value.stream !== undefined) {
      output.byteString('');
      stream.write(output, value.stream);
    }
    ofIndexes.write(output, value);
  },
  read(input) {
    if (!input.isNext(0)) return { ...ofIndexes.read(input), stream: undefined };
    input.byteString();
    const read = stream.read(input);
    if (read.shards === 0 || read.storageId.length !== 8) throw malformed('a stream');
    const derivation = ofIndexes.read(input);
    if (derivation.table === '') throw malformed('a table');
    return { ...derivation, stream: read };
  },
};

const maybeCondition = optional(condition);

const clientKinds: KindCodecs<Mutation> = {
  // Written out by hand, because most writes are puts.
  put: {
    number: 1,
    write(output, { item, condition }) {
      image.write(output, item);
      maybeCondition.write(output, condition);
    },
    read: (input) => ({ kind: 'put', item: image.read(input), condition: maybeCondition.read(input) }),
  },
  delete: fieldsOf(2, { condition: maybeCondition }),
  update: fieldsOf(3, { condition: maybeCondition, update, key: attributeMap, table: indexedTable }),
};

/** What an action of a transaction does to its item. */
const change = union<TransactionChange>({ ...clientKinds, check: fieldsOf(4, { condition }) });

const attempt: Field<ByteString> = {
  ...byteString,
  read(input) {
    const value = input.byteString();
    if (value.length !== ATTEMPT_BYTES) throw malformed('an attempt of another length');
    return value;
  },
};

const ledger: Field<ByteString> = { ...byteString, read: (input) => input.byteString(MAX_LEDGER_BYTES) };

/** The numbers go on behind those of `change`. */
export const mutation: Field<Mutation | TransactionMutation> = union<Mutation | TransactionMutation>({
  ...clientKinds,
  prepare: fieldsOf(5, { ledger, attempt, action: change }),
  settle: fieldsOf(6, { attempt, isCommitted: bool }),
});
