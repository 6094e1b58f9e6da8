import { expect, test } from 'vitest';
import { RingView } from '../../src/dynamo/ring-view.ts';
import { silentLog } from '../../src/env/log.ts';
import { SeededRandom } from '../../src/env/random.ts';
import { configsOf } from '../../src/peer/founding.ts';
import { Membership } from '../../src/peer/membership.ts';
import { peerNodeId } from '../../src/peer/node-name.ts';
import type { PeerAnswer } from '../../src/peer/peer-messages.ts';
import { ManualClock } from '../parts/manual-clock.ts';
import { MemoryClient } from '../router/memory-client.ts';

const CLUSTER = {
  clusterId: 'x',
  partitions: 4,
  replication: 3,
  layout: 1,
  members: ['a', 'b', 'c'].map((name, i) => ({ name, diskId: i + 1 })),
};

/** Processes without nodes over one register, who hear each other at once. */
function world() {
  const client = new MemoryClient();
  const clock = new ManualClock();
  const takenIn: string[] = [];
  const told: string[] = [];
  const peers = new Map<string, Membership>();
  const start = (name: string, diskId: number | undefined) => {
    const id = peerNodeId(name, diskId ?? 99);
    const membership = new Membership({
      disk: diskId === undefined ? undefined : { name, diskId },
      cluster: CLUSTER,
      client,
      view: new RingView(configsOf(CLUSTER)),
      node: undefined,
      port: {
        ask: (to, request, done) => {
          const other = peers.get(to)!;
          const answer = (reply: PeerAnswer) => done({ kind: 'answered', answer: reply });
          if (request.kind === 'goal') {
            other.noteVersion(request.version);
            answer({ kind: 'done', report: {} });
          } else if (request.kind === 'admit') {
            other.admit(request).then(
              () => answer({ kind: 'done', report: {} }),
              (error: Error) => answer({ kind: 'cannot', reason: error.message }),
            );
          }
          return { cancel: () => {} };
        },
      },
      present: () => [...peers.keys()].filter((peer) => peer !== id),
      clock,
      random: new SeededRandom(1),
      log: silentLog,
      onSettings: (settings) => told.push(`${name} ${JSON.stringify(settings)}`),
      onTakenIn: () => takenIn.push(name),
      onLeft: () => {},
    });
    peers.set(id, membership);
    membership.start();
    return membership;
  };
  return { start, takenIn, told, clock };
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 20));

test('a new name is taken in by asking, and every process hears of it', async () => {
  const { start, takenIn } = world();
  const [one, other] = [start('one', undefined), start('other', undefined)];
  start('d', 4);
  await settled();
  expect(takenIn).toEqual(['d']);
  for (const each of [one, other]) {
    expect(each.nodes).toContain(peerNodeId('d', 4));
    // They hold nothing yet.
    expect(each.progress.left).toBeGreaterThan(0);
  }
});

test('a name that is taken is given to another disk only by an operator, while its process waits', async () => {
  const { start, takenIn, clock } = world();
  const [one, other] = [start('one', undefined), start('other', undefined)];
  await expect(one.replace('b')).rejects.toThrow('no process waits to be b: start one with --node-id b');
  const blank = start('b', 20);
  await settled();
  expect(takenIn).toEqual([]);
  blank.stop();
  clock.advance(10_001);
  await expect(one.replace('b')).rejects.toThrow('no process waits to be b');
  start('b', 21);
  await settled();
  await other.replace('b');
  await settled();
  expect(takenIn).toEqual(['b']);
  expect(one.nodes).toEqual([peerNodeId('a', 1), peerNodeId('b', 21), peerNodeId('c', 3)]);
  await expect(one.admit({ name: 'e', diskId: 2 })).rejects.toThrow('that disk has left the ring before');
});

test('a node is removed only if as many stay as there are copies', async () => {
  const { start } = world();
  const one = start('one', undefined);
  await expect(one.remove('c')).rejects.toThrow('c cannot be removed: 2 nodes would be left for 3 copies');
  await one.admit({ name: 'd', diskId: 4 });
  await one.remove('c');
  expect(one.nodes).toEqual([peerNodeId('a', 1), peerNodeId('b', 2), peerNodeId('d', 4)]);
});

test('settings are those of who says them first; what is changed is told to all', async () => {
  const { start, told } = world();
  const [one, other] = [start('one', undefined), start('other', undefined)];
  await settled();
  expect(await one.adoptSettings({ throttle: true })).toEqual({ throttle: true });
  expect(await other.adoptSettings({ throttle: false, isolate: 'none' })).toEqual({ throttle: true, isolate: 'none' });
  expect(await other.changeSettings({ throttle: false })).toEqual({ throttle: false, isolate: 'none' });
  await settled();
  const now = '{"throttle":false,"isolate":"none"}';
  for (const name of ['one', 'other']) expect(told.filter((line) => line === `${name} ${now}`)).toHaveLength(1);
  expect(await one.changeSettings({})).toEqual({ throttle: false, isolate: 'none' });
  expect(told.at(-1)).toBe(`one ${now}`);
});
