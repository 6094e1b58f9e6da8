import fc, { type Arbitrary } from 'fast-check';
import type { AttributeMap, AttributeValue } from '../../src/api/attribute-value.ts';
import type { Condition, Operand, Path, UpdateAction, UpdateValue } from '../../src/api/expression/ast.ts';
import type { ItemImage } from '../../src/api/item.ts';
import type { Mutation, MutationOutcome, TransactionChange, TransactionMutation } from '../../src/api/mutation.ts';
import type { SecondaryIndex } from '../../src/api/table-definition.ts';
import type { Ballot } from '../../src/dynamo/ballot.ts';
import { highestAt, NO_BALLOT } from '../../src/dynamo/ballot.ts';
import type { NotBegun } from '../../src/dynamo/coordinating-node.ts';
import type { AnswerTo, CoordinationRequest } from '../../src/dynamo/coordination-messages.ts';
import type { ConfigValue, PartitionConfig, Reply, Request } from '../../src/dynamo/messages.ts';
import { ItemRecord } from '../../src/dynamo/record.ts';
import type { Carried } from '../../src/dynamo/registers/handed-back.ts';
import { arbitraryDerived } from '../parts/arbitrary-derived.ts';
import { arbitraryAttempt, arbitraryPending } from '../parts/arbitrary-pending.ts';

/** An arbitrary message of each kind: a kind without one is an error of types. */
type ByKind<M extends { readonly kind: string }> = {
  readonly [K in M['kind']]: Arbitrary<M extends M ? (K extends M['kind'] ? M : never) : never>;
};

/** Small numbers and large ones alike. */
const uint = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }));
const uint48 = fc.integer({ min: 0, max: 2 ** 48 - 1 });
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const hlc = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
/** Also with halves of surrogate pairs, which clients may send. */
const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
);
const byteString = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));
const maybe = <T>(value: Arbitrary<T>) => fc.option(value, { nil: undefined });
const many = <T>(value: Arbitrary<T>) => fc.array(value, { maxLength: 4 });
const kind = <K extends string, T extends object>(name: K, fields: { [Name in keyof T]: Arbitrary<T[Name]> }) =>
  fc.record({ kind: fc.constant(name), ...fields } as { [Name in keyof T]: Arbitrary<T[Name]> } & {
    kind: Arbitrary<K>;
  }) as unknown as Arbitrary<T & { kind: K }>;

const ballot: Arbitrary<Ballot> = fc.record({ hlc, coordinator: uint48, boot: uint32 });
const image: Arbitrary<ItemImage> = fc.record({ size: fc.nat(409_600), json: bytes });
export const record: Arbitrary<ItemRecord> = fc
  .record({
    ballot,
    item: maybe(image),
    partitionKey: byteString,
    lineage: many(fc.record({ coordinator: uint48, boot: uint32, sequence: uint48, hlc })),
    derived: maybe(arbitraryDerived),
    pending: maybe(arbitraryPending),
    isEntry: maybe(fc.constant(true as const)),
  })
  .map((fields) => new ItemRecord(fields));
const config: Arbitrary<PartitionConfig> = fc.record({
  partition: uint,
  epoch: uint,
  members: many(fc.record({ node: text, diskId: uint48 })),
  attempt: uint,
});
const configValue: Arbitrary<ConfigValue> = fc.record({ begun: uint, decided: maybe(config) });
const [key, epoch, partition] = [byteString, uint, uint];
const requestId = maybe(text);
const keyOrder = fc.constantFrom('forward' as const, 'backward' as const);

export const REQUESTS: ByKind<Request> = {
  prepare: kind('prepare', { requestId, key, ballot, epoch }),
  accept: kind('accept', { requestId, key, record, epoch }),
  learn: kind('learn', { requestId, key, record, isFlushed: maybe(fc.boolean()), isNeeded: maybe(fc.boolean()) }),
  adopt: kind('adopt', { key, ballot, record: maybe(record), epoch }),
  read: kind('read', { requestId, key, epoch }),
  'read-committed': kind('read-committed', { requestId, key }),
  'read-range': kind('read-range', {
    requestId,
    from: key,
    to: key,
    order: keyOrder,
    limit: uint,
    bytesLimit: uint,
    epoch: maybe(epoch),
  }),
  'read-local-range': kind('read-local-range', {
    requestId,
    from: key,
    to: key,
    order: keyOrder,
    limit: uint,
    bytesLimit: uint,
    epoch: maybe(epoch),
  }),
  hint: kind('hint', { requestId, key, record, home: text }),
  'merkle-hashes': kind('merkle-hashes', { epoch, partition, level: uint, indexes: many(uint) }),
  'merkle-keys': kind('merkle-keys', { epoch, partition, leaf: uint, after: maybe(key), limit: uint }),
  fetch: kind('fetch', { epoch, keys: fc.array(key, { minLength: 1, maxLength: 4 }) }),
  'confirm-tombstone': kind('confirm-tombstone', { key, record, epoch }),
  purge: kind('purge', { key, ballot, epoch }),
  copy: kind('copy', { partition, epoch, sources: many(text) }),
  seal: kind('seal', { partition, epoch }),
  'sealed-records': kind('sealed-records', { partition, epoch, after: maybe(key), limit: uint }),
  stage: kind('stage', { next: config, sources: many(text) }),
  activate: kind('activate', { config }),
  gossip: kind('gossip', { epochs: many(epoch) }),
  ping: fc.record({ kind: fc.constant('ping') }),
  'mark-settled': kind('mark-settled', { requestId, key, due: ballot }),
  'mark-logged': kind('mark-logged', { requestId, key, logged: ballot }),
  'config-prepare': kind('config-prepare', { partition, epoch, ballot }),
  'config-accept': kind('config-accept', { partition, epoch, ballot, value: configValue }),
};

const from = text;
/** A change has a ballot that was issued. */
const logged = fc.oneof(
  fc.constant(NO_BALLOT),
  ballot.filter(({ hlc }) => hlc > 0),
);
const settled = fc.record({ due: ballot, logged });
const state = { accepted: maybe(record), committed: maybe(record), isDamaged: maybe(fc.constant(true as const)) };
const reply = <K extends Reply['kind']>(name: K) => kind(name, { from });

export const REPLIES: ByKind<Reply> = {
  promise: kind('promise', { from, ...state, settled: maybe(settled) }),
  state: kind('state', { from, ...state, settled: maybe(settled) }),
  damaged: kind('damaged', { from, ...state }),
  accepted: reply('accepted'),
  learned: kind('learned', {
    from,
    vote: maybe(fc.record({ epoch, isSealed: fc.boolean() })),
    isHeld: maybe(fc.boolean()),
  }),
  'local-range': kind('local-range', {
    from,
    entries: many(fc.record({ key, ...state })),
    unsettled: many(key),
    end: maybe(key),
  }),
  range: kind('range', { from, entries: many(fc.record({ key, ...state })), more: fc.boolean() }),
  rejected: kind('rejected', { from, effective: fc.oneof(ballot, hlc.map(highestAt)) }),
  'wrong-epoch': kind('wrong-epoch', { from, config: maybe(config) }),
  'rejected-drift': reply('rejected-drift'),
  'table-gone': kind('table-gone', { from, table: byteString }),
  'storage-failed': kind('storage-failed', { from, message: text }),
  hinted: reply('hinted'),
  'hint-refused': reply('hint-refused'),
  'merkle-hashes': kind('merkle-hashes', { from, hashes: bytes }),
  'merkle-keys': kind('merkle-keys', {
    from,
    entries: many(fc.record({ key, ballot, digest: byteString })),
    more: fc.boolean(),
  }),
  records: kind('records', { from, records: many(maybe(record)), settled: many(maybe(settled)) }),
  confirmed: reply('confirmed'),
  unconfirmed: reply('unconfirmed'),
  purged: reply('purged'),
  copied: reply('copied'),
  sealed: reply('sealed'),
  'sealed-records': kind('sealed-records', {
    from,
    entries: many(fc.record({ key, record })),
    next: maybe(key),
    fenced: many(byteString),
  }),
  staged: reply('staged'),
  failed: kind('failed', { from, reason: text }),
  activated: reply('activated'),
  gossip: kind('gossip', { from, newer: many(config), wanted: many(partition) }),
  pong: reply('pong'),
  marked: reply('marked'),
  'config-promise': kind('config-promise', { from, accepted: maybe(fc.record({ ballot, value: configValue })) }),
  'config-accepted': reply('config-accepted'),
};

const name = fc.oneof(text, fc.constantFrom('__proto__', 'constructor', '0', 'a'));
const path: Arbitrary<Path> = many(fc.oneof(name, fc.nat(500)));

const { value, map } = fc.letrec<{ value: AttributeValue; map: AttributeMap; list: AttributeValue[] }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.record({ S: text }),
    fc.record({ N: text }),
    fc.record({ B: text }),
    fc.record({ SS: many(text) }),
    fc.record({ NS: many(text) }),
    fc.record({ BS: many(text) }),
    fc.record({ NULL: fc.boolean() }),
    fc.record({ BOOL: fc.boolean() }),
    fc.record({ M: tie('map') }),
    fc.record({ L: tie('list') }),
  ),
  list: fc.array(tie('value'), { maxLength: 3 }),
  // As `JSON.parse` makes them: own properties, whatever they are called.
  map: fc.uniqueArray(fc.tuple(name, tie('value')), { maxLength: 3, selector: ([key]) => key }).map(Object.fromEntries),
}));

const { operand } = fc.letrec<{ operand: Operand }>((tie) => ({
  operand: fc.oneof(
    { maxDepth: 3 },
    kind('path', { path }),
    kind('value', { value }),
    kind('size', { operand: tie('operand') }),
  ),
}));

const { condition } = fc.letrec<{ condition: Condition }>((tie) => ({
  condition: fc.oneof(
    { maxDepth: 4 },
    kind('exists', { path }),
    kind('not-exists', { path }),
    kind('compare', {
      comparator: fc.constantFrom('=', '<>', '<', '<=', '>', '>=' as const),
      left: operand,
      right: operand,
    }),
    kind('between', { operand, lower: operand, upper: operand }),
    kind('in', { operand, choices: many(operand) }),
    kind('type', {
      operand,
      type: fc.constantFrom('S', 'N', 'B', 'SS', 'NS', 'BS', 'M', 'L', 'NULL', 'BOOL' as const),
    }),
    kind('begins-with', { operand, argument: operand }),
    kind('contains', { operand, argument: operand }),
    kind('and', { left: tie('condition'), right: tie('condition') }),
    kind('or', { left: tie('condition'), right: tie('condition') }),
    kind('not', { condition: tie('condition') }),
  ) as Arbitrary<Condition>,
}));

const { updateValue } = fc.letrec<{ updateValue: UpdateValue }>((tie) => ({
  updateValue: fc.oneof(
    { maxDepth: 3 },
    kind('path', { path }),
    kind('value', { value }),
    kind('plus', { left: tie('updateValue'), right: tie('updateValue') }),
    kind('minus', { left: tie('updateValue'), right: tie('updateValue') }),
    kind('list-append', { left: tie('updateValue'), right: tie('updateValue') }),
    kind('if-not-exists', { path, otherwise: tie('updateValue') }),
  ),
}));

const action: Arbitrary<UpdateAction> = fc.oneof(
  kind('set', { path, value: updateValue }),
  kind('remove', { path }),
  kind('add', { path, value }),
  kind('delete', { path, value }),
);

const keyAttribute = fc.record({ name, type: fc.constantFrom('S', 'N', 'B' as const) });
const amount = fc.oneof(fc.constant(-1), fc.nat());
const index: Arbitrary<SecondaryIndex> = fc.record({
  name,
  kind: fc.constantFrom('local', 'global' as const),
  storageId: maybe(byteString),
  key: fc.record({ partition: many(keyAttribute), sort: many(keyAttribute) }),
  projection: fc.record({
    ProjectionType: maybe(fc.constantFrom('ALL', 'KEYS_ONLY', 'INCLUDE' as const)),
    NonKeyAttributes: maybe(many(name)),
  }) as Arbitrary<SecondaryIndex['projection']>,
  throughput: maybe(
    fc.record({
      readUnits: amount,
      writeUnits: amount,
      increasedAtMs: maybe(fc.double({ noNaN: true })),
      decreasedAtMs: maybe(amount),
      decreases: maybe(amount),
      onDemand: maybe(fc.record({ MaxReadRequestUnits: maybe(amount), MaxWriteRequestUnits: maybe(amount) })),
      warm: fc.record({ ReadUnitsPerSecond: amount, WriteUnitsPerSecond: amount }),
    }),
  ) as Arbitrary<SecondaryIndex['throughput']>,
});

const indexedTable = {
  key: fc.record({ partition: keyAttribute, sort: maybe(keyAttribute) }),
  indexes: many(index),
};
const stream = fc.record({
  storageId: byteString.map((id) => id.slice(0, 8).padEnd(8, 's')),
  view: fc.constantFrom('KEYS_ONLY', 'NEW_IMAGE', 'OLD_IMAGE', 'NEW_AND_OLD_IMAGES' as const),
  shards: fc.integer({ min: 1, max: 65_535 }),
});
const table = byteString.filter((id) => id !== '');
const someDerivation = fc.record({ table, version: uint, ...indexedTable, stream: maybe(stream) });
const derivation = maybe(someDerivation);

const clientMutation: Arbitrary<Mutation> = fc.oneof(
  kind('put', { item: image, condition: maybe(condition) }),
  kind('delete', { condition: maybe(condition) }),
  kind('update', {
    condition: maybe(condition),
    update: fc.record({ origin: fc.constantFrom('expression', 'legacy' as const), actions: many(action) }),
    key: map,
    table: fc.record(indexedTable),
  }) as Arbitrary<Mutation>,
);

const mutation: Arbitrary<Mutation | TransactionMutation> = fc.oneof(
  { arbitrary: clientMutation, weight: 3 },
  {
    arbitrary: kind('prepare', {
      ledger: byteString,
      attempt: arbitraryAttempt,
      action: fc.oneof(clientMutation, kind('check', { condition })) as Arbitrary<TransactionChange>,
    }),
    weight: 1,
  },
  { arbitrary: kind('settle', { attempt: arbitraryAttempt, isCommitted: fc.boolean() }), weight: 1 },
);

const outcome: Arbitrary<MutationOutcome> = fc.oneof(
  kind('applied', { next: maybe(image), old: maybe(image) }),
  kind('condition-failed', { current: maybe(image) }),
  kind('refused', { message: text }),
  kind('collection-full', {}),
  kind('conflict', {}),
);
const carried: Arbitrary<Carried> = fc.oneof(
  kind('record', { record }),
  kind('round', {
    operation: fc.record({ coordinator: uint48, boot: uint32, sequence: uint48 }),
    attempts: fc
      .uniqueArray(fc.tuple(hlc, outcome), { selector: ([at]) => at, maxLength: 3 })
      .map((all) => new Map(all)),
  }),
);

const consistency = fc.constantFrom('strict', 'dynamo' as const);
const readFrom = fc.constantFrom('latest', 'committed', 'laggard' as const);

export const COORDINATION_REQUESTS: ByKind<CoordinationRequest> = {
  'coordinate-write': kind('coordinate-write', {
    requestId,
    key,
    partitionKey: byteString,
    mutation,
    consistency,
    wantsOld: fc.boolean(),
    derivation,
    by: maybe(fc.constant('ttl' as const)),
    carried: maybe(carried),
    budgetMs: maybe(uint),
  }),
  'coordinate-read': kind('coordinate-read', {
    requestId,
    key,
    from: readFrom,
    consistency,
    derivation,
    budgetMs: maybe(uint),
  }),
  'coordinate-range': kind('coordinate-range', {
    requestId,
    range: fc.record({ from: key, to: key }),
    localIndex: maybe(uint),
    order: keyOrder,
    limit: uint,
    from: readFrom,
    consistency,
    derivation,
    budgetMs: maybe(uint),
  }),
  'coordinate-look': kind('coordinate-look', { requestId, key, derivation, budgetMs: maybe(uint) }),
  'collection-size': kind('collection-size', { requestId, key, budgetMs: maybe(uint) }),
  'count-items': kind('count-items', { tables: many(byteString), partitions: many(partition) }),
  'use-derivation': kind('use-derivation', { derivation: someDerivation }),
  'due-of': kind('due-of', { table: byteString, ageMs: uint }),
  'tables-in': kind('tables-in', { partition }),
  'fence-tables': kind('fence-tables', { tables: many(byteString) }),
  'forget-table': kind('forget-table', { table: byteString }),
  'read-log': kind('read-log', { requestId, key, offset: uint, limit: uint, budgetMs: maybe(uint) }),
  'log-ends': kind('log-ends', { requestId, key, budgetMs: maybe(uint) }),
  'end-log': kind('end-log', { requestId, key, budgetMs: maybe(uint) }),
  'trim-log': kind('trim-log', { requestId, key, beforeMs: fc.double({ noNaN: true }), budgetMs: maybe(uint) }),
  'drain-log': kind('drain-log', { key }),
};

const position = fc.record({ cell: uint, offset: uint });
const loggedChange = fc.record({
  position,
  atMs: uint,
  event: fc.constantFrom('INSERT', 'MODIFY', 'REMOVE' as const),
  by: maybe(fc.constant('ttl' as const)),
  key: image,
  old: maybe(image),
  next: maybe(image),
});

const failure = fc.oneof(
  kind('unavailable', { needed: uint, got: uint }),
  kind('unknown', {}),
  kind('overloaded', {}),
  kind('index-behind', { index: byteString }),
  kind('storage-failed', { message: text }),
  kind('table-gone', { table: byteString }),
);

const itemCount = { items: uint, bytes: uint };
const tableCount = fc.record({ ...itemCount, local: many(fc.record(itemCount)) });

const notBegun = kind('not-begun', { reason: fc.constantFrom('leaving' as const, 'overloaded' as const) });
const noOutcome = fc.oneof(failure, notBegun);

const event = fc.record({
  atMs: fc.double({ noNaN: true }),
  what: fc.constantFrom('asked', 'answered', 'hint', 'read-repair', 'fault'),
  node: maybe(text),
  detail: text,
  ballot: maybe(ballot),
});
/** An answer of its own, or with what the coordinator has done. */
const perhapsTraced = <T>(answers: Arbitrary<T>): Arbitrary<T> =>
  fc.oneof(
    { arbitrary: answers, weight: 4 },
    {
      arbitrary: kind('traced', {
        trace: fc.record({ ms: fc.double({ noNaN: true }), events: many(event) }),
        answer: answers,
      }) as unknown as Arbitrary<T>,
      weight: 1,
    },
  );

/** Arbitrary answers to requests of each kind. */
const PLAIN_ANSWERS: { readonly [R in CoordinationRequest as R['kind']]: Arbitrary<AnswerTo<R> | NotBegun> } = {
  'coordinate-write': fc.oneof(outcome, noOutcome, kind('handed-back', { carried })),
  'coordinate-read': fc.oneof(kind('found', { item: image }), kind('none', {}), noOutcome),
  'coordinate-range': fc.oneof(kind('items', { items: many(image), more: fc.boolean() }), noOutcome),
  'coordinate-look': fc.oneof(kind('looked', { item: maybe(image), version: text, isHeld: fc.boolean() }), noOutcome),
  'collection-size': fc.oneof(kind('size', { bytes: uint }), noOutcome),
  'count-items': fc.oneof(kind('counts', { counts: many(tableCount) }), noOutcome),
  'use-derivation': fc.oneof(kind('used', {}), noOutcome),
  'due-of': fc.oneof(kind('due', { items: uint }), noOutcome),
  'tables-in': fc.oneof(kind('tables', { tables: many(byteString) }), noOutcome),
  'fence-tables': fc.oneof(kind('fenced', { votes: many(fc.record({ partition, epoch: uint })) }), noOutcome),
  'forget-table': fc.oneof(kind('forgetting', {}), noOutcome),
  'read-log': fc.oneof(
    kind('changes', { changes: many(loggedChange), next: position, isEnded: fc.boolean() }),
    kind('trimmed', { lowest: position }),
    noOutcome,
  ),
  'log-ends': fc.oneof(kind('log-ends', { lowest: position, next: position, isEnded: fc.boolean() }), noOutcome),
  'end-log': fc.oneof(kind('log-ended', {}), noOutcome),
  'trim-log': fc.oneof(kind('cells-trimmed', { cells: uint, isDone: fc.boolean() }), noOutcome),
  'drain-log': fc.oneof(kind('drained', {}), noOutcome),
};

export const ANSWERS = Object.fromEntries(
  Object.entries<Arbitrary<unknown>>(PLAIN_ANSWERS).map(([kind, answers]) => [kind, perhapsTraced(answers)]),
) as typeof PLAIN_ANSWERS;
