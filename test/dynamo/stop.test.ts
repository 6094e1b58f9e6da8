import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { Request } from '../../src/dynamo/messages.ts';
import { askMerkleRoot } from '../merkle-root.ts';
import { readOf, writeOf } from './coordination-requests.ts';
import { EpochRing, keyOf, recordOf } from './epoch-ring.ts';
import { put } from './three-nodes.ts';

let ring: EpochRing;
let touched: string[];

beforeEach(() => {
  // Deep enough that a single changed leaf is built by itself.
  ring = new EpochRing('ABCD', 3, { merkleDepth: 3 });
  touched = [];
});

/** Ends a node's part in the ring; from then on its store counts as closed. */
function stop(id: string): void {
  ring.kill(id);
  const store = ring.store(id);
  for (const name of ['get', 'put', 'remove', 'range', 'flush'] as const) {
    vi.spyOn(store, name).mockImplementation((): never => {
      touched.push(name);
      throw new Error('the store is closed');
    });
  }
}

/** Nothing of this kind reaches anybody but its sender. */
function lose(kind: Request['kind']): void {
  ring.isLost = (sent) => sent.request.kind === kind && sent.from !== sent.to;
}

/** Builds the trees that there are, and then changes one leaf of the node's. */
function dirty(id: string): void {
  askMerkleRoot(ring.node(id), 0, () => {});
  ring.settle(1_000);
  ring.commit(id, 'dirty', recordOf('v', 1_000));
}

describe('a node that has stopped leaves its store alone, though it was', () => {
  test('waiting for the copies of a write', () => {
    lose('learn');
    ring.node('A').coordinate(writeOf(keyOf('k'), put('v'), { partitionKey: 'k' }), () => {});
    ring.settle(100);
    stop('A');
    ring.settle(20_000);
    expect(touched).toEqual([]);
  });

  test('waiting for the copies of a put in dynamo mode', () => {
    lose('learn');
    ring.node('A').coordinate(writeOf(keyOf('k'), put('v'), { partitionKey: 'k', consistency: 'dynamo' }), () => {});
    ring.settle(100);
    stop('A');
    ring.settle(20_000);
    expect(touched).toEqual([]);
  });

  test('told of another epoch', () => {
    ring.isLost = ({ kind, to }) => (kind === 'activate' || kind === 'seal') && to === 'A';
    expect(ring.change('B', 'BCD')?.kind).toBe('changed');
    ring.isLost = ({ kind, to }) => kind === 'activate' || to === 'C';
    ring.node('A').coordinate(readOf(keyOf('k'), 'latest'), () => {});
    ring.settle(100);
    stop('A');
    ring.settle(20_000);
    expect(touched).toEqual([]);
  });

  test('comparing replicas, and says how far it came', () => {
    let isReported = false;
    dirty('A');
    lose('merkle-hashes');
    ring.node('A').repair(() => {
      isReported = true;
    });
    ring.settle(100);
    ring.commit('A', 'more', recordOf('v', 1_000));
    stop('A');
    ring.settle(60_000);
    expect(touched).toEqual([]);
    expect(isReported).toBe(true);
  });

  test('building a tree to compare, and says how far it came', () => {
    let isReported = false;
    for (let i = 0; i < 200; i++) ring.commit('A', `k${i}`, recordOf('v', 1_000));
    ring.node('A').repair(() => {
      isReported = true;
    });
    stop('A');
    ring.settle(60_000);
    expect(touched).toEqual([]);
    expect(isReported).toBe(true);
  });

  test('copying a partition', () => {
    dirty('D');
    lose('merkle-hashes');
    ring.ask('D', { kind: 'copy', partition: 0, epoch: 0, sources: ['A', 'B'] });
    ring.settle(100);
    ring.commit('D', 'more', recordOf('v', 1_000));
    stop('D');
    ring.settle(60_000);
    expect(touched).toEqual([]);
  });

  test('staging a partition', () => {
    dirty('D');
    lose('merkle-hashes');
    ring.lead('A', 'BCD');
    ring.isLost = ({ request, to }) => request.kind === 'merkle-hashes' && to === 'B';
    ring.settle(11_000);
    ring.commit('D', 'more', recordOf('v', 1_000));
    stop('D');
    ring.settle(60_000);
    expect(touched).toEqual([]);
  });

  test('settling what it had accepted', () => {
    let isDone = false;
    ring.accept('A', 'k', recordOf('v', 1_000));
    lose('prepare');
    ring.node('A').settleAccepted(() => {
      isDone = true;
    });
    ring.settle(100);
    stop('A');
    ring.settle(20_000);
    expect(touched).toEqual([]);
    expect(isDone).toBe(true);
  });

  test('led a change of epoch', () => {
    lose('seal');
    ring.lead('A', 'ABC');
    ring.settle(100);
    stop('A');
    ring.settle(60_000);
    expect(touched).toEqual([]);
  });
});
