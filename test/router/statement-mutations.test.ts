import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import type { AttributeValue } from '../../src/api/attribute-value.ts';
import { leastOfSome } from '../parts/least-of-some.ts';
import { jsonOf, operationRequest, type TestHandle, testHandle } from '../web/fixtures.ts';
import type { MemoryClient } from './memory-client.ts';
import { CONTEXT, newRouter, tableRequest } from './table-fixtures.ts';

/** `DYNARING_STATEMENT_MUTATIONS=20000` runs as many as a change of statements has to pass once. */
const MUTATIONS = Number(process.env.DYNARING_STATEMENT_MUTATIONS ?? 3_000);
const SEED = 14;
/** No request may hold up others for longer. */
const LONGEST_MS = 50;

let handle: TestHandle;
let client: MemoryClient;
let execute: ReturnType<typeof newRouter>['execute'];

beforeAll(async () => {
  const router = newRouter();
  ({ client, execute } = router);
  handle = testHandle((operation, request, context) => router.execute(operation, request, { ...CONTEXT, ...context }));
  const hash = (AttributeName: string) => ({ AttributeName, KeyType: 'HASH' as const });
  const range = (AttributeName: string) => ({ AttributeName, KeyType: 'RANGE' as const });
  await router.execute(
    'CreateTable',
    tableRequest({
      TableName: 'T',
      AttributeDefinitions: [
        { AttributeName: 'pk', AttributeType: 'S' },
        { AttributeName: 'sk', AttributeType: 'N' },
        { AttributeName: 'color', AttributeType: 'S' },
        { AttributeName: 'tier', AttributeType: 'N' },
      ],
      KeySchema: [hash('pk'), range('sk')],
      GlobalSecondaryIndexes: [
        { IndexName: 'all', KeySchema: [hash('color'), range('tier')], Projection: { ProjectionType: 'ALL' } },
        { IndexName: 'keys', KeySchema: [hash('color')], Projection: { ProjectionType: 'KEYS_ONLY' } },
      ],
      LocalSecondaryIndexes: [
        { IndexName: 'byTier', KeySchema: [hash('pk'), range('tier')], Projection: { ProjectionType: 'KEYS_ONLY' } },
      ],
    }),
  );
  for (let sk = 0; sk < 12; sk++) {
    const Item = {
      pk: { S: sk % 3 === 0 ? 'b' : 'a' },
      sk: { N: String(sk) },
      color: { S: 'red' },
      tier: { N: String(sk % 4) },
      l: { L: [{ S: 'x' }, { M: { y: { N: '1' } } }] },
      ss: { SS: ['p', 'q'] },
    };
    await router.execute('PutItem', { TableName: 'T', Item });
  }
  client.calls.length = 0;
});

/** What only reads. */
const READS: readonly { readonly Statement: string; readonly Parameters?: AttributeValue[] }[] = [
  { Statement: 'SELECT * FROM T' },
  { Statement: `SELECT pk, l[1].y FROM "T" WHERE pk = 'a' AND sk = 4` },
  { Statement: 'SELECT * FROM T WHERE pk = ? AND sk BETWEEN 1 AND 7 ORDER BY sk DESC', Parameters: [{ S: 'a' }] },
  { Statement: "SELECT * FROM T WHERE pk IN ['a', 'b'] AND (sk > 3 OR sk = 2) AND NOT contains(l, 'z') ORDER BY pk" },
  { Statement: 'SELECT sk FROM "T"."all" WHERE color = \'red\' AND tier >= 1 AND attribute_exists(ss)' },
  { Statement: 'SELECT * FROM T.keys WHERE color = ?', Parameters: [{ S: 'red' }] },
  { Statement: "SELECT tier FROM T.byTier WHERE pk = 'a' AND tier < 2 OR pk = 'b' AND tier = 3" },
  {
    Statement: 'SELECT * FROM T WHERE size(color) = 3 AND color IS NOT MISSING AND tier IN (?, 2) AND l IS NOT NULL',
    Parameters: [{ N: '1' }],
  },
  {
    Statement: "SELECT color FROM T WHERE attribute_type(l, 'L') = true AND begins_with(pk, 'a') AND ss = <<'q', 'p'>>",
  },
];

/** What writes items with the partition key `w` and no others. */
const WRITES: typeof READS = [
  {
    Statement: "INSERT INTO T VALUE {'pk': 'w', 'sk': 1, 'm': {'a': [1, 'b', <<2, 3>>, null, true]}, 'p': ?}",
    Parameters: [{ BS: ['AA=='] }],
  },
  {
    Statement:
      "UPDATE T SET n = n + 1, l = list_append(l, [1]) REMOVE m.a[0] WHERE pk = 'w' AND sk = 1 RETURNING MODIFIED NEW *",
  },
  {
    Statement: "UPDATE \"T\" SET ss = set_add(ss, <<'x'>>) SET n = ? WHERE sk = 1 AND pk = 'w' AND n > 0",
    Parameters: [{ N: '1' }],
  },
  { Statement: "DELETE FROM T WHERE pk = 'w' AND sk = ? AND NOT n = 7 RETURNING ALL OLD *", Parameters: [{ N: '1' }] },
  { Statement: "EXISTS(SELECT * FROM T WHERE pk = 'w' AND sk = 1 AND (n > 0 OR p IS NOT MISSING))" },
];

const piece = fc.constantFrom(
  ...['pk', 'sk', 'color', '"tier"', 'l[0]', '.x', '[1]', '[-1]', "['y']", 'T', 'T.all', '"T"."keys"', '"none"', '""'],
  ...[
    '=',
    '<>',
    '!=',
    '<',
    '<=',
    '>',
    '>=',
    ' AND ',
    ' OR ',
    ' NOT ',
    ' BETWEEN ',
    ' IN ',
    ' IS ',
    ' MISSING',
    ' NULL',
  ],
  ...['(', ')', '((', '[', ']', '[[', '{', '}', '<<', '>>', ',', ':', ';', '?', '??', '*', '+', '-', '--', '/*', '*/'],
  ...["'", '"', "''", "'a'", "'red'", '1', '-1', '1e400', '0.1', '.', 'e', '1.2.3', 'true', 'null', 'missing'],
  ...[
    'SELECT ',
    'FROM ',
    'WHERE ',
    'SET ',
    'REMOVE ',
    'VALUE ',
    'UPDATE ',
    'DELETE ',
    'INSERT INTO ',
    'EXISTS(',
    'LIMIT 1',
  ],
  ...[' ORDER BY sk', ' RETURNING ALL OLD *', ' GROUP BY a', ' AS x', ' LIKE ', 'count(*)', 'size(', 'contains(l, '],
  ...['begins_with(', 'attribute_exists(', 'set_add(', 'set_delete(', 'list_append(', 'if_not_exists(', 'exists('],
  ...[
    '\u0000',
    '\n',
    '\u{1f600}',
    '\ud800',
    '`',
    '#',
    '@',
    '%',
    '\\',
    'é',
    'x'.repeat(300),
    '('.repeat(300),
    '['.repeat(300),
  ],
  ...[
    `${'NOT '.repeat(300)}`,
    `${'a=1 OR '.repeat(320)}`,
    `[${'1,'.repeat(150)}1]`,
    `{'a':`.repeat(40),
    "'a',".repeat(60),
  ],
);

const value = fc.constantFrom<unknown>(
  ...[{ S: 'a' }, { S: '' }, { N: '1' }, { N: '1e999' }, { N: 'x' }, { B: '/w==' }, { BOOL: true }, { NULL: true }],
  ...[
    { L: [] },
    { L: [{ N: '2' }] },
    { M: { a: { S: 'x' } } },
    { SS: ['a', 'a'] },
    { SS: ['a'] },
    { NS: ['1', '1.0'] },
    {},
  ],
  ...[{ S: 'a', N: '1' }, { S: 'x'.repeat(3000) }, null, 7, 'a'],
);

const mutation = fc.record({
  request: fc.nat(READS.length + WRITES.length - 1),
  cuts: fc.array(
    fc.record({
      at: fc.nat(160),
      length: fc.oneof(fc.constant(0), fc.nat(12)),
      piece: fc.oneof(piece, fc.constant('')),
    }),
    {
      minLength: 1,
      maxLength: 3,
    },
  ),
  parameters: fc.option(fc.array(value, { maxLength: 3 }), { freq: 4, nil: undefined }),
  rest: fc.record(
    {
      Limit: fc.constantFrom(1, 2, 5, 0, -1),
      ConsistentRead: fc.boolean(),
      NextToken: fc.constantFrom('x', 'AAAA', '\u0000', Buffer.alloc(40).toString('base64')),
      ReturnConsumedCapacity: fc.constantFrom('INDEXES', 'TOTAL', 'SOME'),
    },
    { requiredKeys: [] },
  ),
  operation: fc.constantFrom('ExecuteStatement', 'BatchExecuteStatement', 'ExecuteTransaction'),
});

async function answerOf(operation: string, request: unknown) {
  const response = await handle(operationRequest(operation, request));
  return { status: response.status, body: jsonOf(response) as Record<string, unknown> };
}

/** The time that the process needs, whatever else the machine does meanwhile. */
async function cpuMsOf(run: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

const contents = async () => {
  const { Items } = await execute('Scan', { TableName: 'T', ProjectionExpression: 'pk, sk, color, tier, l, ss' });
  return (Items as { pk: { S: string } }[]).filter(({ pk }) => pk.S === 'a' || pk.S === 'b');
};

test('the requests that are mutated are answered', async () => {
  for (const request of [...READS, ...WRITES.slice(0, 1), ...WRITES.slice(3, 4)]) {
    const answer = await answerOf('ExecuteStatement', request);
    expect([request, answer.status, answer.body]).toEqual([request, 200, answer.body]);
  }
});

function askedBy(operation: string, one: { readonly Statement: string }, rest: object): object {
  switch (operation) {
    case 'BatchExecuteStatement':
      return { Statements: [one, { Statement: READS[1]!.Statement }] };
    case 'ExecuteTransaction': {
      const isRead = /^\s*SELECT/i.test(one.Statement);
      const other = isRead ? READS[1]!.Statement : "DELETE FROM T WHERE pk = 'w' AND sk = 99";
      return { TransactStatements: [{ Statement: other }, one] };
    }
    default:
      return { ...one, ...rest };
  }
}

const ERRORS = [
  'ValidationException',
  'TransactionCanceledException',
  'SerializationException',
  'ResourceNotFoundException',
  'ConditionalCheckFailedException',
  'DuplicateItemException',
];

test('any mutation of a statement is answered or refused, changes nothing else and holds up nobody', async () => {
  const seen = new Map<number, number>();
  const texts = new Set<unknown>();
  const slow: unknown[] = [];
  const before = await contents();
  await fc.assert(
    fc.asyncProperty(mutation, async ({ request, cuts, parameters, rest, operation }) => {
      const { Statement: text, Parameters } = [...READS, ...WRITES][request]!;
      let Statement = text;
      for (const { at, length, piece: put } of cuts) {
        const from = at % (Statement.length + 1);
        Statement = Statement.slice(0, from) + put + Statement.slice(from + length);
      }
      const given = parameters ?? Parameters;
      const one = { Statement, ...(given && { Parameters: given }) };
      // A statement that came to name other items is none of these.
      if (/^\s*(UPDATE|DELETE|INSERT)/i.test(Statement) && !Statement.includes("'w'")) return;
      const asked = askedBy(operation, one, rest);
      const startedMs = performance.now();
      const { status, body } = await answerOf(operation, asked);
      if (performance.now() - startedMs > LONGEST_MS) slow.push([operation, asked]);
      seen.set(status, (seen.get(status) ?? 0) + 1);
      expect([200, 400]).toContain(status);
      if (status === 400) {
        expect(ERRORS).toContain(String(body.__type).split('#')[1]);
        texts.add(body.message);
        return;
      }
      if (operation === 'BatchExecuteStatement') {
        for (const { Error: error } of body.Responses as { Error?: { Code: string; Message: string } }[]) {
          if (error === undefined) continue;
          expect(ERRORS.map((name) => name.replace(/Exception$/, ''))).toContain(error.Code.replace('Error', ''));
          texts.add(error.Message);
        }
        return;
      }
      // A token that was answered is taken.
      if (body.NextToken === undefined) return;
      const next = await answerOf('ExecuteStatement', { ...asked, NextToken: body.NextToken });
      expect([next.status, next.body.message]).toEqual([200, undefined]);
    }),
    { numRuns: MUTATIONS, seed: SEED },
  );
  expect(handle.internalErrors).toEqual([]);
  expect(await contents()).toEqual(before);
  for (const [operation, asked] of slow as [string, unknown][]) {
    expect(await leastOfSome(LONGEST_MS, 5, () => cpuMsOf(() => answerOf(operation, asked)))).toBeLessThan(LONGEST_MS);
  }
  // Mutations that all end alike would prove nothing.
  expect(seen.get(200)).toBeGreaterThan(MUTATIONS / 60);
  expect(seen.get(400)).toBeGreaterThan(MUTATIONS / 8);
  expect(texts.size).toBeGreaterThan(60);
}, 240_000);

describe('a hostile statement holds up nobody', () => {
  const many = (count: number, part: string, between: string) =>
    Array.from({ length: count }, () => part).join(between);
  const select = (where: string) => `SELECT * FROM T WHERE ${where}`;
  test.each<[string, string]>([
    ['with many conditions', select(many(1300, 'a=1', ' OR '))],
    ['with as many conditions as are taken', select(many(280, "pk='a'", ' OR '))],
    ['with conditions that multiply', select(many(60, "(pk='a' OR pk='b')", ' AND '))],
    ['with many negations', select(`${'NOT '.repeat(1900)}a = 1`)],
    ['with many parentheses', select(`${'('.repeat(4000)}a`)],
    ['with a deep list', select(`a = ${'['.repeat(4000)}`)],
    ['with a wide list', select(`a IN [${many(3900, '1', ',')}]`)],
    ['with many columns', `SELECT ${many(4000, 'a', ',')} FROM T`],
    ['with many changes', `UPDATE T ${many(700, 'SET a=1', ' ')} WHERE pk='w' AND sk=1`],
    ['with many sums', `UPDATE T SET a=${many(4000, '1', '+')} WHERE pk='w' AND sk=1`],
    ['with a large set', select(`a = <<${many(2600, "''", ',')}>>`)],
    ['with a long comment', `/*${'*'.repeat(8188)}`],
    ['with many quotes', `SELECT '${"''".repeat(4000)}`],
    ['of blanks', ' '.repeat(8192)],
    ['of letters', 'a'.repeat(8192)],
    ['of digits', `SELECT a[${'9'.repeat(8000)}] FROM T`],
    ['of points', select(`a${'.'.repeat(8000)}`)],
    ['of names', select(`a${'.b'.repeat(4000)}`)],
    ['of lines', '\n'.repeat(8192)],
    ['of stars', `SELECT ${'*'.repeat(8000)}`],
    ['of signs', `SELECT ${'-'.repeat(8000)}`],
    ['of parameters', select(`a IN [${many(3900, '?', ',')}]`)],
  ])('%s', async (_, Statement) => {
    const { status, body } = await answerOf('ExecuteStatement', { Statement: Statement.slice(0, 8192) });
    if (status !== 200) expect([status, String(body.__type).split('#')[1]]).toEqual([400, 'ValidationException']);
    const ask = () => answerOf('ExecuteStatement', { Statement: Statement.slice(0, 8192) });
    expect(await leastOfSome(LONGEST_MS, 5, () => cpuMsOf(ask))).toBeLessThan(LONGEST_MS);
  });
});
