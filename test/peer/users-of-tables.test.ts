import { expect, test } from 'vitest';
import { UsersOfTables } from '../../src/peer/users-of-tables.ts';
import { ManualClock } from '../parts/manual-clock.ts';

/** Routers, each of which knows some others; messages take 5 ms. */
function world(knows: Record<string, readonly string[]>) {
  const clock = new ManualClock();
  const all: Record<string, UsersOfTables> = {};
  const cutOff = new Set<string>();
  let messages = 0;
  const routersTold = new Set<string>();
  for (const [self, peers] of Object.entries(knows)) {
    all[self] = new UsersOfTables({
      self,
      port: {
        ask: (to, request) => {
          messages++;
          if (request.kind === 'tables-used') routersTold.add(`${self}>${to} ${request.uses.length}`);
          if (request.kind !== 'tables-used') throw new Error(request.kind);
          if (!cutOff.has(self)) clock.after(5, () => all[to]!.hear(request.uses));
          return { cancel: () => {} };
        },
      },
      present: () => peers,
      members: () => ['a', 'b'],
      clock,
    });
  }
  return { clock, all, cutOff, routersTold, messages: () => messages };
}

test('routers count those that have used a table in the last ten seconds, also those that only others know', () => {
  const { clock, all, cutOff, routersTold } = world({
    a: ['b', 'front', 'other'],
    b: ['a', 'front', 'other'],
    // Fronts know nodes alone.
    front: ['a', 'b'],
    other: ['a', 'b'],
  });
  const users = () => Object.fromEntries(Object.entries(all).map(([name, router]) => [name, router.use('t')]));
  expect(users()).toEqual({ a: 1, b: 1, front: 1, other: 1 });
  for (let i = 0; i < 7; i++) {
    clock.advance(1_000);
    users();
  }
  expect(users()).toEqual({ a: 4, b: 4, front: 4, other: 4 });
  // Nodes tell what they have heard to fronts alone.
  const most = (from: string) =>
    [...routersTold]
      .filter((told) => told.startsWith(from))
      .sort()
      .at(-1);
  expect(['a>b', 'a>front', 'front>a'].map(most)).toEqual(['a>b 1', 'a>front 4', 'front>a 1']);
  // Another table is used by one of them alone.
  expect(all.a!.use('u')).toBe(1);
  // One is cut off, and one does not use it any more.
  cutOff.add('front');
  const those = () => [all.a!.use('t'), all.b!.use('t')];
  for (let i = 0; i < 8; i++) {
    clock.advance(1_000);
    those();
  }
  expect(those()).toEqual([4, 4]);
  for (let i = 0; i < 8; i++) {
    clock.advance(1_000);
    those();
  }
  expect(those()).toEqual([2, 2]);
});

test('a router that uses no table says nothing, and stops saying what it has heard when that is over', () => {
  const { clock, all, messages } = world({ a: ['b'], b: ['a'] });
  clock.advance(60_000);
  expect([messages(), clock.timers]).toEqual([0, 0]);
  all.a!.use('t');
  clock.advance(60_000);
  expect(messages()).toBeGreaterThan(5);
  const told = messages();
  clock.advance(60_000);
  expect([messages(), clock.timers]).toEqual([told, 0]);
  all.a!.use('t');
  for (const each of Object.values(all)) each.stop();
  clock.advance(60_000);
  expect(clock.timers).toBe(0);
});

test('a router tells of no more tables than fit a message: those that it has used last', () => {
  const { clock, all } = world({ a: ['b'], b: [] });
  for (let i = 0; i < 250; i++) all.a!.use(`t${i}`);
  clock.advance(3_000);
  expect(['t49', 't50', 't249'].map((table) => all.b!.use(table))).toEqual([1, 2, 2]);
});
