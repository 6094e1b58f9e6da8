import { execFile } from 'node:child_process';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { brotliCompressSync, crc32, deflateSync, gunzipSync, gzipSync, inflateSync } from 'node:zlib';
import { type DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { describe, expect, test } from 'vitest';
import { createTable, type Server, startServer } from './server-process.ts';

interface HttpMessage {
  headers: Record<string, string>;
  body: Uint8Array | Readable;
}

const ITEM = { id: { S: 'a' }, text: { S: 'x'.repeat(20_000) } };
const get = new GetItemCommand({ TableName: 'Texts', Key: { id: { S: 'a' } } });
const put = new PutItemCommand({ TableName: 'Texts', Item: ITEM });

async function serverWithTable(): Promise<Server> {
  const server = await startServer([]);
  await createTable(server.client(), 'Texts');
  return server;
}

/** The SDK compresses no request of DynamoDB by itself. */
function encoding(client: DynamoDBClient, name: string, encode: (body: Buffer) => Uint8Array): DynamoDBClient {
  client.middlewareStack.add(
    (next) => (args) => {
      const request = args.request as HttpMessage;
      request.body = encode(Buffer.from(request.body as Uint8Array));
      request.headers['content-encoding'] = name;
      request.headers['content-length'] = String(request.body.length);
      return next(args);
    },
    { step: 'build', priority: 'low' },
  );
  return client;
}

/** Nor does it accept encoded answers. @param seen is told of each as it came */
function accepting(
  client: DynamoDBClient,
  accepted: string,
  seen: (headers: HttpMessage['headers'], body: Buffer) => Buffer,
) {
  client.middlewareStack.add(
    (next) => (args) => {
      (args.request as HttpMessage).headers['accept-encoding'] = accepted;
      return next(args);
    },
    { step: 'build' },
  );
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const response = result.response as HttpMessage;
      const chunks: Buffer[] = await (response.body as Readable).toArray();
      response.body = Readable.from([seen(response.headers, Buffer.concat(chunks))]);
      return result;
    },
    { step: 'deserialize', priority: 'low' },
  );
  return client;
}

describe('with the SDK', () => {
  test('requests are read in gzip and deflate, and refused in what is not known', async () => {
    const server = await serverWithTable();
    await encoding(server.client(), 'GZIP', gzipSync).send(put);
    await encoding(server.client(), 'deflate', deflateSync).send(put);
    expect((await server.client().send(get)).Item).toEqual(ITEM);
    const other = new PutItemCommand({ TableName: 'Texts', Item: { id: { S: 'a' } } });
    for (const [name, encode] of [
      ['br', brotliCompressSync],
      ['br', (body: Buffer) => body],
      ['deflate', (body: Buffer) => body],
      ['gzip', (body: Buffer) => body],
    ] as const) {
      await expect(encoding(server.client(), name, encode).send(other)).rejects.toMatchObject({
        name: 'SerializationException',
        message: expect.stringContaining('encod'),
        $metadata: { httpStatusCode: 400 },
      });
    }
    expect((await server.client().send(get)).Item).toEqual(ITEM);
  });

  test.each([
    ['gzip', 'gzip', gunzipSync],
    ['deflate', 'deflate', inflateSync],
    ['identity;q=0, deflate', 'deflate', inflateSync],
    ['gzip;q=0', undefined, (body: Buffer) => body],
  ])('an answer to who accepts %j is in %s', async (accepted, coding, decode) => {
    const server = await serverWithTable();
    await server.client().send(put);
    const answers: unknown[] = [];
    const client = accepting(server.client(), accepted, (headers, body) => {
      answers.push([headers['content-encoding'], Number(headers['x-amz-crc32']) === crc32(body), body.length < 1000]);
      return decode(body);
    });
    expect((await client.send(get)).Item).toEqual(ITEM);
    expect(answers).toEqual([[coding, true, coding !== undefined]]);
  });
});

test('curl --compressed reads the answer', async () => {
  const server = await serverWithTable();
  await server.client().send(put);
  const run = promisify(execFile);
  const isThere = await run('curl', ['--version']).then(
    () => true,
    () => false,
  );
  // A machine without curl has proved nothing; fetch, which is always there, accepts gzip and deflate by itself.
  const headers = {
    'content-type': 'application/x-amz-json-1.0',
    'x-amz-date': '20260101T000000Z',
    'x-amz-target': 'DynamoDB_20120810.GetItem',
    authorization:
      'AWS4-HMAC-SHA256 Credential=any/20260101/local/dynamodb/aws4_request, SignedHeaders=host, Signature=any',
  };
  const body = JSON.stringify(get.input);
  const response = await fetch(server.endpoint, { method: 'POST', headers, body });
  expect(response.headers.get('content-encoding')).toBe('gzip');
  expect(await response.json()).toEqual({ Item: ITEM });
  if (!isThere) return;
  const options = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const { stdout } = await run('curl', ['-sS', '--compressed', ...options, '-d', body, server.endpoint]);
  expect(JSON.parse(stdout)).toEqual({ Item: ITEM });
});
