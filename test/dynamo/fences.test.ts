import { describe, expect, test } from 'vitest';
import type { ReadFrom } from '../../src/dynamo/client.ts';
import type { FenceAnswer } from '../../src/dynamo/coordination-messages.ts';
import { tableOf } from '../../src/dynamo/keyspace.ts';
import { DEFAULT_NODE_LIMITS } from '../../src/dynamo/node-settings.ts';
import type { WriteAnswer } from '../../src/dynamo/registers/handed-back.ts';
import { RingClient } from '../../src/dynamo/ring-client.ts';
import { RingView } from '../../src/dynamo/ring-view.ts';
import { rangeOf, readOf, writeOf } from './coordination-requests.ts';
import { EpochRing, keyOf } from './epoch-ring.ts';
import { KEY, type NodeName, put, putIfAbsent, STRICT, ThreeNodes } from './three-nodes.ts';

const TABLE = tableOf(KEY);
const GONE = { kind: 'table-gone', table: TABLE };
const RANGE = { from: KEY, to: `${KEY}\xff` };

function fence(nodes: ThreeNodes, ...names: NodeName[]): FenceAnswer[] {
  const answers: FenceAnswer[] = [];
  for (const name of names) {
    nodes.node(name).coordinate({ kind: 'fence-tables', tables: [TABLE] }, (answer) => answers.push(answer));
  }
  nodes.settle();
  return answers;
}

/** What nodes reply to this read, by its coordinator. */
const read = (nodes: ThreeNodes, at: NodeName, from: ReadFrom) => nodes.startRead(at, from).result;

describe('a table that is fenced at a majority', () => {
  test('is refused by every quorum, whoever coordinates', () => {
    const nodes = new ThreeNodes();
    nodes.write('A', put('one'));
    expect(fence(nodes, 'A', 'B')).toEqual(Array(2).fill({ kind: 'fenced', votes: [{ partition: 0, epoch: 0 }] }));
    for (const at of ['A', 'B', 'C'] as const) {
      expect(nodes.write(at, put('two'))).toEqual(GONE);
      expect(nodes.write(at, putIfAbsent('two'))).toEqual(GONE);
      expect(read(nodes, at, 'latest')).toEqual(GONE);
      const range = nodes.start((done) => nodes.node(at).coordinate(rangeOf(RANGE, 'latest'), done));
      nodes.settle();
      expect(range.result).toEqual(GONE);
    }
    // What is eventually consistent may be old, at the replica that has not heard of it.
    expect(read(nodes, 'A', 'committed')).toEqual(GONE);
    expect(read(nodes, 'C', 'committed')).toMatchObject({ kind: 'found' });
  });

  test('is refused by eventual reads that ask several replicas, and by reads of the dynamo mode', () => {
    const nodes = new ThreeNodes({ readQuorum: 2 });
    nodes.write('A', put('one'));
    fence(nodes, 'A', 'B');
    expect(read(nodes, 'C', 'committed')).toEqual(GONE);
    const sloppy = nodes.start((done) => nodes.node('C').coordinate(readOf(KEY, 'latest', 'dynamo'), done));
    nodes.settle();
    expect(sloppy.result).toEqual(GONE);
  });

  test('is refused after a restart too', () => {
    const nodes = new ThreeNodes();
    fence(nodes, 'A', 'B');
    for (const name of ['A', 'B'] as const) {
      nodes.stores[name].crash(0);
      nodes.restart(name);
    }
    nodes.settle();
    expect(nodes.write('C', put('one'))).toEqual(GONE);
  });

  test('does not touch other tables', () => {
    const nodes = new ThreeNodes();
    fence(nodes, 'A', 'B', 'C');
    const other = `${KEY.slice(0, 2)}\0\0\0\0\0\0\0\x02${KEY.slice(10)}`;
    const written = nodes.start<WriteAnswer>((done) =>
      nodes.node('A').coordinate(writeOf(other, put('one'), STRICT), done),
    );
    nodes.settle();
    expect(written.result).toMatchObject({ kind: 'applied' });
  });

  test('tells at once, without waiting for those that do not answer', () => {
    const nodes = new ThreeNodes();
    fence(nodes, 'A');
    nodes.isLost = ({ from, to }) => from === 'B' || to === 'B';
    const written = nodes.start<WriteAnswer>((done) =>
      nodes.node('C').coordinate(writeOf(KEY, put('one'), STRICT), done),
    );
    nodes.settle(1);
    expect(written.result).toEqual(GONE);
  });
});

describe('a write that is under way when its table is fenced', () => {
  /** Fences A and B when the first `accept` of a write that C coordinates has been sent. */
  function fenceAtAccept(isAcceptLost: boolean) {
    const nodes = new ThreeNodes();
    let isFenced = false;
    nodes.isLost = ({ kind, to }) => {
      if (kind !== 'accept' || to === 'C') return false;
      if (!isFenced && isAcceptLost) {
        for (const name of ['A', 'B'] as const) {
          nodes.node(name).coordinate({ kind: 'fence-tables', tables: [TABLE] }, () => {});
        }
      }
      const isFirst = !isFenced;
      isFenced = true;
      return isAcceptLost && isFirst;
    };
    const outcome = nodes.write('C', put('one'));
    if (!isAcceptLost) fence(nodes, 'A', 'B');
    return { nodes, outcome };
  }

  test('is unknown if it was proposed: it may have been chosen, and seen, before', () => {
    const { nodes, outcome } = fenceAtAccept(true);
    expect(outcome).toEqual({ kind: 'unknown' });
    expect(nodes.sent.filter(({ kind }) => kind === 'table-gone').length).toBeGreaterThan(0);
  });

  test('has happened if it was chosen before', () => {
    expect(fenceAtAccept(false).outcome).toMatchObject({ kind: 'applied' });
  });

  test('that another coordinator has begun is unknown as well', () => {
    const nodes = new ThreeNodes();
    fence(nodes, 'A', 'B', 'C');
    const attempts = new Map([[1, { kind: 'applied', next: undefined, old: undefined } as const]]);
    const carried = { kind: 'round', operation: { coordinator: 9, boot: 1, sequence: 1 }, attempts } as const;
    const written = nodes.start<WriteAnswer>((done) =>
      nodes.node('A').coordinate(writeOf(KEY, put('one'), { ...STRICT, carried }), done),
    );
    nodes.settle();
    expect(written.result).toEqual({ kind: 'unknown' });
  });
});

describe('a fence and the members of a partition', () => {
  const fenceAt = (ring: EpochRing, ids: string) => {
    const answers: FenceAnswer[] = [];
    for (const id of ids) {
      ring.node(id).coordinate({ kind: 'fence-tables', tables: [TABLE] }, (answer) => answers.push(answer));
    }
    return answers;
  };

  test('goes on to those that come', () => {
    for (const fenced of ['AB', 'BC', 'AC']) {
      const ring = new EpochRing('ABCDEF', 3);
      fenceAt(ring, fenced);
      expect(ring.change('A', 'DEF')).toMatchObject({ kind: 'changed' });
      ring.isLost = ({ from, to }) => 'ABC'.includes(from) || 'ABC'.includes(to);
      for (const id of 'DEF') {
        expect(ring.read(id, 'x')).toBe('table-gone');
        ring.kill(id);
        ring.start(id);
        expect(ring.read(id, 'x')).toBe('table-gone');
      }
    }
  });

  test('counts nowhere at a member that is sealed: the next epoch may begin without it', () => {
    const ring = new EpochRing('ABCDEF', 3);
    ring.isLost = ({ kind }) => kind === 'stage';
    ring.lead('A', 'ABD');
    ring.settle(200);
    expect(ring.node('B').isSealed(0)).toBe(true);
    expect(fenceAt(ring, 'B')).toEqual([{ kind: 'fenced', votes: [] }]);
  });

  test('counts nowhere at a node that is no member', () => {
    const ring = new EpochRing('ABCD', 3);
    expect(fenceAt(ring, 'D')).toEqual([{ kind: 'fenced', votes: [] }]);
    expect(ring.read('A', 'x')).toBeUndefined();
  });
});

describe('a client of the ring that fences', () => {
  function clientOf(ring: EpochRing, reachable: string) {
    const client = new RingClient({
      view: new RingView([ring.decided]),
      nodes: new Map([...reachable].map((id) => [id, ring.node(id)])),
      clock: ring.clock,
      limits: DEFAULT_NODE_LIMITS,
      writeQuorum: 2,
    });
    return { client, fence: () => client.fenceTables([TABLE]) };
  }

  async function outcomeOf(ring: EpochRing, promise: Promise<boolean>, forMs: number) {
    for (let passed = 0; passed < forMs; passed += 50) {
      ring.settle(50);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return Promise.race([promise, new Promise((resolve) => setImmediate(resolve, 'nothing yet'))]);
  }

  test('is done once a majority of the members has it', async () => {
    const ring = new EpochRing('ABC', 3);
    const { client, fence } = clientOf(ring, 'AB');
    expect(await outcomeOf(ring, fence(), 50)).toBe(true);
    expect(ring.read('C', 'x')).toBe('table-gone');
    client.stop();
  });

  test('fails in time if there is no majority', async () => {
    const ring = new EpochRing('ABCD', 3);
    const { client, fence } = clientOf(ring, 'AD');
    expect(await outcomeOf(ring, fence(), DEFAULT_NODE_LIMITS.opLifeMs - 100)).toBe('nothing yet');
    expect(await outcomeOf(ring, fence(), 10 * DEFAULT_NODE_LIMITS.opLifeMs)).toBe(false);
    client.stop();
  });

  test('does not count members by a config that is no longer theirs', async () => {
    const ring = new EpochRing('ABCDEF', 3);
    const { client, fence } = clientOf(ring, 'ABCDEF');
    ring.change('A', 'DEF');
    // It still goes by A, B and C, which have left.
    expect(await outcomeOf(ring, fence(), 10 * DEFAULT_NODE_LIMITS.opLifeMs)).toBe(false);
    expect(keyOf('x')).toContain(TABLE);
    client.stop();
  });
});
