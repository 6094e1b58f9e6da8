import { writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryDirectory } from '../parts/directory.ts';
import { createTable, type Server, startServer } from './server-process.ts';

const TABLE = 'Calm';
const CLIENTS = 20;
/** Of each client; the keys of one are no other's, so that it knows what each answer has to be. */
const KEYS = 50;
const REQUESTS_PER_ROUND = 5;
/** Where there is time for all: a machine of CI. */
const REQUESTS = process.env.DYNARING_TEST_ALL === '1' ? 100_000 : 20_000;
/** 100,000 take six seconds where nothing else runs. */
const BUSY_MACHINE_MS = 180_000;

type Call = (operation: string, body: object) => Promise<string>;

/** Requests over connections that are kept open, without what an SDK adds: an answer as `status body`. */
function callsTo(server: Server): Call {
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
  onTestFinished(() => agent.destroy());
  return (operation, body) =>
    new Promise((resolve) => {
      const headers = {
        'x-amz-target': `DynamoDB_20120810.${operation}`,
        'content-type': 'application/x-amz-json-1.0',
        'x-amz-date': '20260101T000000Z',
        authorization:
          'AWS4-HMAC-SHA256 Credential=any/20260101/local/dynamodb/aws4_request, SignedHeaders=host, Signature=0',
      };
      const sent = request({ port: server.port, host: '127.0.0.1', method: 'POST', agent, headers }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part) => {
          text += part;
        });
        answer.on('end', () => resolve(`${answer.statusCode} ${text}`));
      });
      sent.on('error', (error) => resolve(`no answer: ${error.message}`));
      sent.end(JSON.stringify({ TableName: TABLE, ...body }));
    });
}

const itemOf = (id: string, version: number) => ({ id: { S: id }, version: { N: `${version}` } });
const ifVersion = (version: number) => ({
  ConditionExpression: 'version = :version',
  ExpressionAttributeValues: { ':version': { N: `${version}` } },
});
const found = (id: string, version: number) => `200 ${JSON.stringify({ Item: itemOf(id, version) })}`;

/** Five requests about one item, and those of their answers that are not as if there were one copy and no other client. */
async function playRound(call: Call, id: string, round: number): Promise<string[]> {
  const version = 2 * round;
  const surprises: string[] = [];
  const expectAnswer = async (step: string, operation: string, body: object, expected: RegExp | string) => {
    const answer = await call(operation, body);
    const isExpected = typeof expected === 'string' ? answer === expected : expected.test(answer);
    if (!isExpected) surprises.push(`${id}, round ${round}, ${step}: ${answer}`);
  };
  const Key = { id: { S: id } };
  await expectAnswer('put', 'PutItem', { Item: itemOf(id, version) }, '200 {}');
  await expectAnswer('read', 'GetItem', { Key }, found(id, version));
  await expectAnswer('put on condition', 'PutItem', { Item: itemOf(id, version + 1), ...ifVersion(version) }, '200 {}');
  await expectAnswer('read again', 'GetItem', { Key }, found(id, version + 1));
  if (round % 2 === 0) {
    await expectAnswer('strong read', 'GetItem', { Key, ConsistentRead: true }, found(id, version + 1));
  } else {
    const refused = { Item: itemOf(id, 0), ...ifVersion(version) };
    await expectAnswer('put refused', 'PutItem', refused, /^400 .*#ConditionalCheckFailedException"/);
  }
  return surprises;
}

/** So many requests, by clients at the same time. */
async function play(server: Server, requests: number): Promise<string[]> {
  const call = callsTo(server);
  const rounds = requests / REQUESTS_PER_ROUND / CLIENTS;
  const playClient = async (client: number) => {
    const surprises: string[] = [];
    for (let round = 0; round < rounds; round++) {
      surprises.push(...(await playRound(call, `${client}-${round % KEYS}`, round)));
    }
    return surprises;
  };
  return (await Promise.all(Array.from({ length: CLIENTS }, (_, client) => playClient(client)))).flat();
}

test(
  `as it starts by default, ${REQUESTS} requests see nothing stale, no error, no throttle and no lost connection`,
  async () => {
    const server = await startServer(['--log-level', 'warn']);
    await createTable(server.client(), TABLE);
    const surprises = await play(server, REQUESTS);
    expect(surprises.slice(0, 10), `${surprises.length} in all`).toEqual([]);
  },
  BUSY_MACHINE_MS,
);

test.each([
  [{ kind: 'staleness', worst: true, operation: 'GetItem' }, 400, /read( again)?: 200 /],
  [{ kind: 'drop-connection', when: 'after', operation: 'PutItem', times: 3 }, 3, /put( on condition)?: no answer/],
  [{ kind: 'error', error: 'InternalServerError', when: 'after', operation: 'PutItem', times: 3 }, 3, /: 500 /],
] as const)('a thousand of the same requests see a fault that is asked for: %j', async (rule, count, sight) => {
  const file = join(temporaryDirectory(), 'faults.json');
  await writeFile(file, JSON.stringify(rule));
  const server = await startServer(['--log-level', 'error', '--faults', file]);
  await createTable(server.client(), TABLE);
  const surprises = await play(server, 1_000);
  expect(surprises).toHaveLength(count);
  for (const surprise of surprises) expect(surprise).toMatch(sight);
});
