import { describe, expect, test } from 'vitest';
import {
  type LagPlace,
  type LagRelease,
  type LagRule,
  type RangeOutcome,
  type ReadFrom,
  type ReadOutcome,
  SYSTEM_TABLE,
} from '../../src/dynamo/client.ts';
import { collectionPrefix, prefixEnd } from '../../src/dynamo/keyspace.ts';
import type { Reply, Request } from '../../src/dynamo/messages.ts';
import { DEFAULT_NODE_LIMITS } from '../../src/dynamo/node-settings.ts';
import { ItemRecord } from '../../src/dynamo/record.ts';
import type { WriteAnswer } from '../../src/dynamo/registers/handed-back.ts';
import { rangeOf, readOf, writeOf } from './coordination-requests.ts';
import { EpochRing, keyOf, recordOf } from './epoch-ring.ts';
import { fieldsOf } from './record-fields.ts';
import { image, KEY, type NodeName, put, STRICT, ThreeNodes, textOf } from './three-nodes.ts';

const NODES: readonly NodeName[] = ['A', 'B', 'C'];
const NEVER: LagRelease = { kind: 'never' };

const TABLE = '\0\0\0\0\0\0\0\x01';
const ALL: readonly LagPlace[] = [TABLE, SYSTEM_TABLE].map((table) => ({ kind: 'table', table }));
const everything = (release: LagRelease, id = 'rule'): LagRule => ({ id, scope: ALL, release });
const afterMs = (delayMs: number): LagRelease => ({ kind: 'after', delay: { kind: 'constant', delayMs } });

/** Lets some time pass, not all that is planned. */
const A_MOMENT_MS = 5;

function lag(ring: ThreeNodes, ...rules: LagRule[]): void {
  for (const name of NODES) ring.node(name).setLags(rules);
}

function write(ring: ThreeNodes, at: NodeName, text: string, forMs = A_MOMENT_MS) {
  const operation = ring.start<WriteAnswer>((done) => ring.node(at).coordinate(writeOf(KEY, put(text), STRICT), done));
  ring.settle(forMs);
  return operation.result?.kind;
}

/** What the replica of a node has, as a read that wants an old value sees it. */
function shown(ring: ThreeNodes, at: NodeName): string | undefined {
  const { result } = ring.start<ReadOutcome>((done) => ring.node(at).coordinate(readOf(KEY, 'laggard'), done));
  return result?.kind === 'found' ? textOf(result.item) : undefined;
}

function tell(ring: ThreeNodes, to: NodeName, record: ItemRecord, more: { isNeeded?: boolean; key?: string } = {}) {
  let answer: Reply | undefined;
  const request: Request = { kind: 'learn', key: KEY, record, ...more };
  ring.node(to).receive('A', request, (reply) => {
    answer = reply;
  });
  return answer;
}

/** A version of the item, under its first ballot or, chosen again, a later one. */
function version(sequence: number, ms: number): ItemRecord {
  return new ItemRecord({
    ballot: { hlc: (1_000_000 + ms) * 1024, coordinator: 1, boot: 1 },
    item: image(String(sequence)),
    partitionKey: 'user',
    lineage: [{ coordinator: 1, boot: 1, sequence, hlc: 1_000_000 * 1024 }],
  });
}

describe('a replica that a rule holds back', () => {
  test('shows the old value until it is released, and everything else goes on', () => {
    const ring = new ThreeNodes();
    write(ring, 'A', 'old');
    lag(ring, everything(NEVER));
    expect(write(ring, 'A', 'new')).toBe('applied');
    expect(NODES.map((name) => shown(ring, name))).toEqual(['new', 'new', 'old']);
    expect(NODES.map((name) => ring.node(name).status().held)).toEqual([0, 0, 1]);
    for (const name of NODES) expect(ring.read(name, 'latest')).toBe('new');
    expect(shown(ring, 'C')).toBe('old');
    ring.node('C').releaseLags();
    expect(shown(ring, 'C')).toBe('new');
    expect(write(ring, 'A', 'newer')).toBe('applied');
    expect(shown(ring, 'C')).toBe('new');
  });

  test('keeps nothing but the newest of what only an order releases', () => {
    const ring = new ThreeNodes();
    lag(ring, everything(NEVER));
    for (const text of ['1', '2', '3']) write(ring, 'A', text);
    expect(ring.node('C').heldOf(KEY)).toBe(1);
    expect(shown(ring, 'C')).toBeUndefined();
    lag(ring);
    expect(shown(ring, 'C')).toBe('3');
    expect(ring.node('C').stateOf(KEY).accepted).toBeUndefined();
  });

  test('gets each record so much later, and never an older one after a newer', () => {
    const ring = new ThreeNodes();
    lag(ring, everything(afterMs(100)));
    write(ring, 'A', '1', 0);
    ring.settle(99);
    expect(shown(ring, 'C')).toBeUndefined();
    ring.settle(1);
    expect(shown(ring, 'C')).toBe('1');
    lag(ring, everything(afterMs(200)));
    write(ring, 'A', '2', 0);
    lag(ring, everything(afterMs(30)));
    write(ring, 'A', '3', 0);
    ring.settle(30);
    expect(shown(ring, 'C')).toBe('3');
    expect(ring.node('C').heldOf(KEY)).toBe(0);
    ring.settle(300);
    expect(shown(ring, 'C')).toBe('3');
  });

  test('is so many versions behind', () => {
    const ring = new ThreeNodes();
    write(ring, 'A', '0');
    lag(ring, everything({ kind: 'versions', count: 2 }));
    const seen = ['1', '2', '3', '4'].map((text) => {
      write(ring, 'A', text);
      return shown(ring, 'C');
    });
    expect(seen).toEqual(['0', '0', '1', '2']);
  });

  test('does not take a value that was chosen again for a further version', () => {
    const ring = new ThreeNodes();
    lag(ring, everything({ kind: 'versions', count: 1 }));
    tell(ring, 'C', version(1, 1));
    tell(ring, 'C', version(2, 2));
    expect(shown(ring, 'C')).toBe('1');
    tell(ring, 'C', version(2, 3));
    tell(ring, 'C', version(2, 4));
    expect(shown(ring, 'C')).toBe('1');
    expect(ring.node('C').heldOf(KEY)).toBe(1);
    tell(ring, 'C', version(3, 5));
    expect(shown(ring, 'C')).toBe('2');
  });

  test('does not change when it is told the same again', () => {
    const ring = new ThreeNodes();
    lag(ring, everything(NEVER));
    const answers = [1, 2, 3].map(() => tell(ring, 'C', version(1, 1)));
    expect(answers).toEqual(Array(3).fill({ kind: 'learned', from: 'C', vote: undefined, isHeld: true }));
    expect(ring.node('C').heldOf(KEY)).toBe(1);
  });

  test('takes at once what it has already, and what counts for its answer', () => {
    const ring = new ThreeNodes();
    tell(ring, 'C', version(2, 2));
    lag(ring, everything(NEVER));
    expect(tell(ring, 'C', version(1, 1))).toMatchObject({ vote: { epoch: 0 } });
    expect(tell(ring, 'C', version(3, 3))).toMatchObject({ vote: undefined });
    expect(tell(ring, 'C', version(4, 4), { isNeeded: true })).toMatchObject({ vote: { epoch: 0 } });
    expect(shown(ring, 'C')).toBe('4');
    expect(ring.node('C').heldOf(KEY)).toBe(0);
  });

  test('holds nothing of the tables that define the others', () => {
    const ring = new ThreeNodes();
    lag(ring, everything(NEVER));
    const key = collectionPrefix(SYSTEM_TABLE, 'user', 1);
    expect(tell(ring, 'C', version(1, 1), { key })).toMatchObject({ vote: { epoch: 0 } });
  });

  test.each<[what: string, place: LagPlace, isHeld: boolean]>([
    ['its table', { kind: 'table', table: TABLE }, true],
    ['no other table', { kind: 'table', table: '\0\0\0\0\0\0\0\x02' }, false],
    ['its collection', { kind: 'collection', table: TABLE, partitionKey: 'user' }, true],
    ['no other collection', { kind: 'collection', table: TABLE, partitionKey: 'use' }, false],
    ['its item', { kind: 'item', key: { table: TABLE, partitionKey: 'user', sortKey: '' } }, true],
    ['no other item', { kind: 'item', key: { table: TABLE, partitionKey: 'user', sortKey: 'a' } }, false],
    [
      'no item of another table',
      { kind: 'item', key: { table: 'table-02', partitionKey: 'user', sortKey: '' } },
      false,
    ],
  ])('holds only what its rule names: %s', (_what, place, isHeld) => {
    const ring = new ThreeNodes();
    lag(ring, { id: 'rule', scope: [{ kind: 'table', table: 'table-03' }, place], release: NEVER });
    write(ring, 'A', '1');
    expect(shown(ring, 'C')).toBe(isHeld ? undefined : '1');
  });

  test('holds by the first of several rules, and by all places of a rule', () => {
    const ring = new ThreeNodes();
    const item: LagPlace = { kind: 'item', key: { table: TABLE, partitionKey: 'user', sortKey: '' } };
    lag(ring, { id: 'first', scope: [item, ...ALL, item], release: afterMs(100) }, everything(NEVER, 'second'));
    write(ring, 'A', '1', 0);
    ring.settle(99);
    expect(shown(ring, 'C')).toBeUndefined();
    ring.settle(1);
    expect(shown(ring, 'C')).toBe('1');
  });

  test('keeps what it holds when its rule changes its places', () => {
    const ring = new ThreeNodes();
    lag(ring, everything(NEVER));
    write(ring, 'A', '1');
    lag(ring, { id: 'rule', scope: [], release: NEVER });
    expect(shown(ring, 'C')).toBeUndefined();
    expect(ring.node('C').heldOf(KEY)).toBe(1);
    write(ring, 'A', '2');
    expect(shown(ring, 'C')).toBe('2');
  });

  test('shows a range as old as its items', () => {
    const ring = new ThreeNodes();
    write(ring, 'A', 'old');
    lag(ring, everything(NEVER));
    write(ring, 'A', 'new');
    const range = (from: ReadFrom) => {
      const request = rangeOf({ from: KEY, to: prefixEnd(KEY) }, from);
      const operation = ring.start<RangeOutcome>((done) => ring.node('C').coordinate(request, done));
      ring.settle(A_MOMENT_MS);
      return operation.result?.kind === 'items' && operation.result.items.map(textOf);
    };
    expect(range('laggard')).toEqual(['old']);
    expect(range('latest')).toEqual(['new']);
  });

  test('lets go of what a rule held that is gone, and of that alone', () => {
    const ring = new ThreeNodes();
    lag(ring, everything(NEVER, 'one'));
    write(ring, 'A', '1');
    lag(ring, everything(NEVER, 'one'), everything(NEVER, 'other'));
    expect(shown(ring, 'C')).toBeUndefined();
    lag(ring, everything(NEVER, 'other'));
    expect(shown(ring, 'C')).toBe('1');
    write(ring, 'A', '2');
    expect(shown(ring, 'C')).toBe('1');
  });
});

describe('what is held has bounds', () => {
  test('in number: the oldest is shown', () => {
    const ring = new ThreeNodes({ limits: { lagRecordsKept: 2 } });
    lag(ring, everything({ kind: 'versions', count: 10 }));
    for (const text of ['1', '2', '3']) write(ring, 'A', text);
    expect(shown(ring, 'C')).toBe('1');
    expect(ring.node('C').status().held).toBe(2);
  });

  test('in bytes', () => {
    const ring = new ThreeNodes({ limits: { lagBytesKept: 1_000 } });
    lag(ring, everything({ kind: 'versions', count: 10 }));
    write(ring, 'A', '1'.repeat(600));
    expect(shown(ring, 'C')).toBeUndefined();
    write(ring, 'A', '2'.repeat(600));
    expect(shown(ring, 'C')).toBe('1'.repeat(600));
    write(ring, 'A', '3'.repeat(2_000));
    expect(shown(ring, 'C')).toBe('3'.repeat(2_000));
    expect(ring.node('C').status().held).toBe(0);
  });

  test('in time: with its node everything ends', () => {
    const ring = new ThreeNodes();
    lag(ring, everything(afterMs(100)));
    write(ring, 'A', '1');
    ring.node('C').stop();
    ring.settle(200);
    expect(ring.node('C').stateOf(KEY).committed).toBeUndefined();
    ring.node('C').setLags([everything(NEVER)]);
    expect(ring.node('C').heldOf(KEY)).toBe(0);
  });
});

describe('nothing of a node by itself ends the lag', () => {
  const limits = { finishIntervalMs: 400, hintIntervalMs: 50, probeIntervalMs: 100 };

  test('not its finisher, nor hints, nor a comparison of replicas', () => {
    const ring = new ThreeNodes({ limits });
    for (const name of NODES) ring.node(name).startBackground();
    write(ring, 'A', 'old');
    ring.isLost = ({ to, kind }) => to === 'C' && kind === 'learn';
    write(ring, 'A', 'hinted', 600);
    expect(ring.node('A').status().hints).toBe(1);
    lag(ring, everything(NEVER));
    ring.isLost = () => false;
    ring.settle(3_000);
    for (const name of NODES) ring.node(name).repair(() => {});
    ring.settle(1_500);
    expect(shown(ring, 'C')).toBe('old');
    expect(ring.node('C').isUnsettled).toBe(true);
    lag(ring);
    ring.settle(1_500);
    expect(shown(ring, 'C')).toBe('hinted');
    expect(ring.node('C').isUnsettled).toBe(false);
    expect(ring.node('A').status().hints).toBe(0);
  });

  test('not a hint for what is held: none is kept', () => {
    const ring = new ThreeNodes({ limits });
    lag(ring, everything(NEVER));
    write(ring, 'A', '1', 2_000);
    expect(ring.node('A').status().hints).toBe(0);
  });

  test('not what a read finds', () => {
    const ring = new ThreeNodes({ readQuorum: 2 });
    write(ring, 'A', 'old');
    lag(ring, everything(NEVER));
    write(ring, 'A', 'new');
    expect(ring.read('C', 'committed')).toBe('new');
    expect(ring.read('C', 'latest')).toBe('new');
    expect(shown(ring, 'C')).toBe('old');
  });

  test('while other keys are settled as ever', () => {
    const ring = new ThreeNodes({ limits });
    ring.node('C').startBackground();
    const lagging: LagPlace = { kind: 'item', key: { table: TABLE, partitionKey: 'lagging', sortKey: '' } };
    lag(ring, { id: 'rule', scope: [lagging], release: NEVER });
    ring.isLost = ({ to, kind }) => to === 'C' && kind === 'learn';
    write(ring, 'A', '1');
    expect(ring.node('C').isUnsettled).toBe(true);
    ring.isLost = () => false;
    ring.settle(1_500);
    expect(ring.node('C').isUnsettled).toBe(false);
  });
});

describe('a rule does not make a write fail', () => {
  test('that the replica coordinates itself', () => {
    const ring = new ThreeNodes();
    lag(ring, everything(NEVER));
    write(ring, 'A', '1');
    expect(write(ring, 'C', '2')).toBe('applied');
    expect(shown(ring, 'C')).toBe('2');
    expect(ring.node('C').status().held).toBe(0);
  });

  test('when too few others seem up', () => {
    const ring = new ThreeNodes({ limits: { probeIntervalMs: 200 } });
    for (const name of NODES) ring.node(name).startBackground();
    write(ring, 'A', '1');
    lag(ring, everything(NEVER));
    write(ring, 'A', '2');
    ring.isLost = ({ from, to }) => from === 'A' || to === 'A';
    ring.settle(2_000);
    expect(shown(ring, 'C')).toBe('1');
    expect(write(ring, 'B', '3')).toBe('applied');
    expect(shown(ring, 'C')).toBe('3');
  });

  test('when another does not take it: then the replica is asked a second time', () => {
    const ring = new ThreeNodes();
    lag(ring, everything(NEVER));
    ring.isLost = ({ from, to }) => (from === 'A' && to === 'B') || (from === 'B' && to === 'A');
    expect(write(ring, 'A', '1')).toBeUndefined();
    ring.settle(600);
    expect(shown(ring, 'C')).toBe('1');
    expect(ring.read('A', 'latest')).toBe('1');
  });

  test('in dynamo mode either', () => {
    const ring = new ThreeNodes();
    lag(ring, everything(NEVER));
    ring.isLost = ({ from, to }) => (from === 'A' && to === 'B') || (from === 'B' && to === 'A');
    const request = writeOf(KEY, put('1'), { consistency: 'dynamo' });
    const operation = ring.start<WriteAnswer>((done) => ring.node('A').coordinate(request, done));
    ring.settle(A_MOMENT_MS);
    expect(operation.result).toBeUndefined();
    expect(ring.node('C').heldOf(KEY)).toBe(1);
    ring.settle(600);
    expect(operation.result?.kind).toBe('applied');
    expect(shown(ring, 'C')).toBe('1');
  });

  test('and holds nothing where W is N', () => {
    const ring = new ThreeNodes({ writeQuorum: 3 });
    lag(ring, everything(NEVER));
    expect(write(ring, 'A', '1')).toBe('applied');
    expect(NODES.map((name) => shown(ring, name))).toEqual(['1', '1', '1']);
  });
});

describe('what is held is not a second truth', () => {
  const HOUR_MS = 60 * 60_000;

  test('an older record does not come back after its tombstone was purged', () => {
    const ring = new ThreeNodes();
    lag(ring, everything(NEVER));
    tell(ring, 'C', version(1, 1));
    const tombstone = new ItemRecord({ ...fieldsOf(version(2, 2)), item: undefined });
    tell(ring, 'A', tombstone, { isNeeded: true });
    tell(ring, 'B', tombstone, { isNeeded: true });
    ring.settle(2 * HOUR_MS);
    const purged = ring.start((done: (report: { purged: number }) => void) => ring.node('A').purgeTombstones(done));
    ring.settle(DEFAULT_NODE_LIMITS.messageLifeMs + 1_500);
    expect(purged.result).toMatchObject({ purged: 1 });
    ring.node('C').releaseLags();
    lag(ring);
    expect(NODES.map((name) => ring.node(name).stateOf(KEY).committed)).toEqual([undefined, undefined, undefined]);
  });

  test('a newer record held keeps a tombstone from being purged', () => {
    const ring = new ThreeNodes();
    const tombstone = new ItemRecord({ ...fieldsOf(version(1, 1)), item: undefined });
    for (const name of NODES) tell(ring, name, tombstone);
    lag(ring, everything(NEVER));
    tell(ring, 'C', version(2, 2));
    ring.settle(2 * HOUR_MS);
    const purged = ring.start((done: (report: { purged: number }) => void) => ring.node('A').purgeTombstones(done));
    ring.settle(DEFAULT_NODE_LIMITS.messageLifeMs + 1_500);
    expect(purged.result).toMatchObject({ purged: 0, waiting: 1 });
  });

  test('a member of a new epoch begins with what it held, on its disk', () => {
    const ring = new EpochRing('ABC', 3);
    ring.node('C').setLags([everything(NEVER)]);
    ring.commit('ABC', 'k', recordOf('1', 100_000_001 * 1024));
    expect(ring.node('C').heldOf(keyOf('k'))).toBe(1);
    let kind: string | undefined;
    ring.node('A').changeEpoch(ring.register, 0, ring.members('ABC'), (outcome) => {
      kind = outcome.kind;
    });
    ring.settle(1_500);
    expect(kind).toBe('changed');
    expect(ring.node('C').heldOf(keyOf('k'))).toBe(0);
    ring.kill('C');
    ring.start('C');
    expect(ring.node('C').stateOf(keyOf('k')).committed?.item).toBeDefined();
  });

  test('a node that starts holds nothing, and is as far behind as its disk', () => {
    const ring = new EpochRing('ABC', 3);
    ring.commit('ABC', 'k', recordOf('1', 100_000_001 * 1024));
    ring.node('C').setLags([everything(NEVER)]);
    ring.commit('ABC', 'k', recordOf('2', 100_000_002 * 1024));
    ring.kill('C', 10);
    ring.start('C');
    ring.node('C').setLags([everything(NEVER)]);
    ring.node('A').repair(() => {});
    ring.settle(1_500);
    const { committed } = ring.node('C').stateOf(keyOf('k'));
    expect(textOf(committed!.item!)).toBe('1');
    expect(ring.node('C').heldOf(keyOf('k'))).toBe(1);
  });
});
