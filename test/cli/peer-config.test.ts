import { describe, expect, test } from 'vitest';
import { type PeerServeCommand, parsePeerCommand } from '../../src/config/parse-peer.ts';
import { ConfigError } from '../../src/config.ts';

type Env = Record<string, string>;

function refusal(kind: 'init' | 'serve', argv: string[], env: Env = {}): string {
  try {
    parsePeerCommand(kind, argv, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error(`accepted: ${argv.join(' ')}`);
}

const SERVE = ['--node-id', 'a', '--data-dir', 'd'];

function serve(argv: string[], env: Env = {}): PeerServeCommand {
  return parsePeerCommand('serve', argv, env) as PeerServeCommand;
}

describe('init', () => {
  test('sorts the founders, so that the order in which a host names them does not matter', () => {
    const argv = ['--node-id=b', '--founders', 'c, a,b', '--data-dir', 'd', '--partitions', '8'];
    expect(parsePeerCommand('init', argv, {})).toMatchObject({
      kind: 'init',
      dataDir: 'd',
      peer: { nodeId: 'b', founders: ['a', 'b', 'c'] },
      shape: { partitions: 8, replication: 3 },
    });
  });

  test.each([
    [['--founders', 'a,b', '--data-dir', 'd'], 'needs a --node-id'],
    [['--node-id', 'a', '--data-dir', 'd'], 'needs --founders'],
    [['--node-id', 'a', '--founders', 'a,b'], 'needs a --data-dir'],
    [['--node-id', 'c', '--founders', 'a,b', '--data-dir', 'd'], '--founders must name c'],
    [['--node-id', 'a', '--founders', 'a,a', '--data-dir', 'd'], '--founders must be up to 64 different names'],
    [['--node-id', 'a.b', '--founders', 'a,b', '--data-dir', 'd'], '--node-id must be 1 to 63 letters'],
    [['--node-id', 'a', '--founders', 'a,b', '--data-dir', 'd', '--replication', '3'], 'is more than the 2 founders'],
  ])('%j is refused', (argv, reason) => expect(refusal('init', argv)).toContain(reason));
});

describe('serve', () => {
  test('takes all its settings from variables as well, which flags beat', () => {
    const env = {
      DYNARING_NODE_ID: 'b',
      DYNARING_JOIN: 'h1:8100,[::1]:8101',
      DYNARING_PEER_LISTEN: '0.0.0.0:0',
      DYNARING_CLUSTER_SECRET_FILE: 's',
      DYNARING_DATA_DIR: 'd',
      DYNARING_PORT: '0',
    };
    const { peer, config, warnings } = serve(['--node-id', 'a', '--port', '8001'], env);
    expect(peer).toMatchObject({
      nodeId: 'a',
      join: [
        { host: 'h1', port: 8100 },
        { host: '::1', port: 8101 },
      ],
      peerListen: { host: '0.0.0.0', port: 0 },
      clusterSecretFile: 's',
      role: 'node',
    });
    expect(config).toMatchObject({ port: 8001, dataDir: 'd', durability: 'process' });
    expect(warnings).toEqual([]);
  });

  test('listens on the loopback interface, or on a Unix socket', () => {
    expect(serve(SERVE).peer.peerListen).toEqual({ host: '127.0.0.1', port: 8100 });
    expect(serve([...SERVE, '--peer-listen', '/run/a.sock']).peer.peerListen).toEqual({ path: '/run/a.sock' });
  });

  test('knows W when it knows N, and refuses one that does not fit', () => {
    expect(serve(SERVE).configOf({ partitions: 16, replication: 3 })).toMatchObject({ writeQuorum: 2, partitions: 16 });
    expect(serve(SERVE).configOf({ partitions: 16, replication: 1 })).toMatchObject({ writeQuorum: 1 });
    const { configOf } = serve([...SERVE, '--write-quorum', '4']);
    expect(() => configOf({ partitions: 16, replication: 3 })).toThrow('--write-quorum 4 is more than --replication 3');
  });

  test.each([
    [['--data-dir', 'd'], 'needs a --node-id'],
    [['--node-id', 'a'], 'needs a --data-dir'],
    [[...SERVE, '--role', 'front'], '--role front stores nothing'],
    [[...SERVE, '--role', 'king'], '--role must be node or front'],
    [[...SERVE, '--nodes', '3'], '--nodes is for a server with all nodes in one process'],
    [[...SERVE, '--partitions', '8'], '--partitions is fixed when a cluster is founded'],
    [[...SERVE, '--durability', 'memory'], 'would let a node forget'],
    [[...SERVE, '--join', 'h1'], '--join must be addresses and ports'],
    [[...SERVE, '--join'], '--join needs a value'],
    [[...SERVE, '--peer-listen', 'h:70000'], '--peer-listen must be an address and a port'],
    [[...SERVE, '--peer-cert', 'c'], '--peer-cert, --peer-key and --peer-ca go together'],
    [[...SERVE, '--colour', 'red'], 'unknown option --colour'],
    [[...SERVE, '--faults', 'f.json'], 'the rules of a cluster are set once, by POST /_dynaring/faults'],
  ])('%j is refused', (argv, reason) => expect(refusal('serve', argv)).toContain(reason));

  test('names the variable that is wrong', () => {
    expect(refusal('serve', SERVE, { DYNARING_ROLE: 'king' })).toContain('--role (from DYNARING_ROLE) must be');
  });
});
