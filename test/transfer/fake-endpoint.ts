import { createHash, createHmac } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { crc32 } from 'node:zlib';
import { onTestFinished } from 'vitest';

/** What the endpoint does with one request: answers, or cuts the connection. */
export type Reply =
  | { readonly status: number; readonly body: object; readonly checksum?: number }
  | { readonly kind: 'cut' };

export interface Received {
  readonly operation: string;
  readonly request: Record<string, unknown>;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export const refusal = (status: number, name: string, message = ''): Reply => ({
  status,
  body: { __type: `com.amazonaws.dynamodb.v20120810#${name}`, message },
});

/** A server with one table `T` of the key `id`, for what no real server does on demand. */
export async function fakeEndpoint(reply: (received: Received) => Reply | undefined) {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      const operation = String(request.headers['x-amz-target']).split('.')[1]!;
      const answer =
        reply({ operation, request: JSON.parse(body), headers: request.headers, body }) ?? usual(operation);
      if ('kind' in answer) return request.socket.destroy();
      const text = JSON.stringify(answer.body);
      response.writeHead(answer.status, { 'x-amz-crc32': String(answer.checksum ?? crc32(text)) }).end(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** The ids of the items that a request puts, one or many; undefined if it is no such request. */
export function idsPut({ operation, request }: Received): string[] | undefined {
  type Put = { readonly Item: { readonly id: { readonly S: string } } };
  if (operation === 'PutItem') return [(request as unknown as Put).Item.id.S];
  if (operation !== 'BatchWriteItem') return undefined;
  const tables = request.RequestItems as Readonly<Record<string, readonly { readonly PutRequest: Put }[]>>;
  return Object.values(tables).flatMap((requests) => requests.map(({ PutRequest }) => PutRequest.Item.id.S));
}

/** The signature that a request must have, after "Signature Version 4 signing process" of the service's documentation. */
export function signatureFor({ headers, body }: Received, secret: string): string {
  const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();
  const hash = (text: string) => createHash('sha256').update(text).digest('hex');
  const authorization = headers.authorization!;
  const [, scope, names] = /Credential=[^/]+\/([^,]+), SignedHeaders=([^,]+)/.exec(authorization)!;
  const lines = names!.split(';').map((name) => `${name}:${headers[name]}\n`);
  const canonical = `POST\n/\n\n${lines.join('')}\n${names}\n${hash(body)}`;
  const toSign = `AWS4-HMAC-SHA256\n${headers['x-amz-date']}\n${scope}\n${hash(canonical)}`;
  const key = scope!.split('/').reduce<string | Buffer>((key, part) => hmac(key, part), `AWS4${secret}`);
  return hmac(key, toSign).toString('hex');
}

function usual(operation: string): Reply {
  if (operation !== 'DescribeTable') return { status: 200, body: {} };
  const Table = {
    TableName: 'T',
    TableStatus: 'ACTIVE',
    TableId: 'id of T',
    KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
  };
  return { status: 200, body: { Table } };
}
