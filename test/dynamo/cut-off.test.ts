import { describe, expect, test } from 'vitest';
import { fromImage } from '../../src/api/item.ts';
import type { Mutation } from '../../src/api/mutation.ts';
import type { Carried, WriteAnswer } from '../../src/dynamo/registers/handed-back.ts';
import { readOf, writeOf } from './coordination-requests.ts';
import { image, KEY, type Message, type NodeName, put, putIfAbsent, STRICT, ThreeNodes } from './three-nodes.ts';

/*
 * docs/protocol.md section 3.7, a coordinator that is cut off: it does not use up the life of an operation. What it has
 * not begun it refuses, what it has it hands back, and another carries on with it, once.
 */

const addOne: Mutation = {
  kind: 'update',
  update: { origin: 'expression', actions: [{ kind: 'add', path: ['n'], value: { N: '1' } }] },
  key: { pk: { S: 'user' } },
  table: { key: { partition: { name: 'pk', type: 'S' } }, indexes: [] },
};

const touches =
  (name: NodeName) =>
  ({ from, to }: Message) =>
    from === name || to === name;

function begin(nodes: ThreeNodes, at: NodeName, mutation: Mutation, carried?: Carried, options = STRICT) {
  return nodes.start<WriteAnswer>((done) =>
    nodes.node(at).coordinate(writeOf(KEY, mutation, { ...options, carried }), done),
  );
}

/** Has A begin a write whose messages of one kind are lost, and then cuts it off. @returns what it hands back */
function handedBackByA(nodes: ThreeNodes, mutation: Mutation, lost: Message['kind'], options = STRICT): Carried {
  nodes.isLost = ({ kind }) => kind === lost;
  const operation = begin(nodes, 'A', mutation, undefined, options);
  nodes.settle(0);
  nodes.isLost = touches('A');
  nodes.settle(2_000);
  const outcome = operation.result;
  if (outcome?.kind !== 'handed-back') throw new Error(`A answered ${outcome?.kind}`);
  return outcome.carried;
}

function carryOn(nodes: ThreeNodes, at: NodeName, mutation: Mutation, carried: Carried, options = STRICT) {
  const operation = begin(nodes, at, mutation, carried, options);
  nodes.settle(2_000);
  return operation.result;
}

function numberAt(nodes: ThreeNodes, at: NodeName) {
  const { result } = nodes.startRead(at, 'latest');
  return result?.kind === 'found' ? fromImage(result.item).n : result;
}

describe('a coordinator that is cut off', () => {
  test('refuses within a second and a half what it has not proposed', () => {
    const nodes = new ThreeNodes();
    nodes.isLost = touches('A');
    const [write, read] = [
      begin(nodes, 'A', put('one')),
      nodes.start((done) => nodes.node('A').coordinate(readOf(KEY, 'latest'), done)),
    ];
    nodes.settle(1_500);
    expect(write.result).toEqual({ kind: 'unavailable', needed: 2, got: 1 });
    expect(read.result).toEqual({ kind: 'unavailable', needed: 2, got: 1 });
  });

  test('does not try again for each write that waited behind the one that it has tried', () => {
    const nodes = new ThreeNodes();
    nodes.isLost = touches('A');
    const writes = Array.from({ length: 50 }, (_, i) => begin(nodes, 'A', put(String(i))));
    nodes.settle(1_500);
    expect(writes.map(({ result }) => result?.kind)).toEqual(writes.map(() => 'unavailable'));
  });

  test('goes on while it hears of a majority', () => {
    const nodes = new ThreeNodes();
    nodes.isLost = touches('C');
    const write = begin(nodes, 'A', put('one'));
    nodes.settle(1_500);
    expect(write.result?.kind).toBe('applied');
  });

  test('hands back an update that only it has accepted, which then counts once, whatever it still knows', () => {
    const nodes = new ThreeNodes();
    const carried = handedBackByA(nodes, addOne, 'accept');
    expect(carryOn(nodes, 'B', addOne, carried)).toMatchObject({ kind: 'applied', old: undefined });
    nodes.isLost = () => false;
    for (const at of ['A', 'B', 'C'] as const) expect(numberAt(nodes, at)).toEqual({ N: '1' });
  });

  test.each(['accepted', 'learn'] as const)(
    'hands back an update that was chosen (%s lost), which does not count again',
    (lost) => {
      const nodes = new ThreeNodes();
      const carried = handedBackByA(nodes, addOne, lost);
      // Somebody else counts before the first one is asked about again.
      const other = begin(nodes, 'C', addOne);
      nodes.settle(100);
      expect(other.result).toMatchObject({ kind: 'applied', old: expect.anything() });
      // The answer is that of the attempt which took place: there was nothing before.
      expect(carryOn(nodes, 'B', addOne, carried)).toMatchObject({ kind: 'applied', old: undefined });
      expect(numberAt(nodes, 'B')).toEqual({ N: '2' });
    },
  );

  test('keeps the id of what it has handed back in the lineage of its own next writes', () => {
    const nodes = new ThreeNodes();
    const carried = handedBackByA(nodes, addOne, 'accepted');
    nodes.isLost = () => false;
    expect(begin(nodes, 'A', addOne) && nodes.settle(100)).toBeUndefined();
    expect(carryOn(nodes, 'B', addOne, carried)).toMatchObject({ kind: 'applied', old: undefined });
    expect(numberAt(nodes, 'B')).toEqual({ N: '2' });
  });

  test('hands back what may be handed back again', () => {
    const nodes = new ThreeNodes();
    const first = handedBackByA(nodes, addOne, 'accept');
    nodes.isLost = ({ from, to, kind }) => (from === 'B' || to === 'B') && kind !== 'prepare' && kind !== 'promise';
    const second = begin(nodes, 'B', addOne, first);
    nodes.settle(0);
    nodes.isLost = touches('B');
    nodes.settle(2_000);
    if (second.result?.kind !== 'handed-back') throw new Error(`B answered ${second.result?.kind}`);
    expect(carryOn(nodes, 'C', addOne, second.result.carried)).toMatchObject({ kind: 'applied' });
    nodes.isLost = () => false;
    for (const at of ['A', 'B', 'C'] as const) expect(numberAt(nodes, at)).toEqual({ N: '1' });
  });

  test('hands back again what finds the queue of its key full: earlier attempts of it may have taken place', () => {
    const nodes = new ThreeNodes({ limits: { keyQueueLength: 1 } });
    const carried = handedBackByA(nodes, addOne, 'accept');
    for (let i = 0; i < 2; i++) begin(nodes, 'B', put(String(i)));
    expect(begin(nodes, 'B', put('another')).result).toEqual({ kind: 'overloaded' });
    expect(begin(nodes, 'B', addOne, carried).result).toEqual({ kind: 'handed-back', carried });
  });

  test('never surfaces with what a later coordinator has told to be refused', () => {
    const nodes = new ThreeNodes();
    nodes.write('C', put('other'));
    nodes.write('C', { kind: 'delete' });
    const carried = handedBackByA(nodes, putIfAbsent('one'), 'accept');
    const between = begin(nodes, 'C', put('two'));
    nodes.settle(100);
    expect(between.result?.kind).toBe('applied');
    expect(carryOn(nodes, 'B', putIfAbsent('one'), carried)).toMatchObject({
      kind: 'condition-failed',
      current: image('two'),
    });
    nodes.isLost = () => false;
    for (const at of ['A', 'B', 'C'] as const) expect(nodes.read(at, 'latest')).toBe('two');
  });

  test('hands back a put in dynamo mode, which another sends again as it is', () => {
    const nodes = new ThreeNodes();
    const sloppily = { consistency: 'dynamo', wantsOld: false } as const;
    const carried = handedBackByA(nodes, put('one'), 'learn', sloppily);
    const later = begin(nodes, 'C', put('two'), undefined, sloppily);
    nodes.settle(100);
    expect(later.result?.kind).toBe('applied');
    expect(carryOn(nodes, 'B', put('one'), carried, sloppily)).toMatchObject({ kind: 'applied' });
    nodes.isLost = () => false;
    // It is as old as when it was begun.
    for (const at of ['A', 'B', 'C'] as const) {
      const read = nodes.start<{ kind: string }>((done) =>
        nodes.node(at).coordinate(readOf(KEY, 'latest', 'dynamo'), done),
      );
      nodes.settle(1_000);
      expect(read.result).toMatchObject({ kind: 'found', item: image('two') });
    }
  });
});
