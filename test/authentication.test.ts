import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect as connectTcp, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import {
  CreateTableCommand,
  DynamoDBClient,
  type DynamoDBClientConfig,
  GetItemCommand,
  ListTablesCommand,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import express from 'express';
import { afterEach, describe, expect, test } from 'vitest';
import { type Dynaring, type DynaringOptions, startDynaring } from '../src/index.ts';
import { LOCALHOST, OTHER } from './parts/certificates.ts';
import { temporaryDirectory } from './parts/directory.ts';
import { tableInput } from './parts/tables.ts';

const KEYS = [
  { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' },
  { accessKeyId: 'ASIAEXAMPLE', secretAccessKey: 'temporary', sessionToken: 'token/of+some=length==' },
  { accessKeyId: 'BOUND', secretAccessKey: 'bound', region: 'eu-west-1' },
  { accessKeyId: 'dynaringnsapart', secretAccessKey: 'apart' },
];
const [KEY, TEMPORARY, BOUND] = KEYS as [(typeof KEYS)[0], (typeof KEYS)[0], (typeof KEYS)[0]];

let db: Dynaring | undefined;
const clients: DynamoDBClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await db?.stop();
  db = undefined;
});

async function start(options: DynaringOptions = {}): Promise<Dynaring> {
  db = await startDynaring({ nodes: 1, auth: KEYS, ...options });
  return db;
}

/** A client of the official SDK that trusts the certificate of the tests. */
function connect(config: DynamoDBClientConfig = {}): DynamoDBClient {
  const client = new DynamoDBClient({
    ...db!.clientConfig(),
    maxAttempts: 1,
    requestHandler: { httpsAgent: { ca: LOCALHOST.cert } },
    ...config,
  });
  clients.push(client);
  return client;
}

const list = async (client: DynamoDBClient) => (await client.send(new ListTablesCommand({}))).TableNames;
const refusal = async (config: DynamoDBClientConfig) => {
  const error = await list(connect(config)).catch((failure: Error) => failure);
  return error instanceof Error ? [error.name, error.message.split('\n')[0]] : error;
};

describe.each([
  ['HTTP', {}],
  ['HTTPS', { https: LOCALHOST }],
])('the official SDK, by %s', (scheme, options) => {
  test('reads and writes with the right secret, large items too', async () => {
    await start(options);
    expect(db!.endpoint).toMatch(scheme === 'HTTPS' ? /^https:/ : /^http:/);
    const client = connect();
    await client.send(new CreateTableCommand(tableInput('table')));
    const Item = { pk: { S: 'a' }, text: { S: 'ä'.repeat(150_000) } };
    await client.send(new PutItemCommand({ TableName: 'table', Item }));
    const { Item: found } = await client.send(new GetItemCommand({ TableName: 'table', Key: { pk: { S: 'a' } } }));
    expect(found).toEqual(Item);
  });

  test.each<[string, DynamoDBClientConfig, string, string | RegExp]>([
    [
      'a wrong secret',
      { credentials: { ...KEY, secretAccessKey: 'wrong' } },
      'InvalidSignatureException',
      /^The request signature we calculated does not match the signature you provided\./,
    ],
    [
      'an unknown access key',
      { credentials: { ...KEY, accessKeyId: 'AKIAUNKNOWN' } },
      'UnrecognizedClientException',
      'The security token included in the request is invalid.',
    ],
    [
      'a wrong session token',
      { credentials: { ...TEMPORARY, sessionToken: 'another' } },
      'UnrecognizedClientException',
      'The security token included in the request is invalid',
    ],
    [
      'a region that is not its key’s',
      { credentials: BOUND, region: 'us-east-1' },
      'InvalidSignatureException',
      "Credential should be scoped to a valid region, not 'us-east-1'. ",
    ],
    [
      'a clock that is behind',
      { systemClockOffset: -6 * 60_000 },
      'InvalidSignatureException',
      /^Signature expired: \d{8}T\d{6}Z is now earlier than \d{8}T\d{6}Z \(\d{8}T\d{6}Z - 5 min\.\)$/,
    ],
    [
      'a clock that is ahead',
      { systemClockOffset: 6 * 60_000 },
      'InvalidSignatureException',
      /^Signature not yet current: \d{8}T\d{6}Z is still later than \d{8}T\d{6}Z \(\d{8}T\d{6}Z \+ 5 min\.\)$/,
    ],
  ])('is refused with %s', async (_, config, name, message) => {
    await start(options);
    expect(await refusal(config)).toEqual([name, expect.stringMatching(message)]);
  });

  test('is served with a session token, and for the region of its key', async () => {
    await start(options);
    expect(await list(connect({ credentials: TEMPORARY }))).toEqual([]);
    expect(await list(connect({ credentials: BOUND, region: 'eu-west-1' }))).toEqual([]);
  });
});

describe('signatures', () => {
  test('of an SDK whose clock is wrong are right at its second attempt: it goes by the Date of the refusal', async () => {
    await start();
    expect(await list(connect({ systemClockOffset: -60 * 60_000, maxAttempts: 2 }))).toEqual([]);
  });

  test('are dated by the clock of the computer, wherever that of the API is moved to', async () => {
    await start();
    db!.clock.advance('49h');
    expect(await list(connect())).toEqual([]);
  });

  test('may be in the query', async () => {
    await start();
    const client = connect();
    const { hostname, port, host } = new URL(db!.endpoint);
    const signer = await client.config.signer();
    if (!('presign' in signer)) throw new Error('the SDK pre-signs nothing');
    const presign = signer.presign as (request: object, options: object) => Promise<{ query: Record<string, string> }>;
    const headers = {
      host,
      'content-type': 'application/x-amz-json-1.0',
      'x-amz-target': 'DynamoDB_20120810.ListTables',
    };
    const request = { protocol: 'http:', method: 'POST', hostname, port, path: '/', query: {}, headers, body: '{}' };
    const hoisted = { expiresIn: 60, unhoistableHeaders: new Set(['x-amz-target']) };
    const { query } = await presign.call(signer, request, hoisted);
    const post = (changed: Record<string, string>, body = '{}') =>
      fetch(`${db!.endpoint}/?${new URLSearchParams({ ...query, ...changed })}`, { method: 'POST', headers, body });
    expect(await (await post({})).json()).toEqual({ TableNames: [] });
    for (const refused of [post({ 'X-Amz-Expires': '61' }), post({}, '{"Limit":1}')]) {
      expect(await (await refused).json()).toMatchObject({
        __type: 'com.amazon.coral.service#InvalidSignatureException',
      });
    }
  });

  test('cover whichever of its names the server was asked by', async () => {
    await start();
    const { port } = new URL(db!.endpoint);
    const asked = ['127.0.0.1', '[::1]', 'localhost'].map((name) =>
      list(connect({ endpoint: `http://${name}:${port}` })),
    );
    expect(await Promise.all(asked)).toEqual([[], [], []]);
  });

  test('decide who sees which tables, as access keys do without them', async () => {
    await start({ isolate: 'access-key' });
    await connect().send(new CreateTableCommand(tableInput('table')));
    expect(await list(connect())).toEqual(['table']);
    expect(await list(connect({ credentials: BOUND, region: 'eu-west-1' }))).toEqual([]);
    expect(await list(connect(db!.namespace('apart')))).toEqual([]);
    expect(() => db!.namespace('unknown')).toThrow('auth has no access key dynaringnsunknown');
  });

  test('are verified in an application, too, in front of body parsers', async () => {
    await start();
    const server = express().use('/dynamodb', db!.middleware).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const endpoint = `http://127.0.0.1:${port}/dynamodb`;
    try {
      expect(await list(connect({ endpoint }))).toEqual([]);
      const credentials = { ...KEY, secretAccessKey: 'wrong' };
      expect(await refusal({ endpoint, credentials })).toMatchObject({ 0: 'InvalidSignatureException' });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  test('of what is not signed there are none', async () => {
    await start();
    const unsigned = await fetch(db!.endpoint, {
      method: 'POST',
      headers: { 'Content-Type': 'application/x-amz-json-1.0', 'X-Amz-Target': 'DynamoDB_20120810.ListTables' },
      body: '{}',
    });
    expect([unsigned.status, await unsigned.json()]).toEqual([
      400,
      {
        __type: 'com.amazon.coral.service#MissingAuthenticationTokenException',
        message: 'Request is missing Authentication Token',
      },
    ]);
    expect((await fetch(`${db!.endpoint}/health`)).status).toBe(200);
  });
});

describe('HTTPS', () => {
  test('is spoken by the files that the settings name, and refused to clients that do not know the certificate', async () => {
    const directory = temporaryDirectory();
    const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
    writeFileSync(cert, LOCALHOST.cert);
    writeFileSync(key, LOCALHOST.key);
    await start({ https: { cert, key }, auth: undefined });
    expect(await list(connect())).toEqual([]);
    await expect(list(connect({ requestHandler: {} }))).rejects.toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
  });

  test('is spoken to administrators, too', async () => {
    await start({ https: LOCALHOST, adminPort: 0 });
    const socket = connectTls({ port: db!.port, host: '127.0.0.1', ca: LOCALHOST.cert, servername: 'localhost' });
    socket.write('GET /health HTTP/1.0\r\n\r\n');
    expect(await textOf(socket)).toMatch(/^HTTP\/1\.1 200 OK.*ready\n$/s);
  });

  test('cuts clients that begin no handshake when it stops, and those that speak plain HTTP at once', async () => {
    await start({ https: LOCALHOST });
    const silent = connectTcp(db!.port, '127.0.0.1');
    const plain = connectTcp(db!.port, '127.0.0.1');
    const closed = once(silent, 'close');
    plain.write('GET /health HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(await textOf(plain)).toBe('');
    await list(connect());
    await db!.stop();
    await closed;
  });

  test('closes an idle connection when there are too many, whether its handshake is done or not', async () => {
    await start({ https: LOCALHOST, auth: undefined, limits: { web: { maxConnections: 2 } } });
    const open = () => connectTcp(db!.port, '127.0.0.1');
    const sockets = [open(), open(), open()];
    await Promise.race(sockets.map((socket) => once(socket, 'close')));
    expect(await list(connect())).toEqual([]);
    for (const socket of sockets) socket.destroy();
  });

  test.each<[string, DynaringOptions, RegExp]>([
    [
      'a key of another certificate',
      { https: { ...LOCALHOST, key: OTHER.key } },
      /^--https-cert and --https-key cannot be used: /,
    ],
    [
      'no certificate',
      { https: { ...LOCALHOST, cert: '-----BEGIN nothing' } },
      /^--https-cert and --https-key cannot be used: /,
    ],
    ['no file', { https: { ...LOCALHOST, cert: 'no-such.pem' } }, /^--https-cert no-such\.pem cannot be read: ENOENT/],
    ['no key', { https: { cert: LOCALHOST.cert } as typeof LOCALHOST }, /^--https-cert needs --https-key$/],
    [
      'a number',
      { https: { ...LOCALHOST, cert: 1 as unknown as string } },
      /^httpsCert must be what --https-cert may be, a file, not 1$/,
    ],
  ])('is refused with %s, in one line', async (_, options, message) => {
    const error: Error = await startDynaring(options).then(
      () => new Error('it started'),
      (failure: Error) => failure,
    );
    expect([error.name, error.message.split('\n')]).toEqual(['ConfigError', [expect.stringMatching(message)]]);
  });
});

describe('access keys', () => {
  async function startWith(text: string): Promise<string> {
    const path = join(temporaryDirectory(), 'keys.json');
    writeFileSync(path, text);
    const started = startDynaring({ nodes: 1, auth: path });
    db = await started.catch(() => undefined);
    if (db !== undefined) return await started.then(() => 'started');
    return await started.then(String, (error: Error) => error.message.replace(path, 'F'));
  }

  test('may be secrets by id', async () => {
    expect(await startWith('\uFEFF{"AKID":"s","OTHER":"t"}')).toBe('started');
    expect(db!.clientConfig().credentials).toEqual({ accessKeyId: 'AKID', secretAccessKey: 's' });
    expect(await list(connect())).toEqual([]);
    const credentials = { accessKeyId: 'OTHER', secretAccessKey: 't' };
    expect(await list(connect({ credentials }))).toEqual([]);
  });

  test('may be given without a file', async () => {
    await start({ auth: { AKID: 'secret' } });
    expect(await list(connect({ credentials: { accessKeyId: 'AKID', secretAccessKey: 'secret' } }))).toEqual([]);
  });

  test.each([
    ['{"AKID":"hidden"', /^--auth F is not JSON( at position 16.*)?$/],
    ['hidden', /^--auth F is not JSON$/],
    ['"hidden"', /^--auth F must be an object of secrets by access key id, or a list of access keys$/],
    ['{}', /^--auth F has no access key: nobody could use the server$/],
    ['[]', /^--auth F has no access key: nobody could use the server$/],
    ['{"AKID":["hidden"]}', /^--auth F, entry 1 of 1: secretAccessKey must be a text$/],
    ['{"A KID":"hidden"}', /^--auth F, entry 1 of 1: accessKeyId must have no slash, comma or blank$/],
    ['[{"accessKeyId":"a"}]', /^--auth F, entry 1 of 1: secretAccessKey is missing$/],
    ['[{"accessKeyId":"a","secretAccessKey":""}]', /^--auth F, entry 1 of 1: secretAccessKey must be a text$/],
    [
      '[{"accessKeyId":"a","secretAccesKey":"hidden"}]',
      /^--auth F, entry 1 of 1: there is no "secretAccesKey"; did you mean secretAccessKey\?$/,
    ],
    [
      '[{"accessKeyId":"a","secretAccessKey":"hidden"},{"accessKeyId":"a","secretAccessKey":"hidden"}]',
      /^--auth F has "a" twice$/,
    ],
    ['[null]', /^--auth F, entry 1 of 1: must be an object$/],
  ])('%s are refused in one line that shows no secret', async (text, message) => {
    const told = await startWith(text);
    expect(told).toMatch(message);
    expect(told).not.toContain('hidden');
  });

  test('of a file that is not there are refused', async () => {
    await expect(startDynaring({ auth: 'no-such.json' })).rejects.toThrow(
      /^--auth no-such\.json cannot be read: ENOENT: no such file or directory/,
    );
  });
});

async function textOf(socket: Socket): Promise<string> {
  let text = '';
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    text += chunk;
  });
  await once(socket, 'close');
  return text;
}
