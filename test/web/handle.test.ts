import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { ApiError } from '../../src/api/errors.ts';
import { RawJson, type RequestContext } from '../../src/api/operations.ts';
import { crossOriginOf } from '../../src/web/cross-origin.ts';
import type { HttpRequest } from '../../src/web/http-message.ts';
import {
  errorOf,
  GET_ITEM,
  gzipped,
  headerOf,
  jsonOf,
  MIB,
  NOW_MS,
  operationRequest,
  REQUEST_ID,
  SIGNED_HEADERS,
  testHandle,
} from './fixtures.ts';

const getItem = (headers: HttpRequest['headers'] = {}) => operationRequest('GetItem', GET_ITEM, headers);

describe('an operation', () => {
  test('reaches tier 2 with its request, the key and region it was signed with, the host asked, and the time', async () => {
    const calls: [string, object, RequestContext][] = [];
    const handle = testHandle(async (...call) => {
      calls.push(call);
      return {};
    });
    await handle(getItem());
    expect(calls).toEqual([
      [
        'GetItem',
        GET_ITEM,
        {
          requestId: REQUEST_ID,
          nowMs: NOW_MS,
          accessKeyId: 'AKIDEXAMPLE',
          region: 'eu-west-2',
          host: SIGNED_HEADERS.host,
        },
      ],
    ]);
  });

  test('is answered with the headers of the service and a checksum of the body as sent', async () => {
    const response = await testHandle(async () => ({ Item: new RawJson(Buffer.from('{"id":{"S":"é"}}')) }))(getItem());
    expect(response.status).toBe(200);
    expect(Buffer.from(response.body).toString()).toBe('{"Item":{"id":{"S":"é"}}}');
    expect(headerOf(response, 'x-amz-crc32')).toBe(String(crc32(response.body)));
    expect(headerOf(response, 'x-amzn-requestid')).toBe(REQUEST_ID);
    expect(headerOf(response, 'content-length')).toBe(String(response.body.length));
    expect(headerOf(response, 'content-type')).toBe('application/x-amz-json-1.0');
    expect(headerOf(response, 'server')).toBe('Dynaring');
    expect(headerOf(response, 'access-control-allow-origin')).toBeUndefined();
  });

  test.each([
    ['application/x-amz-json-1.0', 'application/x-amz-json-1.0'],
    ['application/x-amz-json-1.1', 'application/x-amz-json-1.1'],
    ['application/json', 'application/json'],
    ['Application/X-AMZ-JSON-1.0 ; charset=utf-8', 'application/x-amz-json-1.0'],
  ])('of content type %s is answered in kind', async (asked, answered) => {
    const response = await testHandle()(getItem({ 'content-type': asked }));
    expect([response.status, headerOf(response, 'content-type')]).toEqual([200, answered]);
  });

  // Recorded of the service, 2026-09-20 to 2026-10-09.
  test.each([
    ['TagResource', { ResourceArn: 'arn:aws:dynamodb:us-east-1:123456789012:table/a', Tags: [] }],
    ['UntagResource', { ResourceArn: 'arn:aws:dynamodb:us-east-1:123456789012:table/a', TagKeys: [] }],
  ])('%s is answered with an empty body', async (operation, body) => {
    const response = await testHandle()(operationRequest(operation, body));
    expect([response.status, response.body.length]).toEqual([200, 0]);
    expect(headerOf(response, 'content-length')).toBe('0');
    expect(headerOf(response, 'x-amz-crc32')).toBe('0');
    expect(headerOf(response, 'content-type')).toBe('application/x-amz-json-1.0');
  });

  test('from a browser may be read by its page', async () => {
    const response = await testHandle()(getItem({ origin: 'http://localhost:3000' }));
    expect(headerOf(response, 'access-control-allow-origin')).toBe('*');
    expect(headerOf(response, 'access-control-expose-headers')).toContain('x-amzn-RequestId');
  });

  test('may be pre-signed in its query string', async () => {
    let region: string | undefined;
    const handle = testHandle(async (_operation, _request, context) => {
      region = context.region;
      return {};
    });
    const query =
      'X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20260101%2Fus-west-1%2Fdynamodb%2Faws4_request' +
      '&X-Amz-Date=20260101T000000Z&X-Amz-SignedHeaders=host&X-Amz-Signature=abc';
    const response = await handle({ ...getItem({ authorization: undefined }), path: `/?${query}` });
    expect([response.status, region]).toEqual([200, 'us-west-1']);
  });

  test('may come gzipped', async () => {
    let seen: object | undefined;
    const handle = testHandle(async (_, request) => {
      seen = request;
      return {};
    });
    expect((await handle(gzipped(getItem()))).status).toBe(200);
    expect(seen).toEqual(GET_ITEM);
  });

  test('may have any strange attribute names', async () => {
    const body = '{"TableName":"abc","Item":{"__proto__":{"S":"x"},"constructor":{"S":"y"}}}';
    let names: string[] = [];
    const handle = testHandle(async (_, request) => {
      names = Object.keys((request as { Item: object }).Item);
      return {};
    });
    expect((await handle(operationRequest('PutItem', body))).status).toBe(200);
    expect(names).toEqual(['__proto__', 'constructor']);
  });
});

describe('errors of tier 2', () => {
  test('are answered with their type, status, message and members', async () => {
    const handle = testHandle(async () => {
      throw ApiError.conditionalCheckFailed(new RawJson(Buffer.from('{"id":{"S":"1"}}')));
    });
    const response = await handle(getItem());
    expect(response.status).toBe(400);
    expect(jsonOf(response)).toEqual({
      __type: 'com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException',
      message: 'The conditional request failed',
      Item: { id: { S: '1' } },
    });
  });

  test('that nobody expected are a 500 to the client, told inside, and tell the client nothing', async () => {
    const bug = new TypeError('secret');
    const handle = testHandle(async () => {
      throw bug;
    });
    const response = await handle(getItem());
    expect(errorOf(response).slice(0, 2)).toEqual([500, 'InternalServerError']);
    expect(Buffer.from(response.body).toString()).not.toContain('secret');
    expect(handle.internalErrors).toEqual([bug]);
  });

  test('that cannot be written as JSON are a 500 too', async () => {
    const response = await testHandle(async () => ({ n: 1n }))(getItem());
    expect(response.status).toBe(500);
  });
});

describe('bad requests', () => {
  const MISSING_TOKEN = [
    400,
    'MissingAuthenticationTokenException',
    'Request is missing Authentication Token',
  ] as const;
  const cases: [string, Partial<HttpRequest>, readonly [number, string, string | undefined]][] = [
    ['broken JSON', operationRequest('GetItem', '{'), [400, 'SerializationException', undefined]],
    [
      'no JSON object',
      operationRequest('GetItem', '7'),
      [400, 'SerializationException', 'Unexpected value type in payload'],
    ],
    ['null for a body', operationRequest('GetItem', 'null'), [400, 'SerializationException', undefined]],
    ['no body', operationRequest('GetItem', ''), [400, 'SerializationException', undefined]],
    [
      'invalid UTF-8',
      { ...getItem(), body: Buffer.from('{"TableName":"\xff","Key":{}}', 'latin1') },
      [400, 'SerializationException', undefined],
    ],
    [
      'half a surrogate pair',
      operationRequest('PutItem', '{"TableName":"abc","Item":{"a":{"S":"\\ud83d"}}}'),
      [400, 'SerializationException', undefined],
    ],
    [
      'broken JSON and no target',
      { ...getItem({ 'x-amz-target': undefined }), body: Buffer.from('{') },
      [400, 'SerializationException', undefined],
    ],
    [
      'no target',
      getItem({ 'x-amz-target': undefined }),
      [400, 'UnknownOperationException', 'The request names no operation: it has no X-Amz-Target header'],
    ],
    [
      'an unknown operation',
      operationRequest('FlyToTheMoon', {}),
      [400, 'UnknownOperationException', 'Unknown operation: DynamoDB_20120810.FlyToTheMoon'],
    ],
    [
      'another version of the API',
      getItem({ 'x-amz-target': 'DynamoDB_20111205.GetItem' }),
      [400, 'UnknownOperationException', 'Unknown operation: DynamoDB_20111205.GetItem'],
    ],
    [
      'the name of something every object has',
      operationRequest('constructor', {}),
      [400, 'UnknownOperationException', 'Unknown operation: DynamoDB_20120810.constructor'],
    ],
    ['no authorization', getItem({ authorization: undefined }), MISSING_TOKEN],
    ['another kind of authorization', getItem({ authorization: 'Basic YTpi' }), MISSING_TOKEN],
    [
      'an empty signature',
      getItem({ authorization: 'AWS4-HMAC-SHA256' }),
      [
        400,
        'IncompleteSignatureException',
        "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. " +
          "Authorization header requires 'SignedHeaders' parameter. Authorization=AWS4-HMAC-SHA256",
      ],
    ],
    [
      'no date',
      getItem({ 'x-amz-date': undefined }),
      [
        400,
        'IncompleteSignatureException',
        "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. " +
          `Authorization=${SIGNED_HEADERS.authorization}`,
      ],
    ],
    [
      'a short credential',
      getItem({ authorization: 'AWS4-HMAC-SHA256 Credential=a/b/c/d,SignedHeaders=host,Signature=x' }),
      [
        400,
        'IncompleteSignatureException',
        "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'a/b/c/d'",
      ],
    ],
    [
      'another algorithm',
      getItem({ authorization: 'AWS4-HMAC-MD5 Credential=a/b/c/d/e,SignedHeaders=host,Signature=x' }),
      [
        400,
        'IncompleteSignatureException',
        "Unsupported AWS 'algorithm': 'AWS4-HMAC-MD5' (only AWS4-HMAC-SHA256 for now). ",
      ],
    ],
    [
      'a half pre-signed query',
      { ...getItem({ authorization: undefined }), path: '/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a' },
      [
        400,
        'IncompleteSignatureException',
        "AWS query-string parameters must include 'X-Amz-Signature'. AWS query-string parameters must include " +
          "'X-Amz-SignedHeaders'. AWS query-string parameters must include 'X-Amz-Date'. Re-examine the query-string parameters.",
      ],
    ],
    [
      'two kinds of signature',
      { ...getItem(), path: '/?X-Amz-Algorithm=AWS4-HMAC-SHA256' },
      [
        400,
        'InvalidSignatureException',
        "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.",
      ],
    ],
    [
      'bad types',
      operationRequest('GetItem', { TableName: 1 }),
      [400, 'SerializationException', 'NUMBER_VALUE cannot be converted to String'],
    ],
    [
      'missing members',
      operationRequest('GetItem', {}),
      [
        400,
        'ValidationException',
        "2 validation errors detected: Value null at 'tableName' failed to satisfy constraint: Member must not be null; " +
          "Value null at 'key' failed to satisfy constraint: Member must not be null",
      ],
    ],
    [
      'a body over 16 MB',
      operationRequest('GetItem', `{"TableName":"${'x'.repeat(16 * MIB)}"}`),
      [413, 'RequestEntityTooLargeException', 'Request size exceeds the limit of 16777216 bytes'],
    ],
    [
      'a gzipped body over 16 MB',
      gzipped(operationRequest('GetItem', `{"TableName":"${'x'.repeat(16 * MIB)}"}`)),
      [413, 'RequestEntityTooLargeException', 'Request size exceeds the limit of 16777216 bytes'],
    ],
  ];
  test.each(cases)('%s', async (_, request, expected) => {
    const handle = testHandle(async () => {
      throw new Error('must not be reached');
    });
    const response = await handle(request);
    expect(errorOf(response)).toEqual(expected);
    expect(headerOf(response, 'x-amz-crc32')).toBe(String(crc32(response.body)));
    expect(handle.internalErrors).toEqual([]);
  });

  test.each([
    ['text/plain', 'POST', '/'],
    ['application/x-www-form-urlencoded', 'POST', '/'],
    ['application/xml', 'POST', '/elsewhere'],
    ['text/html', 'PUT', '/'],
    [undefined, 'DELETE', '/health'],
    [undefined, 'GET', '/shell'],
  ])('content type %s of %s %s is not known', async (contentType, method, path) => {
    const response = await testHandle()({ ...getItem({ 'content-type': contentType, accept: '*/*' }), method, path });
    expect([response.status, Buffer.from(response.body).toString()]).toEqual([404, '<UnknownOperationException/>\n']);
    expect(headerOf(response, 'content-type')).toBe('text/plain');
  });

  test.each([
    ['POST', '/dynamodb', { 'content-type': 'application/x-amz-json-1.0' }, 'POST /dynamodb: the endpoint has no path'],
    [
      'POST',
      '/\u001b[31m?X-Amz-Signature=secret',
      { 'content-type': 'application/x-amz-json-1.1; charset=utf-8' },
      'POST /\\u{1b}[31m: the endpoint has no path',
    ],
    [
      'PUT',
      '/',
      { 'content-type': 'application/json' },
      'PUT /: there is no such thing; operations are POST requests to /',
    ],
    [
      'GET',
      '/shell',
      { accept: 'text/html, application/json;q=0.9' },
      'GET /shell: there is no such thing; operations are POST requests to /',
    ],
    [
      'POST',
      '/',
      { 'content-type': 'application/vnd.api+json' },
      'The content type application/vnd.api+json is not known; that of operations is application/x-amz-json-1.0',
    ],
    [
      'POST',
      '/',
      { 'content-type': 'text/plain', accept: 'application/json' },
      'The content type text/plain is not known; that of operations is application/x-amz-json-1.0',
    ],
    [
      'POST',
      '/',
      { accept: 'application/json' },
      'The request has no content type; that of operations is application/x-amz-json-1.0',
    ],
  ])('%s %s with %j is answered in JSON', async (method, path, headers, message) => {
    const response = await testHandle()({ ...getItem(), method, path, headers });
    expect(errorOf(response)).toEqual([404, 'UnknownOperationException', message]);
    const given = (headers as { 'content-type'?: string })['content-type']?.split(';')[0] ?? '';
    const known = ['application/x-amz-json-1.0', 'application/x-amz-json-1.1'].includes(given);
    expect(headerOf(response, 'content-type')).toBe(known ? given : 'application/json');
    expect(headerOf(response, 'x-amz-crc32')).toBe(String(crc32(response.body)));
  });
});

describe('requests that are no operations', () => {
  test.each(['GET', 'HEAD'])('%s / is the 400 that health checks of emulators wait for', async (method) => {
    const response = await testHandle()({ method });
    expect(errorOf(response).slice(0, 2)).toEqual([400, 'MissingAuthenticationToken']);
  });

  test('GET /health tells whether requests can be served', async () => {
    let isReady = false;
    const handle = testHandle(undefined, { isReady: () => isReady });
    const health = async () => (await handle({ method: 'GET', path: '/health?verbose' })).status;
    expect(await health()).toBe(503);
    expect(errorOf(await handle(getItem())).slice(0, 2)).toEqual([503, 'ServiceUnavailableException']);
    isReady = true;
    expect(await health()).toBe(200);
  });

  test.each([
    ['GET', '/', true],
    ['HEAD', '/', true],
    ['GET', '/health', true],
    ['HEAD', '/health', true],
    ['GET', '/shell', true],
    ['OPTIONS', '/', undefined],
    ['POST', '/', undefined],
  ])('whether the connection ends after %s %s: %s', async (method, path, isLast) => {
    expect((await testHandle()({ ...getItem(), method, path })).isLast).toBe(isLast);
  });

  const PREFLIGHT = {
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'x-amz-target,authorization',
  };

  test('OPTIONS without an origin is told nothing of origins', async () => {
    const headers = { ...PREFLIGHT, 'access-control-request-private-network': 'true' };
    const response = await testHandle()({ method: 'OPTIONS', headers });
    expect([response.status, response.body.length]).toEqual([200, 0]);
    expect(response.headers.filter((name) => /^access-control/i.test(name))).toEqual([]);
  });

  test('a preflight allows everything', async () => {
    const headers = { ...PREFLIGHT, origin: 'http://localhost:3000' };
    const response = await testHandle()({ method: 'OPTIONS', headers });
    expect(headerOf(response, 'access-control-allow-private-network')).toBeUndefined();
    expect(response.status).toBe(200);
    expect(headerOf(response, 'access-control-allow-origin')).toBe('*');
    expect(headerOf(response, 'access-control-allow-methods')).toBe('POST');
    expect(headerOf(response, 'access-control-allow-headers')).toBe('x-amz-target,authorization');
    expect(response.body.length).toBe(0);
  });

  test('a page of the public network that asks for this machine is answered', async () => {
    const headers = {
      ...PREFLIGHT,
      origin: 'https://app.example',
      'access-control-request-private-network': 'true',
    };
    const answers = async (allowed: string) =>
      headerOf(
        await testHandle(undefined, { crossOrigin: crossOriginOf([allowed]) })({ method: 'OPTIONS', headers }),
        'access-control-allow-private-network',
      );
    expect([await answers('*'), await answers('https://app.example')]).toEqual(['true', 'true']);
    expect(await answers('localhost')).toBeUndefined();
  });
});

describe('with a list of origins', () => {
  const handle = testHandle(async () => ({}), {
    crossOrigin: crossOriginOf([
      'https://app.example',
      'localhost',
      '127.0.0.1:3000',
      'http://Plain.example:80/',
      'tauri://desk.example/',
    ]),
  });
  const PREFLIGHT = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'x-amz-target' };

  test.each([
    'https://app.example',
    'http://localhost:5173',
    'https://localhost',
    'http://127.0.0.1:3000',
    'http://plain.example',
    'tauri://desk.example',
  ])('a page of %s may read answers and is told so by name', async (origin) => {
    const answers = [
      await handle(getItem({ origin })),
      await handle({ method: 'OPTIONS', headers: { ...PREFLIGHT, origin } }),
    ];
    for (const answer of answers) {
      expect(answer.status).toBe(200);
      expect(headerOf(answer, 'access-control-allow-origin')).toBe(origin);
      expect(headerOf(answer, 'vary')).toBe('Origin');
    }
    expect(headerOf(answers[1]!, 'access-control-allow-methods')).toBe('POST');
  });

  test.each(['http://app.example', 'https://app.example.evil.example', 'http://127.0.0.1:3001', 'null', 'localhost'])(
    'a page of %s may not',
    async (origin) => {
      const answers = [
        await handle(getItem({ origin })),
        await handle(operationRequest('NoSuchThing', {}, { origin })),
        await handle({ method: 'OPTIONS', headers: { ...PREFLIGHT, origin } }),
      ];
      expect(answers.map(({ status }) => status)).toEqual([200, 400, 200]);
      for (const answer of answers) {
        expect(answer.headers.filter((name) => /^access-control/i.test(name))).toEqual([]);
        expect(headerOf(answer, 'vary')).toBe('Origin');
      }
    },
  );
});
