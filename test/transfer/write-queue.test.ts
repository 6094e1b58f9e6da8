import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import type { Result } from '../../src/transfer/connection.ts';
import { type Entry, FailedWrite, WriteQueue } from '../../src/transfer/write-queue.ts';

const DONE: Result = { kind: 'answered', body: '{}' };

/** Writes whose answers the test gives, by their bodies. */
function manualWrites() {
  const answers = new Map<string, (result: Result) => void>();
  const send = ({ body }: { body: string }) =>
    new Promise<Result>((resolve) => {
      answers.set(body, resolve);
    });
  const answer = async (body: string, result: Result = DONE) => {
    answers.get(body)!(result);
    answers.delete(body);
    await new Promise(setImmediate);
  };
  return { send, answer, underWay: () => [...answers.keys()] };
}

const entry = (place: number, body: string, key = body): Entry<number> => ({
  place,
  bytes: 1,
  work: { kind: 'write', operation: 'PutItem', body, key },
});

test('reports come in the order of the input, whatever order the answers have', async () => {
  const { send, answer } = manualWrites();
  const reported: unknown[] = [];
  const queue = new WriteQueue<number>(send, ({ place }, outcome) => reported.push([place, outcome.kind]), 8);
  for (const [place, body] of ['a', 'b', 'c'].entries()) queue.add(entry(place, body));
  queue.add({ place: 3, bytes: 1, work: { kind: 'bad', problem: 'wrong' } });
  await answer('c');
  await answer('b');
  expect(reported).toEqual([]);
  await answer('a', { kind: 'refused', name: 'ValidationException', message: 'no' });
  await queue.drained();
  expect(reported).toEqual([
    [0, 'bad'],
    [1, 'done'],
    [2, 'done'],
    [3, 'bad'],
  ]);
});

test('writes of one item wait for each other, those of others do not', async () => {
  const { send, answer, underWay } = manualWrites();
  const queue = new WriteQueue<number>(send, () => {}, 8);
  queue.add(entry(0, 'first', 'k'));
  queue.add(entry(1, 'second', 'k'));
  queue.add(entry(2, 'other'));
  queue.add(entry(3, 'third', 'k'));
  await new Promise(setImmediate);
  expect(underWay()).toEqual(['first', 'other']);
  await answer('first');
  expect(underWay()).toEqual(['other', 'second']);
  await answer('second');
  expect(underWay()).toEqual(['other', 'third']);
});

test('it is full with as many writes as may be under way, and has room after an answer', async () => {
  const { send, answer } = manualWrites();
  const queue = new WriteQueue<number>(send, () => {}, 2);
  queue.add(entry(0, 'a'));
  expect(queue.isFull).toBe(false);
  queue.add(entry(1, 'b'));
  expect(queue.isFull).toBe(true);
  const room = queue.room();
  await answer('b');
  await room;
  expect(queue.isFull).toBe(false);
});

test('after a failed write nothing is sent or reported beyond it, and what was under way before it is', async () => {
  const { send, answer, underWay } = manualWrites();
  const reported: number[] = [];
  const queue = new WriteQueue<number>(send, ({ place }) => reported.push(place), 8);
  queue.add(entry(0, 'a'));
  queue.add(entry(1, 'b', 'k'));
  queue.add(entry(2, 'c', 'k'));
  await answer('b', { kind: 'refused', name: 'AccessDeniedException', message: 'no' });
  expect(queue.hasFailed).toBe(true);
  expect(underWay()).toEqual(['a']);
  await answer('a');
  await expect(queue.drained()).rejects.toEqual(new FailedWrite(1, 'AccessDeniedException: no'));
  expect(reported).toEqual([0]);
});

test('what is reported takes no more memory', async () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const queue = new WriteQueue<number>(
    async () => DONE,
    () => {},
    8,
  );
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  for (let place = 0; place < 400; place++) {
    await queue.room();
    queue.add(entry(place, Buffer.alloc(400_000, 'x').toString('latin1'), String(place)));
  }
  await queue.drained();
  await new Promise(setImmediate);
  collectGarbage();
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(20_000_000);
  expect(queue.isFull).toBe(false);
});
