import { describe, expect, test } from 'vitest';
import { KeyLock } from '../../src/dynamo/registers/key-lock.ts';
import { answered, type Task, wait } from '../../src/dynamo/task.ts';
import { ManualClock } from '../parts/manual-clock.ts';

const limits = { keyQueueLength: 20_000, queuedWrites: 20_000 };
const clock = new ManualClock(0);

/** Tasks that end when they are told to. */
function heldTasks(lock: KeyLock) {
  const started: number[] = [];
  const ended: number[] = [];
  const end = new Map<number, () => void>();
  const run = (key: string, id: number) => {
    function* task(): Task<void> {
      started.push(id);
      yield* wait<void>(clock, (resume) => end.set(id, resume));
    }
    return lock.run(key, task, () => ended.push(id));
  };
  return { started, ended, end: (id: number) => end.get(id)!(), run };
}

test('writes of one key run one after the other, in the order they came', () => {
  const { started, ended, end, run } = heldTasks(new KeyLock(limits));
  for (const each of [1, 2, 3]) run('k', each);
  run('other', 4);
  expect(started).toEqual([1, 4]);
  end(1);
  expect(started).toEqual([1, 4, 2]);
  end(2);
  end(3);
  expect(started).toEqual([1, 4, 2, 3]);
  expect(ended).toEqual([1, 2, 3]);
  run('k', 5);
  expect(started.at(-1)).toBe(5);
});

test('a write is told whether it has waited for the key', () => {
  const lock = new KeyLock(limits);
  const { end, run } = heldTasks(lock);
  const waited: boolean[] = [];
  const note = (hasWaited: boolean) => answered(waited.push(hasWaited));
  lock.run('free', note, () => {});
  run('k', 1);
  lock.run('k', note, () => {});
  end(1);
  expect(waited).toEqual([false, true]);
});

test('ten thousand that end as soon as they start do not nest', () => {
  const lock = new KeyLock(limits);
  const { end, run } = heldTasks(lock);
  let ended = 0;
  run('k', 1);
  for (let i = 0; i < 10_000; i++) {
    const task = () => answered(i);
    lock.run('k', task, () => ended++);
  }
  end(1);
  expect(ended).toBe(10_000);
});

test('a queue that is full refuses, by key and over all', () => {
  const { run } = heldTasks(new KeyLock({ keyQueueLength: 1, queuedWrites: 2 }));
  for (const key of ['a', 'b', 'c']) expect(run(key, 0)).toBe(true);
  expect(run('a', 0)).toBe(true);
  expect(run('a', 0)).toBe(false);
  expect(run('b', 0)).toBe(true);
  expect(run('c', 0)).toBe(false);
});

describe('a write that throws', () => {
  function* failing(): Task<void> {
    yield* answered(undefined);
    throw new Error('a bug');
  }

  test('frees the key', () => {
    const lock = new KeyLock(limits);
    expect(() => lock.run('k', failing, () => {})).toThrow('a bug');
    const { started, run } = heldTasks(lock);
    run('k', 1);
    expect(started).toEqual([1]);
  });

  test('does not keep those that wait behind it from running', () => {
    const lock = new KeyLock(limits);
    const { started, ended, end, run } = heldTasks(lock);
    run('k', 1);
    lock.run('k', failing, () => {});
    run('k', 2);
    expect(() => end(1)).toThrow('a bug');
    expect(started).toEqual([1, 2]);
    end(2);
    run('k', 3);
    expect(started).toEqual([1, 2, 3]);
    expect(ended).toContain(2);
  });
});
