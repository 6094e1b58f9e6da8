import { crc32, deflateRawSync, deflateSync, gunzipSync, gzipSync, inflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { ApiError } from '../../src/api/errors.ts';
import { RawJson } from '../../src/api/operations.ts';
import { ByteBudget } from '../../src/web/byte-budget.ts';
import { compress } from '../../src/web/compress.ts';
import { answerCoding } from '../../src/web/content-coding.ts';
import type { HttpResponse } from '../../src/web/http-message.ts';
import { Slots } from '../../src/web/slots.ts';
import { errorOf, GET_ITEM, gzipped, headerOf, jsonOf, MIB, operationRequest, testHandle } from './fixtures.ts';

/** Two halves of a request, so that each may be a member of its own. */
const [FIRST, SECOND] = ['{"TableName":"orders",', '"Key":{"id":{"S":"1"}}}'] as const;
const WHOLE = FIRST + SECOND;

function encoded(encoding: string, body: Buffer | string, headers: Record<string, string> = {}) {
  return {
    ...operationRequest('PutItem', '', { 'content-encoding': encoding, ...headers }),
    body: Buffer.from(body),
    headers: operationRequest('GetItem', '', { 'content-encoding': encoding, ...headers }).headers,
  };
}

describe('the body of a request', () => {
  // Recorded of the service, 2026-09-20 to 2026-10-09: deflate, several members and names in any case are read.
  test.each([
    ['gzip', gzipSync(WHOLE)],
    ['GZip', gzipSync(WHOLE)],
    [' x-gzip ', gzipSync(WHOLE)],
    ['gzip', Buffer.concat([gzipSync(FIRST), gzipSync(SECOND)])],
    ['gzip', Buffer.concat([gzipSync(FIRST), gzipSync(''), gzipSync(SECOND), Buffer.alloc(9)])],
    ['deflate', deflateSync(WHOLE)],
    ['DEFLATE', deflateSync(WHOLE)],
    ['deflate', Buffer.concat([deflateSync(WHOLE), Buffer.alloc(9, 0xff)])],
    ['identity', Buffer.from(WHOLE)],
    ['', Buffer.from(WHOLE)],
  ])('in %j is read, example %#', async (encoding, body) => {
    const seen: object[] = [];
    const handle = testHandle(async (_, request) => {
      seen.push(request);
      return {};
    });
    expect((await handle(encoded(encoding, body))).status).toBe(200);
    expect(seen).toEqual([GET_ITEM]);
  });

  // The service answers 500 to these, and never reads them as plain JSON. A 400 tells that nothing happened, and why.
  const UNKNOWN = 'The body is encoded in a way other than gzip or deflate';
  const broken = (coding: string) => `The body is not what its encoding, ${coding}, makes of anything`;
  test.each([
    ['br', WHOLE, UNKNOWN],
    ['zstd', WHOLE, UNKNOWN],
    ['aws-chunked', WHOLE, UNKNOWN],
    ['gzip, gzip', gzipSync(gzipSync(WHOLE)), UNKNOWN],
    ['identity, gzip', gzipSync(WHOLE), UNKNOWN],
    ['deflate', WHOLE, broken('deflate')],
    ['deflate', deflateRawSync(WHOLE), broken('deflate')],
    ['deflate', gzipSync(WHOLE), broken('deflate')],
    ['deflate', deflateSync(WHOLE).subarray(0, -1), broken('deflate')],
    ['deflate', '', broken('deflate')],
    ['gzip', WHOLE, broken('gzip')],
    ['gzip', '{}', broken('gzip')],
    ['gzip', '', broken('gzip')],
    ['gzip', deflateSync(WHOLE), broken('gzip')],
    ['gzip', gzipSync(WHOLE).subarray(0, -1), broken('gzip')],
    // Not taken for a length of 4 GB, and not for a body that is too large.
    ['gzip', Buffer.concat([gzipSync(WHOLE), Buffer.alloc(9, 0xff)]), broken('gzip')],
  ])('in %j that is not that is refused, example %#', async (encoding, body, message) => {
    const handle = testHandle(async () => {
      throw new Error('must not be reached');
    });
    const response = await handle(encoded(encoding, body));
    expect(errorOf(response)).toEqual([400, 'SerializationException', message]);
    expect(handle.internalErrors).toEqual([]);
  });

  test('may have its coding from the connection just as little', async () => {
    const refused = await testHandle()({
      ...operationRequest('GetItem', GET_ITEM, { 'transfer-encoding': 'gzip, chunked' }),
    });
    expect(errorOf(refused)).toEqual([400, 'SerializationException', UNKNOWN]);
    const chunked = await testHandle()(operationRequest('GetItem', GET_ITEM, { 'transfer-encoding': 'Chunked' }));
    expect(chunked.status).toBe(200);
  });

  test('that lies about its length is refused, and room is given back', async () => {
    const body = gzipSync(Buffer.alloc(8 * MIB, 0x20));
    body.writeUInt32LE(10, body.length - 4);
    const budget = new ByteBudget(10 * MIB);
    const response = await testHandle(undefined, { budget })(encoded('gzip', body));
    expect(errorOf(response).slice(0, 2)).toEqual([400, 'SerializationException']);
    expect(budget.take(10 * MIB)).toBe(true);
  });

  test('is too large as soon as it is, whatever it says of its length', async () => {
    const bomb = gzipSync(Buffer.alloc(17 * MIB, 0x20));
    bomb.writeUInt32LE(10, bomb.length - 4);
    const budget = new ByteBudget(16 * MIB);
    for (const body of [bomb, gzipSync(Buffer.alloc(16 * MIB + 1, 0x20)), deflateSync(Buffer.alloc(40 * MIB))]) {
      const coding = body[0] === 0x1f ? 'gzip' : 'deflate';
      const response = await testHandle(undefined, { budget })(encoded(coding, body));
      expect(errorOf(response).slice(0, 2)).toEqual([413, 'RequestEntityTooLargeException']);
      expect(budget.take(16 * MIB)).toBe(true);
      budget.give(16 * MIB);
    }
  });

  test('is shed when there is no room to inflate it, and room is given back', async () => {
    const request = gzipped(operationRequest('GetItem', { ...GET_ITEM, Ignored: 'x'.repeat(1000) }));
    const crowded = await testHandle(undefined, { budget: new ByteBudget(1000) })(request);
    expect(errorOf(crowded).slice(0, 2)).toEqual([503, 'ServiceUnavailableException']);
    const handle = testHandle(undefined, { budget: new ByteBudget(1100) });
    for (let i = 0; i < 3; i++) expect((await handle(request)).status).toBe(200);
  });
});

describe('an answer', () => {
  const LIST = { List: Array.from({ length: 400 }, (_, i) => ({ id: { S: `item ${i}` } })) };
  const ask = (accepted: string | undefined, answer: object = LIST) =>
    testHandle(async () => answer)(
      operationRequest('GetItem', GET_ITEM, accepted === undefined ? {} : { 'accept-encoding': accepted }),
    );

  test.each([
    ['gzip', gunzipSync],
    ['deflate', inflateSync],
  ])(
    'of more than 4 KB is sent as %s to who accepts that, with the checksum of what is sent',
    async (coding, decode) => {
      const response = await ask(coding);
      const plain = await ask(undefined);
      expect(response.status).toBe(200);
      expect(headerOf(response, 'content-encoding')).toBe(coding);
      expect(headerOf(response, 'content-length')).toBe(String(response.body.length));
      expect(headerOf(response, 'x-amz-crc32')).toBe(String(crc32(response.body)));
      expect(response.body.length).toBeLessThan(plain.body.length / 2);
      expect(JSON.parse(decode(response.body).toString())).toEqual(LIST);
      expect(headerOf(plain, 'content-encoding')).toBeUndefined();
      expect(jsonOf(plain)).toEqual(LIST);
    },
  );

  test('of exactly 4 KB is sent as it is', async () => {
    const answer = (length: number) => ({ Item: new RawJson(Buffer.alloc(length - '{"Item":}'.length, 0x31)) });
    const codings = [4096, 4097].map(async (length) => {
      const response = await ask('gzip', answer(length));
      return [
        headerOf(response, 'content-encoding'),
        crc32(response.body) === Number(headerOf(response, 'x-amz-crc32')),
      ];
    });
    expect(await Promise.all(codings)).toEqual([
      [undefined, true],
      ['gzip', true],
    ]);
  });

  test('that tells an error is compressed just as well, and its header says so', async () => {
    // The service sends the header with such an error and does not compress it, which breaks clients (EfficientDynamoDb 259).
    const handle = testHandle(async () => {
      throw ApiError.conditionalCheckFailed({ id: { S: 'x'.repeat(5000) } });
    });
    const response = await handle(
      operationRequest('PutItem', { TableName: 'abc', Item: {} }, { 'accept-encoding': 'gzip' }),
    );
    expect([response.status, headerOf(response, 'content-encoding')]).toEqual([400, 'gzip']);
    expect(JSON.parse(gunzipSync(response.body).toString())).toMatchObject({
      message: 'The conditional request failed',
    });
    expect(response.error).toBe('ConditionalCheckFailedException');
  });

  test('that would grow is sent as it is, unless the client does not want that', async () => {
    const grows = { status: 200, headers: ['Content-Length', '1', 'x-amz-crc32', '0'], body: Buffer.from('1') };
    const sent = (isRequired: boolean) =>
      compress(structuredClone(grows), { coding: 'gzip', isRequired }, new Slots(1));
    expect((await sent(false)).body.length).toBe(1);
    expect(headerOf(await sent(true), 'content-encoding')).toBe('gzip');
  });

  test('waits in line for a thread, and is sent as it is when the line is long', async () => {
    const slots = new Slots(2);
    const answers = Array.from({ length: 100 }, (): HttpResponse => {
      const body = Buffer.alloc(5000, 0x20);
      return { status: 200, headers: ['Content-Length', '5000', 'x-amz-crc32', String(crc32(body))], body };
    });
    const sent = await Promise.all(answers.map((each) => compress(each, { coding: 'gzip', isRequired: false }, slots)));
    const compressed = sent.filter((each) => headerOf(each, 'content-encoding') === 'gzip');
    // Two at work, 64 in line.
    expect(compressed.length).toBe(66);
    for (const each of sent) expect(headerOf(each, 'x-amz-crc32')).toBe(String(crc32(each.body)));
    expect(slots.waiting).toBe(0);
  });

  const GZIP = { coding: 'gzip', isRequired: false };
  const DEFLATE = { coding: 'deflate', isRequired: false };
  // RFC 9110, section 12.5.3.
  test.each([
    ['gzip, deflate, br', 5000, GZIP],
    ['br, GZIP', 5000, GZIP],
    ['x-gzip', 5000, GZIP],
    ['*', 5000, GZIP],
    ['*', 10, undefined],
    ['gzip;q=0, *', 5000, DEFLATE],
    ['deflate, gzip;q=0.5', 5000, DEFLATE],
    ['deflate ; q=0.4 , gzip ; q=0.5', 5000, GZIP],
    ['gzip;Q=0', 5000, undefined],
    ['gzip;q=0.000', 5000, undefined],
    ['gzip;q=many', 5000, GZIP],
    ['identity', 5000, undefined],
    ['identity, gzip', 5000, GZIP],
    ['identity, gzip;q=0.9', 5000, undefined],
    ['br', 5000, undefined],
    ['', 5000, undefined],
    [',;,', 5000, undefined],
    ['gzip, identity;q=0', 10, { coding: 'gzip', isRequired: true }],
    ['deflate, *;q=0', 10, { coding: 'deflate', isRequired: true }],
    ['gzip, *;q=0, identity;q=0.1', 10, undefined],
    // Nothing that we know: as it is, rather than an error for what has been done.
    ['identity;q=0', 5000, undefined],
    ['*;q=0', 5000, undefined],
    ['br, identity;q=0', 5000, undefined],
    // No body, no coding.
    ['gzip, identity;q=0', 0, undefined],
  ])('for a client that accepts %j, of %i bytes', (accepted, length, expected) => {
    expect(answerCoding(accepted, length)).toEqual(expected);
  });
});
