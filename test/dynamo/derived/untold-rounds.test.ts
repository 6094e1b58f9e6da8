import { describe, expect, test } from 'vitest';
import { SYSTEM_TABLE } from '../../../src/dynamo/client.ts';
import { tableOf } from '../../../src/dynamo/keyspace.ts';
import type { Rules } from '../../../src/dynamo/rules.ts';
import { readOf } from '../coordination-requests.ts';
import type { Message, NodeName } from '../three-nodes.ts';
import { BY_COLOUR, DELETE, IndexedRing, keyOfItem, putOf } from './indexed-ring.ts';

/*
 * Rounds that a node begins by itself (docs/protocol.md section 14.4): when they do without the register that says what is
 * derived from the table, and when they may not.
 */

const NODES: readonly NodeName[] = ['A', 'B', 'C'];
const KEY = keyOfItem('apple');
/** After that a coordinator has given up. */
const OPERATION_MS = 6_000;

/** Whether a message is about a register of the system table. */
const isOfSystem = ({ request }: Message) => 'key' in request && tableOf(request.key) === SYSTEM_TABLE;
const isAccept = ({ kind, isReply }: Message) => kind === 'accept' && !isReply;
const isLearn = ({ kind, isReply }: Message) => kind === 'learn' && !isReply;

function accepted(ring: IndexedRing, at: NodeName, forMs = 10_000): boolean {
  ring.node(at).startBackground();
  ring.settle(forMs);
  const { accepted: record } = ring.node(at).stateOf(KEY);
  ring.node(at).stop();
  return record !== undefined;
}

describe('while the system table has no majority', () => {
  for (const [what, derivation] of [
    ['a table without indexes', false],
    ['a table with an index', true],
  ] as const) {
    test(`a record of ${what} that a majority has accepted is settled`, () => {
      const ring = new IndexedRing();
      ring.isLost = (message) => isLearn(message) || isOfSystem(message);
      ring.beginBy('A', 'apple', putOf('apple', { colour: 'red' }), derivation ? ring.derivation : undefined);
      ring.settle(OPERATION_MS);
      expect(ring.node('B').stateOf(KEY).committed).toBeUndefined();
      ring.isLost = isOfSystem;
      ring.sent.length = 0;
      expect(accepted(ring, 'B')).toBe(false);
      expect(ring.node('B').stateOf(KEY).committed?.item).toBeDefined();
      expect(ring.node('B').stateOf(KEY).committed?.derived?.version).toBe(derivation ? 1 : undefined);
    });
  }

  test('a damaged record is restored', () => {
    const ring = new IndexedRing();
    ring.beginBy('A', 'apple', putOf('apple', { colour: 'red' }), undefined);
    ring.settle(1_000);
    ring.isLost = isOfSystem;
    ring.stores.A.damage('items', KEY);
    ring.node('A').scrub(() => {});
    ring.settle(10_000);
    expect(ring.node('A').stateOf(KEY).isDamaged).toBeUndefined();
    expect(ring.node('A').stateOf(KEY).committed?.item).toBeDefined();
    expect(ring.sent.some((message) => message.request.kind === 'read' && isOfSystem(message))).toBe(false);
  });

  test('a delete that a minority has accepted is settled', () => {
    const ring = new IndexedRing();
    ring.beginBy('A', 'apple', putOf('apple', { colour: 'red' }), undefined);
    ring.settle(1_000);
    ring.isLost = isAccept;
    ring.beginBy('B', 'apple', DELETE, undefined);
    ring.settle(OPERATION_MS);
    ring.isLost = isOfSystem;
    expect(accepted(ring, 'B')).toBe(false);
    expect(ring.node('C').stateOf(KEY).committed).toMatchObject({ item: undefined });
  });

  test('entries that are owed are sent by whoever knows what the table is indexed by', () => {
    const ring = new IndexedRing();
    ring.register(ring.derivation);
    const isOfEntry = ({ request }: Message) =>
      request.kind === 'learn' && tableOf(request.key) === BY_COLOUR.storageId;
    ring.isLost = isOfEntry;
    ring.put('A', 'apple', { colour: 'red' }, OPERATION_MS);
    expect(ring.owed).toEqual([1, 1, 1]);
    ring.isLost = isOfSystem;
    ring.node('A').startBackground();
    ring.settle(30_000);
    ring.node('A').stop();
    expect(NODES.map((name) => ring.entries(name))).toEqual([['apple=red'], ['apple=red'], ['apple=red']]);
    expect(ring.owed.slice(1)).toEqual([0, 0]);
  });

  test('an item that a minority has accepted waits until it has one', () => {
    const ring = new IndexedRing();
    ring.isLost = isAccept;
    ring.beginBy('B', 'apple', putOf('apple', { colour: 'red' }), undefined);
    ring.settle(OPERATION_MS);
    ring.isLost = isOfSystem;
    ring.node('B').startBackground();
    ring.settle(20_000);
    expect(ring.node('B').stateOf(KEY).committed).toBeUndefined();
    expect(ring.node('B').stateOf(KEY).accepted?.item).toBeDefined();
    ring.isLost = () => false;
    ring.settle(10_000);
    expect(ring.node('B').stateOf(KEY).committed?.item).toBeDefined();
    ring.node('B').stop();
  });
});

describe('an index is added, whose back-fill finds nothing of an item that B alone has accepted', () => {
  const tell = (rules: Partial<Rules>) => {
    const ring = new IndexedRing({ rules });
    ring.isLost = isAccept;
    ring.beginBy('B', 'apple', putOf('apple', { colour: 'red' }), undefined);
    ring.settle(OPERATION_MS);
    ring.isLost = ({ from, to }) => from === 'B' || to === 'B';
    ring.register(ring.derivation);
    const request = { ...readOf(KEY, 'latest'), derivation: ring.derivation };
    const fill = ring.start<unknown>((done) => ring.node('A').coordinate(request, done));
    ring.settle(4_000);
    expect(fill.result).toEqual({ kind: 'none' });
    ring.isLost = () => false;
    for (const name of NODES) ring.node(name).startBackground();
    ring.settle(60_000);
    for (const name of NODES) ring.node(name).stop();
    return NODES.map((name) => ring.entries(name));
  };

  test('which gets its entry with the round that chooses it', () => {
    expect(tell({})).toEqual([['apple=red'], ['apple=red'], ['apple=red']]);
  });

  test('which is missing in the index without unsettledAskDerivation', () => {
    expect(tell({ unsettledAskDerivation: false })).toEqual([[], [], []]);
  });
});
