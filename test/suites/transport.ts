import { describe, expect, test } from 'vitest';
import type { Reply, Request } from '../../src/dynamo/messages.ts';
import { ItemRecord } from '../../src/dynamo/record.ts';
import type { Receive, Transport } from '../../src/env/transport.ts';
import { image, KEY } from '../dynamo/three-nodes.ts';

export type NodeName = 'a' | 'b' | 'c';

/** A node on the network of a test. */
export interface JoinedNode {
  readonly transport: Transport<Request, Reply>;
  /** The node stops. */
  leave(): Promise<void>;
}

/** One kind of network between nodes, as the suite makes it. */
export interface NetworkUnderTest {
  join(node: NodeName, receive: Receive<Request, Reply>): Promise<JoinedNode>;
  /** Waits until that is so. */
  until(isDone: () => boolean): Promise<void>;
  /** Waits until nothing is on its way, as far as that can be told. */
  settle(): Promise<void>;
}

interface TransportUnderTest {
  open(): NetworkUnderTest;
  /** Whether messages from one node to another arrive in the order in which they were sent. */
  readonly keepsOrder: boolean;
}

const PING: Request = { kind: 'ping' };

/** What a `Transport` between storage nodes does while nothing is wrong, and when a node stops. */
export function transportSuite(name: string, under: TransportUnderTest): void {
  describe(name, () => {
    let network: NetworkUnderTest;

    /** Nodes that answer pings with their name. */
    async function pinging(...nodes: NodeName[]) {
      network = under.open();
      const said: string[] = [];
      const joined = {} as Record<NodeName, JoinedNode>;
      for (const node of nodes) {
        joined[node] = await network.join(node, (from, request, reply) => {
          said.push(`${from} to ${node}: ${request.kind}`);
          reply({ kind: 'pong', from: node });
        });
      }
      return { ...joined, said };
    }

    test('a request is answered once, after the call, also one of a node to itself', async () => {
      const { a, said } = await pinging('a', 'b');
      const heard: string[] = [];
      for (const node of ['a', 'b']) a.transport.send(node, PING, ({ from }) => heard.push(from));
      expect(said).toEqual([]);
      expect(heard).toEqual([]);
      await network.until(() => heard.length === 2);
      expect(heard.sort()).toEqual(['a', 'b']);
      await network.settle();
      expect(heard).toHaveLength(2);
      expect(said.sort()).toEqual(['a to a: ping', 'a to b: ping']);
    });

    test('many requests arrive once each', async () => {
      network = under.open();
      const epochs: number[] = [];
      const heard: number[] = [];
      const a = await network.join('a', () => {});
      await network.join('b', (_from, request, reply) => {
        epochs.push((request as { epoch: number }).epoch);
        reply({ kind: 'accepted', from: 'b' });
      });
      const all = Array.from({ length: 300 }, (_, i) => i);
      for (const epoch of all) a.transport.send('b', { kind: 'read', key: KEY, epoch }, () => heard.push(epoch));
      await network.until(() => heard.length === all.length);
      expect(under.keepsOrder ? epochs : epochs.sort((x, y) => x - y)).toEqual(all);
      expect(heard.sort((x, y) => x - y)).toEqual(all);
    });

    test('a message is what it was, and shares no memory with it', async () => {
      network = under.open();
      const ballot = { hlc: 7, coordinator: 1, boot: 1 };
      const record = new ItemRecord({ ballot, item: image('v'), partitionKey: 'k', lineage: [] });
      const requests: Request[] = [];
      const replies: Reply[] = [];
      const a = await network.join('a', () => {});
      await network.join('b', (_from, request, reply) => {
        requests.push(request);
        reply({ kind: 'promise', from: 'b', accepted: (request as { record: ItemRecord }).record });
      });
      a.transport.send('b', { kind: 'accept', key: KEY, record, epoch: 3 }, (reply) => replies.push(reply));
      await network.until(() => replies.length === 1);
      const arrived = requests[0] as Extract<Request, { kind: 'accept' }>;
      expect(arrived).toMatchObject({ kind: 'accept', key: KEY, epoch: 3, record: { ballot } });
      const returned = (replies[0] as Extract<Reply, { kind: 'promise' }>).accepted!;
      const copies = [record, arrived.record, returned].map(({ stored }) => stored);
      for (const copy of copies) expect(Buffer.compare(copy, record.stored)).toBe(0);
      copies[0]![0]! ^= 1;
      expect(copies[1]![0]).not.toBe(copies[0]![0]);
      copies[1]![0]! ^= 2;
      expect(new Set(copies.map((copy) => copy[0])).size).toBe(3);
    });

    test('what is sent to nobody, or to a node that has stopped, is lost', async () => {
      const { a, b, said } = await pinging('a', 'b');
      let answers = 0;
      a.transport.send('c', PING, () => answers++);
      await b.leave();
      a.transport.send('b', PING, () => answers++);
      await network.settle();
      expect(answers).toBe(0);
      expect(said).toEqual([]);
    });

    test('a node that has stopped is not told what it had asked, nor answered by one that has', async () => {
      network = under.open();
      const held: (() => void)[] = [];
      let answers = 0;
      const nodes = {} as Record<NodeName, JoinedNode>;
      for (const node of ['a', 'b', 'c'] as const) {
        nodes[node] = await network.join(node, (_from, _request, reply) => {
          held.push(() => reply({ kind: 'pong', from: node }));
        });
      }
      nodes.a.transport.send('b', PING, () => answers++);
      nodes.b.transport.send('c', PING, () => answers++);
      await network.until(() => held.length === 2);
      await nodes.b.leave();
      for (const reply of held) reply();
      await network.settle();
      expect(answers).toBe(0);
    });
  });
}
