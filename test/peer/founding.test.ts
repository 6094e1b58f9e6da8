import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PeerRecord } from '../../src/env/peer-record.ts';
import { SeededRandom } from '../../src/env/random.ts';
import { answerOf, bound, configsOf, heard } from '../../src/peer/founding.ts';
import { isPeerNodeId, nameOf, peerNodeId } from '../../src/peer/node-name.ts';
import { FoundingWorld } from './founding-world.ts';

const NAMES = ['a', 'b', 'c', 'd', 'e'];

function world(seed = 1): FoundingWorld {
  const random = new SeededRandom(seed);
  return new FoundingWorld({ random: () => random.next() });
}

const stateOf = (here: FoundingWorld, id: string) => here.machines.get(id)!.disk.state;
const clusterOf = (here: FoundingWorld, id: string) => here.machines.get(id)!.disk.cluster?.clusterId;

test('founders that start in any order form one cluster, with the last of them', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.integer(), fc.infiniteStream(fc.nat()), (count, seed, draws) => {
      const here = world(seed);
      const founders = NAMES.slice(0, count);
      const ids = founders.map((name) => here.add(name, founders));
      const order = [...ids].sort(() => (draws.next().value % 2) - 0.5);
      for (const [at, id] of order.entries()) {
        // Until the last one is there, nothing exists.
        if (at > 0) expect(here.formed.size).toBe(0);
        here.start(id);
        here.clock.advance(draws.next().value % 3_000);
      }
      here.clock.advance(15_000);
      expect(ids.map((id) => stateOf(here, id))).toEqual(ids.map(() => 'formed'));
      expect(here.formed.size).toBe(1);
    }),
    { numRuns: 100 },
  );
});

test('a part of the founders forms nothing, however long it waits', () => {
  fc.assert(
    fc.property(fc.subarray(NAMES.slice(0, 4), { maxLength: 3 }), fc.integer(), (some, seed) => {
      const here = world(seed);
      for (const name of some) here.start(here.add(name, NAMES.slice(0, 4)));
      here.clock.advance(120_000);
      expect(here.formed.size).toBe(0);
    }),
    { numRuns: 50 },
  );
});

test('two halves that do not see each other form nothing, and one cluster once they do', () => {
  const here = world();
  const ids = NAMES.slice(0, 4).map((name) => here.add(name, NAMES.slice(0, 4)));
  for (const one of ids.slice(0, 2)) {
    for (const other of ids.slice(2)) {
      here.cuts.add(`${one} ${other}`);
      here.cuts.add(`${other} ${one}`);
    }
  }
  for (const id of ids) here.start(id);
  here.clock.advance(60_000);
  expect(here.formed.size).toBe(0);
  here.heal();
  here.clock.advance(15_000);
  expect(new Set(ids.map((id) => clusterOf(here, id))).size).toBe(1);
  expect(ids.map((id) => stateOf(here, id))).toEqual(ids.map(() => 'formed'));
});

type Event =
  | { readonly kind: 'start' | 'kill'; readonly at: number }
  | { readonly kind: 'lose'; readonly at: number }
  | { readonly kind: 'twin'; readonly at: number }
  | { readonly kind: 'cut'; readonly from: number; readonly to: number }
  | { readonly kind: 'wait'; readonly ms: number };

const events = (mayLoseLeader: boolean): fc.Arbitrary<Event[]> => {
  const at = fc.nat(7);
  return fc.array(
    fc.oneof(
      { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('start' as const, 'kill' as const), at }) },
      {
        weight: 1,
        arbitrary: fc.record({
          kind: fc.constant('lose' as const),
          at: fc.integer({ min: mayLoseLeader ? 0 : 1, max: 7 }),
        }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('twin' as const), at }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('cut' as const), from: at, to: at }) },
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(2_000) }) },
    ),
    { maxLength: 40 },
  );
};

/** Plays events on founders a, b and c. A disk that is lost is replaced by an empty one, on which `init` is run too. */
function play(
  here: FoundingWorld,
  happening: readonly Event[],
  { hasTwins }: { readonly hasTwins: boolean },
): string[] {
  const founders = NAMES.slice(0, 3);
  const ids = founders.map((name) => here.add(name, founders));
  for (const event of happening) {
    const id = 'at' in event ? ids[event.at % ids.length]! : '';
    if (event.kind === 'start') here.start(id);
    else if (event.kind === 'kill') here.kill(id);
    else if (event.kind === 'cut') here.cuts.add(`${ids[event.from % ids.length]} ${ids[event.to % ids.length]}`);
    else if (event.kind === 'wait') here.clock.advance(event.ms);
    else if (event.kind === 'twin' && hasTwins) ids.push(here.add(nameOf(id), founders));
    else if (event.kind === 'lose' && ids.indexOf(id) !== 0) {
      here.lose(id);
      ids[ids.indexOf(id)] = here.add(nameOf(id), founders);
    }
  }
  return ids;
}

test('whatever fails, is lost or runs twice under one name, at most one cluster comes of it', () => {
  fc.assert(
    fc.property(
      events(false),
      fc.integer(),
      fc.double({ min: 0, max: 0.5, noNaN: true }),
      (happening, seed, lossRate) => {
        const here = world(seed);
        here.lossRate = lossRate;
        const ids = play(here, happening, { hasTwins: true });
        here.heal();
        for (const id of ids) here.start(id);
        here.clock.advance(30_000);
        expect([...here.formed].length, here.states().join('; ')).toBeLessThanOrEqual(1);
      },
    ),
    { numRuns: 300 },
  );
});

test('once nothing fails any more, all founders are in one cluster, or those with new disks wait to be taken in', () => {
  fc.assert(
    fc.property(
      events(false),
      fc.integer(),
      fc.double({ min: 0, max: 0.5, noNaN: true }),
      (happening, seed, lossRate) => {
        const here = world(seed);
        here.lossRate = lossRate;
        const ids = play(here, happening, { hasTwins: false });
        here.heal();
        for (const id of ids) here.start(id);
        here.clock.advance(60_000);
        expect(here.formed.size, here.states().join('; ')).toBe(1);
        expect(new Set(ids.map((id) => clusterOf(here, id))).size, here.states().join('; ')).toBe(1);
      },
    ),
    { numRuns: 200 },
  );
});

describe('a founder', () => {
  test('that is founded with others than it names says so, and nothing is formed', () => {
    const here = world();
    const [a, b, c] = [here.add('a', ['a', 'b', 'c']), here.add('b', ['a', 'b', 'd']), here.add('c', ['a', 'b', 'c'])];
    for (const id of [a, b, c]) here.start(id);
    here.clock.advance(20_000);
    expect(here.formed.size).toBe(0);
    for (const id of [a, b]) {
      const { reason } = here.machines.get(id)!.founder!;
      expect(reason).toContain('a, b, c (Q=8, N=3)');
      expect(reason).toContain('a, b, d (Q=8, N=3)');
    }
  });

  test('that has lost its disk before all have formed is founded with on its new one', () => {
    const here = world();
    const founders = ['a', 'b', 'c'];
    const [a, b] = [here.add('a', founders), here.add('b', founders), here.add('c', founders)];
    for (const id of [a, b]) here.start(id);
    const c = [...here.machines.keys()][2]!;
    here.start(c);
    while (stateOf(here, a) === 'new') here.clock.runNext();
    // What c agrees to, a does not hear.
    here.cuts.add(`${c} ${a}`);
    while (stateOf(here, c) === 'new') here.clock.runNext();
    here.lose(c);
    const renewed = here.add('c', founders);
    here.start(renewed);
    here.clock.advance(15_000);
    expect([a, b, renewed].map((id) => stateOf(here, id))).toEqual(['formed', 'formed', 'formed']);
    expect(here.formed.size).toBe(1);
  });

  test('whose leader has lost its disk makes the new leader stop, with what an operator has to do', () => {
    const here = world();
    const founders = ['a', 'b'];
    const [a, b] = [here.add('a', founders), here.add('b', founders)];
    for (const id of [a, b]) here.start(id);
    while (stateOf(here, b) !== 'bound') here.clock.runNext();
    here.lose(a);
    const renewed = here.add('a', founders);
    here.start(renewed);
    here.clock.advance(15_000);
    expect(here.machines.get(renewed)!.stoppedBy).toContain('empty the data directories of all founders');
    expect(here.formed.size).toBe(0);
  });

  test('that comes with an empty disk to a cluster that exists never founds again', () => {
    const here = world();
    const founders = ['a', 'b', 'c'];
    const ids = founders.map((name) => here.add(name, founders));
    for (const id of ids) here.start(id);
    here.clock.advance(15_000);
    here.lose(ids[1]!);
    const renewed = here.add('b', founders);
    here.start(renewed);
    here.clock.advance(5_000);
    const { disk } = here.machines.get(renewed)!;
    expect(disk).toMatchObject({ state: 'new', cluster: { clusterId: [...here.formed][0] } });
    expect(disk.right).toBeUndefined();
  });
});

test('the configs of a founding give each founder its share, under ids that name its disk', () => {
  const members = ['a', 'b', 'c', 'd'].map((name, i) => ({ name, diskId: i + 10 }));
  const configs = configsOf({ clusterId: 'x', partitions: 8, replication: 3, layout: 1, members });
  expect(configs.map(({ partition, epoch }) => [partition, epoch])).toEqual(configs.map((_, i) => [i, 0]));
  const held = members.map(({ name, diskId }) => {
    const node = peerNodeId(name, diskId);
    expect(isPeerNodeId(node)).toBe(true);
    return configs.filter((config) => config.members.some((each) => each.node === node && each.diskId === diskId))
      .length;
  });
  expect(held).toEqual([6, 6, 6, 6]);
});

describe('a disk that is bound', () => {
  const members = ['a', 'b', 'c'].map((name, i) => ({ name, diskId: i + 1 }));
  const cluster = { clusterId: 'G', partitions: 8, replication: 3, layout: 1, members };
  const right = { founders: ['a', 'b', 'c'], partitions: 8, replication: 3 };
  const disk: PeerRecord = { diskId: 2, name: 'b', boot: 1, right, state: 'bound', cluster };
  const leader: PeerRecord = { diskId: 1, name: 'a', boot: 1, right, state: 'new' };

  test('is let go by the disk that has bound it, once that has given the cluster up', () => {
    const { cluster: none, ...released } = heard(disk, answerOf(leader, 'G'));
    expect(none).toBeUndefined();
    expect(released).toEqual({ diskId: 2, name: 'b', boot: 1, right, state: 'new' });
  });

  test('is not let go by another disk under the name of the leader, which knows of nothing', () => {
    // The first leader may have counted this disk already: it would form one cluster, and the second leader another.
    expect(heard(disk, answerOf({ ...leader, diskId: 9 }, 'G'))).toBe(disk);
  });

  test('is not let go by what its leader said before it began the cluster', () => {
    // An answer that was on its way: the leader is bound by now, and counts this disk.
    expect(heard(disk, answerOf(leader))).toBe(disk);
    expect(heard(disk, answerOf(leader, 'another'))).toBe(disk);
  });

  test('is not let go by its leader while that holds to the cluster, nor by another cluster', () => {
    expect(heard(disk, answerOf({ ...leader, state: 'bound', cluster }, 'G'))).toBe(disk);
    const other = { ...cluster, clusterId: 'H' };
    expect(heard(disk, answerOf({ ...leader, diskId: 9, state: 'formed', cluster: other }, 'G'))).toBe(disk);
    expect(bound(disk, other)).toBe(disk);
  });

  test('is formed by anybody who says that its cluster is', () => {
    expect(heard(disk, answerOf({ ...leader, diskId: 3, name: 'c', state: 'formed', cluster }))).toEqual({
      ...disk,
      state: 'formed',
    });
  });
});
