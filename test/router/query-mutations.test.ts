import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import type { AttributeMap, AttributeValue } from '../../src/api/attribute-value.ts';
import { leastOfSome } from '../parts/least-of-some.ts';
import { jsonOf, operationRequest, type TestHandle, testHandle } from '../web/fixtures.ts';
import type { MemoryClient } from './memory-client.ts';
import { CONTEXT, newRouter, tableRequest } from './table-fixtures.ts';

/** `DYNARING_QUERY_MUTATIONS=20000` runs as many as a change of Query has to pass once. */
const MUTATIONS = Number(process.env.DYNARING_QUERY_MUTATIONS ?? 3_000);
const SEED = 12;
/** No request may hold up others for longer. */
const LONGEST_MS = 50;

const NUMBERS = [
  '0',
  '-0',
  '1E125',
  '9.9999999999999999999999999999999999999E+125',
  '-9.9999999999999999999999999999999999999E+125',
  '1e-130',
  '-1E-130',
  '1e-131',
  '1e126',
  '12345678901234567890123456789012345678',
  '123456789012345678901234567890123456789',
  '0.00000000000000000000000000000000000001',
  '1e99999999999999999999',
  'NaN',
  '',
] as const;
const TABLES = ['Numbers', 'Texts', 'Bytes'] as const;
const SORT_TYPES = { Numbers: 'N', Texts: 'S', Bytes: 'B' } as const;

let handle: TestHandle;
let client: MemoryClient;

beforeAll(async () => {
  const router = newRouter();
  client = router.client;
  handle = testHandle((operation, request, context) => router.execute(operation, request, { ...CONTEXT, ...context }));
  for (const TableName of TABLES) {
    const hash = (AttributeName: string) => ({ AttributeName, KeyType: 'HASH' as const });
    const range = (AttributeName: string) => ({ AttributeName, KeyType: 'RANGE' as const });
    await router.execute(
      'CreateTable',
      tableRequest({
        TableName,
        AttributeDefinitions: [
          { AttributeName: 'pk', AttributeType: 'S' },
          { AttributeName: 'sk', AttributeType: SORT_TYPES[TableName] },
          { AttributeName: 'color', AttributeType: 'S' },
          { AttributeName: 'tier', AttributeType: 'N' },
        ],
        KeySchema: [hash('pk'), range('sk')],
        GlobalSecondaryIndexes: [
          { IndexName: 'all', KeySchema: [hash('color'), range('tier')], Projection: { ProjectionType: 'ALL' } },
          {
            IndexName: 'multi',
            KeySchema: [hash('color'), hash('pk'), range('tier'), range('sk')],
            Projection: { ProjectionType: 'KEYS_ONLY' },
          },
        ],
        LocalSecondaryIndexes: [
          { IndexName: 'local', KeySchema: [hash('pk'), range('tier')], Projection: { ProjectionType: 'KEYS_ONLY' } },
        ],
      }),
    );
    for (let at = 0; at < 12; at++) {
      const Item = { pk: { S: 'a' }, sk: sortKey(TableName, at), color: { S: 'red' }, tier: { N: String(at % 3) } };
      await router.execute('PutItem', { TableName, Item });
    }
  }
  client.calls.length = 0;
});

function sortKey(table: (typeof TABLES)[number], at: number): AttributeValue {
  switch (table) {
    case 'Numbers':
      return { N: NUMBERS[at] === undefined || at > 6 ? String(at) : NUMBERS[at] };
    case 'Texts':
      return { S: 'ab'.repeat(at + 1) };
    case 'Bytes':
      return { B: Buffer.from([255, 255, at]).toString('base64') };
  }
}

const PK = { ':p': { S: 'a' } };
/** Requests that are answered, with what mutations are to meet. */
const REQUESTS: readonly Record<string, unknown>[] = [
  ...TABLES.flatMap((TableName) => {
    const values = { ...PK, ':v': sortKey(TableName, 1), ':w': sortKey(TableName, 9) };
    const [low, high] = TableName === 'Numbers' ? [':v', ':v'] : [':v', ':w'];
    const used = low === high ? { ...PK, ':v': values[':v'] } : values;
    return [
      { TableName, KeyConditionExpression: 'pk = :p', ExpressionAttributeValues: PK, Limit: 3 },
      {
        TableName,
        KeyConditionExpression: `(pk = :p) AND (sk BETWEEN ${low} AND ${high})`,
        ExpressionAttributeValues: used,
        ScanIndexForward: false,
        ConsistentRead: true,
      },
      {
        TableName,
        KeyConditionExpression: '#p = :p AND :v <= #s',
        ExpressionAttributeNames: { '#p': 'pk', '#s': 'sk' },
        ExpressionAttributeValues: { ...PK, ':v': values[':v'] },
        ExclusiveStartKey: { pk: { S: 'a' }, sk: values[':v'] },
        Limit: 2,
        ReturnConsumedCapacity: 'INDEXES',
      },
      {
        TableName,
        IndexName: 'all',
        KeyConditionExpression: 'color = :c AND tier >= :t',
        FilterExpression: 'attribute_exists(pk) AND NOT contains(gone, :c) OR size(sk) < :t',
        ProjectionExpression: 'pk, nested.parts[1]',
        ExpressionAttributeValues: { ':c': { S: 'red' }, ':t': { N: '1' } },
        ExclusiveStartKey: { color: { S: 'red' }, tier: { N: '1' }, pk: { S: 'a' }, sk: values[':v'] },
      },
      {
        TableName,
        IndexName: 'multi',
        KeyConditionExpression: 'pk = :p AND color = :c AND tier = :t AND sk > :v',
        ExpressionAttributeValues: { ...PK, ':c': { S: 'red' }, ':t': { N: '1' }, ':v': values[':v'] },
        Select: 'COUNT',
      },
      {
        TableName,
        IndexName: 'local',
        KeyConditions: {
          pk: { ComparisonOperator: 'EQ', AttributeValueList: [{ S: 'a' }] },
          tier: { ComparisonOperator: 'BETWEEN', AttributeValueList: [{ N: '0' }, { N: '1' }] },
        },
        QueryFilter: {
          color: { ComparisonOperator: 'IN', AttributeValueList: [{ S: 'red' }, { S: 'blue' }] },
          gone: { ComparisonOperator: 'NULL' },
        },
        ConditionalOperator: 'OR',
        Select: 'ALL_ATTRIBUTES',
        Limit: 1,
      },
    ];
  }),
  {
    TableName: 'Texts',
    KeyConditionExpression: 'pk = :p AND begins_with(sk, :v)',
    ExpressionAttributeValues: { ...PK, ':v': { S: 'aba' } },
  },
];

const START_KEYS: readonly AttributeMap[] = TABLES.flatMap((table) => {
  const item = { pk: { S: 'a' }, sk: sortKey(table, 3) };
  return [
    item,
    { ...item, tier: { N: '1' } },
    { ...item, tier: { N: '1' }, color: { S: 'red' } },
    { ...item, pk: { S: 'b' } },
  ];
});

const value = fc.oneof(
  fc.constantFrom(...NUMBERS).map((N) => ({ N })),
  fc.string({ unit: 'binary', maxLength: 5 }).map((S) => ({ S })),
  fc.constantFrom('x'.repeat(1025), 'x'.repeat(2049), '\u0000', '\uffff', '\u{10ffff}').map((S) => ({ S })),
  fc.uint8Array({ maxLength: 4 }).map((bytes) => ({ B: Buffer.from(bytes).toString('base64') })),
  fc.constantFrom<unknown>(
    { B: '/////w==' },
    { NULL: true },
    { SS: ['a', 'a'] },
    { L: [] },
    { M: {} },
    { S: 'a', N: '1' },
    {},
  ),
);
const text = fc.constantFrom(
  'pk',
  'sk',
  'gone',
  ':p',
  '#p',
  'EQ',
  'NE',
  'BETWEEN',
  'BEGINS_WITH',
  'NULL',
  'all',
  'multi',
  'local',
  'COUNT',
  'Texts',
  'INDEXES',
  'ALL_ATTRIBUTES',
  'ALL_PROJECTED_ATTRIBUTES',
);
const stranger = fc.oneof(
  value,
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    0,
    -1,
    1,
    1.5,
    1e308,
    '',
    'pk',
    'sk',
    'color',
    'gone',
    ':p',
    '#p',
    [],
    {},
  ),
  fc.constantFrom<unknown>(
    'NE',
    'BETWEEN',
    'IN',
    'BEGINS_WITH',
    'NULL',
    'all',
    'multi',
    'local',
    'COUNT',
    'ALL_ATTRIBUTES',
  ),
  fc.constantFrom<unknown>('__proto__', 'constructor', 'toString', '\ud800'),
  fc.constantFrom<unknown>(...START_KEYS),
);
/** Pieces of expressions. */
const piece = fc.constantFrom(
  ...[
    'pk',
    'sk',
    'color',
    'tier',
    'gone',
    '#p',
    '#s',
    ':p',
    ':v',
    ':w',
    ':c',
    ':none',
    '#none',
    '=',
    '<',
    '<=',
    '>',
    '>=',
  ],
  ...[
    '<>',
    '(',
    ')',
    '((',
    '))',
    ' AND ',
    ' OR ',
    ' NOT ',
    ' BETWEEN ',
    ' IN ',
    'begins_with',
    'begins_with(',
    'size(',
    ',',
  ],
  ...[
    '.',
    '[0]',
    '[',
    ']',
    '"',
    '\\',
    '\u0000',
    '\u{1f600}',
    'hash',
    ' and pk = :p',
    `${'('.repeat(400)}`,
    'x'.repeat(5000),
  ],
  ...['attribute_exists(', 'list_append(', '+', '-', ':', '#', '1', '01'],
);

const mutation = fc.record({
  request: fc.nat(REQUESTS.length - 1),
  changes: fc.array(
    fc.record({
      path: fc.array(fc.nat(9), { minLength: 1, maxLength: 5 }),
      by: stranger,
      value,
      text: fc.oneof(text, piece),
      piece,
      how: fc.nat(5),
      at: fc.nat(60),
    }),
    { minLength: 1, maxLength: 2 },
  ),
  startKey: fc.option(fc.constantFrom(...START_KEYS), { freq: 4, nil: undefined }),
});

interface Change {
  readonly path: readonly number[];
  readonly by: unknown;
  readonly value: unknown;
  readonly text: string;
  readonly piece: string;
  readonly how: number;
  readonly at: number;
}

function isAttributeValue(value: object): boolean {
  return ['S', 'N', 'B'].some((type) => Object.hasOwn(value, type));
}

/** Mostly of the same JSON type: others are refused before they are looked at. */
function replacementOf(value: unknown, { by, text, at, how }: Change): unknown {
  if (how === 0) return by;
  switch (typeof value) {
    case 'string':
      return text;
    case 'number':
      return at % 5;
    case 'boolean':
      return !value;
    default:
      return by;
  }
}

/** Changes one place of a request. A text is changed by a piece of an expression as often as it is replaced. */
function changed(value: unknown, path: readonly number[], change: Change): unknown {
  const [step, ...rest] = path;
  if (typeof value === 'string' && change.how > 2) {
    const at = change.at % (value.length + 1);
    return value.slice(0, at) + change.piece + value.slice(at + (change.how === 3 ? change.at % 5 : 0));
  }
  if (step === undefined || typeof value !== 'object' || value === null) return replacementOf(value, change);
  const entries = Object.entries(value);
  if (entries.length === 0) return replacementOf(value, change);
  if (isAttributeValue(value) && change.how > 2) return change.value;
  const at = step % entries.length;
  const [key, member] = entries[at]!;
  if (rest.length === 0 && change.how === 1) entries.splice(at, 1);
  else if (rest.length === 0 && change.how === 2) entries[at] = [String(change.by), member];
  else entries[at] = [key, changed(member, rest, change)];
  return Array.isArray(value) ? entries.map(([, element]) => element) : Object.fromEntries(entries);
}

async function answerOf(request: unknown) {
  const response = await handle(operationRequest('Query', request));
  return { status: response.status, body: jsonOf(response) as Record<string, unknown> };
}

/** The time that the process needs, whatever else the machine does meanwhile. */
async function cpuMsOf(run: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

test('the requests that are mutated are answered', async () => {
  for (const request of REQUESTS) {
    const answer = await answerOf(request);
    expect([request, answer.status, answer.body]).toEqual([request, 200, answer.body]);
  }
});

test('any mutation of a query is answered or refused, changes nothing and holds up nobody', async () => {
  const seen = new Map<number, number>();
  const texts = new Set<unknown>();
  const slow: unknown[] = [];
  await fc.assert(
    fc.asyncProperty(mutation, async ({ request, changes, startKey }) => {
      let query: unknown = REQUESTS[request]!;
      for (const change of changes) query = changed(query, change.path, change);
      if (startKey !== undefined) query = { ...(query as object), ExclusiveStartKey: startKey };
      const startedMs = performance.now();
      const { status, body } = await answerOf(query);
      if (performance.now() - startedMs > LONGEST_MS) slow.push(query);
      seen.set(status, (seen.get(status) ?? 0) + 1);
      expect([200, 400]).toContain(status);
      if (status === 400) {
        expect(['ValidationException', 'SerializationException', 'ResourceNotFoundException']).toContain(
          String(body.__type).split('#')[1],
        );
        texts.add(body.message);
        return;
      }
      const { Count, ScannedCount, Items, LastEvaluatedKey } = body as Record<string, number & object[] & object>;
      expect(Count).toBeLessThanOrEqual(ScannedCount!);
      if (Items !== undefined) expect(Items).toHaveLength(Count!);
      // A key that was answered is taken.
      if (LastEvaluatedKey === undefined) return;
      const next = await answerOf({ ...(query as object), ExclusiveStartKey: LastEvaluatedKey });
      expect([next.status, next.body.message]).toEqual([200, undefined]);
    }),
    { numRuns: MUTATIONS, seed: SEED },
  );
  expect(handle.internalErrors).toEqual([]);
  expect(client.calls.filter((call) => call === 'write' || call === 'forget')).toEqual([]);
  for (const query of slow) {
    expect(await leastOfSome(LONGEST_MS, 5, () => cpuMsOf(() => answerOf(query)))).toBeLessThan(LONGEST_MS);
  }
  // Mutations that all end alike would prove nothing.
  expect(seen.get(200)).toBeGreaterThan(MUTATIONS / 60);
  expect(seen.get(400)).toBeGreaterThan(MUTATIONS / 4);
  expect(texts.size).toBeGreaterThan(100);
}, 120_000);

describe('a hostile expression holds up nobody', () => {
  const ands = (count: number, part: string) => Array.from({ length: count }, () => part).join(' AND ');
  test.each<[string, Record<string, unknown>]>([
    ['with many conditions', { KeyConditionExpression: ands(500, 'a=:p') }],
    ['with many parentheses', { KeyConditionExpression: `${'('.repeat(2000)}pk = :p${')'.repeat(2000)}` }],
    ['with calls in calls', { KeyConditionExpression: `pk = :p AND ${'size('.repeat(800)}sk` }],
    ['with many negations', { KeyConditionExpression: `${'NOT '.repeat(1000)}pk = :p` }],
    ['with one long name', { KeyConditionExpression: `${'p'.repeat(4000)} = :p` }],
    ['with a long path', { KeyConditionExpression: `pk${'[0]'.repeat(1300)} = :p` }],
    ['with an endless one', { KeyConditionExpression: `pk = :p${' '.repeat(1_000_000)}` }],
    [
      'with many names',
      {
        KeyConditionExpression: 'pk = :p',
        ExpressionAttributeNames: Object.fromEntries(Array.from({ length: 2_000 }, (_, at) => [`#n${at}`, 'a'])),
      },
    ],
    [
      'with many legacy conditions',
      {
        KeyConditionExpression: undefined,
        ExpressionAttributeValues: undefined,
        KeyConditions: Object.fromEntries(
          Array.from({ length: 2_000 }, (_, at) => [
            `a${at}`,
            { ComparisonOperator: 'EQ', AttributeValueList: [{ S: 'a' }] },
          ]),
        ),
      },
    ],
    [
      'with a large start key',
      {
        KeyConditionExpression: 'pk = :p',
        ExclusiveStartKey: { pk: { S: 'a'.repeat(500_000) }, sk: { S: 'b'.repeat(500_000) } },
      },
    ],
    [
      'with a large prefix',
      {
        KeyConditionExpression: 'pk = :p AND begins_with(sk, :v)',
        ExpressionAttributeValues: { ...PK, ':v': { S: '\u{10ffff}'.repeat(200_000) } },
      },
    ],
  ])('%s', async (_, changes) => {
    const request = { TableName: 'Texts', ExpressionAttributeValues: PK, ...changes };
    const longestMs = await leastOfSome(LONGEST_MS, 5, async () => {
      expect((await answerOf(request)).status).toBe(400);
      return cpuMsOf(() => answerOf(request));
    });
    expect(longestMs).toBeLessThan(LONGEST_MS);
  });
});
