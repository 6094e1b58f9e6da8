import { beforeEach, describe, expect, test } from 'vitest';
import { type Dynaring, startDynaring } from '../../src/index.ts';
import { LIMITS } from '../../src/transfer/transfer-limits.ts';
import { fakeEndpoint, idsPut, type Received, type Reply, refusal } from './fake-endpoint.ts';
import { run } from './test-world.ts';

const lineOf = (id: number | string) => `{"Item":{"id":{"S":"${id}"}}}\n`;
const linesOf = (count: number) => Array.from({ length: count }, (_, at) => lineOf(at)).join('');

/** What the endpoint was asked to write, request by request. */
let asked: { readonly operation: string; readonly ids: readonly string[] }[];

beforeEach(() => {
  asked = [];
});

async function importInto(reply: (received: Received) => Reply | undefined, stdin: string, ...args: string[]) {
  const concurrency = args.includes('--concurrency') ? [] : ['--concurrency', '1'];
  const endpoint = await fakeEndpoint((received) => {
    const ids = idsPut(received);
    if (ids !== undefined) asked.push({ operation: received.operation, ids });
    return reply(received);
  });
  return run('import', ['-', '--table', 'T', '--endpoint', endpoint, ...concurrency, ...args], stdin);
}

type Requests = readonly { readonly PutRequest: { readonly Item: { readonly id: { readonly S: string } } } }[];

/** Leaves some of a BatchWriteItem unprocessed, as the service answers it: `UnprocessedItems` has them as they were asked for. */
function leaving({ operation, request }: Received, isLeft: (id: string) => boolean): Reply | undefined {
  if (operation !== 'BatchWriteItem') return undefined;
  const { T } = request.RequestItems as { readonly T: Requests };
  const left = T.filter(({ PutRequest }) => isLeft(PutRequest.Item.id.S));
  return { status: 200, body: { UnprocessedItems: left.length > 0 ? { T: left } : {} } };
}

describe('writes go together', () => {
  test('25 in a request, as BatchWriteItem has at most', async () => {
    await importInto(() => undefined, linesOf(60));
    expect(asked.map(({ operation, ids }) => [operation, ids.length])).toEqual([
      ['BatchWriteItem', 25],
      ['BatchWriteItem', 25],
      ['BatchWriteItem', 10],
    ]);
  });

  test('or fewer, if the user says so, and with one there is no batch', async () => {
    await importInto(() => undefined, linesOf(5), '--batch-size', '3');
    await importInto(() => undefined, linesOf(2), '--batch-size', '1');
    expect(asked.map(({ operation, ids }) => `${operation} ${ids.length}`)).toEqual([
      'BatchWriteItem 3',
      'BatchWriteItem 2',
      'PutItem 1',
      'PutItem 1',
    ]);
  });

  test('but for one that is alone', async () => {
    await importInto(() => undefined, linesOf(26));
    expect(asked.map(({ operation }) => operation)).toEqual(['BatchWriteItem', 'PutItem']);
  });

  // "Provided list of item keys contains duplicates" is what the service says otherwise.
  test('and never two of one item, of which the last one stands', async () => {
    const stored = new Map<string, string>();
    const keep = ({ operation, request }: Received): undefined => {
      const items =
        operation === 'PutItem'
          ? [request.Item]
          : operation === 'BatchWriteItem'
            ? (request.RequestItems as { T: Requests }).T.map(({ PutRequest }) => PutRequest.Item)
            : [];
      for (const { id, n } of items as { id: { S: string }; n: { N: string } }[]) stored.set(id.S, n.N);
    };
    const line = (n: number) => `{"Item":{"id":{"S":"${n % 7}"},"n":{"N":"${n}"}}}\n`;
    const lines = Array.from({ length: 100 }, (_, n) => line(n)).join('');
    const { seen } = await importInto(keep, lines, '--concurrency', '8');
    expect(seen).toContain('imported 100 items');
    for (const { ids } of asked) expect(new Set(ids).size).toBe(ids.length);
    expect([...stored.values()].map(Number).sort()).toEqual([93, 94, 95, 96, 97, 98, 99]);
  });
});

describe('what an answer leaves unprocessed', () => {
  test('is sent again, and only that', async () => {
    let taken = 0;
    const { seen } = await importInto((received) => {
      if (received.operation !== 'BatchWriteItem') return undefined;
      taken += 10;
      return leaving(received, (id) => Number(id) >= taken);
    }, linesOf(25));
    expect(asked.map(({ ids }) => `${ids[0]} to ${ids.at(-1)}`)).toEqual(['0 to 24', '10 to 24', '20 to 24']);
    expect(seen).toContain('imported 25 items');
  });

  test('for good ends the import at its first line', async () => {
    const importing = importInto((received) => leaving(received, (id) => Number(id) >= 20), linesOf(25));
    await expect(importing).rejects.toThrow(
      new RegExp(`^-:21: http://127.0.0.1:\\d+ left items unprocessed ${LIMITS.maxAttempts} times$`),
    );
    expect(asked).toHaveLength(LIMITS.maxAttempts);
    expect(asked[1]!.ids).toEqual(['20', '21', '22', '23', '24']);
  });

  test('and cannot be told apart is sent again as a whole', async () => {
    let isFirst = true;
    await importInto(({ operation }) => {
      if (operation !== 'BatchWriteItem' || !isFirst) return undefined;
      isFirst = false;
      return { status: 200, body: { UnprocessedItems: { T: [{ PutRequest: { Item: { id: { S: 'stranger' } } } }] } } };
    }, linesOf(3));
    expect(asked.map(({ ids }) => ids.length)).toEqual([3, 3]);
  });
});

describe('a batch that is refused', () => {
  test('for one of its items is found out line by line, and the others are written', async () => {
    const { seen } = await importInto(
      (received) => (idsPut(received)?.includes('3') ? refusal(400, 'ValidationException', 'not this') : undefined),
      linesOf(5),
      '--skip-bad-lines',
    );
    expect(seen).toContain('-:4: ValidationException: not this\n');
    expect(seen).toContain('imported 4 items into T');
    const single = asked.filter(({ operation }) => operation === 'PutItem').flatMap(({ ids }) => ids);
    expect(single).toEqual(['0', '1', '2', '3', '4']);
  });

  test.each([
    ['there is no such operation', 400, 'UnknownOperationException'],
    ['there is none yet', 501, 'InternalFailure'],
    ['the user may not use it', 400, 'AccessDeniedException'],
  ])('because %s is asked for once, and then each item by itself', async (_, status, name) => {
    const { seen } = await importInto(
      ({ operation }) => (operation === 'BatchWriteItem' ? refusal(status, name) : undefined),
      linesOf(60),
    );
    expect(seen).toContain('imported 60 items into T');
    expect(asked.map(({ operation }) => operation)).toEqual(['BatchWriteItem', ...Array(60).fill('PutItem')]);
  });
});

test('into a real server, with removals, an index that refuses an item, and throttling', async () => {
  await using db: Dynaring = await startDynaring({ nodes: 1, logLevel: 'silent' });
  const definition = {
    TableName: 'Tab',
    AttributeDefinitions: [
      { AttributeName: 'id', AttributeType: 'S' },
      { AttributeName: 'rank', AttributeType: 'N' },
    ],
    KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    BillingMode: 'PAY_PER_REQUEST',
    GlobalSecondaryIndexes: [
      {
        IndexName: 'byRank',
        KeySchema: [{ AttributeName: 'rank', KeyType: 'HASH' }],
        Projection: { ProjectionType: 'ALL' },
      },
    ],
  };
  await db.seed({ ...definition, Items: [{ id: { S: '7' } }, { id: { S: 'gone' } }] });
  // Of the requests, a third is throttled as a whole.
  db.faults.add({
    kind: 'error',
    error: 'ProvisionedThroughputExceededException',
    when: 'before',
    probability: 0.3,
    seed: 3,
  });
  const lines = [
    linesOf(200),
    '{"Item":{"id":{"S":"bad"},"rank":{"S":"x"}}}\n',
    '{"Metadata":{"WriteTimestampMicros":{"N":"1680109764000000"}},"Keys":{"id":{"S":"gone"}}}\n',
    lineOf('last'),
  ];
  const args = ['-', '--table', 'Tab', '--endpoint', db.endpoint, '--skip-bad-lines'];
  const { seen } = await run('import', args, lines.join(''));
  expect(seen).toMatch(/^dynaring: -:201: ValidationException: .*Type mismatch for Index Key rank/);
  expect(seen).toMatch(/imported 201 items into Tab in .*, 1 item deleted, 1 bad line skipped\n$/);
  const ids = (await db.snapshot()).tables[0]!.items.map(({ id }) => (id as { S: string }).S);
  expect(ids.sort()).toEqual([...Array.from({ length: 200 }, (_, at) => String(at)), 'last'].sort());
});
