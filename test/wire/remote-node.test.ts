import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Departing } from '../../src/api/departure.ts';
import type { ReadFrom } from '../../src/dynamo/client.ts';
import type { CoordinatorTrace } from '../../src/dynamo/coordinating-node.ts';
import { storeKeyOf } from '../../src/dynamo/keyspace.ts';
import { DEFAULT_NODE_LIMITS } from '../../src/dynamo/node-settings.ts';
import { NodesOfView } from '../../src/dynamo/nodes-at-hand.ts';
import { RingClient } from '../../src/dynamo/ring-client.ts';
import { RingView } from '../../src/dynamo/ring-view.ts';
import { CoordinationDoor } from '../../src/peer/coordination-door.ts';
import { RemoteNode } from '../../src/wire/remote-node.ts';
import { type NodeName, put, ThreeNodes, textOf } from '../dynamo/three-nodes.ts';
import { MemoryChannel } from '../parts/memory-channel.ts';

const ITEM = { table: '\0\0\0\0\0\0\0\x01', partitionKey: 'user', sortKey: '' };
const STRICT = { consistency: 'strict', wantsOld: false } as const;
/** As between processes: whoever is slow is not suspected at once. */
const LIMITS = { ...DEFAULT_NODE_LIMITS, suspectAfterMs: 2_500 };
const NAMES: readonly NodeName[] = ['A', 'B', 'C'];

let nodes: ThreeNodes;
let channel: MemoryChannel;
let doors: Record<NodeName, CoordinationDoor>;
let clients: RingClient[];
/** Of which nothing at all is heard. */
let silent: Set<string>;

beforeEach(() => {
  nodes = new ThreeNodes();
  channel = new MemoryChannel((deliver) => nodes.later(deliver));
  clients = [];
  silent = new Set();
  doors = {} as Record<NodeName, CoordinationDoor>;
  for (const name of NAMES) {
    doors[name] = new CoordinationDoor(() => nodes.node(name));
    channel.open(name, doors[name].serve);
  }
});

afterEach(() => {
  for (const client of clients) client.stop();
});

/** A client of the ring in the process of a node, or in one without a node. */
function clientIn(own?: NodeName, isNearest = false): RingClient {
  const view = new RingView(nodes.node('A').view.configs);
  const client = new RingClient({
    view,
    nodes: new NodesOfView({
      view,
      own: own && { id: own, node: nodes.node(own) },
      reach: (id) => new RemoteNode(channel, id),
    }),
    isReachable: (id) => id === own || channel.isUp(id),
    silentMs: (id) => (silent.has(id) ? nodes.clock.elapsedMs() : 0),
    nearest: isNearest ? own : undefined,
    clock: nodes.clock,
    limits: LIMITS,
    writeQuorum: 2,
  });
  clients.push(client);
  return client;
}

/** What it has come to by now, or `nothing yet`. */
async function outcomeOf<T>(promise: Promise<T>, withinMs = 100): Promise<T | 'nothing yet'> {
  nodes.settle(withinMs);
  return Promise.race([promise, new Promise<'nothing yet'>((resolve) => setImmediate(resolve, 'nothing yet'))]);
}

/** The same of what takes several turns of the event loop. The time is less than a node that is silent is waited for. */
async function inTurns<T>(promise: Promise<T>): Promise<T | 'nothing yet'> {
  for (let turn = 0; turn < 10; turn++) await outcomeOf(promise, 1);
  return outcomeOf(promise, 0);
}

const write = (client: RingClient, text: string) => client.write(ITEM, put(text), STRICT);

async function textAt(client: RingClient, from: ReadFrom = 'latest', withinMs?: number) {
  const outcome = await outcomeOf(client.read({ key: ITEM, from, consistency: 'strict' }), withinMs);
  if (outcome === 'nothing yet') return outcome;
  return outcome.kind === 'found' ? textOf(outcome.item) : outcome.kind;
}

const askedNodes = () => channel.asked.map(({ to }) => to).join('');

describe('a client of the ring in a process without a node', () => {
  test('writes and reads by the nodes of others', async () => {
    const client = clientIn();
    expect(await outcomeOf(write(client, 'one'))).toMatchObject({ kind: 'applied' });
    expect(await textAt(client)).toBe('one');
    expect(await textAt(client, 'committed')).toBe('one');
    const range = { ...ITEM, order: 'forward', limit: 5, from: 'latest', consistency: 'strict' } as const;
    expect(await outcomeOf(client.range(range))).toMatchObject({ kind: 'items', more: false });
    expect(await outcomeOf(client.countItems([ITEM.table]))).toMatchObject([{ items: 1 }]);
    expect(askedNodes()).toBe('AAAAA');
  });

  test('asks the next node at once while one is down', async () => {
    const client = clientIn();
    channel.kill('A');
    expect(await outcomeOf(write(client, 'one'), 0)).toMatchObject({ kind: 'applied' });
    expect(askedNodes()).toBe('B');
  });

  test('asks the next node at once for what could not be sent', async () => {
    channel.unsendable.add('A');
    expect(await outcomeOf(write(clientIn(), 'one'), 0)).toMatchObject({ kind: 'applied' });
    expect(askedNodes()).toBe('AB');
  });

  test('has tried nothing if no node can be reached', async () => {
    const client = clientIn();
    for (const name of NAMES) channel.kill(name);
    expect(await outcomeOf(write(client, 'one'), DEFAULT_NODE_LIMITS.opLifeMs + 100)).toMatchObject({
      kind: 'unavailable',
    });
  });

  test('follows the ring: nodes are asked as soon as configs name them, and not before', async () => {
    const client = clientIn();
    const view = new RingView([{ partition: 0, epoch: 0, attempt: 0, members: [{ node: 'A', diskId: 1 }] }]);
    const ofView = new NodesOfView({ view, own: undefined, reach: (id) => new RemoteNode(channel, id) });
    expect([...ofView.keys()]).toEqual(['A']);
    expect(ofView.get('B')).toBeUndefined();
    const members = NAMES.slice(1).map((node, i) => ({ node, diskId: i + 2 }));
    view.learnConfig({ partition: 0, epoch: 1, attempt: 1, members });
    expect([...ofView.keys()]).toEqual(['B', 'C']);
    expect(ofView.get('B')).toBe(ofView.get('B'));
    expect(ofView.has('A')).toBe(false);
    client.stop();
  });
});

describe('a node that is lost with a request', () => {
  test('leaves a write unknown, at once, and another node is not asked', async () => {
    channel.isAnswerLost = (to) => to === 'A';
    expect(await outcomeOf(write(clientIn(), 'one'), 0)).toEqual({ kind: 'unknown' });
    expect(askedNodes()).toBe('A');
  });

  test('has its reads asked of the next one, at once', async () => {
    const client = clientIn();
    await outcomeOf(write(client, 'one'));
    channel.asked.length = 0;
    channel.isAnswerLost = (to) => to === 'A';
    expect(await textAt(client, 'latest', 0)).toBe('one');
    expect(askedNodes()).toBe('AB');
  });

  test('is asked again once it can be reached', async () => {
    const client = clientIn();
    nodes.isLost = ({ from }) => from === 'A';
    const read = textAt(client, 'latest', 2_000);
    channel.kill('A');
    expect(await read).toBe('none');
    nodes.isLost = () => false;
    channel.open('A', doors.A.serve);
    client.attach('A');
    channel.asked.length = 0;
    await textAt(client);
    expect(askedNodes()).toBe('A');
  });

  test('is as one that does not answer where all nodes are asked', async () => {
    const client = clientIn();
    await outcomeOf(write(client, 'one'));
    channel.isAnswerLost = (to) => to === 'A';
    expect(await inTurns(client.tables())).toEqual(new Set([ITEM.table]));
    expect(await inTurns(client.countItems([ITEM.table]))).toMatchObject([{ items: 1 }]);
  });
});

describe('a node that leaves a request unanswered', () => {
  const { quietAfterMs, suspectAfterMs } = LIMITS;

  beforeEach(async () => {
    await outcomeOf(write(clientIn(), 'one'));
    channel.asked.length = 0;
    // It is there, and answers nothing.
    channel.open('A', () => {});
  });

  test('has its reads asked of the next one soon, if nothing at all is heard of it', async () => {
    silent.add('A');
    const read = clients[0]!.read({ key: ITEM, from: 'latest', consistency: 'strict' });
    expect(await outcomeOf(read, quietAfterMs - 1)).toBe('nothing yet');
    expect(await outcomeOf(read, quietAfterMs / 4 + 1)).toMatchObject({ kind: 'found' });
    expect(askedNodes()).toBe('AB');
  });

  test('is then asked nothing new, and writes that it was sent are sent to nobody else', async () => {
    silent.add('A');
    const sent = write(clients[0]!, 'two');
    nodes.settle(quietAfterMs);
    expect(await outcomeOf(write(clients[0]!, 'three'), 0)).toMatchObject({ kind: 'applied' });
    expect(await textAt(clients[0]!, 'latest', 0)).toBe('three');
    expect(await outcomeOf(sent, 0)).toBe('nothing yet');
    expect(askedNodes()).toBe('ABB');
    // It is back.
    silent.clear();
    channel.open('A', doors.A.serve);
    expect(await textAt(clients[0]!, 'latest', 0)).toBe('three');
    expect(askedNodes()).toBe('ABBA');
  });

  test('is no less suspect for a client that does not wait so long, until something is heard of it', async () => {
    silent.add('A');
    const departure = new Departing();
    const read = clients[0]!.read({ key: ITEM, from: 'latest', consistency: 'strict', departure });
    nodes.settle(quietAfterMs - 100);
    departure.go();
    expect(await outcomeOf(read, 0)).toMatchObject({ kind: 'unavailable' });
    nodes.settle(100);
    expect(await textAt(clients[0]!, 'latest', 0)).toBe('one');
    expect(askedNodes()).toBe('AB');
    nodes.settle(suspectAfterMs);
    silent.clear();
    channel.open('A', doors.A.serve);
    expect(await textAt(clients[0]!, 'latest', 0)).toBe('one');
    expect(askedNodes()).toBe('ABA');
  });

  test('is waited for longer while it is heard', async () => {
    const read = clients[0]!.read({ key: ITEM, from: 'latest', consistency: 'strict' });
    expect(await outcomeOf(read, suspectAfterMs - 1)).toBe('nothing yet');
    expect(askedNodes()).toBe('A');
    expect(await outcomeOf(read, quietAfterMs / 4 + 1)).toMatchObject({ kind: 'found' });
    expect(askedNodes()).toBe('AB');
  });
});

describe('a peer that stops', () => {
  test('begins nothing new, which the next node does, and ends what is under way', async () => {
    const client = clientIn();
    const first = write(client, 'one');
    // The request is delivered, and then nothing else for now.
    nodes.isLost = ({ from }) => from === 'A';
    expect(await outcomeOf(first, 0)).toBe('nothing yet');
    doors.A.leave();
    let isIdle = false;
    doors.A.whenIdle(() => {
      isIdle = true;
    });
    expect(isIdle).toBe(false);
    nodes.isLost = () => false;
    expect(await outcomeOf(first, 1_000)).toMatchObject({ kind: 'applied' });
    expect(isIdle).toBe(true);
    channel.asked.length = 0;
    expect(await outcomeOf(write(client, 'two'))).toMatchObject({ kind: 'applied' });
    expect(await outcomeOf(write(client, 'three'))).toMatchObject({ kind: 'applied' });
    // It is not asked by each request that it leaves.
    expect(askedNodes()).toBe('ABB');
    expect(await textAt(client)).toBe('three');
  });

  test('fails no request when all are restarted, one after the other', async () => {
    const client = clientIn();
    const outcomes: Promise<{ readonly kind: string }>[] = [];
    for (const name of NAMES) {
      for (let i = 0; i < 5; i++) outcomes.push(write(client, `${name}${i}`));
      nodes.settle(1);
      doors[name].leave();
      for (let i = 0; i < 5; i++) outcomes.push(write(client, `${name}${i} later`));
      let isIdle = false;
      doors[name].whenIdle(() => {
        isIdle = true;
      });
      nodes.settle(1_000);
      expect(isIdle).toBe(true);
      channel.kill(name);
      nodes.restart(name);
      for (let i = 0; i < 5; i++) outcomes.push(write(client, `${name}${i} last`));
      nodes.settle(3_000);
      doors[name] = new CoordinationDoor(() => nodes.node(name));
      channel.open(name, doors[name].serve);
      client.attach(name);
    }
    const kinds = (await Promise.all(outcomes)).map(({ kind }) => kind);
    expect(kinds).toEqual(Array(45).fill('applied'));
  });
});

describe('a request that is traced', () => {
  const TRACE: CoordinatorTrace = {
    ms: 1,
    events: [{ atMs: 0, what: 'asked', node: 'B', detail: 'prepare', ballot: undefined }],
  };
  /** A client in a process without a node, whose doors tell what they do. */
  function traced(requestId: string | undefined) {
    const log: unknown[] = [];
    const traces = {
      begin: (id: string, isWrite: boolean) => {
        log.push(['begins', id, isWrite]);
        return () => {
          log.push(['ends', id]);
          return TRACE;
        };
      },
    };
    channel.open('A', new CoordinationDoor(() => nodes.node('A'), undefined, traces).serve);
    const node = new RemoteNode(channel, 'A', {
      expect: (id) => {
        log.push(['expects', id]);
        return (trace) => log.push(['told', trace]);
      },
    });
    const read = new Promise((resolve) => {
      const key = storeKeyOf(ITEM, nodes.node('A').view.partitions);
      const about = { key, from: 'latest', consistency: 'strict', derivation: undefined } as const;
      node.coordinate({ kind: 'coordinate-read', requestId, ...about }, resolve);
    });
    return { log, read };
  }

  test('is answered with what the node has done, which is told apart from the answer', async () => {
    const { log, read } = traced('R1');
    expect(await outcomeOf(read)).toEqual({ kind: 'none' });
    expect(log).toEqual([
      ['expects', 'R1'],
      ['begins', 'R1', false],
      ['ends', 'R1'],
      ['told', TRACE],
    ]);
  });

  test('is the only one that is watched', async () => {
    const { log, read } = traced(undefined);
    expect(await outcomeOf(read)).toEqual({ kind: 'none' });
    expect(log).toEqual([]);
  });
});

describe('the door of a peer', () => {
  test('refuses what is above its bound, and the next node is asked', async () => {
    doors.A = new CoordinationDoor(() => nodes.node('A'), 2);
    channel.open('A', doors.A.serve);
    const client = clientIn();
    const writes = Array.from({ length: 4 }, (_, i) => write(client, `${i}`));
    const outcomes = await outcomeOf(Promise.all(writes), 1_000);
    expect(outcomes).toMatchObject(Array(4).fill({ kind: 'applied' }));
    expect(askedNodes()).toBe('AAAABB');
    channel.asked.length = 0;
    await outcomeOf(write(client, 'later'));
    // Being full once does not bar it.
    expect(askedNodes()).toBe('A');
  });

  test('says so when all are full', async () => {
    for (const name of NAMES) channel.open(name, new CoordinationDoor(() => nodes.node(name), 0).serve);
    const outcome = await outcomeOf(write(clientIn(), 'one'), DEFAULT_NODE_LIMITS.opLifeMs + 1_000);
    expect(outcome).toEqual({ kind: 'overloaded' });
  });

  test('does not count for ever what nobody waits for any more', async () => {
    doors.A = new CoordinationDoor(() => ({ coordinate: () => {} }), 1);
    channel.open('A', doors.A.serve);
    const asker = new Departing();
    const client = clientIn();
    const read = client.read({ key: ITEM, from: 'latest', consistency: 'strict', departure: asker });
    nodes.settle(10);
    asker.go();
    expect(await outcomeOf(read)).toMatchObject({ kind: 'unavailable' });
    let isIdle = false;
    doors.A.whenIdle(() => {
      isIdle = true;
    });
    expect(isIdle).toBe(true);
  });
});

describe('a read that nobody waits for any more', () => {
  test('ends at its next step, at the node too', async () => {
    const client = clientIn();
    await outcomeOf(write(client, 'one'));
    const asker = new Departing();
    nodes.isLost = ({ isReply }) => isReply;
    const read = client.read({ key: ITEM, from: 'latest', consistency: 'strict', departure: asker });
    nodes.settle(10);
    nodes.sent.length = 0;
    asker.go();
    expect(await outcomeOf(read, 0)).toMatchObject({ kind: 'unavailable' });
    nodes.settle(4_000);
    expect(nodes.sent.filter(({ kind }) => kind === 'read')).toEqual([]);
    channel.asked.length = 0;
    nodes.isLost = () => false;
    expect(await textAt(client)).toBe('one');
    // The node is not suspected for the answer that it was not asked for.
    expect(askedNodes()).toBe('A');
  });

  test('is not begun at all', async () => {
    const client = clientIn();
    const departure = new Departing();
    departure.go();
    const read = client.read({ key: ITEM, from: 'latest', consistency: 'strict', departure });
    expect(await outcomeOf(read)).toMatchObject({ kind: 'unavailable' });
    expect(nodes.sent).toEqual([]);
  });
});

describe('a client of the ring in the process of a node', () => {
  test('gives up a read that nobody waits for any more at its next step, and asks that node again', async () => {
    const client = clientIn('A');
    await outcomeOf(write(client, 'one'));
    const departure = new Departing();
    nodes.isLost = ({ isReply }) => isReply;
    const read = client.read({ key: ITEM, from: 'latest', consistency: 'strict', departure });
    nodes.settle(10);
    nodes.sent.length = 0;
    departure.go();
    expect(await outcomeOf(read, LIMITS.phaseTimeoutMs)).toMatchObject({ kind: 'unavailable' });
    expect(nodes.sent.filter(({ kind }) => kind === 'read')).toEqual([]);
    nodes.isLost = () => false;
    expect(await textAt(client)).toBe('one');
    expect(channel.asked).toEqual([]);
  });

  test('asks that node by a call', async () => {
    const client = clientIn('A');
    expect(await outcomeOf(write(client, 'one'))).toMatchObject({ kind: 'applied' });
    expect(await textAt(client)).toBe('one');
    expect(channel.asked).toEqual([]);
  });

  test('asks the first node of the list, unless eventual reads are to go to the nearest', async () => {
    const [calm, nearest] = [clientIn('B'), clientIn('B', true)];
    await outcomeOf(write(calm, 'one'));
    await textAt(calm, 'committed');
    expect(askedNodes()).toBe('AA');
    channel.asked.length = 0;
    expect(await textAt(nearest, 'committed')).toBe('one');
    expect(channel.asked).toEqual([]);
    expect(await textAt(nearest)).toBe('one');
    expect(askedNodes()).toBe('A');
  });
});

test('a node that is asked later has what is left of the life of the operation', async () => {
  const client = clientIn();
  nodes.isLost = ({ from, to }) => from === 'A' || to === 'A';
  const outcome = await outcomeOf(write(client, 'one'), DEFAULT_NODE_LIMITS.opLifeMs);
  expect(outcome).toMatchObject({ kind: 'applied' });
  const budgets = channel.asked.map(({ request }) => ('budgetMs' in request ? request.budgetMs : undefined));
  expect(budgets).toHaveLength(2);
  expect(budgets[0]).toBeUndefined();
  expect(budgets[1]).toBeGreaterThan(0);
  expect(budgets[1]).toBeLessThan(DEFAULT_NODE_LIMITS.opLifeMs);
});
