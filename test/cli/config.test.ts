import { describe, expect, test } from 'vitest';
import { ConfigError, helpText, parseConfig } from '../../src/config.ts';

/** The message of the ConfigError that these options end with. */
function refusal(argv: string[], env: Record<string, string> = {}): string {
  try {
    parseConfig(argv, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error(`accepted: ${argv.join(' ')}`);
}

describe('defaults', () => {
  test('with nothing given: three nodes in memory on port 8000 of both loopback addresses', () => {
    expect(parseConfig([], {})).toMatchObject({
      port: 8000,
      hosts: ['127.0.0.1', '::1'],
      nodes: 3,
      replication: 3,
      writeQuorum: 2,
      readQuorum: 1,
      partitions: 64,
      dataDir: undefined,
      seedDir: undefined,
      isolate: 'none',
      durability: 'memory',
      readFrom: 'first',
      throttle: false,
      faultsFile: undefined,
      logLevel: 'info',
    });
  });

  test.each([
    [1, 1, 1],
    [2, 2, 2],
    [3, 3, 2],
    [5, 3, 2],
  ])('%i nodes keep %i copies and wait for %i', (nodes, replication, writeQuorum) => {
    expect(parseConfig(['--nodes', String(nodes)], {})).toMatchObject({ nodes, replication, writeQuorum });
  });

  test('a data directory is kept through a killed process unless told otherwise', () => {
    expect(parseConfig(['--data-dir', 'd'], {}).durability).toBe('process');
    expect(parseConfig(['--data-dir', 'd', '--durability', 'memory'], {}).durability).toBe('memory');
  });
});

describe('where a value comes from', () => {
  test('each option has a variable named after it', () => {
    const env = {
      DYNARING_PORT: '1',
      DYNARING_HOST: '0.0.0.0',
      DYNARING_NODES: '5',
      DYNARING_REPLICATION: '4',
      DYNARING_WRITE_QUORUM: '3',
      DYNARING_READ_QUORUM: '2',
      DYNARING_READ_FROM: 'random',
      DYNARING_PARTITIONS: '128',
      DYNARING_DATA_DIR: 'dir',
      DYNARING_DURABILITY: 'disk',
      DYNARING_ISOLATE: 'both',
      DYNARING_SEED_DIR: 'seeds',
      DYNARING_THROTTLE: 'on',
      DYNARING_FAULTS: 'faults.json',
      DYNARING_LOG_LEVEL: 'warn',
    };
    const config = parseConfig([], env);
    expect(config).toMatchObject({
      port: 1,
      hosts: ['0.0.0.0'],
      nodes: 5,
      replication: 4,
      writeQuorum: 3,
      readQuorum: 2,
      readFrom: 'random',
      partitions: 128,
      dataDir: 'dir',
      durability: 'disk',
      isolate: 'both',
      seedDir: 'seeds',
      throttle: true,
      faultsFile: 'faults.json',
      logLevel: 'warn',
    });
    const flags = Object.entries(env).map(
      ([name, value]) => `--${name.slice('DYNARING_'.length).toLowerCase().replaceAll('_', '-')}=${value}`,
    );
    expect(parseConfig(flags, {})).toEqual(config);
  });

  test('a flag beats its variable, and an empty variable counts as unset', () => {
    expect(parseConfig(['--port', '9'], { DYNARING_PORT: '8', DYNARING_NODES: '' })).toMatchObject({
      port: 9,
      nodes: 3,
    });
  });

  test('a flag also beats a variable that is wrong for its place in the ring', () => {
    expect(parseConfig(['--write-quorum', '1'], { DYNARING_WRITE_QUORUM: '9' }).writeQuorum).toBe(1);
  });
});

test('--host all is every address', () => {
  expect(parseConfig(['--host', 'all'], {}).hosts).toEqual(['']);
});

describe('refusals are one line that names the option', () => {
  test.each([
    [['--write-quorum', '4'], {}, '--write-quorum 4 is more than --replication 3 (the default)'],
    [['--read-quorum', '2', '--nodes=1'], {}, '--read-quorum 2 is more than --replication 1 (the default)'],
    [
      ['--nodes', '2'],
      { DYNARING_REPLICATION: '3' },
      '--replication 3 (from DYNARING_REPLICATION) is more than --nodes 2',
    ],
    [['--partitions', '2'], {}, '--nodes 3 (the default) is more than --partitions 2'],
    [['--partitions', '0'], {}, '--partitions must be a whole number from 1 to 1024, not "0"'],
    [['--port', '65536'], {}, '--port must be a whole number from 0 to 65535, not "65536"'],
    [['--port=1e3'], {}, '--port must be a whole number from 0 to 65535, not "1e3"'],
    [[], { DYNARING_PORT: 'x' }, '--port (from DYNARING_PORT) must be a whole number from 0 to 65535, not "x"'],
    [['--durability', 'disc'], {}, '--durability must be one of memory, process, disk, not "disc"'],
    [['--durability', 'disk'], {}, '--durability disk needs a --data-dir: without one the data is gone at exit'],
    [['--isolate', 'yes'], {}, '--isolate must be one of none, access-key, region, both, not "yes"'],
    [['--log-level', 'loud'], {}, '--log-level must be one of debug, info, warn, error, silent, not "loud"'],
    [['--throttle', 'yes'], {}, '--throttle must be on or off, not "yes"'],
    [['--faults', '--nodes', '3'], {}, '--faults needs a value'],
    [['--log-format', 'xml'], {}, '--log-format must be one of text, json, not "xml"'],
    [['--trace=yes'], {}, '--trace must be on or off, not "yes"'],
    [['--admin-port', '8000'], {}, '--admin-port 8000 is that of the operations'],
    [['--host='], {}, '--host must be an address or all, not ""'],
    [['--port'], {}, '--port needs a value'],
    [['--data-dir', '--nodes', '3'], {}, '--data-dir needs a value'],
    [['--colour', 'red'], {}, 'unknown option --colour; --help lists the options'],
    [['8000'], {}, 'unexpected argument "8000"'],
  ])('%j %j', (argv, env, message) => {
    expect(refusal(argv, env as Record<string, string>)).toBe(message);
  });

  test('a line break in a value does not break the line', () => {
    expect(refusal(['--port', '1\n2'])).not.toContain('\n');
    expect(refusal(['a\nb'])).not.toContain('\n');
    expect(refusal(['--a\nb'])).not.toContain('\n');
  });
});

describe('an option that stands alone', () => {
  test('needs no value, and may have one', () => {
    expect(parseConfig([], {})).toMatchObject({ admin: true, adminPort: undefined, trace: false });
    expect(parseConfig(['--no-admin', '--trace', '--port', '9'], {})).toMatchObject({
      admin: false,
      trace: true,
      port: 9,
    });
    expect(parseConfig(['--no-admin=off', '--trace=on'], {})).toMatchObject({ admin: true, trace: true });
  });

  test('is on or off as a variable, which the flag beats', () => {
    expect(parseConfig([], { DYNARING_NO_ADMIN: 'on' }).admin).toBe(false);
    expect(parseConfig([], { DYNARING_TRACE: 'off' }).trace).toBe(false);
    expect(parseConfig(['--trace'], { DYNARING_TRACE: 'off' }).trace).toBe(true);
  });
});

test('--help lists every option that is understood', () => {
  const flags = helpText().match(/--[a-z-]+/g)!;
  for (const flag of new Set(flags)) {
    if (flag === '--help' || flag === '--version') continue;
    // One that stands alone is understood as it is.
    if (['--no-admin', '--trace'].includes(flag)) expect(() => parseConfig([flag], {})).not.toThrow();
    else expect(refusal([flag]), flag).toBe(`${flag} needs a value`);
  }
});
