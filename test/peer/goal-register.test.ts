import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RingError } from '../../src/dynamo/ring-error.ts';
import { firstGoal, type Goal, withAdded, withRemoved, withReplaced } from '../../src/peer/goal.ts';
import { GoalRegister } from '../../src/peer/goal-register.ts';
import { MemoryClient } from '../router/memory-client.ts';

const FIRST = firstGoal({
  clusterId: 'x',
  partitions: 8,
  replication: 3,
  layout: 1,
  members: ['a', 'b', 'c'].map((name, i) => ({ name, diskId: i + 1 })),
});

const add = (name: string, diskId: number) => (goal: Goal) => withAdded(goal, { name, diskId });

function registers(count: number) {
  const client = new MemoryClient();
  return { client, all: Array.from({ length: count }, () => new GoalRegister(client, () => FIRST)) };
}

test('the first reader writes the first goal, and others read it', async () => {
  const { client, all } = registers(2);
  const [one, other] = all as [GoalRegister, GoalRegister];
  expect(one.known).toBeUndefined();
  expect(await one.read()).toEqual(FIRST);
  expect(one.known).toEqual(FIRST);
  client.calls.length = 0;
  expect(await other.read()).toEqual(FIRST);
  expect(client.calls).toEqual(['read']);
});

test('edits at several processes at a time all count, once each', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 6 }), async (writers) => {
      const { all } = registers(writers);
      const edits = all.map((register, i) => register.edit(add(`new-${i}`, 10 + i)));
      await Promise.all(edits);
      const { version, roster } = await all[0]!.read();
      expect(version).toBe(1 + writers);
      expect(roster.map(({ name }) => name).sort()).toEqual(['a', 'b', 'c', ...all.map((_, i) => `new-${i}`)]);
    }),
    { numRuns: 10 },
  );
});

test('of two edits that exclude each other, the second is refused by what the first has made', async () => {
  const { all } = registers(2);
  const [one, other] = all as [GoalRegister, GoalRegister];
  await one.edit(add('d', 4));
  const replaced = await Promise.allSettled([
    one.edit((goal) => withReplaced(goal, 'b', 2, 20)),
    other.edit((goal) => withReplaced(goal, 'b', 2, 21)),
    other.edit((goal) => withRemoved(goal, ['d'], 3)),
  ]);
  expect(replaced.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
  const { roster, past } = await one.read();
  expect(roster.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
  expect([...past].sort()).toEqual([2, 4]);
  await expect(other.edit(add('e', 2))).rejects.toThrow('that disk has left the ring before');
});

test('an edit that has nothing to do writes nothing', async () => {
  const { client, all } = registers(1);
  await all[0]!.read();
  client.calls.length = 0;
  expect(await all[0]!.edit((goal) => goal)).toEqual(FIRST);
  expect(client.calls).toEqual(['read']);
});

test('a write whose outcome is not known counts if it is there', async () => {
  const { client, all } = registers(1);
  await all[0]!.read();
  client.failWrite = 'late-write';
  expect((await all[0]!.edit(add('d', 4))).version).toBe(2);
  client.failWrite = { kind: 'unknown' };
  await expect(all[0]!.edit(add('e', 5))).rejects.toThrow(/^it is not known whether the change was made/);
  client.failWrite = { kind: 'unavailable', needed: 2, got: 1 };
  await expect(all[0]!.edit(add('e', 5))).rejects.toThrow(
    'nothing was changed: 1 of the 2 replicas that it takes have answered',
  );
  client.failWrite = undefined;
  client.failRead = { kind: 'overloaded' };
  await expect(all[0]!.read()).rejects.toThrow(RingError);
  expect(all[0]!.known?.version).toBe(2);
});
