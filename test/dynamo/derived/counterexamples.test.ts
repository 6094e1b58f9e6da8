import { describe, expect, test } from 'vitest';
import { tableOf } from '../../../src/dynamo/keyspace.ts';
import type { Rules } from '../../../src/dynamo/rules.ts';
import { readOf } from '../coordination-requests.ts';
import type { Message, NodeName } from '../three-nodes.ts';
import { BY_COLOUR, IndexedRing, keyOfItem, putOf } from './indexed-ring.ts';

/*
 * Counterexamples 35 to 41 of docs/protocol.md. Each is told twice: as the code is, and with one rule broken.
 */

const NODES: readonly NodeName[] = ['A', 'B', 'C'];
const HOUR_MS = 60 * 60_000;

const isOfEntry = ({ request }: Message) => request.kind === 'learn' && tableOf(request.key) === BY_COLOUR.storageId;

/** The entries at every node, once everything that is left has been done. */
function inTheEnd(ring: IndexedRing, forMs = 60_000, begun: readonly NodeName[] = []): string[][] {
  ring.isLost = () => false;
  for (const name of NODES) if (!begun.includes(name)) ring.node(name).startBackground();
  ring.settle(forMs);
  const entries = NODES.map((name) => ring.entries(name));
  for (const name of NODES) ring.node(name).stop();
  return entries;
}

const everywhere = (...entries: string[]) => [entries, entries, entries];

function told(name: string, broken: Partial<Rules>, tell: (ring: IndexedRing) => string[][], ends: Endings): void {
  describe(name, () => {
    test('does not happen', () => {
      expect(tell(new IndexedRing({ limits: { owedKept: 2 } }))).toEqual(everywhere(...ends.sound));
    });

    test(`happens without ${Object.keys(broken).join(' and ')}`, () => {
      expect(tell(new IndexedRing({ limits: { owedKept: 2 }, rules: broken }))).not.toEqual(everywhere(...ends.sound));
    });
  });
}

interface Endings {
  /** What every node has in the end as the code is. */
  readonly sound: readonly string[];
}

told(
  'counterexample 35: a place that an earlier record has left is forgotten',
  { owedIsCarried: false },
  (ring) => {
    ring.register(ring.derivation);
    ring.put('A', 'apple', { colour: 'red' });
    ring.isLost = isOfEntry;
    ring.put('A', 'apple', {}, 10_000);
    ring.isLost = () => false;
    ring.put('A', 'apple', { colour: 'blue' });
    return inTheEnd(ring);
  },
  { sound: ['apple=blue'] },
);

told(
  'counterexample 36: the oldest place is forgotten when there are too many',
  { capIsKept: false },
  (ring) => {
    ring.register(ring.derivation);
    ring.put('A', 'apple', { colour: 'red' });
    ring.isLost = isOfEntry;
    for (const colour of ['green', 'blue', 'black']) ring.put('A', 'apple', { colour }, 10_000);
    return inTheEnd(ring);
  },
  { sound: ['apple=blue'] },
);

told(
  'counterexample 37: the tombstone of an item is purged that owes something to an index',
  { purgeWaitsForOwed: false },
  (ring) => {
    ring.register(ring.derivation);
    ring.put('A', 'apple', { colour: 'red' });
    // Nothing is sent to the index, by whomever.
    const scope = [{ kind: 'propagation', index: BY_COLOUR.storageId } as const];
    for (const name of NODES) ring.node(name).setLags([{ id: 'r', scope, release: { kind: 'never' } }]);
    ring.delete('A', 'apple');
    for (const name of NODES) ring.node(name).startBackground();
    ring.settle(3 * HOUR_MS);
    for (const name of NODES) ring.node(name).setLags([]);
    ring.settle(HOUR_MS);
    for (const name of NODES) ring.node(name).stop();
    return NODES.map((name) => ring.entries(name));
  },
  { sound: [] },
);

/** An item that only C has accepted, written before the table had an index; A and B know another one. */
function tellOfOlderRecord(ring: IndexedRing): string[][] {
  ring.beginBy('A', 'apple', putOf('apple', { colour: 'red' }), undefined);
  ring.settle(1_000);
  ring.isLost = ({ kind, isReply }) => !isReply && kind === 'accept';
  ring.beginBy('C', 'apple', putOf('apple', { colour: 'green' }), undefined);
  ring.settle(300);
  ring.restart('C');
  ring.settle(0);
  ring.isLost = ({ from, to }) => from === 'C' || to === 'C';
  ring.register(ring.derivation);
  // The fill, which does not reach C. Then C and A choose what C has accepted, unless A has something newer by then.
  const request = { ...readOf(keyOfItem('apple'), 'latest'), derivation: ring.derivation };
  ring.start<unknown>((done) => ring.node('A').coordinate(request, done));
  ring.settle(4_000);
  ring.isLost = ({ from, to }) => from === 'B' || to === 'B';
  ring.node('C').startBackground();
  ring.settle(6_000);
  return inTheEnd(ring, 60_000, ['C']);
}

told(
  'counterexample 38: an index is filled with what a strong read finds, instead of choosing that again',
  { fillByIdentityRound: false },
  tellOfOlderRecord,
  { sound: ['apple=red'] },
);

told(
  'counterexample 38, too: what is chosen again stays what it was before there was an index',
  { adoptionTakesDerivation: false },
  tellOfOlderRecord,
  { sound: ['apple=red'] },
);

told(
  'counterexample 39: an item is marked as settled before its entries are in place',
  { marksFollowConfirms: false },
  (ring) => {
    ring.register(ring.derivation);
    ring.isLost = isOfEntry;
    ring.put('A', 'apple', { colour: 'red' }, 200);
    for (const name of NODES) ring.restart(name);
    ring.settle(0);
    return inTheEnd(ring, 10_000);
  },
  { sound: ['apple=red'] },
);

told(
  'counterexample 40: an entry is made of a record that is never chosen',
  { settlesChosenOnly: false },
  (ring) => {
    ring.register(ring.derivation);
    ring.isLost = ({ kind, isReply }) => kind === 'accept' && !isReply;
    ring.begin('A', 'apple', putOf('apple', { colour: 'red' }));
    ring.settle(300);
    // A alone has accepted it, and is away when the next one is chosen.
    ring.isLost = ({ from, to }) => from === 'A' || to === 'A';
    ring.put('B', 'apple', { colour: 'green' }, 4_000);
    return inTheEnd(ring);
  },
  { sound: ['apple=green'] },
);

describe('counterexample 41: an entry is confirmed by one home', () => {
  const tell = (rules: Partial<Rules>) => {
    const ring = new IndexedRing({ rules });
    ring.isLost = (message) => isOfEntry(message) && message.to !== 'A';
    ring.put('A', 'apple', { colour: 'red' }, 300);
    return { owed: ring.owed, atB: ring.entries('B') };
  };

  test('is owed until a majority has it', () => {
    expect(tell({})).toEqual({ owed: [1, 1, 1], atB: [] });
  });

  test('is owed by nobody, and lost with that disk, without confirmsByMajority', () => {
    expect(tell({ confirmsByMajority: false })).toEqual({ owed: [0, 0, 0], atB: [] });
  });
});
