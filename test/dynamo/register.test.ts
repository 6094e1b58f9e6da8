import { describe, expect, test } from 'vitest';
import type { UpdateAction } from '../../src/api/expression/ast.ts';
import { fromImage } from '../../src/api/item.ts';
import type { Mutation } from '../../src/api/mutation.ts';
import type { RangeOutcome, ReadFrom } from '../../src/dynamo/client.ts';
import { prefixEnd } from '../../src/dynamo/keyspace.ts';
import type { WriteAnswer } from '../../src/dynamo/registers/handed-back.ts';
import { rangeOf, writeOf } from './coordination-requests.ts';
import { image, KEY, type Message, put, putIfAbsent, STRICT, ThreeNodes, textOf } from './three-nodes.ts';

const touches = (name: string) => (message: Message) => message.from === name || message.to === name;
const accepts = (nodes: ThreeNodes) => nodes.sent.filter(({ kind }) => kind === 'accept').length;

describe('a write to three replicas', () => {
  test('is seen by consistent reads at every node and committed everywhere', () => {
    const nodes = new ThreeNodes();
    expect(nodes.write('A', put('one'))).toMatchObject({ kind: 'applied', old: undefined });
    for (const name of ['A', 'B', 'C'] as const) {
      expect(nodes.read(name, 'latest')).toBe('one');
      expect(nodes.read(name, 'committed')).toBe('one');
    }
  });

  test('returns what it replaced', () => {
    const nodes = new ThreeNodes();
    nodes.write('A', put('one'));
    expect(nodes.write('B', put('two'))).toMatchObject({ kind: 'applied', old: image('one'), next: image('two') });
    expect(nodes.write('C', { kind: 'delete' })).toMatchObject({ kind: 'applied', old: image('two'), next: undefined });
    expect(nodes.read('A', 'latest')).toBeUndefined();
  });

  test('goes through with one replica down', () => {
    const nodes = new ThreeNodes();
    nodes.isLost = touches('C');
    expect(nodes.write('A', put('one'))).toMatchObject({ kind: 'applied' });
    expect(nodes.read('B', 'latest')).toBe('one');
  });

  test('did not happen if no majority can be reached', () => {
    const nodes = new ThreeNodes();
    nodes.isLost = () => true;
    expect(nodes.write('A', put('one'))).toEqual({ kind: 'unavailable', needed: 2, got: 1 });
    nodes.isLost = () => false;
    expect(nodes.read('A', 'latest')).toBeUndefined();
    expect(accepts(nodes)).toBe(0);
  });

  test('has an unknown outcome once an accept was sent and nothing came back, though all are there', () => {
    const nodes = new ThreeNodes({ limits: { suspectAfterMs: 60_000 } });
    nodes.isLost = ({ kind }) => kind === 'accept';
    expect(nodes.write('A', put('one'))).toEqual({ kind: 'unknown' });
  });

  test('waits for W committed copies, and stays chosen if they cannot be had', () => {
    const nodes = new ThreeNodes({ writeQuorum: 3 });
    nodes.isLost = touches('C');
    expect(nodes.write('A', put('one'))).toEqual({ kind: 'unknown' });
    nodes.isLost = () => false;
    expect(nodes.read('C', 'latest')).toBe('one');
  });

  test('waits for disks that take longer than a phase, and asks them to write once', () => {
    const nodes = new ThreeNodes({ flushMs: 800 });
    expect(nodes.write('A', put('one'))).toMatchObject({ kind: 'applied' });
    const ballots = nodes.sent.filter(({ kind }) => kind === 'prepare').length / 3;
    // The first round waits for the ceiling's flush in its prepare, and is tried again.
    expect(ballots).toBeLessThanOrEqual(3);
    expect(nodes.read('B', 'latest')).toBe('one');
  });

  test('at a node that was stopped is refused', () => {
    const nodes = new ThreeNodes();
    nodes.node('A').stop();
    expect(nodes.write('A', put('one'))).toMatchObject({ kind: 'unavailable' });
    expect(nodes.read('A', 'committed')).toMatchObject({ kind: 'unavailable' });
    expect(nodes.write('B', put('one'))).toMatchObject({ kind: 'applied' });
  });

  test('counts the copy of the node that coordinates among the W', () => {
    const nodes = new ThreeNodes({ writeQuorum: 1 });
    // Its own messages are never lost; what matters is that the answer waits for its own copy, not for any.
    const operation = nodes.start((done: (outcome: WriteAnswer) => void) =>
      nodes.node('A').coordinate(writeOf(KEY, put('one'), STRICT), done),
    );
    nodes.settle();
    expect(operation.result).toMatchObject({ kind: 'applied' });
    nodes.isLost = () => true;
    expect(nodes.read('A', 'committed')).toBe('one');
  });

  test('whose key is in too great demand is refused at once', () => {
    const nodes = new ThreeNodes({ limits: { keyQueueLength: 1 } });
    const outcomes: (WriteAnswer | undefined)[] = [];
    for (const text of ['one', 'two', 'three']) {
      nodes.node('A').coordinate(writeOf(KEY, put(text), STRICT), (outcome) => outcomes.push(outcome));
    }
    expect(outcomes).toEqual([{ kind: 'overloaded' }]);
    nodes.settle();
    expect(outcomes.slice(1)).toMatchObject([{ kind: 'applied' }, { kind: 'applied', old: image('one') }]);
  });
});

describe('a conditional write', () => {
  test('that is refused returns what it found and writes nothing', () => {
    const nodes = new ThreeNodes();
    nodes.write('A', put('one'));
    const before = accepts(nodes);
    expect(nodes.write('B', putIfAbsent('two'))).toMatchObject({ kind: 'condition-failed', current: image('one') });
    expect(accepts(nodes)).toBe(before);
  });

  test('that was chosen but not acknowledged finds itself and answers that it was applied', () => {
    const nodes = new ThreeNodes();
    let lostAcks = 2;
    nodes.isLost = ({ kind }) => kind === 'accepted' && lostAcks-- > 0;
    expect(nodes.write('A', putIfAbsent('one'))).toMatchObject({ kind: 'applied', old: undefined });
    expect(accepts(nodes)).toBe(6);
    expect(nodes.read('B', 'latest')).toBe('one');
  });

  test('answers from a record of a minority only after proving it', () => {
    const nodes = new ThreeNodes();
    // The first write reaches A alone and gives up.
    nodes.isLost = ({ kind }) => kind === 'accept';
    expect(nodes.write('A', put('one'))?.kind).toBe('handed-back');
    nodes.isLost = touches('C');
    const before = accepts(nodes);
    expect(nodes.write('B', putIfAbsent('two'))).toMatchObject({ kind: 'condition-failed', current: image('one') });
    expect(accepts(nodes)).toBeGreaterThan(before);
    // What was shown stays, also for those who cannot see A.
    nodes.isLost = touches('A');
    expect(nodes.read('C', 'latest')).toBe('one');
  });
});

describe('an update', () => {
  const update = (action: UpdateAction): Mutation => ({
    kind: 'update',
    update: { origin: 'expression', actions: [action] },
    key: { pk: { S: 'user' } },
    table: { key: { partition: { name: 'pk', type: 'S' } }, indexes: [] },
  });
  const addOne = update({ kind: 'add', path: ['n'], value: { N: '1' } });
  const numberOf = (outcome: WriteAnswer | undefined) =>
    outcome?.kind === 'applied' ? fromImage(outcome.next!).n : outcome;

  test('that was chosen but not acknowledged finds itself and does not count again', () => {
    const nodes = new ThreeNodes();
    expect(numberOf(nodes.write('A', addOne))).toEqual({ N: '1' });
    let lostAcks = 2;
    nodes.isLost = ({ kind }) => kind === 'accepted' && lostAcks-- > 0;
    expect(numberOf(nodes.write('A', addOne))).toEqual({ N: '2' });
    expect(lostAcks).toBeLessThanOrEqual(0);
    expect(numberOf(nodes.write('B', addOne))).toEqual({ N: '3' });
  });

  test('that reached a minority counts once, whoever comes next', () => {
    const nodes = new ThreeNodes();
    nodes.isLost = ({ kind }) => kind === 'accept';
    expect(nodes.write('A', addOne)?.kind).toBe('handed-back');
    nodes.isLost = touches('C');
    // Finds the one at A, and goes on from it.
    expect(numberOf(nodes.write('B', addOne))).toEqual({ N: '2' });
  });

  test('that the item refuses writes nothing, and says so only after proving what it found', () => {
    const nodes = new ThreeNodes();
    const addToText = update({ kind: 'add', path: ['v'], value: { N: '1' } });
    nodes.write('A', put('one'));
    const before = accepts(nodes);
    const message = 'An operand in the update expression has an incorrect data type';
    expect(nodes.write('B', addToText)).toEqual({ kind: 'refused', message });
    expect(accepts(nodes)).toBe(before);

    nodes.isLost = ({ kind }) => kind === 'accept';
    nodes.write('A', put('two'));
    nodes.isLost = touches('C');
    expect(nodes.write('B', addToText)).toEqual({ kind: 'refused', message });
    nodes.isLost = touches('A');
    expect(nodes.read('C', 'latest')).toBe('two');
  });

  test('in dynamo mode reads what it changes', () => {
    const nodes = new ThreeNodes();
    const outcomes: WriteAnswer[] = [];
    for (const name of ['A', 'B'] as const) {
      nodes.node(name).coordinate(writeOf(KEY, addOne, { consistency: 'dynamo' }), (outcome) => outcomes.push(outcome));
      nodes.settle();
    }
    expect(outcomes.map(numberOf)).toEqual([{ N: '1' }, { N: '2' }]);
  });
});

describe('a consistent read', () => {
  test('that finds a value at a minority makes it stay before showing it', () => {
    const nodes = new ThreeNodes();
    nodes.isLost = ({ kind }) => kind === 'accept';
    nodes.write('A', put('one'));
    nodes.isLost = touches('C');
    expect(nodes.read('A', 'latest')).toBe('one');
    nodes.isLost = touches('A');
    expect(nodes.read('B', 'latest')).toBe('one');
  });

  test('of a key that was never written writes nothing', () => {
    const nodes = new ThreeNodes();
    expect(nodes.read('A', 'latest')).toBeUndefined();
    expect(nodes.sent.map(({ kind }) => kind)).not.toContain('accept');
  });

  test('tells a replica that it saw to be behind', () => {
    const nodes = new ThreeNodes();
    nodes.isLost = touches('C');
    nodes.write('A', put('one'));
    nodes.isLost = touches('A');
    expect(nodes.read('C', 'committed')).toBeUndefined();
    expect(nodes.read('C', 'latest')).toBe('one');
    expect(nodes.read('C', 'committed')).toBe('one');
  });

  test('is refused without a majority', () => {
    const nodes = new ThreeNodes();
    nodes.write('A', put('one'));
    nodes.isLost = () => true;
    expect(nodes.read('A', 'latest')).toEqual({ kind: 'unavailable', needed: 2, got: 1 });
  });
});

describe('an eventually consistent read', () => {
  test('may be old at a replica that missed the write', () => {
    const nodes = new ThreeNodes();
    nodes.write('A', put('one'));
    nodes.isLost = touches('C');
    nodes.write('A', put('two'));
    nodes.isLost = () => false;
    expect(nodes.read('C', 'committed')).toBe('one');
    expect(nodes.read('A', 'committed')).toBe('two');
  });

  test('of two replicas sees what two copies were waited for', () => {
    const nodes = new ThreeNodes({ writeQuorum: 2, readQuorum: 2 });
    nodes.isLost = touches('C');
    nodes.write('A', put('one'));
    nodes.isLost = () => false;
    expect(nodes.read('C', 'committed')).toBe('one');
  });

  test('never shows a value that was accepted but not chosen', () => {
    const nodes = new ThreeNodes();
    nodes.isLost = ({ kind }) => kind === 'accept';
    nodes.write('A', put('one'));
    expect(nodes.read('A', 'committed')).toBeUndefined();
  });

  test('asks the other replicas when one does not answer', () => {
    const nodes = new ThreeNodes({ readQuorum: 2 });
    nodes.write('A', put('one'));
    nodes.isLost = touches('B');
    expect(nodes.read('A', 'committed')).toBe('one');
  });
});

describe('a node that settles what it accepted', () => {
  test('makes it committed everywhere, so that eventually consistent reads show it', () => {
    const nodes = new ThreeNodes();
    nodes.isLost = ({ kind }) => kind === 'learn';
    // Its own copy is committed; B and C have accepted and hear nothing further, as after a kill.
    nodes.write('A', put('one'));
    nodes.isLost = () => false;
    expect(nodes.read('B', 'committed')).toBeUndefined();
    const operation = nodes.start((done: (outcome: string) => void) =>
      nodes.node('B').settleAccepted(() => done('finished')),
    );
    nodes.settle();
    expect(operation.result).toBe('finished');
    for (const name of ['A', 'B', 'C'] as const) {
      expect(nodes.read(name, 'committed')).toBe('one');
      expect(nodes.stores[name].range('paxos', { from: '\0', to: '\xff', limit: 10 })).toEqual([]);
    }
  });

  test('leaves it as it is without a majority', () => {
    const nodes = new ThreeNodes();
    nodes.isLost = ({ kind }) => kind === 'accept';
    nodes.write('A', put('one'));
    nodes.isLost = () => true;
    const operation = nodes.start((done: (outcome: string) => void) =>
      nodes.node('A').settleAccepted(() => done('finished')),
    );
    nodes.settle();
    expect(operation.result).toBe('finished');
    expect(nodes.stores.A.range('paxos', { from: '\0', to: '\xff', limit: 10 })).toHaveLength(1);
  });
});

describe('a range read', () => {
  const key = (suffix: string) => `${KEY}${suffix}`;
  const range = (nodes: ThreeNodes, at: 'A' | 'B' | 'C', limit: number, from: ReadFrom) => {
    const request = rangeOf({ from: KEY, to: prefixEnd(KEY) }, from, { limit });
    const operation = nodes.start<RangeOutcome>((done) => nodes.node(at).coordinate(request, done));
    nodes.settle();
    const outcome = operation.result as Extract<RangeOutcome, { kind: 'items' }>;
    return { texts: outcome.items.map(textOf), more: outcome.more };
  };
  const write = (nodes: ThreeNodes, at: 'A' | 'B' | 'C', suffix: string, mutation = put(suffix)) => {
    nodes.node(at).coordinate(writeOf(key(suffix), mutation, STRICT), () => {});
    nodes.settle();
  };

  test('sees writes that only some replicas have, in key order, without deleted items', () => {
    const nodes = new ThreeNodes();
    for (const suffix of ['d', 'a', 'c', 'b']) write(nodes, 'A', suffix);
    nodes.isLost = touches('C');
    write(nodes, 'A', 'e');
    write(nodes, 'A', 'b', { kind: 'delete' });
    nodes.isLost = touches('A');
    expect(range(nodes, 'C', 10, 'latest')).toEqual({ texts: ['a', 'c', 'd', 'e'], more: false });
  });

  test('pages over more tombstones than it asks for at a time', () => {
    const nodes = new ThreeNodes();
    const suffixes = Array.from({ length: 60 }, (_, i) => `k${String(i).padStart(2, '0')}`);
    for (const suffix of suffixes) write(nodes, 'A', suffix);
    for (const suffix of suffixes.slice(0, 50)) write(nodes, 'A', suffix, { kind: 'delete' });
    for (const from of ['latest', 'committed'] as const) {
      expect(range(nodes, 'A', 3, from)).toEqual({ texts: ['k50', 'k51', 'k52'], more: true });
      expect(range(nodes, 'A', 10, from)).toEqual({ texts: suffixes.slice(50), more: false });
    }
  });
});
