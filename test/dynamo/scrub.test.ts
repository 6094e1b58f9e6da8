import { describe, expect, test } from 'vitest';
import type { ScrubReport } from '../../src/dynamo/healing/scrub.ts';
import { tableOf } from '../../src/dynamo/keyspace.ts';
import { ItemRecord } from '../../src/dynamo/record.ts';
import { DAMAGED, type StoreKey } from '../../src/env/store.ts';
import { writeOf } from './coordination-requests.ts';
import { BY_COLOUR, IndexedRing, keyOfItem } from './derived/indexed-ring.ts';
import { rowsOfStore, writeItem } from './local-index.ts';
import { fieldsOf } from './record-fields.ts';
import { KEY, type NodeName, put, ThreeNodes } from './three-nodes.ts';

const keyOf = (i: number): StoreKey => KEY + String(i).padStart(4, '0');

function fill(nodes: ThreeNodes, count: number): void {
  for (let i = 0; i < count; i++) {
    nodes.start((done) => nodes.node('A').coordinate(writeOf(keyOf(i), put(`${i}`)), done));
  }
  nodes.settle();
}

function scrub(nodes: ThreeNodes, at: NodeName, forMs = 60_000): ScrubReport | undefined {
  const { result } = nodes.start<ScrubReport>((done) => {
    nodes.node(at).scrub(done);
    nodes.settle(forMs);
  });
  return result;
}

describe('a scrub', () => {
  test('finds what nobody reads, and has it restored', () => {
    const nodes = new ThreeNodes();
    fill(nodes, 100);
    for (const i of [0, 31, 32, 99]) nodes.stores.B.damage('items', keyOf(i));
    expect(scrub(nodes, 'A')).toMatchObject({ damaged: 0, restored: 0 });
    const report = scrub(nodes, 'B')!;
    expect(report).toMatchObject({ damaged: 4, restored: 4 });
    expect(report.records).toBeGreaterThanOrEqual(100);
    for (let i = 0; i < 100; i++) expect(nodes.stores.B.get('items', keyOf(i)), `${i}`).not.toBe(DAMAGED);
    expect(scrub(nodes, 'B')).toMatchObject({ damaged: 0 });
    expect(nodes.node('B').status()).toMatchObject({
      damage: { found: 4, restored: 4, left: 0 },
      scrubbed: { scrubs: 2 },
    });
  });

  test('has damaged rows of local indexes made again', () => {
    const nodes = new ThreeNodes();
    for (const key of ['a', 'b', 'c']) writeItem(nodes, 'A', [key, { x: key, y: '1' }]);
    const { due } = rowsOfStore(nodes.stores.B);
    for (const row of nodes.stores.B.range('lsi', { from: '\0', to: '\xff', limit: 2 })) {
      nodes.stores.B.damage('lsi', row.key);
    }
    expect(scrub(nodes, 'B')).toMatchObject({ damaged: 2, restored: 2 });
    expect(rowsOfStore(nodes.stores.B)).toEqual({ due, there: due });
    expect(scrub(nodes, 'B')).toMatchObject({ damaged: 0 });
  });

  test('has damaged rows of the outbox made again', () => {
    const ring = new IndexedRing();
    ring.isLost = ({ request }) => request.kind === 'learn' && tableOf(request.key) === BY_COLOUR.storageId;
    ring.put('A', 'apple', { colour: 'red' }, 10_000);
    expect(ring.owed).toEqual([1, 1, 1]);
    ring.stores.B.damage('outbox', keyOfItem('apple'));
    expect(scrub(ring, 'B')).toMatchObject({ damaged: 1, restored: 1 });
    expect(ring.stores.B.get('outbox', keyOfItem('apple'))).not.toBe(DAMAGED);
    expect(scrub(ring, 'B')).toMatchObject({ damaged: 0 });
    expect(ring.owed).toEqual([1, 1, 1]);
  });

  test('says what could not be restored while others are down, and it is restored when they are back', () => {
    const nodes = new ThreeNodes();
    fill(nodes, 3);
    nodes.isLost = ({ from, to }) => from === 'C' || to === 'C';
    nodes.stores.B.damage('items', keyOf(1));
    expect(scrub(nodes, 'B')).toMatchObject({ damaged: 1, restored: 0 });
    nodes.isLost = () => false;
    nodes.settle(5_000);
    expect(nodes.node('B').status().damage).toMatchObject({ left: 0 });
  });

  test('writes what is in memory over what is damaged on disk', () => {
    const nodes = new ThreeNodes();
    fill(nodes, 1);
    nodes.node('B').stateOf(keyOf(0));
    nodes.stores.B.damage('items', keyOf(0));
    nodes.isLost = () => true;
    expect(scrub(nodes, 'B')).toMatchObject({ damaged: 1, restored: 1 });
    expect(nodes.stores.B.get('items', keyOf(0))).not.toBe(DAMAGED);
  });

  test('is joined by who asks while one is under way', () => {
    const nodes = new ThreeNodes();
    fill(nodes, 100);
    const reports: ScrubReport[] = [];
    for (let i = 0; i < 3; i++) nodes.node('A').scrub((report) => reports.push(report));
    nodes.settle(60_000);
    expect(reports).toHaveLength(3);
    expect(nodes.node('A').status().scrubbed.scrubs).toBe(1);
  });

  test('drops a hint that is damaged, and goes on without it', () => {
    const nodes = new ThreeNodes();
    fill(nodes, 1);
    nodes.isLost = ({ from, to }) => from === 'C' || to === 'C';
    nodes.start((done) => nodes.node('A').coordinate(writeOf(keyOf(0), put('new')), done));
    nodes.settle(3_000);
    expect(nodes.node('A').status().hints).toBe(1);
    for (const { key } of nodes.stores.A.range('hints', { from: '\0', to: '\xff', limit: 10 }))
      nodes.stores.A.damage('hints', key);
    expect(scrub(nodes, 'A')).toMatchObject({ damaged: 1 });
    expect(nodes.node('A').status()).toMatchObject({ hints: 0, hintBytes: 0, damagedHints: 1 });
  });
});

describe('replicas that hold different records under one ballot', () => {
  const rewrite = (nodes: ThreeNodes, name: NodeName, text: string) => {
    const record = nodes.node(name).stateOf(KEY).committed!;
    const json = Buffer.from(JSON.stringify({ v: { S: text } }));
    nodes.stores[name].put('items', KEY, new ItemRecord({ ...fieldsOf(record), item: { size: 4, json } }).stored);
    nodes.restart(name);
    nodes.settle(1_000);
  };
  const repair = (nodes: ThreeNodes) => {
    const { result } = nodes.start<{ recordsRepaired: number }>((done) => {
      nodes.node('A').repair(done);
      nodes.settle(30_000);
    });
    return result;
  };

  for (const odd of ['A', 'B', 'C'] as const) {
    test(`take what most of them hold, when ${odd} is the odd one`, () => {
      const nodes = new ThreeNodes();
      nodes.write('A', put('real'));
      rewrite(nodes, odd, 'xeal');
      // A comparison of two that are alike finds nothing: A compares itself with both.
      expect(repair(nodes)!.recordsRepaired).toBeGreaterThan(0);
      for (const name of ['A', 'B', 'C'] as const) expect(nodes.read(name, 'latest')).toBe('real');
      expect(repair(nodes)).toMatchObject({ recordsRepaired: 0 });
    });
  }

  test('agree on one of them even if each holds another', () => {
    const nodes = new ThreeNodes();
    nodes.write('A', put('real'));
    rewrite(nodes, 'B', 'xeal');
    rewrite(nodes, 'C', 'yeal');
    repair(nodes);
    const found = (['A', 'B', 'C'] as const).map((name) => nodes.read(name, 'latest'));
    expect(new Set(found).size).toBe(1);
    expect(repair(nodes)).toMatchObject({ recordsRepaired: 0 });
  });
});
