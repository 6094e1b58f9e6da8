import { readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryDirectory } from '../parts/directory.ts';
import { Middle } from '../parts/middle.ts';
import { testPeer } from '../parts/test-peers.ts';
import { foundCluster, type HostNode } from './host-cluster.ts';
import { createTables, expectOneHistory, Load } from './load.ts';
import { beginPeer } from './peer-process.ts';

const CROWD = 1_000;
const ROUNDS = 4;
/** What the process may have grown by after all rounds but the first: 10 KB for each stranger would be more. */
const GROWTH_BYTES = 32 * 1024 * 1024;

interface Place {
  readonly host: string;
  readonly port: number;
}

/** Someone who connects and says this, in pieces of so many bytes. Resolves when the connection has ended. */
function stranger(at: Place, bytes: Uint8Array, pieceBytes = bytes.length): { readonly ended: Promise<void> } {
  const socket: Socket = connect(at);
  socket.on('error', () => {});
  socket.resume();
  const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const say = async () => {
    for (let from = 0; from < bytes.length && !socket.destroyed; from += pieceBytes) {
      socket.write(bytes.subarray(from, from + pieceBytes));
      if (pieceBytes < bytes.length) await sleep(200);
    }
  };
  void say();
  return { ended };
}

async function figures({ endpoint }: HostNode): Promise<{ refused: Record<string, number>; connections: number }> {
  const text = await (await fetch(`${endpoint}/metrics`, { headers: { connection: 'close' } })).text();
  const refused: Record<string, number> = {};
  for (const [, reason, count] of text.matchAll(/^dynaring_peer_refused_total\{reason="([^"]+)"\} (\d+)$/gm)) {
    refused[reason!] = Number(count);
  }
  return { refused, connections: Number(/^dynaring_peer_connections (\d+)$/m.exec(text)![1]) };
}

/** Without the pages of files, of which a store has as many as it likes. */
function memoryOf({ process }: HostNode): number {
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${process.pid}/status`, 'utf8'))![1]) * 1024;
}

/** What a front with the secret has sent to a node, and the beginning of it: a handshake that goes no further. */
async function recordFront(at: Place, secret: string): Promise<{ recorded: Buffer; hello: Buffer }> {
  const { middle, address } = await Middle.between({ host: '127.0.0.1', port: 0 }, at);
  onTestFinished(() => middle.close());
  const { host, port } = address as Place;
  const front = beginPeer('front', ['--role', 'front', '--join', `${host}:${port}`, '--cluster-secret-file', secret]);
  await front.ready();
  await front.stop('SIGKILL');
  const chunks = middle.sent.find((each) => each.length > 2)!;
  return { recorded: Buffer.concat(chunks), hello: chunks[0]! };
}

test('strangers at the port of peers, thousands of them, have no effect, are counted, and take no memory', async () => {
  const secret = join(temporaryDirectory(), 'secret');
  writeFileSync(secret, 'a secret that strangers do not know\n', { mode: 0o600 });
  const cluster = await foundCluster(['a', 'b', 'c'], { args: ['--cluster-secret-file', secret] });
  const a = cluster.nodes[0]!;
  const [host, port] = (await a.process.peerAddress()).split(':') as [string, string];
  const at = { host, port: Number(port) };
  await createTables(cluster.clients[0]!);
  const { recorded, hello } = await recordFront(at, secret);
  await expect.poll(async () => (await figures(a)).connections, { interval: 500 }).toBe(8);
  const before = await figures(a);
  const load = new Load(cluster.clients);
  await load.goOn();

  const HELLOS: readonly [string, Uint8Array][] = [
    ['garbage', Buffer.alloc(3_000, 'garbage')],
    ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')],
    ['a hello without TLS', Buffer.from('\0\0\0\x0b\x0a\x10\0dynaring')],
    ['half a handshake', hello.subarray(0, Math.floor(hello.length / 2))],
    ['a handshake that goes no further', hello],
    ['what another has said', recorded],
    ['nothing', new Uint8Array()],
  ];
  for (const [what, bytes] of HELLOS) {
    const sum = async () => Object.values((await figures(a)).refused).reduce((total, count) => total + count, 0);
    const refused = await sum();
    await stranger(at, bytes).ended;
    await expect.poll(sum, { message: what }).toBeGreaterThan(refused);
  }
  await Promise.all(Array.from({ length: 10 }, () => stranger(at, hello, 8).ended));
  const liar = testPeer({
    name: 'a',
    security: { kind: 'secret', secret: Buffer.from('a secret that is another one') },
    addresses: { b: [at] },
  });
  expect(await liar.ask('b', 'let me in')).toMatchObject({ kind: 'not-sent' });
  await liar.transport.stop();
  expect((await figures(a)).refused.tls).toBeGreaterThan(before.refused.tls ?? 0);

  const memory: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const crowd = Array.from({ length: CROWD }, (_, i) => stranger(at, HELLOS[i % HELLOS.length]![1]));
    await Promise.all(crowd.map(({ ended }) => ended));
    memory.push(memoryOf(a));
  }
  await load.goOn();
  const after = await figures(a);
  const all = (counts: Record<string, number>) => Object.values(counts).reduce((sum, count) => sum + count, 0);
  expect(all(after.refused) - all(before.refused)).toBeGreaterThanOrEqual(ROUNDS * CROWD);
  expect(memory.at(-1)! - memory[0]!).toBeLessThan(GROWTH_BYTES);
  // The other nodes were connected all the time, and each request was served.
  expect(after.connections).toBe(before.connections);
  expect(load.history.filter(({ answer }) => answer.kind === 'unknown' || answer.kind === 'not-applied')).toEqual([]);
  await expectOneHistory(cluster, load);
});
