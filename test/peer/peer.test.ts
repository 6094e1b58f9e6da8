import { beforeEach, describe, expect, test } from 'vitest';
import type { Reply, Request } from '../../src/dynamo/messages.ts';
import { DEFAULT_NODE_LIMITS, type NodeSettings } from '../../src/dynamo/node-settings.ts';
import { SOUND_RULES } from '../../src/dynamo/rules.ts';
import { silentLog } from '../../src/env/log.ts';
import { MemoryStore } from '../../src/env/memory-store.ts';
import { SeededRandom } from '../../src/env/random.ts';
import type { StoreKey, StoreName } from '../../src/env/store.ts';
import { StoreDamagedError } from '../../src/env/store-damage.ts';
import { Peer } from '../../src/peer/peer.ts';
import { readOf } from '../dynamo/coordination-requests.ts';
import { KEY } from '../dynamo/three-nodes.ts';
import { ManualClock } from '../parts/manual-clock.ts';

/** A store that turns out to be damaged when a test says so. */
class FragileStore extends MemoryStore {
  isDamaged = false;

  override get(name: StoreName, key: StoreKey): Uint8Array | undefined {
    if (this.isDamaged) throw new StoreDamagedError('a page is not there');
    return super.get(name, key);
  }
}

const SETTINGS: NodeSettings = {
  id: 'node-1',
  diskId: 1,
  writeQuorum: 1,
  readQuorum: 1,
  readFrom: 'first',
  readRepair: true,
  antiEntropyIntervalMs: 0,
  ring: [{ partition: 0, epoch: 0, attempt: 0, members: [{ node: 'node-1', diskId: 1 }] }],
  isBootstrap: true,
  limits: DEFAULT_NODE_LIMITS,
  rules: SOUND_RULES,
};

let clock: ManualClock;
let store: FragileStore;
let peer: Peer;
let sent: { readonly request: Request; readonly onReply: (reply: Reply) => void }[];

beforeEach(() => {
  clock = new ManualClock();
  store = new FragileStore();
  sent = [];
  const transport = {
    send: (_to: string, request: Request, onReply: (reply: Reply) => void) => {
      sent.push({ request, onReply });
    },
  };
  const env = { clock, random: new SeededRandom(1), log: silentLog, store };
  Peer.open({ settings: SETTINGS, env, transport }, (opened) => {
    peer = opened!;
  });
});

function ask(request: Request): Reply[] {
  const replies: Reply[] = [];
  peer.receive('node-2', request, (reply) => replies.push(reply));
  return replies;
}

function read(): string[] {
  const kinds: string[] = [];
  peer.door.coordinate(readOf(KEY, 'committed'), ({ kind }) => kinds.push(kind));
  return kinds;
}

describe('a peer that is paused', () => {
  test('holds requests until it goes on, and says so', () => {
    expect(peer.describe().state).toBe('up');
    peer.pause();
    expect(peer.describe().state).toBe('paused');
    const kinds = read();
    expect(kinds).toEqual([]);
    const release = peer.resume();
    expect(peer.describe().state).toBe('up');
    // The owner connects it first.
    expect(kinds).toEqual([]);
    release();
    expect(kinds).toEqual(['none']);
  });

  test('gives requests back that wait too long, also when it stops meanwhile', () => {
    peer.pause();
    const kinds = read();
    peer.stop();
    clock.advance(SETTINGS.limits.suspectAfterMs);
    expect(kinds).toEqual(['unavailable']);
  });
});

describe('a peer that has stopped', () => {
  test('sends nothing, hears no reply, and has no timer', () => {
    peer.node.startBackground();
    const latest: string[] = [];
    peer.door.coordinate(readOf(KEY, 'latest'), ({ kind }) => latest.push(kind));
    const before = sent.length;
    expect(before).toBeGreaterThan(0);
    peer.stop();
    for (const { onReply } of sent) onReply({ kind: 'pong', from: 'node-1' });
    clock.advance(60_000);
    expect(sent).toHaveLength(before);
    expect(latest).toEqual([]);
    expect(clock.timers).toBe(0);
  });

  test('answers nobody, and touches no store: that may be closed', () => {
    const prepare = {
      kind: 'config-prepare',
      partition: 0,
      epoch: 0,
      ballot: { hlc: 1, coordinator: 2, boot: 1 },
    } as const;
    expect(ask(prepare)).toMatchObject([{ kind: 'config-promise' }]);
    peer.stop();
    store.isDamaged = true;
    expect(ask({ kind: 'ping' })).toEqual([]);
    expect(ask({ ...prepare, ballot: { ...prepare.ballot, hlc: 2 } })).toEqual([]);
    store.isDamaged = false;
    expect(peer.node.isSealed(0)).toBe(false);
    expect(ask({ kind: 'seal', partition: 0, epoch: 0 })).toEqual([]);
    expect(peer.node.isSealed(0)).toBe(false);
  });

  test('ends work that was under way, and work that is asked of it afterwards, with what was said for that', () => {
    const outcomes: string[] = [];
    const work = { begin: () => {}, ifStopped: 'stopped' };
    peer.perform(work, (outcome) => outcomes.push(outcome));
    peer.perform({ ...work, begin: (_node, done) => done('done') }, (outcome) => outcomes.push(outcome));
    expect(outcomes).toEqual(['done']);
    peer.stop();
    expect(outcomes).toEqual(['done', 'stopped']);
    peer.perform(work, (outcome) => outcomes.push(outcome));
    expect(outcomes).toEqual(['done', 'stopped', 'stopped']);
  });
});

describe('a drain', () => {
  test('of a node that owes nothing ends within the call', () => {
    let isDone = false;
    peer.drain(
      (idle) => idle(),
      () => {
        isDone = true;
      },
    );
    expect(isDone).toBe(true);
    expect(clock.timers).toBe(0);
  });

  test('ends when clients have their answers', () => {
    const ends: number[] = [];
    let idle = () => {};
    peer.drain(
      (done) => {
        idle = done;
      },
      () => ends.push(clock.elapsedMs()),
    );
    clock.advance(100);
    expect(ends).toEqual([]);
    idle();
    clock.advance(SETTINGS.limits.opLifeMs);
    expect(ends).toEqual([100]);
    expect(clock.timers).toBe(0);
  });

  test('waits no longer than an operation lives', () => {
    const ends: number[] = [];
    peer.drain(
      () => {},
      () => ends.push(clock.elapsedMs()),
    );
    clock.advance(SETTINGS.limits.opLifeMs);
    expect(ends).toEqual([SETTINGS.limits.opLifeMs]);
  });
});

test('a peer whose store is damaged answers neither clients nor nodes, and throws nothing', () => {
  expect(ask({ kind: 'ping' })).toEqual([{ kind: 'pong', from: 'node-1' }]);
  store.isDamaged = true;
  expect(read()).toEqual([]);
  expect(ask({ kind: 'read-committed', key: KEY })).toEqual([]);
});
