import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SeededRandom } from '../../../src/env/random.ts';
import type { NodeName } from '../three-nodes.ts';
import { BY_COLOUR, BY_SIZE, DELETE, derivationOfTable, IndexedRing, keyOfItem, putOf } from './indexed-ring.ts';

const NODES: readonly NodeName[] = ['A', 'B', 'C'];
const ITEMS = ['apple', 'pear'];

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      at: fc.constantFrom(...NODES),
      name: fc.constantFrom(...ITEMS),
      colour: fc.constantFrom('red', 'green', 'blue', undefined),
      size: fc.constantFrom('small', 'large', undefined),
      note: fc.nat(2),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('delete' as const),
      at: fc.constantFrom(...NODES),
      name: fc.constantFrom(...ITEMS),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('restart' as const), node: fc.constantFrom(...NODES) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('lose' as const), share: fc.constantFrom(0, 0.1, 0.3, 0.6) }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(1, 30, 600, 3_000) }) },
);

/** What each item last was, at the replica that knows most. */
function valuesOf(ring: IndexedRing) {
  return ITEMS.map((name) => {
    const records = NODES.map((node) => ring.node(node).stateOf(keyOfItem(name)).committed);
    const ballots = records.map((record) => record?.ballot.hlc ?? 0);
    expect(new Set(ballots).size, `replicas of ${name} are alike`).toBe(1);
    const text = records[0]?.item === undefined ? '{}' : Buffer.from(records[0].item.json).toString();
    const item = JSON.parse(text) as Record<string, { S: string } | undefined>;
    return { name, colour: item.colour?.S, size: item.size?.S };
  });
}

test('whatever is lost or restarted on the way, every index is the projection of its table in the end', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 3, maxLength: 25 }), fc.nat(), (steps, seed) => {
      const random = new SeededRandom(seed);
      const ring = new IndexedRing({ limits: { owedKept: 3, opLifeMs: 2_000 } });
      ring.derivation = derivationOfTable(1, BY_COLOUR, BY_SIZE);
      for (const name of NODES) ring.node(name).startBackground();
      let share = 0;
      ring.isLost = () => random.next() < share;
      ring.register(ring.derivation);
      for (const each of steps) {
        switch (each.kind) {
          case 'write': {
            const { colour, size, note } = each;
            const attributes = { note: `${note}`, ...(colour && { colour }), ...(size && { size }) };
            ring.begin(each.at, each.name, putOf(each.name, attributes));
            break;
          }
          case 'delete':
            ring.begin(each.at, each.name, DELETE);
            break;
          case 'restart':
            ring.restart(each.node);
            ring.settle(0);
            ring.node(each.node).startBackground();
            break;
          case 'lose':
            share = each.share;
            break;
          case 'wait':
            ring.settle(each.ms);
        }
      }
      share = 0;
      for (let i = 0; i < 3; i++) {
        ring.settle(15_000);
        for (const name of NODES) ring.node(name).repair(() => {});
      }
      ring.settle(5_000);
      const values = valuesOf(ring);
      const projected = (attribute: 'colour' | 'size') =>
        values.flatMap((item) => (item[attribute] === undefined ? [] : [`${item.name}=${item[attribute]}`])).sort();
      expect(ring.owed).toEqual([0, 0, 0]);
      for (const name of NODES) {
        expect(ring.entries(name), `by colour at ${name}`).toEqual(projected('colour'));
        expect(ring.entries(name, BY_SIZE), `by size at ${name}`).toEqual(projected('size'));
      }
      for (const name of NODES) ring.node(name).stop();
    }),
    { numRuns: Number(process.env.HISTORIES ?? 40) },
  );
});
