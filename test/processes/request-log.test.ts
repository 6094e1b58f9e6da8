import { type DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { expect, test } from 'vitest';
import { createTable, startServer } from './server-process.ts';

const SECRETS = /swordfish|wJalrXUtnFEMI|Signature|Credential/;

async function putAndMiss(client: DynamoDBClient): Promise<void> {
  await createTable(client, 'Music');
  const Item = { id: { S: 'a' }, password: { S: 'swordfish' } };
  await client.send(new PutItemCommand({ TableName: 'Music', Item }));
  const ConditionExpression = 'attribute_not_exists(id)';
  const again = new PutItemCommand({
    TableName: 'Music',
    Item,
    ConditionExpression,
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  });
  await client.send(again).catch(() => {});
  await client.send(new GetItemCommand({ TableName: 'Music', Key: { id: { S: 'swordfish' } } }));
}

const LINE =
  /^\S+ (\w+) +request operation=(\S+) table=Music status=(\d+)(?: error=(\w+))? ms=[\d.]+ requestId=[A-Z0-9]{52} receivedBytes=(\d+) sentBytes=(\d+)$/;

test.each([
  ['DEBUG', ['--log-level', 'debug'], {}],
  ['INFO', ['--log-requests'], {}],
  ['INFO', [], { DYNARING_LOG_REQUESTS: 'on' }],
  ['INFO', ['--log-requests', '--log-level=debug'], {}],
])('one line a request, at %s with %j and %j', async (level, args, env) => {
  const server = await startServer(args, { env });
  await putAndMiss(server.client());
  const { stderr } = await server.stop('SIGTERM');
  const lines = stderr.split('\n').filter((line) => / request /.test(line));
  expect(lines.map((line) => LINE.exec(line)?.slice(1, 5))).toEqual([
    [level, 'CreateTable', '200', undefined],
    [level, 'PutItem', '200', undefined],
    [level, 'PutItem', '400', 'ConditionalCheckFailedException'],
    [level, 'GetItem', '200', undefined],
  ]);
  expect(stderr).not.toMatch(SECRETS);
});

test('as JSON where that is asked for', async () => {
  const server = await startServer(['--log-requests', '--log-format', 'json']);
  await putAndMiss(server.client());
  const { stderr } = await server.stop('SIGTERM');
  const entries = stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({ message }) => message === 'request');
  expect(entries.length).toBe(4);
  expect(entries[2]).toEqual({
    time: expect.stringMatching(/^\d{4}-/),
    level: 'info',
    message: 'request',
    operation: 'PutItem',
    table: 'Music',
    status: 400,
    error: 'ConditionalCheckFailedException',
    ms: expect.any(Number),
    requestId: expect.stringMatching(/^[A-Z0-9]{52}$/),
    receivedBytes: expect.any(Number),
    sentBytes: expect.any(Number),
  });
  expect(stderr).not.toMatch(SECRETS);
});

test.each([[[]], [['--log-requests', '--log-level', 'warn']], [['--log-requests=off']]])(
  'no line a request with %j, but what a client asks for in vain',
  async (args) => {
    const server = await startServer(args);
    await putAndMiss(server.client());
    await fetch(`${server.endpoint}/v1/`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'DynamoDB_20120810.GetItem' },
      body: '{}',
    });
    const { stderr } = await server.stop('SIGTERM');
    expect(stderr).not.toMatch(/ request /);
    expect(stderr).toMatch(/ WARN {2}POST \/v1\/: the endpoint has no path\n/);
  },
);
