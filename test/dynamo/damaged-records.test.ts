import { describe, expect, test } from 'vitest';
import { compareBallots, consistencyOf } from '../../src/dynamo/ballot.ts';
import type { RangeOutcome, ReadFrom, ReadOutcome } from '../../src/dynamo/client.ts';
import { prefixEnd } from '../../src/dynamo/keyspace.ts';
import { DEFAULT_NODE_LIMITS } from '../../src/dynamo/node-settings.ts';
import type { WriteAnswer } from '../../src/dynamo/registers/handed-back.ts';
import { DAMAGED } from '../../src/env/store.ts';
import { rangeOf, readOf, writeOf } from './coordination-requests.ts';
import { KEY, type Message, type NodeName, put, STRICT, ThreeNodes, textOf } from './three-nodes.ts';

const NAMES: readonly NodeName[] = ['A', 'B', 'C'];
const WHOLE = { from: KEY, to: prefixEnd(KEY) };
const touches = (name: string) => (message: Message) => message.from === name || message.to === name;

/** What reads find at a node within the life of an operation: what cannot be restored is tried again for ever. */
function readWithin(nodes: ThreeNodes, at: NodeName, from: ReadFrom): string | ReadOutcome['kind'] | undefined {
  const read = nodes.start<ReadOutcome>((done) => nodes.node(at).coordinate(readOf(KEY, from), done));
  nodes.settle(8_000);
  return read.result?.kind === 'found' ? textOf(read.result.item) : read.result?.kind;
}

describe('a committed record that cannot be read', () => {
  for (const name of NAMES) {
    test(`at ${name} is never answered, and is restored from the others`, () => {
      const nodes = new ThreeNodes();
      nodes.write('A', put('one'));
      nodes.write('A', put('two'));
      for (const reader of NAMES) {
        for (const from of ['latest', 'committed'] as const) {
          nodes.stores[name].damage('items', KEY);
          expect(readWithin(nodes, reader, from), `${reader} ${from}`).toBe('two');
        }
        nodes.stores[name].damage('items', KEY);
        const range = nodes.start<RangeOutcome>((done) =>
          nodes.node(reader).coordinate(rangeOf(WHOLE, 'latest'), done),
        );
        nodes.settle(8_000);
        expect(range.result).toMatchObject({ kind: 'items', items: [{}] });
      }
      // Nothing is left of it: the replica answers for itself again.
      nodes.node(name).repair(() => {});
      nodes.settle(8_000);
      expect(nodes.stores[name].get('items', KEY)).not.toBe(DAMAGED);
      expect(nodes.node(name).stateOf(KEY).isDamaged).toBeUndefined();
      expect(nodes.node(name).status().damage).toMatchObject({ left: 0 });
      expect(nodes.node(name).status().damage.restored).toBeGreaterThan(0);
    });
  }

  test('gives no vote: two replicas, of which one has never heard of the record, are no majority', () => {
    const nodes = new ThreeNodes();
    nodes.write('A', put('one'));
    nodes.isLost = touches('C');
    nodes.write('A', put('two'));
    // Now C is back, with the older record, B is away, and A cannot read the newer one.
    nodes.isLost = touches('B');
    nodes.stores.A.damage('items', KEY);
    expect(readWithin(nodes, 'C', 'latest')).toBe('unavailable');
    // What C has is chosen, and old. It must not take the place of what A has acknowledged.
    nodes.node('C').receive('C', { kind: 'read-committed', key: KEY }, (reply) => {
      if (reply.kind !== 'state') throw new Error(reply.kind);
      nodes.node('A').receive('C', { kind: 'learn', key: KEY, record: reply.committed! }, () => {});
    });
    nodes.settle(1_000);
    expect(readWithin(nodes, 'C', 'latest')).toBe('unavailable');
    nodes.isLost = () => false;
    nodes.settle(3_000);
    for (const name of NAMES) expect(readWithin(nodes, name, 'latest'), name).toBe('two');
  });

  test('keeps no write waiting beyond its life while another replica is away, and nothing of it is handed on', () => {
    const nodes = new ThreeNodes();
    nodes.write('A', put('one'));
    nodes.isLost = touches('B');
    nodes.stores.A.damage('items', KEY);
    nodes.restart('A');
    for (const at of ['A', 'C'] as const) {
      const write = nodes.start<WriteAnswer>((done) =>
        nodes.node(at).coordinate(writeOf(KEY, put('two'), STRICT), done),
      );
      nodes.settle(DEFAULT_NODE_LIMITS.opLifeMs + DEFAULT_NODE_LIMITS.phaseTimeoutMs);
      expect(write.result, at).toMatchObject({ kind: 'unavailable', needed: 2 });
    }
  });

  test('is remembered over a restart, although it was written over', () => {
    const nodes = new ThreeNodes();
    nodes.write('A', put('one'));
    const old = nodes.node('C').stateOf(KEY).committed!;
    nodes.isLost = touches('C');
    nodes.write('A', put('two'));
    nodes.isLost = () => true;
    nodes.stores.A.damage('items', KEY);
    nodes.node('A').receive('C', { kind: 'learn', key: KEY, record: old }, () => {});
    nodes.restart('A');
    nodes.settle(2_000);
    expect(nodes.node('A').stateOf(KEY)).toMatchObject({ isDamaged: true, committed: { ballot: old.ballot } });
    nodes.isLost = touches('B');
    expect(readWithin(nodes, 'C', 'latest')).toBe('unavailable');
    nodes.isLost = () => false;
    nodes.settle(3_000);
    expect(readWithin(nodes, 'C', 'latest')).toBe('two');
    expect(nodes.node('A').stateOf(KEY).isDamaged).toBeUndefined();
    expect(nodes.stores.A.range('meta', { from: 'damaged/', to: 'damaged0', limit: 10 })).toEqual([]);
  });
});

describe('a damaged key of a table in dynamo mode', () => {
  const SLOPPY = { consistency: 'dynamo', wantsOld: false } as const;
  const readAt = (nodes: ThreeNodes, at: NodeName) => {
    const read = nodes.start<ReadOutcome>((done) =>
      nodes.node(at).coordinate(readOf(KEY, 'committed', 'dynamo'), done),
    );
    nodes.settle(1_000);
    return read.result?.kind === 'found' ? textOf(read.result.item) : read.result?.kind;
  };
  const write = (nodes: ThreeNodes, text: string) => {
    nodes.start((done) => nodes.node('A').coordinate(writeOf(KEY, put(text), SLOPPY), done));
    nodes.settle(1_000);
  };

  test('keeps what was written over the damage and has not come to the others', () => {
    const nodes = new ThreeNodes({ writeQuorum: 1 });
    write(nodes, 'one');
    nodes.isLost = touches('A');
    nodes.stores.A.damage('items', KEY);
    write(nodes, 'two');
    expect(nodes.node('A').stateOf(KEY).isDamaged).toBe(true);
    // Neither a write's own messages nor hints bring it to the others before it is restored.
    nodes.isLost = ({ kind }) => kind === 'learn';
    nodes.node('A').scrub(() => {});
    nodes.settle(3_000);
    expect(nodes.node('A').stateOf(KEY).isDamaged).toBeUndefined();
    nodes.isLost = () => false;
    nodes.settle(3_000);
    for (const at of NAMES) expect(readAt(nodes, at), at).toBe('two');
  });

  test('is restored under the ballot that its record has, so that a newer write still wins that comes back later', () => {
    const nodes = new ThreeNodes({ writeQuorum: 1 });
    write(nodes, 'one');
    const one = nodes.node('A').stateOf(KEY).committed!;
    nodes.isLost = touches('A');
    write(nodes, 'two');
    const two = nodes.node('A').stateOf(KEY).committed!;
    expect(textOf(two.item!)).toBe('two');
    nodes.stores.A.damage('items', KEY);
    // It also forgets that it has to tell the others. Somebody out of reach still has the record.
    for (const { key } of nodes.stores.A.range('hints', { from: '', to: '\xff', limit: 10 })) {
      nodes.stores.A.remove('hints', key);
    }
    nodes.restart('A');
    nodes.isLost = () => false;
    nodes.node('A').scrub(() => {});
    nodes.settle(3_000);
    const { isDamaged, accepted, committed } = nodes.node('A').stateOf(KEY);
    expect({ isDamaged, accepted }).toEqual({ isDamaged: undefined, accepted: undefined });
    expect(committed!.ballot).toEqual(one.ballot);
    expect(nodes.sent.filter(({ kind }) => kind === 'accept')).toEqual([]);
    nodes.node('B').receive('C', { kind: 'learn', key: KEY, record: two }, () => {});
    nodes.start<ReadOutcome>((done) => nodes.node('A').coordinate(readOf(KEY, 'latest', 'dynamo'), done));
    nodes.settle(1_000);
    for (const at of NAMES) expect(readAt(nodes, at), at).toBe('two');
  });

  test('has its newest record chosen again if that is only accepted', () => {
    const nodes = new ThreeNodes({ writeQuorum: 2 });
    write(nodes, 'one');
    const one = nodes.node('A').stateOf(KEY).committed!;
    // Accepted by A and B; the coordinator does not hear of it, and dies.
    nodes.isLost = (message) => touches('C')(message) || message.kind === 'accepted';
    const options = { consistency: 'dynamo', wantsOld: true } as const;
    nodes.start((done) => nodes.node('B').coordinate(writeOf(KEY, put('two'), options), done));
    nodes.settle(10);
    expect(nodes.node('A').stateOf(KEY).accepted).toBeDefined();
    nodes.restart('B');
    nodes.stores.A.damage('paxos', KEY);
    nodes.restart('A');
    nodes.isLost = () => false;
    nodes.node('A').scrub(() => {});
    nodes.settle(5_000);
    const { isDamaged, committed } = nodes.node('A').stateOf(KEY);
    expect(isDamaged).toBeUndefined();
    expect(textOf(committed!.item!)).toBe('two');
    expect(compareBallots(committed!.ballot, one.ballot)).toBeGreaterThan(0);
    expect(nodes.sent.some(({ kind, from }) => kind === 'accept' && from === 'A')).toBe(true);
  });

  test('is restored with a ballot of that mode, although the first to answer has nothing of it', () => {
    const nodes = new ThreeNodes({ writeQuorum: 2 });
    nodes.isLost = touches('B');
    write(nodes, 'one');
    nodes.stores.A.damage('items', KEY);
    nodes.restart('A');
    nodes.isLost = ({ kind }) => kind === 'learn';
    nodes.node('A').scrub(() => {});
    nodes.settle(3_000);
    const { isDamaged, committed } = nodes.node('A').stateOf(KEY);
    expect(isDamaged).toBeUndefined();
    expect(consistencyOf(committed!.ballot)).toBe('dynamo');
  });
});

describe('an accepted record that cannot be read', () => {
  test('gives no vote, and the replica accepts nothing lower than what it may have acknowledged', () => {
    const nodes = new ThreeNodes();
    nodes.write('A', put('one'));
    // Accepted by A and B, learned by nobody.
    nodes.isLost = (message) => touches('C')(message) || message.kind === 'learn';
    nodes.start((done) => nodes.node('B').coordinate(writeOf(KEY, put('two')), done));
    nodes.settle(200);
    expect(nodes.stores.A.get('paxos', KEY)).toBeDefined();
    nodes.stores.A.damage('paxos', KEY);
    nodes.restart('A');
    nodes.isLost = touches('B');
    expect(readWithin(nodes, 'C', 'latest')).toBe('unavailable');
    expect(readWithin(nodes, 'A', 'latest')).toBe('unavailable');
    nodes.isLost = () => false;
    nodes.settle(8_000);
    for (const name of NAMES) expect(readWithin(nodes, name, 'latest'), name).toBe('two');
  });
});

test('a range read of a replica itself asks others for what that cannot read', () => {
  const nodes = new ThreeNodes();
  nodes.write('A', put('one'));
  nodes.stores.A.damage('items', KEY);
  const range = nodes.start<RangeOutcome>((done) => nodes.node('A').coordinate(rangeOf(WHOLE, 'laggard'), done));
  nodes.settle(8_000);
  expect(range.result).toMatchObject({ kind: 'items', items: [{}] });
});

test('a range read leaves out no key that is being restored', () => {
  const nodes = new ThreeNodes();
  nodes.write('A', put('one'));
  // A adopts what the others have, and cannot have it chosen: its damaged row is gone, and the record not back.
  nodes.isLost = ({ from, kind }) => from === 'A' && kind === 'accept';
  nodes.stores.A.damage('items', KEY);
  expect(readWithin(nodes, 'A', 'committed')).toBe('one');
  expect(nodes.stores.A.get('items', KEY)).toBeUndefined();
  for (const from of ['committed', 'laggard'] as const) {
    const range = nodes.start<RangeOutcome>((done) => nodes.node('A').coordinate(rangeOf(WHOLE, from), done));
    nodes.settle(8_000);
    expect(range.result, from).toMatchObject({ kind: 'items', items: [{}] });
  }
});
