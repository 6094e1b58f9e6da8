import { describe, expect, test } from 'vitest';
import { helpText } from '../../src/config/help.ts';
import { OPTIONS, SETTING_NAMES } from '../../src/config/options.ts';
import { parseCommandLine } from '../../src/config/parse.ts';
import { parsePeerCommand } from '../../src/config/parse-peer.ts';
import { PEER_OPTIONS, PEER_SETTING_NAMES } from '../../src/config/peer-options.ts';
import { type Config, ConfigError, completeConfig } from '../../src/config.ts';

function parseConfig(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): Config {
  const command = parseCommandLine(argv, env);
  if (command.kind !== 'serve') throw new Error(`no server: ${command.kind}`);
  return command.config;
}

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
      ttlIntervalMs: 1_000,
      timeOffsetMs: 0,
      faultsFile: undefined,
      logLevel: 'info',
      logRequests: false,
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
      DYNARING_HTTPS_CERT: 'cert.pem',
      DYNARING_HTTPS_KEY: 'key.pem',
      DYNARING_AUTH: 'keys.json',
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
      DYNARING_TTL_INTERVAL: '5',
      DYNARING_TIME_OFFSET: '49h',
      DYNARING_FAULTS: 'faults.json',
      DYNARING_LOG_LEVEL: 'warn',
      DYNARING_LOG_REQUESTS: 'on',
    };
    const config = parseConfig([], env);
    expect(config).toMatchObject({
      port: 1,
      hosts: ['0.0.0.0'],
      httpsCert: 'cert.pem',
      httpsKey: 'key.pem',
      auth: 'keys.json',
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
      ttlIntervalMs: 5_000,
      timeOffsetMs: 176_400_000,
      faultsFile: 'faults.json',
      logLevel: 'warn',
      logRequests: true,
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

describe('a variable that looks like one of ours', () => {
  const warnings = (env: Record<string, string>) => {
    const command = parseCommandLine([], env);
    return command.kind === 'serve' ? command.warnings : undefined;
  };

  test.each([
    ['DYNARING_PROT', 'there is no variable DYNARING_PROT; did you mean DYNARING_PORT?'],
    ['DYNARING_DATADIR', 'there is no variable DYNARING_DATADIR; did you mean DYNARING_DATA_DIR?'],
    ['dynaring_port', 'there is no variable dynaring_port; did you mean DYNARING_PORT?'],
    ['DYNARING_COLOUR', 'there is no variable DYNARING_COLOUR'],
    ['DYNARING_A\nB', 'there is no variable DYNARING_A\\nB'],
  ])('and is none is warned of: %j', (name, warning) => expect(warnings({ [name]: '1' })).toEqual([warning]));

  test('and is one, or is empty, is not', () => {
    expect(warnings({ DYNARING_PORT: '9', DYNARING_NODES: '', PORT: '1', NOT_DYNARING_PORT: '2' })).toEqual([]);
  });

  // As a pod of a cluster with a service called dynaring has them: "Discovering services" of the documentation of Kubernetes.
  test('but was set for a service of that name is not read', () => {
    const address = 'tcp://10.0.0.11:8000';
    const env = {
      DYNARING_SERVICE_HOST: '10.0.0.11',
      DYNARING_SERVICE_PORT: '8000',
      DYNARING_SERVICE_PORT_HTTP: '8000',
      DYNARING_PORT: address,
      DYNARING_PORT_8000_TCP: address,
      DYNARING_PORT_8000_TCP_PROTO: 'tcp',
      DYNARING_PORT_8000_TCP_PORT: '8000',
      DYNARING_PORT_8000_TCP_ADDR: '10.0.0.11',
    };
    expect(parseConfig([], env).port).toBe(8000);
    expect(warnings(env)).toEqual(['DYNARING_PORT is the address of a service of that name, and is not read']);
  });
});

test('a setting of the library that is misspelt is told as well', () => {
  expect(() => completeConfig({ writeQourum: 2 } as object)).toThrow('did you mean writeQuorum?');
  expect(() => completeConfig({ consistency: 'Strict' as never })).toThrow(/not "Strict"; did you mean strict\?$/);
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
    [['--durability', 'disc'], {}, '--durability must be one of memory, process, disk, not "disc"; did you mean disk?'],
    [['--durability', 'disk'], {}, '--durability disk needs a --data-dir: without one the data is gone at exit'],
    [['--isolate', 'yes'], {}, '--isolate must be one of none, access-key, region, both, not "yes"'],
    [['--log-level', 'loud'], {}, '--log-level must be one of debug, info, warn, error, silent, not "loud"'],
    [['--throttle', 'yes'], {}, '--throttle must be on or off, not "yes"'],
    [['--faults', '--nodes', '3'], {}, '--faults needs a value'],
    [['--time-offset', '49'], {}, '--time-offset must be a time such as 90s, 5m, 49h, 2d, 1h30m or -1h, not "49"'],
    [['--log-format', 'xml'], {}, '--log-format must be one of text, json, not "xml"'],
    [['--trace=yes'], {}, '--trace must be on or off, not "yes"'],
    [['--admin-port', '8000'], {}, '--admin-port 8000 is that of the operations'],
    [['--host='], {}, '--host must be an address or all, not ""'],
    [['--port'], {}, '--port needs a value'],
    [['--port', '-1'], {}, '--port must be a whole number from 0 to 65535, not "-1"'],
    [['--data-dir', '--nodes', '3'], {}, '--data-dir needs a value'],
    [['--colour', 'red'], {}, 'unknown option --colour; --help lists the options'],
    [['8000'], {}, 'unexpected argument "8000"; --help tells the usage'],
    [['improt'], {}, 'unexpected argument "improt"; did you mean import?'],
    [['Export', '--all'], {}, 'unexpected argument "Export"; did you mean export?'],
    [['--nodes', '5', 'import', 'x.json'], {}, 'unexpected argument "import"; import has to come first'],
    [['start'], {}, 'unexpected argument "start"; dynaring alone starts the server'],
    [['help'], {}, 'unexpected argument "help"; did you mean --help?'],
    [['verison'], {}, 'unexpected argument "verison"; did you mean --version?'],
    [
      ['--consistency', 'strickt'],
      {},
      '--consistency must be one of strict, dynamo, not "strickt"; did you mean strict?',
    ],
    [['--log-format', 'JSON'], {}, '--log-format must be one of text, json, not "JSON"; did you mean json?'],
    [['--throttle', 'On'], {}, '--throttle must be on or off, not "On"; did you mean on?'],
    [
      [],
      { DYNARING_ISOLATE: 'accesskey' },
      '--isolate (from DYNARING_ISOLATE) must be one of none, access-key, region, both, not "accesskey"; did you mean access-key?',
    ],
    // Origins have no path, and RFC 6454 knows no wildcards in them: the list would let nobody in.
    [
      ['--cors', 'http://a.example/app'],
      {},
      '--cors must be origins with commas between, or *, not "http://a.example/app"',
    ],
    [['--cors', '*.a.example'], {}, '--cors must be origins with commas between, or *, not "*.a.example"'],
    [
      ['--cors', 'a.example b.example'],
      {},
      '--cors must be origins with commas between, or *, not "a.example b.example"',
    ],
  ])('%j %j', (argv, env, message) => {
    expect(refusal(argv, env as Record<string, string>)).toBe(message);
  });

  test('a line break in a value does not break the line', () => {
    expect(refusal(['--port', '1\n2'])).not.toContain('\n');
    expect(refusal(['a\nb'])).not.toContain('\n');
    expect(refusal(['--a\nb'])).not.toContain('\n');
  });
});

test('an offset may be negative, also behind a space', () => {
  expect(parseConfig(['--time-offset', '-1h'], {}).timeOffsetMs).toBe(-3_600_000);
  expect(parseConfig(['--time-offset=-90s'], {}).timeOffsetMs).toBe(-90_000);
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
  const flags = new Set(
    helpText()
      .match(/(?<=^ {2})--?[a-zA-Z-]+ [A-Z]*/gm)!
      .map((text) => text.trim()),
  );
  expect(flags.size).toBeGreaterThan(25);
  for (const name of SETTING_NAMES) expect([...flags]).toContain(`${OPTIONS[name].flag} ${OPTIONS[name].value}`.trim());
  for (const text of flags) {
    const [flag, value] = text.split(' ');
    const isOfPeers = PEER_SETTING_NAMES.some((name) => PEER_OPTIONS[name].flag === flag);
    if (isOfPeers) expect(() => parsePeerCommand('serve', [flag!], {}), flag).toThrow(`${flag} needs a value`);
    else if (value !== undefined) expect(refusal([flag!]), flag).toBe(`${flag} needs a value`);
    else expect(() => parseCommandLine([flag!], {}), flag).not.toThrow();
  }
});

test('--help lists every option of one node of a cluster', () => {
  for (const name of PEER_SETTING_NAMES) {
    expect(helpText()).toContain(`  ${PEER_OPTIONS[name].flag} ${PEER_OPTIONS[name].value} `.trimEnd());
  }
});

test('--help fits into a window of 100 columns', () => {
  expect(
    helpText()
      .split('\n')
      .filter((line) => line.length > 100),
  ).toEqual([]);
});

test('the examples of --help are command lines that are taken', () => {
  const examples = [...helpText().matchAll(/^ {2}dynaring (--.*?) {2,}/gm)].map(([, args]) => args!.split(' '));
  expect(examples.length).toBeGreaterThanOrEqual(2);
  for (const args of examples) expect(parseCommandLine(args, {})).toMatchObject({ kind: 'serve' });
});

describe("DynamoDB Local's command line", () => {
  const FLAGS = [
    ['port', ['-port', '8123'], { port: 8123 }],
    ['inMemory', ['-inMemory'], { dataDir: undefined }],
    ['sharedDb', ['-sharedDb'], { isolate: 'none' }],
    ['dbPath', ['-dbPath', './db'], { dataDir: './db', durability: 'process' }],
    ['cors', ['-cors', 'http://a.example, b.example'], { corsOrigins: ['http://a.example', 'b.example'] }],
    ['delayTransientStatuses', ['-delayTransientStatuses'], { delayTransientStatuses: true }],
    ['optimizeDbBeforeStartup', ['-optimizeDbBeforeStartup', '-dbPath', 'db'], { dataDir: 'db' }],
    ['disableTelemetry', ['-disableTelemetry'], { port: 8000 }],
  ] as const;

  test.each(FLAGS)('-%s is understood with one dash and with two', (_, [flag, ...values], expected) => {
    expect(parseConfig([flag, ...values], {})).toMatchObject(expected);
    expect(parseConfig([`-${flag}`, ...values], {})).toMatchObject(expected);
  });

  test.each(['-help', '--help', '-h'])('%s asks for help', (flag) => {
    expect(parseCommandLine(['-inMemory', flag], {})).toEqual({ kind: 'help' });
  });

  test.each(['-version', '--version'])('%s asks for the version', (flag) => {
    expect(parseCommandLine(['-jar', 'DynamoDBLocal.jar', flag], {})).toEqual({ kind: 'version' });
  });

  test('goes together with options of ours', () => {
    expect(parseConfig(['-inMemory', '--nodes', '5', '-sharedDb', '-write-quorum=3'], {})).toMatchObject({
      nodes: 5,
      writeQuorum: 3,
      dataDir: undefined,
    });
  });

  test.each([['-dbPath'], ['--dbPath'], ['--data-dir']])('-inMemory with %s is refused', (flag) => {
    const message = '-inMemory keeps no data, and -dbPath or --data-dir says where to keep it: only one can be';
    expect(refusal(['-inMemory', flag, 'db'])).toBe(message);
    expect(refusal([flag, 'db', '--inMemory'])).toBe(message);
  });

  test('-inMemory beats the variable of a data directory', () => {
    expect(parseConfig(['-inMemory'], { DYNARING_DATA_DIR: 'db' })).toMatchObject({
      dataDir: undefined,
      durability: 'memory',
    });
  });

  test.each([
    [['java', '-jar', 'DynamoDBLocal.jar', '-inMemory', '-port', '9']],
    [['-jar', 'DynamoDBLocal.jar', '-inMemory', '-port', '9']],
    [['-Djava.library.path=./DynamoDBLocal_lib', '-jar', 'DynamoDBLocal.jar', '-inMemory', '-port', '9']],
    [['java', '-Xmx256m', '-XX:+UseSerialGC', '-Da=b', '-server', '-jar', '/x/D.jar', '-inMemory', '-port', '9']],
    [['java', '--add-opens=java.base/java.lang=ALL-UNNAMED', '-jar', 'D.jar', '-inMemory', '-port', '9']],
    [['java', '-inMemory', '-port', '9']],
  ])('what is for java is swallowed: %j', (argv) => {
    expect(parseConfig(argv, {})).toEqual(parseConfig(['-inMemory', '-port', '9'], {}));
  });

  test.each([
    [['-sharedDb'], ['-sharedDb changes nothing: all clients share their tables']],
    [['-sharedDb', '--isolate', 'region'], ['-sharedDb changes nothing: --isolate region keeps tables apart']],
    [['-optimizeDbBeforeStartup'], ['-optimizeDbBeforeStartup changes nothing: the store needs no such care']],
    [['-disableTelemetry'], ['-disableTelemetry changes nothing: there is no telemetry']],
    [['-inMemory', '-cors', '*', '-delayTransientStatuses', '-port', '1'], []],
  ])('of what changes nothing there is a note: %j', (argv, notes) => {
    expect(parseCommandLine(argv, {})).toMatchObject({ kind: 'serve', notes });
  });

  test.each([
    ['-inmemory', 'unknown option -inmemory; did you mean -inMemory?'],
    ['-dbpath', 'unknown option -dbpath; did you mean -dbPath?'],
    ['--write-qourum', 'unknown option --write-qourum; did you mean --write-quorum?'],
    ['--writeQuorum', 'unknown option --writeQuorum; did you mean --write-quorum?'],
    ['-Port', 'unknown option -Port; did you mean --port?'],
    ['--prot', 'unknown option --prot; did you mean --port?'],
    ['-startWebserver', 'unknown option -startWebserver; --help lists the options'],
    ['-jar', 'unknown option -jar; --help lists the options'],
    ['-Xmx256m', 'unknown option -Xmx256m; --help lists the options'],
    ['-inMemory=true', '-inMemory takes no value'],
    ['-cors=a,,b', '--cors must be origins with commas between, or *, not "a,,b"'],
  ])('%s is refused with what was probably meant', (flag, message) => expect(refusal([flag])).toBe(message));
});

test.each([
  ['--path', '--data-dir keeps the data'],
  ['--createTableMs', 'tables are ready at once, unless --delay-transient-statuses is given'],
  ['--deleteTableMs', 'tables are gone at once, unless --delay-transient-statuses is given'],
  ['--updateTableMs', 'tables are changed at once, unless --delay-transient-statuses is given'],
  ['--maxItemSizeKb', 'the limit is 400 KB, as of the service'],
  ['--verbose', '--log-requests writes a line for each request'],
  ['--ssl', '--https-cert and --https-key make it speak HTTPS'],
  ['--ca', '--https-cert is a file that may have the whole chain'],
])("dynalite's %s is refused with what there is instead", (flag, hint) => {
  expect(refusal(['--port', '4567', flag, 'x'])).toBe(`unknown option ${flag}: ${hint}`);
});
