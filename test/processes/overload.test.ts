import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import { createTable, type Server, startServer } from './server-process.ts';

const TABLE = 'Load';
const MIB = 1024 * 1024;
/** It takes fifteen seconds where nothing else runs. */
const BUSY_MACHINE_MS = 240_000;
const MONITOR = new URL('loop-monitor.mjs', import.meta.url).href;

interface Answer {
  /** 0: none. */
  readonly status: number;
  readonly text: string;
  readonly ms: number;
}

const HEADERS = {
  'content-type': 'application/x-amz-json-1.0',
  'x-amz-date': '20260101T000000Z',
  authorization:
    'AWS4-HMAC-SHA256 Credential=any/20260101/local/dynamodb/aws4_request, SignedHeaders=host, Signature=0',
};
const headersOf = (operation: string) => ({ ...HEADERS, 'x-amz-target': `DynamoDB_20120810.${operation}` });

async function startMonitored(): Promise<Server> {
  const server = await startServer([], { env: { NODE_OPTIONS: `--import=${MONITOR}` } });
  await createTable(server.client(), TABLE);
  return server;
}

/** How long the server's event loop stood still at most, and what it had in memory, since this was asked last. */
async function monitored(server: Server): Promise<{ stallMs: number; rssMiB: number }> {
  const from = server.stdout().length;
  process.kill(server.pid, 'SIGUSR2');
  while (true) {
    const told = /loop: ([\d.]+) ms, (\d+) MB;/.exec(server.stdout().slice(from));
    if (told !== null) return { stallMs: Number(told[1]), rssMiB: Number(told[2]) };
    await sleep(10);
  }
}

type Call = (operation: string, body: string | Buffer, more?: Record<string, string>) => Promise<Answer>;

/** Requests of one active client, which opens connections when it needs them. */
function callsTo(server: Server, options: { keepAlive: boolean } = { keepAlive: true }): Call {
  const agent = new Agent(options);
  onTestFinished(() => agent.destroy());
  return (operation, body, more = {}) =>
    new Promise((resolve) => {
      const beganMs = performance.now();
      const end = (status: number, text: string) => resolve({ status, text, ms: performance.now() - beganMs });
      const headers = { ...headersOf(operation), ...more };
      const sent = request({ port: server.port, host: '127.0.0.1', method: 'POST', agent, headers }, (answer) => {
        let text = '';
        answer.setEncoding('latin1').on('data', (part: string) => {
          if (text.length < 1000) text += part;
        });
        answer.on('end', () => end(answer.statusCode!, text));
        answer.on('error', () => end(0, 'cut'));
      });
      sent.on('error', (error) => end(0, error.message));
      sent.end(body);
    });
}

const SMALL_PUT = JSON.stringify({ TableName: TABLE, Item: { id: { S: 'small' } } });

function rawRequest(operation: string, body: string, length = Buffer.byteLength(body)): string {
  const head = Object.entries({ host: 'x', ...headersOf(operation), 'content-length': length });
  return `POST / HTTP/1.1\r\n${head.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`;
}

/** Connections that read nothing, closed with the test. */
async function connections(server: Server, count: number): Promise<readonly Socket[]> {
  const sockets: Socket[] = [];
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  for (let i = 0; i < count; i++) {
    const socket = connect(server.port, '127.0.0.1').pause();
    socket.on('error', () => {});
    sockets.push(socket);
    // The kernel's backlog is 511 connections.
    if (i % 200 === 199) await once(socket, 'connect');
  }
  return sockets;
}

const many = (count: number, each: (at: number) => string) => Array.from({ length: count }, (_, at) => each(at)).join();
const name = (at: number) => at.toString(36);
const put = (item: string, more = '') => `{"TableName":"${TABLE}","Item":{"id":{"S":"1"},${item}}${more}}`;
const batch = many(
  25,
  (at) => `{"PutRequest":{"Item":{"id":{"S":"b${at}"},"a":{"L":[${many(74_000, () => '{"S":""}')}]}}}}`,
);
const bytesOf = (at: number) => Buffer.of(at >> 16, at >> 8, at).toString('base64');

/** What each is, and what is said of it. Those that are answered 200 are the largest that the service's limits let be. */
const BODIES: readonly (readonly [what: string, operation: string, body: () => string, answer: RegExp])[] = [
  ['an item of 409,000 values', 'PutItem', () => put(`"a":{"L":[${many(409_000, () => '{"S":""}')}]}`), /^200 {}/],
  ['an item of 90,000 attributes', 'PutItem', () => put(many(90_000, (at) => `"${name(at)}x":{"S":""}`)), /^200 {}/],
  ['16 MB of values in 25 items', 'BatchWriteItem', () => `{"RequestItems":{"${TABLE}":[${batch}]}}`, /^200 /],
  ['5.5 million objects', 'PutItem', () => `{"Item":[${many(5_500_000, () => '{}')}]}`, /holds more than 2000000 obj/],
  ['8 million numbers', 'PutItem', () => `{"Item":[${many(8_000_000, () => '1')}]}`, /more than 4000000 members/],
  ['500,000 attributes', 'PutItem', () => put(many(500_000, (at) => `"${name(at)}x":{"S":""}`)), /Item size has exc/],
  ['500,000 nulls', 'PutItem', () => put(`"a":{"L":[${many(500_000, () => 'null')}]}`), /size has exceeded/],
  [
    '500,000 objects that nobody knows',
    'PutItem',
    () => put('"a":{"S":""}', `,"X":[${many(500_000, () => '{}')}]`),
    /^200 {}/,
  ],
  [
    '300,000 names',
    'PutItem',
    () =>
      put(
        '"a":{"S":""}',
        `,"ConditionExpression":"#a=#b","ExpressionAttributeNames":{${many(300_000, (at) => `"#${name(at)}":"a"`)}}`,
      ),
    /ExpressionAttributeNames exceeds max size/,
  ],
  [
    '600,000 attributes to get',
    'GetItem',
    () =>
      `{"TableName":"${TABLE}","Key":{"id":{"S":"1"}},"AttributesToGet":[${many(600_000, (at) => `"${name(at)}"`)}]}`,
    /AttributesToGet exceeds max size/,
  ],
  [
    'a set of 500,000 binaries',
    'PutItem',
    () => put(`"a":{"BS":[${many(500_000, (at) => `"${bytesOf(at)}"`)}]}`),
    /Item size/,
  ],
  [
    'a string of 2.7 million escapes',
    'PutItem',
    () => put(`"a":{"S":"${'\\u0041'.repeat(2_700_000)}"}`),
    /Item size has/,
  ],
  ['eight million levels', 'PutItem', () => '['.repeat(8_000_000) + ']'.repeat(8_000_000), /Nesting Levels have exc/],
];

test(
  'no body holds the event loop, neither the largest that there may be nor what is made to do it',
  async () => {
    const server = await startMonitored();
    const call = callsTo(server);
    const stalls: Record<string, number> = {};
    for (const [what, operation, makeBody, answer] of BODIES) {
      const body = gzipSync(makeBody(), { level: 1 });
      let least = Number.POSITIVE_INFINITY;
      // 50 ms on a core of its own; beside other processes it has less of the caches. A collection of garbage may come between.
      for (let tries = 0; tries < 6 && least > 100; tries++) {
        await monitored(server);
        const { status, text } = await call(operation, body, { 'content-encoding': 'gzip' });
        expect(`${status} ${text}`, what).toMatch(answer);
        least = Math.min(least, (await monitored(server)).stallMs);
      }
      stalls[what] = least;
    }
    expect(Object.entries(stalls).filter(([, ms]) => ms > 100)).toEqual([]);
  },
  BUSY_MACHINE_MS,
);

test(
  'clients that pipeline large reads and read nothing cost no memory beyond the limit, and shut nobody out',
  async () => {
    const server = await startMonitored();
    const call = callsTo(server);
    for (let at = 0; at < 40; at++) {
      const item = { id: { S: `${at}` }, a: { S: 'x'.repeat(400_000) } };
      expect((await call('PutItem', JSON.stringify({ TableName: TABLE, Item: item }))).status).toBe(200);
    }
    const Keys = Array.from({ length: 40 }, (_, at) => ({ id: { S: `${at}` } }));
    const read = JSON.stringify({ RequestItems: { [TABLE]: { Keys } } });
    expect((await call('BatchGetItem', read)).status).toBe(200);
    const before = (await monitored(server)).rssMiB;

    const deaf = await connections(server, 50);
    for (const socket of deaf) socket.write(rawRequest('BatchGetItem', read).repeat(3));
    const answers: Answer[] = [];
    for (let at = 0; at < 10; at++) answers.push(await call('PutItem', SMALL_PUT));
    expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200));
    // All that they asked for would be 2.4 GB.
    const { rssMiB } = await monitored(server);
    expect(rssMiB - before).toBeLessThan(700);
    // Those that stand still for a second make room for who reads.
    await expect
      .poll(async () => (await call('BatchGetItem', read)).status, { timeout: 20_000, interval: 300 })
      .toBe(200);
  },
  BUSY_MACHINE_MS,
);

test(
  'bodies that stand still, bodies of one byte, and connections that nobody uses shut nobody out',
  async () => {
    const server = await startMonitored();
    const call = callsTo(server, { keepAlive: false });
    const largePut = JSON.stringify({ TableName: TABLE, Item: { id: { S: 'large' }, a: { S: 'x'.repeat(390_000) } } });

    const [one, other] = await connections(server, 2);
    const almost = rawRequest('PutItem', 'x'.repeat(16 * MIB - 1), 16 * MIB);
    one!.write(almost);
    other!.write(almost);
    await sleep(300);
    expect((await call('PutItem', SMALL_PUT)).status).toBe(200);
    // They have to have come, and stood still for a second.
    await expect
      .poll(async () => (await call('PutItem', largePut)).status, { timeout: 20_000, interval: 200 })
      .toBe(200);

    for (const socket of await connections(server, 1_030)) socket.write(rawRequest('PutItem', '{', 100));
    await sleep(300);
    expect((await call('PutItem', SMALL_PUT)).status).toBe(200);
    expect((await call('PutItem', largePut)).status).toBe(200);

    await connections(server, 4_300);
    await sleep(1_100);
    for (let at = 0; at < 5; at++) expect((await call('PutItem', SMALL_PUT)).status).toBe(200);
    expect((await fetch(`${server.endpoint}/health`)).status).toBe(200);
  },
  BUSY_MACHINE_MS,
);
