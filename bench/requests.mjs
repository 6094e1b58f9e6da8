import { request as httpRequest } from 'node:http';
import { tableName } from './items.mjs';

const OF_STREAMS = ['ListStreams', 'DescribeStream', 'GetShardIterator', 'GetRecords'];

/**
 * The headers that the JavaScript SDK sends. The signature only has the form of one, because no emulator verifies it.
 */
function sdkHeaders(operation) {
  return {
    host: '127.0.0.1:8000',
    'content-type': 'application/x-amz-json-1.0',
    'x-amz-target': `DynamoDB${OF_STREAMS.includes(operation) ? 'Streams' : ''}_20120810.${operation}`,
    'user-agent': 'aws-sdk-js/3.1164.0 ua/2.1 os/linux#6.1.0 lang/js md/nodejs#20.20.2 api/dynamodb#3.1164.0 m/E,N',
    'x-amz-user-agent': 'aws-sdk-js/3.1164.0',
    'amz-sdk-invocation-id': '3f0f4c3a-6b1e-4b5e-9a56-0d1d4f1f7a10',
    'amz-sdk-request': 'attempt=1; max=3',
    'x-amz-date': '20260101T000000Z',
    'x-amz-content-sha256': 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    authorization:
      'AWS4-HMAC-SHA256 Credential=bench/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=' +
      'amz-sdk-invocation-id;amz-sdk-request;content-type;host;x-amz-content-sha256;x-amz-date;x-amz-target, ' +
      'Signature=5b1f4c3a6b1e4b5e9a560d1d4f1f7a105b1f4c3a6b1e4b5e9a560d1d4f1f7a10',
    connection: 'keep-alive',
  };
}

/** A complete HTTP/1.1 request as bytes. */
export function buildRequest(operation, body) {
  const payload = Buffer.from(JSON.stringify(body));
  const headers = Object.entries({ ...sdkHeaders(operation), 'content-length': payload.length });
  const head = `POST / HTTP/1.1\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
  return Buffer.concat([Buffer.from(head, 'latin1'), payload]);
}

/** Sends one request outside the measurements. @returns status and parsed body; status 0 if no server listens */
export function ask(port, operation, body) {
  return new Promise((resolve) => {
    const headers = { ...sdkHeaders(operation), connection: 'close' };
    const request = httpRequest({ port, host: '127.0.0.1', method: 'POST', headers, agent: false }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        resolve({ status: response.statusCode, body: text.startsWith('{') ? JSON.parse(text) : text });
      });
    });
    request.on('error', (error) => resolve({ status: 0, body: error.message }));
    request.end(JSON.stringify(body));
  });
}

/** Creates the table for items of this size, and waits until it can be used. */
export function createTable(port, itemBytes) {
  return createTableOf(port, {
    TableName: tableName(itemBytes),
    AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
    KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
  });
}

/** Creates an on-demand table, and waits until it can be used. */
export async function createTableOf(port, input) {
  const created = await ask(port, 'CreateTable', { ...input, BillingMode: 'PAY_PER_REQUEST' });
  if (created.status !== 200) throw new Error(`CreateTable: ${created.status} ${JSON.stringify(created.body)}`);
  for (let attempt = 0; attempt < 100; attempt++) {
    const described = await ask(port, 'DescribeTable', { TableName: input.TableName });
    if (described.body.Table?.TableStatus === 'ACTIVE') return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`table ${input.TableName} does not become ACTIVE`);
}
