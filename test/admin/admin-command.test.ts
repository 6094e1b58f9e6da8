import { describe, expect, test } from 'vitest';
import { runAdmin } from '../../src/admin/admin-command.ts';

const VIEW = {
  healthy: true,
  nodes: [
    { id: 'a.00000000000a', name: 'a', state: 'up' },
    { id: 'b.00000000000b', name: 'b', state: 'up' },
  ],
  partitions: [
    { partition: 0, epoch: 0, homes: ['a.00000000000a', 'b.00000000000b'], notVoting: [] },
    { partition: 1, epoch: 12, homes: ['b.00000000000b', 'a.00000000000a'], notVoting: [] },
  ],
};

/** A server that gives these answers by method and path. */
async function run(argv: string[], answers: Record<string, unknown> = {}, env: Record<string, string> = {}) {
  const asked: string[] = [];
  const output = { out: '', err: '' };
  const status = await runAdmin(argv, {
    print(text) {
      output.out += text;
    },
    printError(line) {
      output.err += `${line}\n`;
    },
    env,
    fetch: async (url, init) => {
      const call = `${init?.method} ${url}`;
      asked.push(init?.body === undefined ? call : `${call} ${init.body}`);
      const path = call.replace(/http:\/\/[^/]+\/_dynaring/, '');
      const answer = answers[path];
      if (answer === undefined) throw Object.assign(new TypeError('fetch failed'), { cause: { code: 'ECONNREFUSED' } });
      if (typeof answer === 'string') return new Response(answer);
      const { status = 200, ...body } = answer as { status?: number };
      return new Response(JSON.stringify(body), { status });
    },
  });
  return { status, asked, ...output };
}

describe('status', () => {
  test('prints an overview for people, and exits with 0 only if all is well', async () => {
    const answers = { 'GET /cluster': VIEW, 'GET /status': '2 nodes: 2 up\n' };
    expect(await run(['status'], answers)).toMatchObject({ status: 0, out: 'healthy\n2 nodes: 2 up\n' });
    const bad = { ...answers, 'GET /cluster': { ...VIEW, healthy: false } };
    expect(await run(['status'], bad)).toMatchObject({ status: 1, out: 'NOT HEALTHY\n2 nodes: 2 up\n' });
    const { status, out } = await run(['status', '--json'], bad);
    expect([status, JSON.parse(out)]).toEqual([1, { ...VIEW, healthy: false }]);
  });

  test('asks where it is told, by an option or by the variable of clients', async () => {
    const answers = { 'GET /cluster': VIEW, 'GET /status': '' };
    const env = { AWS_ENDPOINT_URL_DYNAMODB: 'http://host:1' };
    expect((await run(['status'], answers)).asked[0]).toBe('GET http://127.0.0.1:8000/_dynaring/cluster');
    expect((await run(['status'], answers, env)).asked[0]).toBe('GET http://host:1/_dynaring/cluster');
    const { asked } = await run(['--endpoint', 'http://other:2/', 'status'], answers, env);
    expect(asked[0]).toBe('GET http://other:2/_dynaring/cluster');
  });
});

test('ring prints who holds what, by names', async () => {
  const { status, out } = await run(['ring'], { 'GET /cluster': VIEW });
  expect(status).toBe(0);
  expect(out).toBe('partition  epoch  nodes\n        0      0  a b\n        1     12  b a\n');
});

test('ring says what is not as it should be with a partition', async () => {
  const [a, b] = ['a.00000000000a', 'b.00000000000b'];
  const partitions = [
    { partition: 0, epoch: 3, homes: [a, b], notVoting: [b], moveTo: [b], movedBy: a },
    { partition: 1, epoch: 3, homes: [a], notVoting: [], moveTo: [b] },
    { partition: 2, epoch: 3, homes: [a], notVoting: [] },
  ];
  const { out } = await run(['ring'], { 'GET /cluster': { ...VIEW, partitions } });
  expect(out.split('\n').slice(1)).toEqual([
    '        0      3  a b    no vote: b; moves to b',
    '        1      3  a      to move to b',
    '        2      3  a',
    '',
  ]);
});

test('repair says how much it has repaired', async () => {
  const answers = { 'POST /repair': { partitions: 96, recordsRepaired: 3, ms: 12.4 } };
  const out = '96 comparisons of replicas brought 3 records up to date, in 12 ms\n';
  expect(await run(['repair'], answers)).toMatchObject({ status: 0, out });
  const json = '{"partitions":96,"recordsRepaired":3,"ms":12.4}\n';
  expect(await run(['repair', '--json'], answers)).toMatchObject({ status: 0, out: json });
});

test.each([
  [['add'], 'POST /nodes'],
  [['remove', 'a b'], 'DELETE /nodes/a%20b'],
  [['replace', 'b'], 'POST /nodes/b/replace'],
  [['finalize'], 'POST /finalize'],
  [['move', '7', '--to', 'a, b,c'], 'POST /partitions/7/move'],
])('%j asks %s, and prints what was done', async (argv, call) => {
  expect(await run(argv, { [call]: { done: 'done so' } })).toMatchObject({ status: 0, out: 'done so\n' });
  expect(await run([...argv, '--json'], { [call]: { done: 'x' } })).toMatchObject({ status: 0, out: '{"done":"x"}\n' });
  const refused = { [call]: { status: 409, error: 'not now', field: 'id' } };
  expect(await run(argv, refused)).toMatchObject({ status: 1, out: '', err: 'dynaring: not now\n' });
  const { asked } = await run(argv, { [call]: { done: 'x' } });
  const body = argv[0] === 'move' ? ' {"to":["a","b","c"]}' : '';
  expect(asked[0]!.replace('http://127.0.0.1:8000/_dynaring', '')).toBe(call + body);
  expect(await run(argv)).toMatchObject({
    status: 1,
    err: 'dynaring: http://127.0.0.1:8000 cannot be asked: ECONNREFUSED\n',
  });
});

test.each([
  [
    [],
    'dynaring: a command is missing: it is one of status, ring, add, remove, replace, move, finalize, set, repair\n',
  ],
  [
    ['fly'],
    'dynaring: there is no command "fly": it is one of status, ring, add, remove, replace, move, finalize, set, repair\n',
  ],
  [['remove'], 'dynaring: admin remove needs the name of a node\n'],
  [['move'], 'dynaring: admin move needs the number of a partition\n'],
  [['move', '7'], 'dynaring: admin move needs --to, the names of nodes with commas between\n'],
  [['remove', 'a', '--to', 'b'], 'dynaring: admin remove takes no --to\n'],
  [['status', 'a'], 'dynaring: admin status takes no more\n'],
  [['remove', 'a', 'b'], 'dynaring: admin remove takes no more\n'],
  [['status', '--fly'], "dynaring: Unknown option '--fly'; dynaring admin --help tells the usage\n"],
  [['status', '--endpoint', 'host'], 'dynaring: --endpoint must be a URL, not "host"\n'],
])('%j is wrong usage: one line, status 2', async (argv, err) => {
  expect(await run(argv)).toEqual({ status: 2, asked: [], out: '', err });
});

test('--help prints the usage', async () => {
  expect(await run(['--help'])).toMatchObject({ status: 0, out: expect.stringMatching(/^Usage: dynaring admin /) });
});

test('set says what a cluster has set, and changes it', async () => {
  const answers = { 'GET /settings': { isolate: 'none', throttle: 'off' }, 'PUT /settings': { throttle: 'on' } };
  expect(await run(['set'], answers)).toMatchObject({ status: 0, out: 'isolate none\nthrottle off\n' });
  const changed = await run(['set', 'throttle', 'on'], answers);
  expect(changed).toMatchObject({
    status: 0,
    out: 'throttle on\n',
    asked: [expect.stringMatching(/^PUT .*\/settings {"throttle":"on"}$/)],
  });
  for (const argv of [
    ['set', 'throttle'],
    ['set', 'throttle', 'on', 'off'],
  ]) {
    expect(await run(argv, answers)).toMatchObject({ status: 2, asked: [] });
  }
});
