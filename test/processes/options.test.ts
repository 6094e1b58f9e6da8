import { chmod, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { temporaryDirectory } from '../parts/directory.ts';
import { runToExit, startServer } from './server-process.ts';

test('an option that cannot be ends with one line on standard error and status 1', async () => {
  expect(await runToExit(['--write-quorum', '4'])).toEqual({
    status: 1,
    signal: null,
    stdout: '',
    stderr: 'dynaring: --write-quorum 4 is more than --replication 3 (the default)\n',
  });
});

test('a variable that cannot be is named', async () => {
  const { status, stderr } = await runToExit([], { env: { DYNARING_PORT: 'http' } });
  expect(stderr).toBe('dynaring: --port (from DYNARING_PORT) must be a whole number from 0 to 65535, not "http"\n');
  expect(status).toBe(1);
});

test('--help and --version print and end with status 0, whatever else is given', async () => {
  const [help, version] = await Promise.all([runToExit(['--help', '--nodes', 'x']), runToExit(['--version'])]);
  expect(help).toMatchObject({ status: 0, stderr: '' });
  expect(help.stdout).toContain('--write-quorum W');
  expect(version).toMatchObject({ status: 0, stderr: '' });
  expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test('a port in use is named', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => {
    other.close();
  });
  await new Promise((resolve) => other.once('listening', resolve));
  const { port } = other.address() as { port: number };
  const { status, stderr, stdout } = await runToExit(['--port', String(port)]);
  expect(stderr).toMatch(new RegExp(`^dynaring: .*${port}.*in use.*\n$`));
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
});

test('a host that there is not is named', async () => {
  const { status, stderr } = await runToExit(['--port', '0', '--host', 'no-host.invalid']);
  expect(stderr).toBe('dynaring: there is no host called no-host.invalid; --host takes an address of this machine\n');
  expect(status).toBe(1);
});

describe.each(['--data-dir', '-dbPath'])('a directory that cannot be used for %s is named, with status 1', (flag) => {
  test('below a file', async () => {
    const file = join(temporaryDirectory(), 'file');
    await writeFile(file, '');
    const { status, stderr, stdout } = await runToExit(['--port', '0', flag, join(file, 'data')]);
    expect(stderr).toMatch(/^dynaring: .*file\/data.*\n$/);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
  });

  test.each(['data', '.'])('without the permission to write: %s', async (below) => {
    const directory = temporaryDirectory();
    await chmod(directory, 0o500);
    // Modes do not bind root, unless it has given up its capabilities.
    const under = process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-all', '--inh-caps=-all'] : [];
    const { status, stderr, stdout } = await runToExit(['--port', '0', flag, join(directory, below)], { under });
    expect(stderr).toMatch(/^dynaring: .*(EACCES|permission).*\n$/);
    expect(stderr).toContain(directory);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
  });
});

test('a TMPDIR that is not there does not matter where there is another place', async () => {
  const TMPDIR = join(temporaryDirectory(), 'nowhere');
  const kept = await startServer(['--data-dir', temporaryDirectory()], { env: { TMPDIR } });
  expect((await fetch(`${kept.endpoint}/health`)).status).toBe(200);
});

test('a fault rule that makes no sense ends with one line that names its file and its field', async () => {
  const file = join(temporaryDirectory(), 'faults.json');
  await writeFile(file, '[{"kind":"latency","ms":5},{"kind":"latency","ms":-5}]');
  expect(await runToExit(['--port', '0', '--faults', file])).toEqual({
    status: 1,
    signal: null,
    stdout: '',
    stderr: `dynaring: --faults ${file}, rule 2 of 2: "ms" must be milliseconds from 0 to 600000, not -5\n`,
  });
});

test('a seed that is not there is named with its option', async () => {
  expect(await runToExit(['--port', '0', '--seed-dir', 'nope'])).toEqual({
    status: 1,
    signal: null,
    stdout: '',
    stderr: 'dynaring: --seed-dir nope: there is no such file or folder\n',
  });
});

test('a variable that is none is warned of in the log, and the server serves', async () => {
  const server = await startServer([], { env: { DYNARING_DATADIR: 'data' } });
  const { stderr } = await server.stop('SIGTERM');
  expect(stderr).toMatch(/^\S+ WARN {2}there is no variable DYNARING_DATADIR; did you mean DYNARING_DATA_DIR\?$/m);
});
