import { describe, expect, test } from 'vitest';
import { type ItemImage, toImage } from '../../src/api/item.ts';
import type { Mutation } from '../../src/api/mutation.ts';
import type { ItemKey } from '../../src/dynamo/client.ts';
import { DEFAULT_NODE_LIMITS } from '../../src/dynamo/node-settings.ts';
import { NodesOfView } from '../../src/dynamo/nodes-at-hand.ts';
import { RingClient } from '../../src/dynamo/ring-client.ts';
import { RingView } from '../../src/dynamo/ring-view.ts';
import { SystemClock } from '../../src/env/clock.ts';
import { silentLog } from '../../src/env/log.ts';
import { MemoryStore } from '../../src/env/memory-store.ts';
import type { Address } from '../../src/env/peer-channel.ts';
import { DEFAULT_PEER_LIMITS } from '../../src/env/peer-limits.ts';
import { ringTransport } from '../../src/env/peer-transport.ts';
import { SystemRandom } from '../../src/env/random.ts';
import { CoordinationDoor } from '../../src/peer/coordination-door.ts';
import { Peer } from '../../src/peer/peer.ts';
import { RemoteNode } from '../../src/wire/remote-node.ts';
import { COORDINATION_CHANNEL, RING_CHANNEL } from '../../src/wire/ring-channels.ts';
import { CONNECTION_KINDS } from '../parts/connection-kinds.ts';
import { eventually } from '../parts/eventually.ts';
import { nodeSettings } from '../parts/node-settings.ts';
import { testPeer } from '../parts/test-peers.ts';

const TABLE = 'table-01';
const NAMES = ['a', 'b', 'c'] as const;
type Name = (typeof NAMES)[number];
const kind = CONNECTION_KINDS['TLS with a shared secret']!;
const clock = new SystemClock();
/** For a machine that has other things to do. */
const PATIENT = { phaseTimeoutMs: 5_000, opLifeMs: 50_000 };

/** An item within the service's limit of 400 KB whose record is longer than a frame, and goes in several. */
const LONG = toImage({ v: { L: Array.from({ length: 100_000 }, () => ({ NULL: true })) } });
const put = (item: ItemImage): Mutation => ({ kind: 'put', item });
const textItem = (text: string) => toImage({ v: { S: text } });
const keyOf = (name: string): ItemKey => ({ table: TABLE, partitionKey: name, sortKey: '' });

/** Three nodes that share eight partitions, each behind a transport of its own, and a client behind another one. */
function openRing() {
  const members = NAMES.map((node, i) => ({ node, diskId: i + 1 }));
  const ring = Array.from({ length: 8 }, (_, partition) => ({ partition, epoch: 0, members, attempt: 0 }));
  const addresses: Record<string, readonly Address[]> = {};
  const stores = { a: new MemoryStore(), b: new MemoryStore(), c: new MemoryStore() };

  async function start(name: Name, isBootstrap: boolean): Promise<() => Promise<void>> {
    const { transport } = testPeer({ name, security: kind.security(name), addresses, limits: DEFAULT_PEER_LIMITS });
    const settings = nodeSettings({ id: name, diskId: NAMES.indexOf(name) + 1, ring, isBootstrap, limits: PATIENT });
    const env = { clock, random: new SystemRandom(), log: silentLog, store: stores[name] };
    let peer: Peer | undefined;
    const port = transport.open(RING_CHANNEL, (from, request, reply) => peer?.receive(from, request, reply));
    peer = await new Promise<Peer | undefined>((resolve) => {
      Peer.open({ settings, env, transport: ringTransport(port) }, resolve);
    });
    const door = new CoordinationDoor(() => peer!.door);
    transport.open(COORDINATION_CHANNEL, door.serve);
    addresses[name] = [await transport.listen(kind.address())];
    return async () => {
      peer!.stop();
      await transport.stop();
    };
  }

  function connect(): RingClient {
    const security = kind.security('front');
    const { transport } = testPeer({ name: 'front', security, addresses, limits: DEFAULT_PEER_LIMITS });
    const port = transport.open(COORDINATION_CHANNEL, () => {});
    const view = new RingView(ring);
    const nodes = new NodesOfView({ view, own: undefined, reach: (id) => new RemoteNode(port, id) });
    return new RingClient({ view, nodes, clock, limits: { ...DEFAULT_NODE_LIMITS, ...PATIENT }, writeQuorum: 2 });
  }

  return { start, connect };
}

describe('a ring whose nodes and client are behind sockets', () => {
  test('serves while a node is gone, and brings it up to date when it is back', async () => {
    const ring = openRing();
    const stop = { a: await ring.start('a', true), b: await ring.start('b', true), c: await ring.start('c', true) };
    const client = ring.connect();
    const write = async (name: string, item: string | ItemImage) =>
      (
        await client.write(keyOf(name), put(typeof item === 'string' ? textItem(item) : item), {
          consistency: 'strict',
          wantsOld: false,
        })
      ).kind;
    const read = async (name: string) => {
      const outcome = await client.read({ key: keyOf(name), from: 'latest', consistency: 'strict' });
      return outcome.kind === 'found' ? Buffer.from(outcome.item.json).toString() : outcome.kind;
    };
    const names = Array.from({ length: 30 }, (_, i) => `k${i}`);
    expect(new Set(await Promise.all(names.map((name) => write(name, 'first'))))).toEqual(new Set(['applied']));
    expect(await write('long', LONG)).toBe('applied');
    expect((await read('long')).length).toBeGreaterThan(DEFAULT_PEER_LIMITS.frameBytes.hot);
    await stop.b();
    expect(new Set(await Promise.all(names.map((name) => write(name, 'second'))))).toEqual(new Set(['applied']));
    expect(new Set(await Promise.all(names.map(read)))).toEqual(new Set(['{"v":{"S":"second"}}']));
    await ring.start('b', false);
    await stop.a();
    // With a down, each read needs b: it has what it missed, or learns it.
    await eventually(async () => {
      expect(new Set(await Promise.all(names.map(read)))).toEqual(new Set(['{"v":{"S":"second"}}']));
    });
    expect(await write('long', 'short')).toBe('applied');
    const page = await client.scan({
      table: TABLE,
      start: { kind: 'partition', partition: 0 },
      limit: 100,
      from: 'latest',
      consistency: 'strict',
    });
    expect(page.kind).toBe('items');
  });
});
