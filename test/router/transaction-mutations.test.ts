import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import type { AttributeMap } from '../../src/api/attribute-value.ts';
import type { OperationName, TransactWriteItem } from '../../src/api/operations.ts';
import { leastOfSome } from '../parts/least-of-some.ts';
import { jsonOf, operationRequest, type TestHandle, testHandle } from '../web/fixtures.ts';
import { CONTEXT, definitions, index, newRouter, sortedTableRequest, tableRequest } from './table-fixtures.ts';

/** `DYNARING_TRANSACTION_MUTATIONS=20000` runs as many as a change of transactions has to pass once. */
const MUTATIONS = Number(process.env.DYNARING_TRANSACTION_MUTATIONS ?? 2_000);
const SEED = 14;
/** No request may hold up others for longer. */
const LONGEST_MS = 50;
const TABLES = ['Music', 'Sorted'];

let handle: TestHandle;

beforeAll(async () => {
  const router = newRouter();
  handle = testHandle((operation, request, context) => router.execute(operation, request, { ...CONTEXT, ...context }));
  await router.create(
    tableRequest({ AttributeDefinitions: definitions('pk', 'a'), GlobalSecondaryIndexes: [index('by-a', 'a')] }),
  );
  await router.create(sortedTableRequest({ TableName: 'Sorted' }));
  for (const pk of ['a', 'b', 'c', 'd']) {
    await router.execute('PutItem', { TableName: 'Music', Item: { pk: { S: pk }, n: { N: '1' }, a: { S: 'x' } } });
    await router.execute('PutItem', { TableName: 'Sorted', Item: { pk: { S: pk }, sk: { S: 'x' }, l: { L: [] } } });
  }
});

const music = (pk: string) => ({ TableName: 'Music', Key: { pk: { S: pk } } });
const sorted = (pk: string) => ({ TableName: 'Sorted', Key: { pk: { S: pk }, sk: { S: 'x' } } });
/** Requests that are answered, whatever was written before. */
const WRITES = [
  {
    TransactItems: [
      { Put: { TableName: 'Music', Item: { pk: { S: 'a' }, n: { N: '1.50' }, a: { S: 'x' }, s: { SS: ['b', 'a'] } } } },
      {
        Update: {
          ...sorted('a'),
          UpdateExpression: 'SET #l = if_not_exists(#l, :v) REMOVE gone',
          ConditionExpression: 'attribute_exists(pk) OR attribute_not_exists(pk)',
          ExpressionAttributeNames: { '#l': 'l' },
          ExpressionAttributeValues: { ':v': { L: [{ N: '1' }, { M: { x: { S: '' } } }] } },
        },
      },
    ],
    ReturnConsumedCapacity: 'INDEXES',
  },
  {
    TransactItems: [
      {
        ConditionCheck: {
          ...music('none'),
          ConditionExpression: 'attribute_not_exists(#p) AND NOT begins_with(a, :x)',
          ExpressionAttributeNames: { '#p': 'pk' },
          ExpressionAttributeValues: { ':x': { S: 'x' } },
          ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
        },
      },
      {
        Delete: {
          ...music('b'),
          ConditionExpression: 'size(pk) < :n',
          ExpressionAttributeValues: { ':n': { N: '9' } },
        },
      },
      { Put: { TableName: 'Music', Item: { pk: { S: 'e' } }, ConditionExpression: 'attribute_not_exists(gone)' } },
    ],
    ReturnItemCollectionMetrics: 'SIZE',
  },
  {
    TransactItems: [
      { Put: { TableName: 'Music', Item: { pk: { S: 'b' }, n: { N: '0' } } } },
      { Update: { ...sorted('c'), UpdateExpression: 'ADD n :n', ExpressionAttributeValues: { ':n': { N: '1' } } } },
    ],
  },
  { TransactItems: [{ Delete: music('c') }, { Delete: sorted('d') }] },
];
const READS = [
  {
    TransactItems: [
      { Get: music('a') },
      { Get: { ...sorted('a'), ProjectionExpression: '#l[0], pk', ExpressionAttributeNames: { '#l': 'l' } } },
      { Get: music('none') },
    ],
    ReturnConsumedCapacity: 'TOTAL',
  },
];
const REQUESTS: readonly { operation: OperationName; request: object }[] = [
  ...WRITES.map((request) => ({ operation: 'TransactWriteItems' as const, request })),
  ...READS.map((request) => ({ operation: 'TransactGetItems' as const, request })),
];

const value = fc.oneof(
  fc.constantFrom('0', '-0', '1e125', '1e126', '1e-131', 'NaN', '').map((N) => ({ N })),
  fc.string({ unit: 'binary', maxLength: 5 }).map((S) => ({ S })),
  fc.constantFrom<unknown>(
    ...[{ S: 'x'.repeat(1_025) }, { S: 'x'.repeat(2_049) }, { S: '' }, { B: '' }, { B: 'AQI=' }, { NULL: true }],
    ...[{ SS: ['a', 'a'] }, { SS: [] }, { NS: ['1', '1.0'] }, { L: [] }, { M: {} }, { S: 'a', N: '1' }, {}],
    JSON.parse(`${'{"L":['.repeat(35)}${']}'.repeat(35)}`),
  ),
);
const stranger = fc.oneof(
  value,
  fc.constantFrom<unknown>(...[null, true, 0, -1, 1.5, '', 'pk', 'Music', 'Sorted', 'Nowhere', [], {}, '__proto__']),
  fc.constantFrom<unknown>(...WRITES.flatMap(({ TransactItems }) => TransactItems as unknown[]), { Get: music('a') }),
);
const piece = fc.constantFrom(
  ...[
    'pk',
    'a',
    'n',
    'gone',
    '#l',
    '#p',
    ':v',
    ':n',
    ':none',
    '=',
    '<>',
    '(',
    ')',
    '((',
    ' AND ',
    ' OR ',
    ' NOT ',
    ',',
  ],
  ...['SET ', 'REMOVE ', 'ADD ', 'DELETE ', '.', '[0]', '[', '"', '+', '-', 'size(', 'attribute_exists(', 'hash'],
  ...['list_append(', '\u0000', '\u{1f600}', '('.repeat(400), 'x'.repeat(5_000)],
);
const NAMES = [
  'Put',
  'Delete',
  'Update',
  'ConditionCheck',
  'Get',
  'TableName',
  'Key',
  'Item',
  'pk',
  'sk',
  'a',
  ':v',
  '#l',
];
const mutation = fc.record({
  request: fc.nat(REQUESTS.length - 1),
  changes: fc.array(
    fc.record({
      path: fc.array(fc.nat(7), { minLength: 1, maxLength: 7 }),
      by: stranger,
      value,
      name: fc.constantFrom(...NAMES),
      piece,
      how: fc.nat(6),
      at: fc.nat(60),
    }),
    { minLength: 1, maxLength: 2 },
  ),
});

interface Change {
  readonly path: readonly number[];
  readonly by: unknown;
  readonly value: unknown;
  readonly name: string;
  readonly piece: string;
  readonly how: number;
  readonly at: number;
}

/** Changes one place of a request: a text, a value, a name, or an element that goes, comes, or comes again. */
function changed(value: unknown, path: readonly number[], change: Change): unknown {
  const [step, ...rest] = path;
  const { how, by, name, piece } = change;
  if (typeof value === 'string') {
    const at = change.at % (value.length + 1);
    return how > 2 ? value.slice(0, at) + piece + value.slice(at + (how === 3 ? change.at % 5 : 0)) : by;
  }
  if (step === undefined || typeof value !== 'object' || value === null) return by;
  const entries = Object.entries(value);
  if (entries.length === 0) return by;
  if (how > 2 && ['S', 'N', 'L', 'SS'].some((type) => Object.hasOwn(value, type))) return change.value;
  const at = step % entries.length;
  const [key, member] = entries[at]!;
  if (rest.length === 0 && how === 0) entries.push([name, by]);
  else if (rest.length === 0 && how === 1) entries.splice(at, 1);
  else if (rest.length === 0 && how === 2) entries[at] = [name, member];
  else if (rest.length === 0 && how === 3) entries.push([name, member]);
  else entries[at] = [key, changed(member, rest, change)];
  return Array.isArray(value) ? entries.map(([, element]) => element) : Object.fromEntries(entries);
}

async function answerOf(operation: OperationName, request: unknown) {
  const response = await handle(operationRequest(operation, request));
  return { status: response.status, body: jsonOf(response) as Record<string, unknown> };
}

/** All that is stored, by the JSON of its key. */
async function stored(): Promise<Map<string, string>> {
  const items = new Map<string, string>();
  for (const TableName of TABLES) {
    const { body } = await answerOf('Scan', { TableName });
    for (const item of body.Items as AttributeMap[]) items.set(nameOf(TableName, item), JSON.stringify(item));
  }
  return items;
}

function nameOf(table: string, { pk, sk }: AttributeMap): string {
  const textOf = (value: AttributeMap[string] | undefined) => (value as { S?: string } | undefined)?.S;
  return JSON.stringify([table, textOf(pk), table === 'Sorted' ? textOf(sk) : undefined]);
}

function checkCancellation(actions: number, { CancellationReasons, Message }: Record<string, unknown>): void {
  const codes = (CancellationReasons as { Code: string }[]).map(({ Code }) => Code);
  expect(codes).toHaveLength(actions);
  expect(codes.some((code) => code !== 'None')).toBe(true);
  expect(Message).toBe(
    `Transaction cancelled, please refer cancellation reasons for specific reasons [${codes.join(', ')}]`,
  );
}

/** Each action has happened, and nothing else. */
function checkEffects(members: readonly TransactWriteItem[], before: Map<string, string>, after: Map<string, string>) {
  const touched = new Set<string>();
  for (const { Put, Delete, Update } of members) {
    if (Put) expect(after.has(nameOf(Put.TableName, Put.Item))).toBe(true);
    if (Delete) expect(after.has(nameOf(Delete.TableName, Delete.Key))).toBe(false);
    if (Put) touched.add(nameOf(Put.TableName, Put.Item));
    for (const action of [Delete, Update]) if (action) touched.add(nameOf(action.TableName, action.Key));
  }
  for (const name of new Set([...before.keys(), ...after.keys()])) {
    if (!touched.has(name)) expect(after.get(name)).toBe(before.get(name));
  }
}

test('the requests that are mutated are answered', async () => {
  for (const { operation, request } of REQUESTS) {
    const { status, body } = await answerOf(operation, request);
    expect([request, status, body]).toEqual([request, 200, body]);
  }
});

test('any mutation of a transaction happens as a whole or not at all, and holds up nobody', async () => {
  const seen = new Map<string, number>();
  const texts = new Set<unknown>();
  const slow: [OperationName, unknown][] = [];
  await fc.assert(
    fc.asyncProperty(mutation, async ({ request, changes }) => {
      const { operation, request: valid } = REQUESTS[request]!;
      let mutated: unknown = valid;
      for (const change of changes) mutated = changed(mutated, change.path, change);
      const before = await stored();
      const startedMs = performance.now();
      const { status, body } = await answerOf(operation, mutated);
      if (performance.now() - startedMs > LONGEST_MS) slow.push([operation, mutated]);
      const after = await stored();
      const kind = status === 200 ? 'done' : String(body.__type).split('#')[1]!;
      seen.set(kind, (seen.get(kind) ?? 0) + 1);
      expect([200, 400]).toContain(status);
      const { TransactItems = [] } = (mutated ?? {}) as { TransactItems?: TransactWriteItem[] };
      if (status === 200) {
        if (operation === 'TransactWriteItems') checkEffects(TransactItems, before, after);
        else expect(body.Responses).toHaveLength(TransactItems.length);
        return;
      }
      expect(after).toEqual(before);
      if (kind === 'TransactionCanceledException') {
        checkCancellation(TransactItems.length, body);
        for (const { Message } of body.CancellationReasons as { Message?: string }[]) texts.add(Message);
        return;
      }
      expect(['ValidationException', 'SerializationException', 'ResourceNotFoundException']).toContain(kind);
      texts.add(body.message);
    }),
    { numRuns: MUTATIONS, seed: SEED },
  );
  expect(handle.internalErrors).toEqual([]);
  for (const [operation, request] of slow) {
    expect(await leastOfSome(LONGEST_MS, 5, () => cpuMsOf(() => answerOf(operation, request)))).toBeLessThan(
      LONGEST_MS,
    );
  }
  // Mutations that all end alike would prove nothing.
  expect(seen.get('done')).toBeGreaterThan(MUTATIONS / 60);
  expect(seen.get('TransactionCanceledException')).toBeGreaterThan(MUTATIONS / 60);
  expect(seen.get('ValidationException')).toBeGreaterThan(MUTATIONS / 4);
  expect(texts.size).toBeGreaterThan(60);
}, 240_000);

/** The time that the process needs, whatever else the machine does meanwhile. */
async function cpuMsOf(run: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
