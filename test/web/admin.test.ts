import { once } from 'node:events';
import { request as httpRequest, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import supertest from 'supertest';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ApiError } from '../../src/api/errors.ts';
import { AdminError } from '../../src/api/fault-rule.ts';
import { type AdminServer, adminServer, TRACE } from './fake-admin.ts';
import { GET_ITEM, REQUEST_ID, SIGNED_HEADERS } from './fixtures.ts';

const RULE = { kind: 'error', error: 'ThrottlingException', when: 'before' };
const KEY = { id: { S: 'a b' }, at: { N: '1' } };
const SNAPSHOT = { format: 1, tables: [{ namespace: 'ns', definition: {}, items: [{ id: { S: '1' } }] }] };

describe('what an administrator asks for reaches the one who does it', () => {
  test('fault rules come, are listed and go', async () => {
    const { server, admin } = adminServer();
    const added = { id: 'fault-1', rule: RULE, fired: 0 };
    await supertest(server).post('/_dynaring/faults').send(RULE).expect(201, added);
    await supertest(server)
      .get('/_dynaring/faults')
      .expect(200, { faults: [added] });
    await supertest(server).delete('/_dynaring/faults/fault-1').expect(200, { done: 'fault rule fault-1 ended' });
    await supertest(server).delete('/_dynaring/faults').expect(200, { done: '0 fault rules ended' });
    expect(admin.calls).toEqual([['addFault', RULE], ['removeFault', 'fault-1'], ['clearFaults']]);
  });

  test.each([
    ['post', '/nodes/node-1/stop', undefined, 'node-1 is stopped (1 node: 1 up)', ['node', 'node-1', 'stop']],
    ['post', '/nodes/node-2/start', undefined, 'node-2 runs (1 node: 1 up)', ['node', 'node-2', 'start']],
    [
      'post',
      '/nodes/node-2/pause',
      undefined,
      'node-2 is paused: it neither hears nor answers (1 node: 1 up)',
      ['node', 'node-2', 'pause'],
    ],
    ['post', '/nodes/node-2/resume', undefined, 'node-2 runs (1 node: 1 up)', ['node', 'node-2', 'resume']],
    [
      'post',
      '/nodes/node-2/wipe',
      undefined,
      'node-2 has lost its disk, and is brought back from the others (1 node: 1 up)',
      ['node', 'node-2', 'wipe'],
    ],
    ['put', '/links/a/b', { cut: true }, 'messages from a to b are lost', ['setLink', 'a', 'b', { cut: true }]],
    [
      'put',
      '/links/a/b',
      { delayMs: 0, dropRate: 1 },
      'messages from a to b are lost with a chance of 1',
      ['setLink', 'a', 'b', { delayMs: 0, dropRate: 1 }],
    ],
    ['delete', '/links/a/b', undefined, 'messages from a to b arrive as usual', ['healLink', 'a', 'b']],
    ['post', '/nodes', undefined, 'node-2 is added (1 node: 1 up)', ['addNode']],
    [
      'delete',
      '/nodes/node-1',
      undefined,
      'node-1 is taken out (0 partitions still to be moved)',
      ['removeNode', 'node-1'],
    ],
    [
      'post',
      '/nodes/b/replace',
      undefined,
      'b gets another disk, and is brought back from the others (1 node: 1 up)',
      ['node', 'b', 'replace'],
    ],
    ['post', '/repair', undefined, undefined, ['repair']],
    ['post', '/scrub', undefined, undefined, ['scrub']],
    ['post', '/wait-until-consistent', undefined, 'no replica is behind, and no hint is left', ['waitUntilConsistent']],
    ['post', '/sweep', undefined, undefined, ['sweep']],
    ['get', '/clock', undefined, undefined, ['clock']],
    ['post', '/clock', { advance: '49h' }, undefined, ['moveClock', { advance: '49h' }]],
    ['post', '/clock', { set: 1.5 }, undefined, ['moveClock', { set: 1.5 }]],
    ['delete', '/clock', undefined, undefined, ['resetClock']],
    ['post', '/reset', undefined, 'all tables are deleted', ['reset', undefined]],
    [
      'post',
      '/reset?namespace=worker-3',
      undefined,
      'all tables in namespace "worker-3" are deleted',
      ['reset', 'worker-3'],
    ],
    ['get', '/snapshot?namespace=', undefined, undefined, ['snapshot', '']],
    ['post', '/snapshot', SNAPSHOT, 'brought back 1 table with 1 item', ['restore', SNAPSHOT]],
    ['get', '/cluster', undefined, undefined, ['cluster']],
    ['get', '/status', undefined, undefined, ['cluster']],
    [
      'get',
      `/key?table=orders&key=${encodeURIComponent(JSON.stringify(KEY))}`,
      undefined,
      undefined,
      ['key', 'orders', KEY, undefined],
    ],
    [
      'get',
      `/key?table=orders&namespace=n&key=${encodeURIComponent('{"id":{"B":"AAE="}}')}`,
      undefined,
      undefined,
      ['key', 'orders', { id: { B: 'AAE=' } }, 'n'],
    ],
    ['get', `/trace/${REQUEST_ID}`, undefined, undefined, ['trace', REQUEST_ID]],
  ] as const)('%s %s', async (method, path, body, done, call) => {
    const { server, admin } = adminServer();
    const response = await supertest(server)[method](`/_dynaring${path}`).send(body);
    expect(response.status).toBe(200);
    // A shell goes on in a line of its own.
    expect(response.text.endsWith('\n')).toBe(true);
    if (typeof done === 'string') expect(response.body).toEqual({ done });
    expect(admin.calls.slice(0, 1)).toEqual([call]);
  });

  test('answers are JSON that no cache keeps and no other page may read', async () => {
    const { server } = adminServer();
    const { body, headers } = await supertest(server).get(`/_dynaring/trace/${REQUEST_ID}`).expect(200);
    expect(body).toEqual(TRACE);
    expect(headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'cross-origin-resource-policy': 'same-origin',
    });
    expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
  });

  test('what was to change something is told, with how it ended; what was only looked at is not', async () => {
    const { server, actions } = adminServer();
    await supertest(server).post('/_dynaring/reset?namespace=a').expect(200);
    await supertest(server).delete('/_dynaring/faults/none').expect(404);
    await supertest(server).get('/_dynaring/cluster').expect(200);
    expect(actions).toEqual([
      { method: 'POST', path: '/_dynaring/reset?namespace=a', status: 200 },
      { method: 'DELETE', path: '/_dynaring/faults/none', status: 404 },
    ]);
  });
});

test('who asks for a route that is not there is told those that are', async () => {
  const { server } = adminServer();
  for (const path of ['/', '/node', '/stat']) {
    const { body } = await supertest(server).get(`/_dynaring${path}`).expect(404);
    expect(body.error).toMatch(/^there is no such route; there are \/faults, .*\/status, /);
  }
});

describe('what makes no sense is refused, and the answer names what is wrong', () => {
  const key = (json: string) => `/key?table=t&key=${encodeURIComponent(json)}`;
  test.each([
    ['post', '/faults', { kind: 'nonsense' }, 400, 'kind'],
    ['post', '/faults', undefined, 400, 'body'],
    ['post', '/faults', [], 400, 'body'],
    ['post', '/faults', '{', 400, 'body'],
    ['post', '/faults', '"text"', 400, 'body'],
    ['delete', '/faults/fault-9', undefined, 404, 'id'],
    ['post', '/nodes/node-1/explode', undefined, 400, 'action'],
    ['post', '/nodes/node-1/constructor', undefined, 400, 'action'],
    ['put', '/links/a/b', {}, 400, 'body'],
    ['put', '/links/a/b', [], 400, 'body'],
    ['put', '/links/a/b', { cut: 1 }, 400, 'cut'],
    ['put', '/links/a/b', { delayMs: -1 }, 400, 'delayMs'],
    ['put', '/links/a/b', { delayMs: '5' }, 400, 'delayMs'],
    ['put', '/links/a/b', { dropRate: 1.1 }, 400, 'dropRate'],
    ['put', '/links/a/b', { cut: true, speed: 1 }, 400, 'speed'],
    ['put', '/links/a/b', '{"__proto__": 1}', 400, '__proto__'],
    ['post', '/reset?name=a', undefined, 400, 'name'],
    ['post', '/reset?namespace=a&namespace=b', undefined, 400, 'namespace'],
    ['post', '/snapshot', { format: 2, tables: [] }, 400, 'format'],
    ['post', '/snapshot', { format: 1 }, 400, 'tables'],
    ['post', '/snapshot', { format: 1, tables: [], extra: 1 }, 400, 'extra'],
    ['post', '/snapshot', { format: 1, tables: [], namespace: 1 }, 400, 'namespace'],
    ['post', '/snapshot', { format: 1, tables: [null] }, 400, 'tables[0]'],
    ['post', '/snapshot', { format: 1, tables: [{ definition: {}, items: [] }] }, 400, 'tables[0].namespace'],
    ['post', '/snapshot', { format: 1, tables: [{ namespace: '', items: [] }] }, 400, 'tables[0].definition'],
    ['post', '/snapshot', { format: 1, tables: [{ namespace: '', definition: {} }] }, 400, 'tables[0].items'],
    [
      'post',
      '/snapshot',
      { format: 1, tables: [{ namespace: '', definition: {}, items: [{}, 1] }] },
      400,
      'tables[0].items[1]',
    ],
    ['get', '/key?key=%7B%7D', undefined, 400, 'table'],
    ['get', '/key?table=&key=%7B%7D', undefined, 400, 'table'],
    ['get', '/key?table=t', undefined, 400, 'key'],
    ['get', key('{'), undefined, 400, 'key'],
    ['get', key('[]'), undefined, 400, 'key'],
    ['get', key('{}'), undefined, 400, 'key'],
    ['get', key('{"a":{"S":"1"},"b":{"S":"1"},"c":{"S":"1"}}'), undefined, 400, 'key'],
    ['get', key('{"a":"1"}'), undefined, 400, 'key.a'],
    ['get', key('{"a":{"N":1}}'), undefined, 400, 'key.a'],
    ['get', key('{"a":{"S":"1","N":"1"}}'), undefined, 400, 'key.a'],
    ['get', key('{"a":{"BOOL":true}}'), undefined, 400, 'key.a'],
    ['get', key('{"a":{"B":"?"}}'), undefined, 400, 'key.a'],
    ['get', '/trace/none', undefined, 404, 'requestId'],
    ['get', '/trace/%ZZ', undefined, 400, 'path'],
    ['get', '/nothing', undefined, 404, 'path'],
    ['get', '/faults/', undefined, 404, 'path'],
    ['get', '/', undefined, 404, 'path'],
    ['put', '/faults', RULE, 405, 'method'],
    ['get', '/repair', undefined, 405, 'method'],
    ['delete', '/snapshot', undefined, 405, 'method'],
    ['options', '/faults', undefined, 405, 'method'],
  ] as const)('%s %s %j: %i %s', async (method, path, body, status, field) => {
    const { server, internalErrors } = adminServer();
    const sending = supertest(server)[method](`/_dynaring${path}`);
    const response = await (body === undefined ? sending : sending.type('application/json').send(body));
    expect(response.status).toBe(status);
    expect(response.body).toEqual({ error: expect.stringMatching(/^[^\n]+$/), field });
    expect(internalErrors).toEqual([]);
  });

  test('a method that is not there names those that are', async () => {
    const { server } = adminServer();
    const response = await supertest(server).patch('/_dynaring/faults').expect(405);
    expect(response.headers.allow).toBe('POST, GET, DELETE');
  });

  test.each([
    [new AdminError('node-9 is not there', 'id'), 400, { error: 'node-9 is not there', field: 'id' }],
    [new AdminError('node-1 has stopped', 'action', 409), 409, { error: 'node-1 has stopped', field: 'action' }],
    [ApiError.validation('no'), 400, { error: 'no', field: 'body' }],
    [ApiError.serviceUnavailable(), 503, { error: ApiError.serviceUnavailable().message }],
    [new Error('a secret'), 500, { error: 'the request failed because of an unknown error' }],
  ])('%s of whoever does it becomes a status', async (failure, status, body) => {
    const { server, admin, internalErrors } = adminServer();
    admin.failure = failure;
    await supertest(server).post('/_dynaring/nodes/node-1/stop').expect(status, body);
    expect(internalErrors).toEqual(status === 500 ? [failure] : []);
  });

  test.each([
    [ApiError.resourceNotFound('Requested resource not found'), 'table'],
    [ApiError.validation('The provided key element does not match the schema'), 'key'],
  ])('what the service would say of a key names the parameter', async (failure, field) => {
    const { server, admin } = adminServer();
    admin.failure = failure;
    await supertest(server)
      .get(`/_dynaring/key?table=t&key=${encodeURIComponent(JSON.stringify(KEY))}`)
      .expect(400, { error: failure.message, field });
  });
});

describe('bodies', () => {
  test('of another type than JSON are refused, also where none is needed', async () => {
    const { server, admin } = adminServer();
    for (const path of ['faults', 'reset', 'snapshot']) {
      const response = await supertest(server).post(`/_dynaring/${path}`).type('text/plain').send('{}').expect(415);
      expect(response.body.field).toBe('Content-Type');
    }
    expect(admin.calls).toEqual([]);
  });

  test('have a limit, and a snapshot has its own', async () => {
    const { server, admin } = adminServer({ limits: { maxAdminBodyBytes: 100, maxSnapshotBodyBytes: 1000 } });
    const long = (bytes: number) => ({ ...SNAPSHOT, namespace: 'x'.repeat(bytes) });
    const tooLarge = await supertest(server)
      .post('/_dynaring/faults')
      .send({ ...RULE, table: 'x'.repeat(100) });
    expect([tooLarge.status, tooLarge.body.field]).toEqual([413, 'body']);
    await supertest(server).post('/_dynaring/snapshot').send(long(500)).expect(200);
    await supertest(server).post('/_dynaring/snapshot').send(long(1000)).expect(413);
    expect(admin.calls.map(([name]) => name)).toEqual(['restore']);
  });

  test('of snapshots come one at a time', async () => {
    const { server, admin } = adminServer();
    const held: (() => void)[] = [];
    admin.restore = () => new Promise((resolve) => held.push(resolve));
    await listening(server, async () => {
      const first = supertest(server).post('/_dynaring/snapshot').send(SNAPSHOT).then();
      await expect.poll(() => held.length).toBe(1);
      const second = await supertest(server).post('/_dynaring/snapshot').send(SNAPSHOT);
      expect(second.status).toBe(409);
      held.pop()!();
      expect((await first).status).toBe(200);
      admin.restore = async () => {};
      await supertest(server).post('/_dynaring/snapshot').send(SNAPSHOT).expect(200);
    });
  });

  test('of a snapshot that does not come makes room for the next', async () => {
    const { server, admin } = adminServer();
    await listening(server, async () => {
      const { port } = server.address() as AddressInfo;
      const stalled = connect(port, '127.0.0.1').on('error', () => {});
      const head = 'POST /_dynaring/snapshot HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
      stalled.write(`${head}Content-Length: 100\r\n\r\n{`);
      const restore = () => supertest(server).post('/_dynaring/snapshot').send(SNAPSHOT);
      await expect.poll(async () => (await restore()).status).toBe(409);
      // The server's clock goes on by some milliseconds with each request.
      await expect.poll(async () => (await restore()).status, { interval: 1, timeout: 20_000 }).toBe(200);
      if (!stalled.closed) await once(stalled, 'close');
      expect(admin.calls.at(-1)![0]).toBe('restore');
    });
  });

  test('that do not come take no place of others', async () => {
    const { server } = adminServer({ limits: { maxAdminRequestsInFlight: 1 } });
    await listening(server, async () => {
      const { port } = server.address() as AddressInfo;
      const head = 'POST /_dynaring/faults HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
      for (let at = 0; at < 3; at++) {
        const stalled = connect(port, '127.0.0.1');
        stalled.write(`${head}Content-Length: 100\r\n\r\n{`);
        onTestFinished(() => void stalled.destroy());
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
      await supertest(server).get('/_dynaring/cluster').expect(200);
    });
  });

  test('of snapshots that nobody reads take no place, and come whole to who reads', async () => {
    const { server, admin } = adminServer({ limits: { maxAdminRequestsInFlight: 1 } });
    const items = Array.from({ length: 5_000 }, (_, at) => ({ id: { S: `${at}` }, text: { S: 'x'.repeat(2_000) } }));
    const snapshot = { format: 1 as const, tables: [{ namespace: '', definition: { name: 'orders' }, items }] };
    admin.snapshot = async () => snapshot;
    await listening(server, async () => {
      const { port } = server.address() as AddressInfo;
      for (let at = 0; at < 3; at++) {
        const deaf = connect(port, '127.0.0.1').pause();
        deaf.write('GET /_dynaring/snapshot HTTP/1.1\r\nHost: localhost\r\n\r\n');
        onTestFinished(() => void deaf.destroy());
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
      const { body, headers } = await supertest(server).get('/_dynaring/snapshot').expect(200);
      expect(body).toEqual(snapshot);
      expect(headers['content-type']).toMatch(/^application\/json/);
    });
  });

  test('more requests at a time than the limit are shed', async () => {
    const { server, admin } = adminServer({ limits: { maxAdminRequestsInFlight: 1 } });
    const held: (() => void)[] = [];
    admin.waitUntilConsistent = () => new Promise((resolve) => held.push(resolve));
    await listening(server, async () => {
      const first = supertest(server).post('/_dynaring/wait-until-consistent').then();
      await expect.poll(() => held.length).toBe(1);
      await supertest(server).get('/_dynaring/cluster').expect(503);
      held.pop()!();
      expect((await first).status).toBe(200);
      await supertest(server).get('/_dynaring/cluster').expect(200);
    });
  });
});

describe("pages of others, in the browser of a developer's machine", () => {
  const refused = [
    ['another site', { origin: 'https://evil.example.com' }, 'Origin'],
    ['a file or a sandbox', { origin: 'null' }, 'Origin'],
    ['another port of this machine', { origin: 'http://localhost:3000', host: 'localhost:8000' }, 'Origin'],
    ['another name of this machine', { origin: 'http://127.0.0.1:8000', host: 'localhost:8000' }, 'Origin'],
    ['a site, as the browser says', { 'sec-fetch-site': 'cross-site' }, 'Sec-Fetch-Site'],
    ['a sister site, as the browser says', { 'sec-fetch-site': 'same-site' }, 'Sec-Fetch-Site'],
    ['what a browser may say one day', { 'sec-fetch-site': 'elsewhere' }, 'Sec-Fetch-Site'],
    [
      'a name that was made to point here',
      { origin: 'http://evil.example.com:8000', host: 'evil.example.com:8000' },
      'Host',
    ],
  ] as const;
  test.each(refused)('%s', async (_, headers, field) => {
    const { server, admin } = adminServer();
    const changed = await supertest(server).post('/_dynaring/reset').set(headers);
    expect([changed.status, changed.body.field]).toEqual([403, field]);
    const read = await supertest(server).get('/_dynaring/snapshot').set(headers);
    expect([read.status, read.body.field]).toEqual([403, field]);
    await supertest(server).get('/metrics').set(headers).expect(403);
    expect(admin.calls).toEqual([]);
  });

  test('a name that was made to point here, for reading, where browsers send no mark', async () => {
    const { server } = adminServer();
    await supertest(server).get('/_dynaring/snapshot').set('host', 'evil.example.com:8000').expect(403);
    await supertest(server).head('/_dynaring/snapshot').set('host', 'evil.example.com').expect(403);
  });

  test('a preflight finds nothing that allows', async () => {
    const { server } = adminServer();
    const asked = { origin: 'https://evil.example.com', 'access-control-request-method': 'DELETE' };
    const { headers } = await supertest(server).options('/_dynaring/faults').set(asked).expect(403);
    expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
  });

  test.each([
    ['its own page', { origin: 'http://localhost:8000', host: 'localhost:8000', 'sec-fetch-site': 'same-origin' }],
    ['its own page on an address', { origin: 'http://[::1]:8000', host: '[::1]:8000' }],
    ['its own page behind TLS', { origin: 'https://dynaring.internal', host: 'dynaring.internal' }],
    ['an address in the bar of the browser', { 'sec-fetch-site': 'none' }],
    ['a container, by the name of its service', { host: 'dynaring:8000' }],
    ['a pod, by the name of its service', { host: 'dynaring.default.svc.cluster.local:8000' }],
    ['a tool on another machine', { host: '192.168.1.7:8000' }],
    ['a tool that uses a public name and says what it is', { host: 'ci.example.com', 'sec-fetch-site': 'none' }],
  ])('but %s is let in', async (_, headers) => {
    const { server } = adminServer();
    await supertest(server).post('/_dynaring/reset').set(headers).expect(200);
    await supertest(server).get('/_dynaring/cluster').set(headers).expect(200);
    await supertest(server).get('/metrics').set(headers).expect(200);
  });

  test('a tool that uses a public name may change something: a browser would have sent its origin', async () => {
    const { server } = adminServer();
    await supertest(server).post('/_dynaring/reset').set('host', 'ci.example.com').expect(200);
  });
});

describe('where it is served', () => {
  const operation = ({ server }: AdminServer) =>
    supertest(server)
      .post('/')
      .set({ ...SIGNED_HEADERS, 'x-amz-target': 'DynamoDB_20120810.GetItem' })
      .send(JSON.stringify(GET_ITEM));

  test('beside operations', async () => {
    const both = adminServer();
    await operation(both).expect(200);
    await supertest(both.server).get('/_dynaring/cluster').expect(200);
    await supertest(both.server).get('/metrics').expect(200);
    await supertest(both.server).get('/health').expect(200);
    await supertest(both.server).post('/_dynarings').expect(404);
    await supertest(both.server).post('/_DYNARING/reset').expect(404);
    expect(both.admin.calls).toEqual([['cluster']]);
  });

  test('not at all, if it is turned off', async () => {
    const none = adminServer({ hasAdmin: false });
    for (const server of [none.server, none.operator]) {
      await supertest(server).get('/_dynaring/cluster').expect(404);
      await supertest(server).post('/_dynaring/reset').expect(404);
      await supertest(server).get('/metrics').expect(200);
    }
    await operation(none).expect(200);
    expect(none.admin.calls).toEqual([]);
  });

  test('on a port of its own, where no operations are', async () => {
    const apart = adminServer({ isApart: true });
    await operation(apart).expect(200);
    for (const path of ['/_dynaring/cluster', '/metrics']) {
      await supertest(apart.server).get(path).expect(404);
      await supertest(apart.operator).get(path).expect(200);
    }
    await supertest(apart.server).post('/_dynaring/reset').expect(404);
    await supertest(apart.operator).post('/_dynaring/reset').expect(200);
    for (const server of [apart.server, apart.operator]) await supertest(server).get('/health').expect(200);
    await operation({ ...apart, server: apart.operator }).expect(404);
  });

  test.each([
    ['127.0.0.1', 200],
    ['127.1.2.3', 200],
    ['::1', 200],
    ['::ffff:127.0.0.1', 200],
    ['192.0.2.1', 403],
    ['::ffff:192.0.2.1', 403],
    ['2001:db8::1', 403],
  ])(
    'where operations have to be signed, to whom they serve them beside these: %s gets %i',
    async (address, status) => {
      const authenticate = async () => ({ kind: 'credentials', accessKeyId: 'any', region: 'any' }) as const;
      const both = adminServer({ authenticate });
      const apart = adminServer({ authenticate, isApart: true });
      for (const server of [both.server, apart.operator]) {
        server.prependListener('request', ({ socket }) => {
          Object.defineProperty(socket, 'remoteAddress', { value: address });
        });
      }
      for (const path of ['/_dynaring/cluster', '/metrics', '/_aws/none']) {
        const { status: answered, body } = await supertest(both.server).get(path);
        expect(answered).toBe(path === '/_aws/none' && status === 200 ? 404 : status);
        if (status === 403) expect(body.field).toBe('address');
      }
      await supertest(both.server).post('/_dynaring/reset').expect(status);
      expect(both.admin.calls).toEqual(status === 200 ? [['cluster'], ['reset', undefined]] : []);
      await supertest(both.server).get('/health').expect(200);
      await operation(both).expect(200);
      await supertest(apart.operator).get('/_dynaring/cluster').expect(200);
    },
  );

  test('a body larger than an operation may have is let in before it is sent, if it is a snapshot', async () => {
    const { server } = adminServer({ limits: { maxBodyBytes: 100, maxSnapshotBodyBytes: 10_000 } });
    const body = JSON.stringify({ ...SNAPSHOT, namespace: 'x'.repeat(1000) });
    await listening(server, async () => {
      const status = await new Promise((resolve, reject) => {
        const headers = { 'content-type': 'application/json', 'content-length': body.length, expect: '100-continue' };
        const { port } = server.address() as AddressInfo;
        const request = httpRequest({ port, method: 'POST', path: '/_dynaring/snapshot', headers });
        request.on('continue', () => request.end(body));
        request.on('response', ({ statusCode }) => resolve(statusCode));
        request.on('error', reject);
        request.flushHeaders();
      });
      expect(status).toBe(200);
    });
  });
});

async function listening(server: Server, work: () => Promise<void>): Promise<void> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await work();
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
