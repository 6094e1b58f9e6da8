import {
  type AttributeValue,
  DynamoDBClient,
  type DynamoDBClientConfig,
  GetItemCommand,
  ListTablesCommand,
  PutItemCommand,
  UpdateTableCommand,
} from '@aws-sdk/client-dynamodb';
import { afterEach, describe, expect, test } from 'vitest';
import { type Cluster, startCluster } from '../src/cluster.ts';
import { endpointOf } from '../src/config/endpoint.ts';
import { completeConfig, type Settings } from '../src/config.ts';
import { createLog } from '../src/env/log.ts';
import { accessKeyOf } from '../src/router/namespace.ts';
import { createTable, tableInput } from './parts/tables.ts';

const LOG = createLog({ level: 'silent', format: 'text', write: () => {}, now: () => 0 });

let cluster: Cluster | undefined;
const clients: DynamoDBClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await cluster?.stop();
  cluster = undefined;
});

async function start(settings: Partial<Settings> = {}): Promise<Cluster> {
  cluster = await startCluster(completeConfig({ port: 0, ...settings }), LOG);
  return cluster;
}

function connect(accessKeyId: string, region = 'eu-west-1', config: DynamoDBClientConfig = {}): DynamoDBClient {
  const endpoint = endpointOf(cluster!.addresses[0]!);
  const credentials = { accessKeyId, secretAccessKey: 'any' };
  const client = new DynamoDBClient({ endpoint, region, credentials, maxAttempts: 1, ...config });
  clients.push(client);
  return client;
}

const tableNames = async (client: DynamoDBClient) => (await client.send(new ListTablesCommand({}))).TableNames;
const create = (client: DynamoDBClient, name: string) => createTable(client, name);
const put = (client: DynamoDBClient, TableName: string, Item: Record<string, AttributeValue>) =>
  client.send(new PutItemCommand({ TableName, Item }));
const get = async (client: DynamoDBClient, TableName: string, pk: string) =>
  (await client.send(new GetItemCommand({ TableName, Key: { pk: { S: pk } }, ConsistentRead: true }))).Item;

describe('clients whose access keys or regions differ', () => {
  /** The tables that each of these clients sees when each has made one of its own. */
  async function seen(settings: Partial<Settings>): Promise<unknown> {
    await start(settings);
    const all = [connect('alice'), connect('alice', 'us-east-1'), connect('bob'), connect(accessKeyOf('alice'))];
    for (const [i, client] of all.entries()) await create(client, `table-${i}`);
    return await Promise.all(all.map(tableNames));
  }

  test('share everything, but a key that names a namespace has its own', async () => {
    const shared = ['table-0', 'table-1', 'table-2'];
    expect(await seen({})).toEqual([shared, shared, shared, ['table-3']]);
  });

  test('by access key: in any region; the namespace has the name of the key', async () => {
    const alice = ['table-0', 'table-1', 'table-3'];
    expect(await seen({ isolate: 'access-key' })).toEqual([alice, alice, ['table-2'], alice]);
  });

  test('by region: with any key that names none', async () => {
    const europe = ['table-0', 'table-2'];
    expect(await seen({ isolate: 'region' })).toEqual([europe, ['table-1'], europe, ['table-3']]);
  });

  test('by both', async () => {
    expect(await seen({ isolate: 'both' })).toEqual([['table-0'], ['table-1'], ['table-2'], ['table-3']]);
  });

  test('keep items of one key in tables of one name apart', async () => {
    await start();
    const workers = [connect(accessKeyOf('worker-1')), connect(accessKeyOf('worker-2')), connect('any')];
    for (const [i, client] of workers.entries()) {
      await create(client, 'things');
      await put(client, 'things', { pk: { S: 'k' }, v: { S: `of ${i}` } });
    }
    const items = await Promise.all(workers.map((client) => get(client, 'things', 'k')));
    expect(items.map((item) => item?.v?.S)).toEqual(['of 0', 'of 1', 'of 2']);
    const arn = 'arn:aws:dynamodb:us-east-1:123456789012:table/things';
    expect((await get(workers[1]!, arn, 'k'))?.v?.S).toBe('of 1');
  });

  test('are refused when the access key begins like one that names a namespace, and names none', async () => {
    await start();
    await expect(tableNames(connect('dynaringns'))).rejects.toMatchObject({
      name: 'UnrecognizedClientException',
      message: expect.stringContaining('must be followed by 1 to 64 letters'),
    });
  });
});

test('a reset of tens of tables takes milliseconds', async () => {
  const { tables } = await start();
  const client = connect('any');
  const names = Array.from({ length: 40 }, (_, i) => `table-${i}`);
  await Promise.all(names.map((name) => create(client, name)));
  await client.send(new UpdateTableCommand({ TableName: 'table-0', DeletionProtectionEnabled: true }));
  for (let i = 0; i < 200; i++) await put(client, 'table-1', { pk: { S: `k${i}` } });
  await create(connect(accessKeyOf('other')), 'kept');

  const startMs = performance.now();
  await tables.reset('');
  const ms = performance.now() - startMs;
  expect(await tableNames(client)).toEqual([]);
  expect(await tableNames(connect(accessKeyOf('other')))).toEqual(['kept']);
  // About 12 on an idle machine.
  expect(ms).toBeLessThan(500);

  await create(client, 'table-1');
  expect(await get(client, 'table-1', 'k1')).toBeUndefined();
});

test('a snapshot brings back every kind of value, byte by byte, of tables of both modes and of all sizes', async () => {
  // So few that a partition takes several pages.
  const { tables } = await start({ partitions: 4 });
  const client = connect('any');
  await create(client, 'strict');
  const dynamoTag = { Key: 'dynaring:consistency', Value: 'dynamo' };
  await createTable(client, 'dynamo', { Tags: [dynamoTag] });
  await create(connect(accessKeyOf('worker')), 'strict');

  const item = {
    pk: { S: 'all kinds' },
    bytes: { B: Uint8Array.from({ length: 256 }, (_, i) => i) },
    digits: { N: '-0.12345678901234567890123456789012345678' },
    large: { N: '9.9999999999999999999999999999999999999E+125' },
    texts: { SS: ['b', 'a', 'ä', '\u{1F600}'] },
    numbers: { NS: ['2', '10', '-1'] },
    binaries: { BS: [Uint8Array.of(255), Uint8Array.of(0, 1)] },
    nested: { M: { constructor: { S: 'x' }, list: { L: [{ NULL: true }, { BOOL: false }, { M: {} }] } } },
    empty: { S: '' },
  };
  const big = { pk: { S: 'big' }, v: { S: 'x'.repeat(400 * 1024 - 6) } };
  for (const name of ['strict', 'dynamo']) {
    await put(client, name, item);
    await put(client, name, big);
    await Promise.all(Array.from({ length: 500 }, (_, i) => put(client, name, { pk: { S: `k${i}` } })));
  }
  await put(connect(accessKeyOf('worker')), 'strict', { pk: { S: 'of a worker' } });
  const before = [await get(client, 'strict', 'all kinds'), await get(client, 'dynamo', 'all kinds')];

  const snapshot = JSON.parse(JSON.stringify(await tables.snapshot()));
  expect(snapshot.tables.map(({ items }: { items: object[] }) => items.length)).toEqual([502, 502, 1]);
  await tables.reset();
  expect(await tableNames(client)).toEqual([]);
  await create(client, 'newcomer');
  await tables.restore(snapshot);

  expect(await tableNames(client)).toEqual(['dynamo', 'strict']);
  expect([await get(client, 'strict', 'all kinds'), await get(client, 'dynamo', 'all kinds')]).toEqual(before);
  expect(before[0]?.digits).toEqual({ N: '-0.12345678901234567890123456789012345678' });
  expect((await get(client, 'dynamo', 'big'))?.v?.S).toHaveLength(400 * 1024 - 6);
  expect(await get(connect(accessKeyOf('worker')), 'strict', 'of a worker')).toBeDefined();
  const again = await tables.snapshot();
  expect(again).toEqual(snapshot);
});

test('a snapshot has all that was acknowledged while one node is down, also what that node had taken', async () => {
  const { tables, ring } = await start();
  const client = connect('any');
  await create(client, 'things');
  const keys = Array.from({ length: 100 }, (_, i) => `k${i}`);
  await Promise.all(keys.map((k) => put(client, 'things', { pk: { S: k } })));
  await ring.stop('node-1');
  const { items } = (await tables.snapshot()).tables[0]!;
  expect(items.map(({ pk }) => (pk as { S: string }).S).sort()).toEqual(keys.toSorted());
  await ring.stop('node-2');
  await expect(tables.snapshot()).rejects.toMatchObject({ name: 'ServiceUnavailableException' });
});

test('a seed from the library goes into a namespace', async () => {
  const running = await start();
  // Also what the types of the SDK make of a request.
  await running.seed({ ...tableInput('seeded'), Items: [{ pk: 'k', v: 1 }] }, 'worker-3');
  expect(await get(connect(accessKeyOf('worker-3')), 'seeded', 'k')).toEqual({ pk: { S: 'k' }, v: { N: '1' } });
  expect(await tableNames(connect('any'))).toEqual([]);
});
