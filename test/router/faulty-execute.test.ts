import { beforeEach, describe, expect, test } from 'vitest';
import type { AttributeValue } from '../../src/api/attribute-value.ts';
import { ConnectionDropped } from '../../src/api/connection-dropped.ts';
import { ApiError } from '../../src/api/errors.ts';
import type { FaultRule } from '../../src/api/fault-rule.ts';
import type { Execute, OperationName, RequestContext } from '../../src/api/operations.ts';
import { FaultDelays } from '../../src/router/fault-delays.ts';
import type { FaultRules } from '../../src/router/fault-rules.ts';
import { withFaults } from '../../src/router/faulty-execute.ts';
import type { ManualClock } from '../parts/manual-clock.ts';
import { openRules } from './fault-fixtures.ts';

const CONTEXT: RequestContext = { requestId: 'R1', nowMs: 0, accessKeyId: 'any', region: 'eu-west-1' };
const ARN = 'arn:aws:dynamodb:eu-west-1:000000000000:table/Orders';
const READ = { TableName: 'Orders', Key: { id: { S: 'a' } } };

let rules: FaultRules;
let clock: ManualClock;
let delays: FaultDelays;
let execute: Execute;
/** What tier 2 was asked. */
let carriedOut: { operation: OperationName; context: RequestContext }[];
let told: string[];
let failure: Error | undefined;

beforeEach(() => {
  ({ rules, clock } = openRules());
  delays = new FaultDelays(clock);
  carriedOut = [];
  told = [];
  failure = undefined;
  execute = withFaults(
    async (operation, _request, context) => {
      carriedOut.push({ operation, context });
      if (failure !== undefined) throw failure;
      return { done: true };
    },
    {
      rules,
      wait: (ms) => delays.wait(ms),
      namespaceOf: ({ accessKeyId }) => (accessKeyId === 'any' ? '' : accessKeyId),
      onFired: (requestId, id, effect) => told.push(`${requestId} ${id} ${effect.kind}`),
    },
  );
});

const get = (request: object = READ, context = CONTEXT) => execute('GetItem', { ...READ, ...request }, context);
const put = () => execute('PutItem', { TableName: 'Orders', Item: { id: { S: 'a' } } }, CONTEXT);

async function errorOf(answer: Promise<unknown>): Promise<ApiError> {
  const error = await answer.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ApiError)) throw new Error(`expected an ApiError, got ${error}`);
  return error;
}

test('without rules a request goes straight through', async () => {
  expect(await get()).toEqual({ done: true });
  expect(carriedOut).toEqual([{ operation: 'GetItem', context: CONTEXT }]);
  expect(carriedOut[0]!.context).toBe(CONTEXT);
});

describe('an error before', () => {
  test.each([
    ['InternalServerError', 500, 'Internal server error', {}],
    ['ServiceUnavailable', 503, /^DynamoDB is currently unavailable\./, {}],
    ['ConditionalCheckFailedException', 400, 'The conditional request failed', {}],
    ['TransactionConflictException', 400, 'Transaction is ongoing for the item', {}],
    [
      'ProvisionedThroughputExceededException',
      400,
      /^The level of configured provisioned throughput for the table was exceeded\. /,
      { ThrottlingReasons: [{ reason: 'TableWriteProvisionedThroughputExceeded', resource: ARN }] },
    ],
    [
      'RequestLimitExceeded',
      400,
      /^Throughput exceeds the current throughput limit for your account\. /,
      { ThrottlingReasons: [{ reason: 'TableWriteAccountLimitExceeded', resource: ARN }] },
    ],
    [
      'ThrottlingException',
      400,
      /^Throughput exceeds the current capacity of your table or index\. /,
      { throttlingReasons: [{ reason: 'TableWriteKeyRangeThroughputExceeded', resource: ARN }] },
    ],
  ] as const)('is %s, and nothing is carried out', async (error, status, message, body) => {
    rules.add({ kind: 'error', error, when: 'before' });
    const answer = await errorOf(put());
    expect(answer.type.split('#')[1]).toBe(error === 'ServiceUnavailable' ? 'ServiceUnavailableException' : error);
    expect(answer).toMatchObject({ status, body });
    expect(answer.message).toMatch(message);
    expect(carriedOut).toEqual([]);
    expect(told).toEqual(['R1 f1 error']);
  });

  test('of a read says so, and names the table as the request did by an ARN', async () => {
    const arn = 'arn:aws:dynamodb:us-east-1:123456789012:table/Orders';
    rules.add({ kind: 'error', error: 'ProvisionedThroughputExceededException', when: 'before' });
    expect((await errorOf(get({ TableName: arn }))).body).toEqual({
      ThrottlingReasons: [{ reason: 'TableReadProvisionedThroughputExceeded', resource: arn }],
    });
  });

  test('of an operation on tables is one that it can have', async () => {
    rules.add({ kind: 'error', error: 'ProvisionedThroughputExceededException', when: 'before' });
    rules.add({ kind: 'error', error: 'ConditionalCheckFailedException', when: 'before' });
    await execute('ListTables', {}, CONTEXT);
    expect(rules.list().map(({ fired }) => fired)).toEqual([0, 0]);
    rules.add({ kind: 'error', error: 'ThrottlingException', when: 'before' });
    const error = await errorOf(execute('ListTables', {}, CONTEXT));
    expect(error).toMatchObject({ message: 'Rate of requests exceeds the allowed throughput.', body: {} });
  });

  test('is the first one that fires; those after it are not drawn', async () => {
    rules.add({ kind: 'error', error: 'ServiceUnavailable', when: 'before', times: 1 });
    rules.add({ kind: 'error', error: 'InternalServerError', when: 'before', times: 1 });
    expect((await errorOf(get())).status).toBe(503);
    expect((await errorOf(get())).status).toBe(500);
    expect(await get()).toEqual({ done: true });
  });
});

describe('an error after', () => {
  const AFTER: FaultRule = { kind: 'error', error: 'InternalServerError', when: 'after', times: 1 };

  test('comes when the operation has taken effect', async () => {
    rules.add(AFTER);
    expect((await errorOf(put())).status).toBe(500);
    expect(carriedOut).toHaveLength(1);
    expect(rules.isEmpty).toBe(true);
  });

  test('neither comes nor counts when the operation fails by itself', async () => {
    rules.add(AFTER);
    failure = ApiError.conditionalCheckFailed();
    expect((await errorOf(put())).name).toBe('ConditionalCheckFailedException');
    expect(rules.list()[0]!.fired).toBe(0);
    expect(told).toEqual([]);
  });
});

describe('a dropped connection', () => {
  test('comes before the operation, or after it', async () => {
    rules.add({ kind: 'drop-connection', when: 'before', times: 1 });
    rules.add({ kind: 'drop-connection', when: 'after', times: 1 });
    await expect(put()).rejects.toBeInstanceOf(ConnectionDropped);
    expect(carriedOut).toHaveLength(0);
    await expect(put()).rejects.toBeInstanceOf(ConnectionDropped);
    expect(carriedOut).toHaveLength(1);
    expect(told).toEqual(['R1 f1 drop-connection', 'R1 f2 drop-connection']);
  });
});

describe('a conflict', () => {
  const id = (S: string) => ({ id: { S } });
  const transact = () =>
    execute(
      'TransactWriteItems',
      {
        TransactItems: [
          { Put: { TableName: 'Orders', Item: { ...id('a'), n: { N: '1' } } } },
          { Update: { TableName: 'Orders', Key: id('b'), UpdateExpression: 'REMOVE x' } },
          { ConditionCheck: { TableName: 'Events', Key: id('a'), ConditionExpression: 'x = y' } },
          { Delete: { TableName: 'arn:aws:dynamodb:eu-west-1:000000000000:table/Events', Key: id('c') } },
          {},
        ],
      },
      CONTEXT,
    );
  const read = () =>
    execute(
      'TransactGetItems',
      { TransactItems: ['a', 'b'].map((key) => ({ Get: { TableName: 'Orders', Key: id(key) } })) },
      CONTEXT,
    );
  const codesOf = async (answer: Promise<unknown>) => {
    const { name, body } = await errorOf(answer);
    expect(name).toBe('TransactionCanceledException');
    return (body.CancellationReasons as { Code: string }[]).map(({ Code }) => (Code === 'None' ? '-' : Code));
  };
  const CONFLICT = 'TransactionConflict';

  test('is at the actions that the rule is for', async () => {
    const rulesAndReasons: [object, string[]][] = [
      [{}, [CONFLICT, CONFLICT, CONFLICT, CONFLICT, '-']],
      [{ table: 'Events' }, ['-', '-', CONFLICT, CONFLICT, '-']],
      [{ key: id('a') }, [CONFLICT, '-', CONFLICT, '-', '-']],
      [{ table: 'Orders', key: id('a') }, [CONFLICT, '-', '-', '-', '-']],
    ];
    for (const [scope, codes] of rulesAndReasons) {
      rules.clear();
      rules.add({ kind: 'conflict', ...scope });
      expect(await codesOf(transact())).toEqual(codes);
    }
    const { message } = await errorOf(transact());
    expect(message).toBe(
      'Transaction cancelled, please refer cancellation reasons for specific reasons [TransactionConflict, None, None, None, None]',
    );
    expect(carriedOut).toEqual([]);
  });

  test('is none where table and key do not meet in one action', async () => {
    rules.add({ kind: 'conflict', table: 'Events', key: id('b') });
    expect(await transact()).toEqual({ done: true });
    expect(await put()).toEqual({ done: true });
  });

  test('meets reads of several items, and single writes, but no others', async () => {
    rules.add({ kind: 'conflict', key: id('a') });
    expect(await codesOf(read())).toEqual([CONFLICT, '-']);
    const error = await errorOf(put());
    expect([error.name, error.message]).toEqual([
      'TransactionConflictException',
      'Transaction is ongoing for the item',
    ]);
    expect(carriedOut).toEqual([]);
    expect(await get()).toEqual({ done: true });
    await execute('BatchWriteItem', { RequestItems: { Orders: [{ PutRequest: { Item: id('a') } }] } }, CONTEXT);
    await execute('Scan', { TableName: 'Orders' }, CONTEXT);
    expect(carriedOut).toHaveLength(3);
  });

  test('comes so often, for this operation', async () => {
    rules.add({ kind: 'conflict', operation: 'TransactWriteItems', times: 2 });
    expect(await read()).toEqual({ done: true });
    await codesOf(transact());
    await codesOf(transact());
    expect(await transact()).toEqual({ done: true });
    expect(told).toEqual(['R1 f1 conflict', 'R1 f1 conflict']);
  });
});

test('an error by key meets a transaction on that key', async () => {
  rules.add({ kind: 'error', error: 'InternalServerError', when: 'before', table: 'Orders', key: { id: { S: 'b' } } });
  const write = (TableName: string, key: string) =>
    execute('TransactWriteItems', { TransactItems: [{ Delete: { TableName, Key: { id: { S: key } } } }] }, CONTEXT);
  expect(await write('Events', 'b')).toEqual({ done: true });
  expect(await write('Orders', 'a')).toEqual({ done: true });
  expect((await errorOf(write('Orders', 'b'))).status).toBe(500);
});

test('an error by key meets the statements that name the item', async () => {
  rules.add({
    kind: 'error',
    error: 'InternalServerError',
    when: 'before',
    table: 'Orders',
    key: { id: { N: '1e1' } },
  });
  const statement = (Statement: string, ...Parameters: AttributeValue[]) => ({ Statement, Parameters });
  const met = [
    statement('SELECT * FROM Orders WHERE since > 1 AND id = 10'),
    statement('SELECT * FROM Orders WHERE ? = id', { N: '10.0' }),
    statement("INSERT INTO Orders VALUE {'id': 10, 'open': {'id': 1}}"),
    statement("INSERT INTO Orders VALUE {'id': ?}", { N: '10' }),
    statement('INSERT INTO Orders VALUE ?', { M: { id: { N: '10' } } }),
    statement('UPDATE Orders SET id2 = 1 WHERE (id = 10)'),
    statement('DELETE FROM Orders WHERE id = 10 AND (a = 1 OR b = 2)'),
  ];
  const spared = [
    statement('SELECT * FROM Orders'),
    statement('SELECT * FROM Events WHERE id = 10'),
    statement('SELECT * FROM Orders WHERE id = 11 OR id = 10'),
    statement('SELECT * FROM Orders WHERE NOT id = 10'),
    statement('SELECT * FROM Orders WHERE id >= 10 AND a.id = 10'),
    statement("DELETE FROM Orders WHERE id = '10'"),
    statement('DELETE FROM Orders WHERE id = ?'),
    statement("INSERT INTO Orders VALUE {'id': -10, 'open': {'id': 10}}"),
    statement('INSERT INTO Orders VALUE ?', { N: '10' }),
    statement('no statement'),
  ];
  const transaction = (TransactStatements: object[]) => execute('ExecuteTransaction', { TransactStatements }, CONTEXT);
  for (const each of met) {
    expect((await errorOf(execute('ExecuteStatement', each, CONTEXT))).status, each.Statement).toBe(500);
    expect((await errorOf(transaction([...spared, each]))).status, each.Statement).toBe(500);
  }
  for (const each of spared) {
    expect(await execute('ExecuteStatement', each, CONTEXT), each.Statement).toEqual({ done: true });
  }
  expect(await transaction(spared)).toEqual({ done: true });
});

describe('latency', () => {
  const settle = () => new Promise((resolve) => setImmediate(resolve));

  test('of all its rules together comes before everything else', async () => {
    rules.add({ kind: 'error', error: 'InternalServerError', when: 'before' });
    rules.add({ kind: 'latency', ms: 50 });
    rules.add({ kind: 'latency', ms: 20 });
    const answer = errorOf(get());
    await settle();
    expect(told).toEqual(['R1 f2 latency', 'R1 f3 latency']);
    clock.advance(69);
    await settle();
    expect(told).toHaveLength(2);
    clock.advance(1);
    expect((await answer).status).toBe(500);
  });

  test('of a model is drawn for each request, the same for the same seed', async () => {
    const run = async () => {
      const waited: number[] = [];
      const opened = openRules();
      const slow = withFaults(async () => ({}), {
        rules: opened.rules,
        wait: async (ms) => waited.push(ms) > 0,
        namespaceOf: () => '',
        onFired: () => {},
      });
      opened.rules.add({ kind: 'latency', model: 'LNKD-DISK', seed: 3 });
      for (let i = 0; i < 500; i++) await slow('PutItem', { TableName: 'Orders', Item: {} }, CONTEXT);
      return waited;
    };
    const waited = await run();
    expect(await run()).toEqual(waited);
    expect(new Set(waited).size).toBeGreaterThan(490);
    // Four writes of five need more for the leg W alone.
    expect(waited.filter((ms) => ms > 1).length).toBeGreaterThan(400);
  });

  test('ends when the server stops, and the request is not carried out', async () => {
    rules.add({ kind: 'latency', ms: 60_000 });
    const answer = errorOf(put());
    await settle();
    delays.stop();
    expect((await answer).status).toBe(503);
    expect((await errorOf(put())).status).toBe(503);
    expect(carriedOut).toEqual([]);
    expect(clock.timers).toBe(0);
  });
});

const ITERATOR = 'arn:aws:dynamodb:local:000000000000:table/Orders/stream/2026-12-01T12:00:00.000|1|AAAA';

describe('redelivery', () => {
  test('is asked for by reads of the stream of its table that have found records', async () => {
    rules.add({ kind: 'redelivery', table: 'Orders', records: 3, times: 1 });
    await execute('GetRecords', { ShardIterator: ITERATOR.replace('Orders', 'Others') }, CONTEXT);
    await execute('GetRecords', { ShardIterator: ITERATOR }, CONTEXT);
    await get();
    expect(rules.list()[0]!.fired).toBe(0);
    const [others, orders, item] = carriedOut.map(({ context }) => context.recordsAgain);
    expect(item).toBeUndefined();
    expect(await others!()).toBe(0);
    expect(await orders!()).toBe(3);
    expect(await orders!()).toBe(0);
    expect(told).toEqual(['R1 f1 redelivery']);
    rules.add({ kind: 'redelivery' });
    expect(await orders!()).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('staleness', () => {
  test('sends eventually consistent reads to a replica that lags, and no other request', async () => {
    rules.add({ kind: 'staleness', worst: true });
    await get();
    await get({ ConsistentRead: false });
    await get({ ConsistentRead: true });
    await put();
    await execute('DescribeTable', { TableName: 'Orders' }, CONTEXT);
    expect(carriedOut.map(({ context }) => context.eventualReadsFrom)).toEqual([
      'laggard',
      'laggard',
      undefined,
      undefined,
      undefined,
    ]);
    expect(carriedOut[0]!.context).toEqual({ ...CONTEXT, eventualReadsFrom: 'laggard' });
    expect(rules.list()[0]!.fired).toBe(2);
    expect(told).toEqual(['R1 f1 staleness', 'R1 f1 staleness']);
  });

  test('is in force until the last read that it is for has ended, even if that fails', async () => {
    rules.add({ kind: 'staleness', worst: true, times: 1 });
    failure = ApiError.serviceUnavailable();
    await errorOf(get());
    expect(carriedOut[0]!.context.eventualReadsFrom).toBe('laggard');
    expect(rules.isEmpty).toBe(true);
  });

  test('of a stream fires for reads of it, and for no other', async () => {
    rules.add({ kind: 'staleness', worst: true, stream: true });
    await get();
    expect(carriedOut[0]!.context.eventualReadsFrom).toBeUndefined();
    await execute('GetRecords', { ShardIterator: ITERATOR }, CONTEXT);
    expect(carriedOut[1]!.context.eventualReadsFrom).toBeUndefined();
    expect(rules.list()[0]!.fired).toBe(1);
  });

  test('mixes with fresh reads by its probability, the same for the same seed', async () => {
    const run = async () => {
      rules.add({ kind: 'staleness', worst: true, probability: 0.5, seed: 1 });
      carriedOut = [];
      for (let i = 0; i < 100; i++) await get();
      rules.clear();
      return carriedOut.map(({ context }) => context.eventualReadsFrom === 'laggard');
    };
    const first = await run();
    expect(await run()).toEqual(first);
    expect(first.filter((isLagging) => isLagging).length).toBeGreaterThan(30);
    expect(first.filter((isLagging) => isLagging).length).toBeLessThan(70);
  });
});

test('a rule for one namespace leaves others alone', async () => {
  rules.add({ kind: 'error', error: 'InternalServerError', when: 'before', namespace: 'worker-3' });
  await get();
  expect((await errorOf(get({}, { ...CONTEXT, accessKeyId: 'worker-3' }))).status).toBe(500);
});
