import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb';
import { describe, expect, onTestFinished, test } from 'vitest';
import { LOCALHOST, OTHER } from '../parts/certificates.ts';
import { temporaryDirectory } from '../parts/directory.ts';
import { CLI, clientOf, createTable, runToExit, startServer } from './server-process.ts';

const VERSION = /\d+\.\d+\.\d+/.source;

describe('standard output at the start', () => {
  test("has DynamoDB Local's lines, then ours, which can be copied and are true", async () => {
    const server = await startServer(['-sharedDb', '--nodes', '1']);
    const { port } = server;
    expect(server.stdout().split('\n')).toEqual([
      'Initializing DynamoDB Local with the following configuration:',
      `Port:\t${port}`,
      'InMemory:\ttrue',
      expect.stringMatching(`^Version:\t${VERSION}$`),
      'DbPath:\tnull',
      'SharedDb:\ttrue',
      'shouldDelayTransientStatuses:\tfalse',
      'CorsParams:\t*',
      '',
      expect.stringMatching(
        `^dynaring ${VERSION} is ready on http://127.0.0.1:${port}( and http://\\[::1\\]:${port})?$`,
      ),
      '  ring  1 node, N=1 W=1 R=1',
      '  data  in memory, gone at exit; --data-dir DIR keeps it',
      `  look  curl http://127.0.0.1:${port}/_dynaring/status`,
      '  use   any credentials and region will do:',
      `export AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:${port}`,
      'export AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any',
      'export AWS_REGION=local AWS_DEFAULT_REGION=local',
      '',
    ]);
    expect((await fetch(`${server.endpoint}/health`)).status).toBe(200);
    expect((await fetch(`${server.endpoint}/_dynaring/status`)).status).toBe(200);
    const { stderr } = await server.stop('SIGTERM');
    expect(stderr).toMatch(/^\S+ INFO {2}-sharedDb changes nothing: all clients share their tables$/m);
  });

  test('says what was asked for otherwise', async () => {
    const directory = join(temporaryDirectory(), 'db');
    const args = ['-dbPath', directory, '-delayTransientStatuses', '-cors', 'http://a.example,b', '--isolate', 'both'];
    const server = await startServer([...args, '--admin-port', '0']);
    expect(server.stdout()).toContain(
      `InMemory:\tfalse\nVersion:\t${/Version:\t(.*)/.exec(server.stdout())![1]}\nDbPath:\t${directory}\n` +
        'SharedDb:\tfalse\nshouldDelayTransientStatuses:\ttrue\nCorsParams:\thttp://a.example,b\n',
    );
    expect(server.stdout()).toContain(`  data  in ${directory}, durability process\n`);
    const look = / {2}look {2}curl (\S+)/.exec(server.stdout())![1]!;
    expect(new URL(look).port).not.toBe(String(server.port));
    expect((await fetch(look)).status).toBe(200);
    expect((await readdir(directory)).length).toBeGreaterThan(0);
  });

  test('may lose its reader, as may the log: the server goes on', async () => {
    const server = await startServer(['--nodes', '2']);
    server.closeOutput();
    for (const what of ['stop', 'start', 'stop', 'start']) {
      const answer = await fetch(`${server.endpoint}/_dynaring/nodes/node-2/${what}`, { method: 'POST' });
      expect(answer.status).toBe(200);
    }
    expect((await fetch(`${server.endpoint}/health`)).status).toBe(200);
    expect((await server.stop('SIGTERM')).status).toBe(0);
  });

  // As script(1) of util-linux makes one: what is written to it comes to us.
  test.runIf(process.platform === 'linux').each([
    ['is ours alone on a terminal, and fits into its 80 columns', [], /^dynaring \d/],
    [
      "has DynamoDB Local's lines on a terminal too, with a flag of its",
      ['-inMemory'],
      /^Initializing DynamoDB Local with/,
    ],
  ])('%s', async (_, args, first) => {
    const command = [process.execPath, CLI, '--port', '0', ...args].map((word) => `'${word}'`).join(' ');
    const child = spawn('script', ['-qefc', `stty cols 80; exec ${command}`, '/dev/null'], {
      env: { PATH: process.env.PATH, TERM: 'xterm', TMPDIR: temporaryDirectory() },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    onTestFinished(() => {
      child.kill();
    });
    let seen = '';
    for await (const chunk of child.stdout) {
      seen += chunk;
      if (seen.includes('AWS_DEFAULT_REGION=local')) break;
    }
    // Without the codes of the colours, of which there are some.
    const plain = seen.replaceAll(/\x1b\[\d*m/g, '');
    expect(plain).not.toBe(seen);
    expect(plain).toMatch(first);
    expect(plain.split(/\r?\n/).filter((line) => line.length > 80)).toEqual([]);
    const status = await fetch(/curl (\S+)/.exec(plain)![1]!);
    expect(await status.text()).toMatch(
      /^3 nodes: 3 up; N=3 W=2 R=1\n64 partitions, each with a majority of its homes up\n\nnode /,
    );
  });

  test('names no administration with --no-admin', async () => {
    expect((await startServer(['--no-admin'])).stdout()).not.toContain('_dynaring');
  });

  test.each(['warn', 'error', 'silent'])('is empty with --log-level %s', async (level) => {
    const server = await startServer(['-disableTelemetry', '--log-level', level]);
    expect(await server.stop('SIGTERM')).toEqual({ status: 0, signal: null, stdout: '', stderr: '' });
  });

  test('is one JSON object a line with --log-format json, as standard error is', async () => {
    const server = await startServer(['-disableTelemetry', '--log-format', 'json']);
    const { stdout, stderr } = await server.stop('SIGTERM');
    const [configuration, ready, ...rest] = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(rest).toEqual([]);
    expect(configuration).toMatchObject({
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      level: 'info',
      message: 'Initializing DynamoDB Local with the following configuration:',
      port: server.port,
      inMemory: true,
      dbPath: null,
      sharedDb: true,
      shouldDelayTransientStatuses: false,
      corsParams: '*',
    });
    expect(ready).toMatchObject({
      level: 'info',
      message: 'ready',
      endpoint: server.endpoint,
      nodes: 3,
      cluster: `${server.endpoint}/_dynaring/cluster`,
      status: `${server.endpoint}/_dynaring/status`,
      dataDir: null,
    });
    const notes = stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(notes).toContainEqual({
      time: expect.any(String),
      level: 'info',
      message: '-disableTelemetry changes nothing: there is no telemetry',
    });
  });

  test.each(['text', 'json'])('of format %s comes only once requests can be served', async (format) => {
    const server = await startServer(['--log-format', format]);
    await createTable(server.client(), 'Things');
  });
});

describe("DynamoDB Local's command line", () => {
  test('serves as it is written in compose files and wrappers, relative to the working directory', async () => {
    const cwd = temporaryDirectory();
    await mkdir(join(cwd, 'data'));
    const java = ['java', '-Djava.library.path=./DynamoDBLocal_lib', '-jar', 'DynamoDBLocal.jar'];
    const server = await startServer([...java, '-sharedDb', '-dbPath', './data'], { cwd });
    await createTable(server.client(), 'Things');
    expect(server.stdout()).toContain('DbPath:\t./data\n');
    expect((await readdir(join(cwd, 'data'))).length).toBeGreaterThan(0);
  });

  test('-inMemory with -dbPath ends with one line and status 1', async () => {
    expect(await runToExit(['-inMemory', '-dbPath', '.'])).toEqual({
      status: 1,
      signal: null,
      stdout: '',
      stderr: 'dynaring: -inMemory keeps no data, and -dbPath or --data-dir says where to keep it: only one can be\n',
    });
  });

  test.each(['-help', '-h', '-version'])('%s prints and ends with status 0', async (flag) => {
    const { status, stdout, stderr } = await runToExit(['-jar', 'DynamoDBLocal.jar', '-inMemory', flag]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(flag === '-version' ? /^\d+\.\d+\.\d+\n$/ : /^Usage: dynaring /);
  });

  test('-cors keeps other pages out, -sharedDb lets all clients share', async () => {
    const server = await startServer(['-cors', 'http://a.example', '-sharedDb']);
    const allowed = async (origin: string) => {
      const answer = await fetch(server.endpoint, { method: 'OPTIONS', headers: { origin } });
      return [answer.status, answer.headers.get('access-control-allow-origin'), answer.headers.get('vary')];
    };
    expect(await allowed('http://a.example')).toEqual([200, 'http://a.example', 'Origin']);
    expect(await allowed('http://b.example')).toEqual([200, null, 'Origin']);
  });
});

test.each(['127.0.0.1', 'localhost', '[::1]'])('a client reaches it as %s', async (host) => {
  const server = await startServer([]);
  const { TableNames } = await clientOf(`http://${host}:${server.port}`).send(new ListTablesCommand({}));
  expect(TableNames).toEqual([]);
});

describe('what clients have to prove', () => {
  test('by --auth is told at the start, and no secret of it', async () => {
    const keys = join(temporaryDirectory(), 'keys.json');
    await writeFile(keys, '{"AKID":"hidden"}');
    const server = await startServer(['--auth', keys]);
    expect(server.stdout()).toContain('  use   with an access key of --auth:\n');
    const credentials = { accessKeyId: 'AKID', secretAccessKey: 'hidden' };
    const client = new DynamoDBClient({ endpoint: server.endpoint, region: 'local', credentials });
    onTestFinished(() => client.destroy());
    expect((await client.send(new ListTablesCommand({}))).TableNames).toEqual([]);
    await expect(server.client().send(new ListTablesCommand({}))).rejects.toMatchObject({
      name: 'UnrecognizedClientException',
    });
    const { stdout, stderr } = await server.stop('SIGTERM');
    expect(stdout + stderr).not.toContain('hidden');
  });

  test('is read again at SIGHUP; what is wrong then changes nothing', async () => {
    const folder = temporaryDirectory();
    const [cert, key, keys] = ['cert.pem', 'key.pem', 'keys.json'].map((file) => join(folder, file)) as [
      string,
      string,
      string,
    ];
    const write = async (pair: typeof OTHER, secrets: string) => {
      await Promise.all([writeFile(cert, pair.cert), writeFile(key, pair.key), writeFile(keys, secrets)]);
    };
    await write(LOCALHOST, '{"first":"secret"}');
    const server = await startServer(['--auth', keys, '--https-cert', cert, '--https-key', key]);
    const renewed = async (line: RegExp) => {
      process.kill(server.pid, 'SIGHUP');
      await expect.poll(() => server.stderr()).toMatch(line);
    };
    const answerTo = async (accessKeyId: string) => {
      const client = new DynamoDBClient({
        endpoint: server.endpoint,
        region: 'local',
        credentials: { accessKeyId, secretAccessKey: 'secret' },
        maxAttempts: 1,
        requestHandler: { httpsAgent: { ca: [LOCALHOST.cert, OTHER.cert] } },
      });
      const { name } = await client.send(new ListTablesCommand({})).then(
        () => ({ name: 'served' }),
        (error: Error) => error,
      );
      client.destroy();
      return name;
    };
    const certified = async () => {
      const socket = connectTls({ port: server.port, host: '127.0.0.1', rejectUnauthorized: false });
      await once(socket, 'secureConnect');
      const { subject } = socket.getPeerCertificate();
      socket.destroy();
      return subject.CN;
    };
    expect([await certified(), await answerTo('first'), await answerTo('second')]).toEqual([
      'localhost',
      'served',
      'UnrecognizedClientException',
    ]);
    await write(OTHER, '{"second":"secret"}');
    await renewed(/ INFO {2}certificate and access keys were read again$/m);
    const after = ['other', 'UnrecognizedClientException', 'served'];
    expect([await certified(), await answerTo('first'), await answerTo('second')]).toEqual(after);
    await write(LOCALHOST, '{"first":');
    await renewed(/ ERROR certificate and access keys stay as they were: --auth .* is not JSON/m);
    expect([await certified(), await answerTo('first'), await answerTo('second')]).toEqual(after);
  });

  test.each([
    [['--auth', 'none.json'], /^dynaring: --auth none\.json cannot be read: ENOENT: [^\n]*\n$/],
    [['--https-cert', 'none.pem'], /^dynaring: --https-cert needs --https-key\n$/],
    [
      ['--https-cert', 'none.pem', '--https-key', 'none.pem'],
      /^dynaring: --https-cert none\.pem cannot be read: ENOENT: [^\n]*\n$/,
    ],
  ])('by %j, which is not there, ends with one line and status 1', async (args, line) => {
    expect(await runToExit(args)).toEqual({
      status: 1,
      signal: null,
      stdout: '',
      stderr: expect.stringMatching(line),
    });
  });
});
