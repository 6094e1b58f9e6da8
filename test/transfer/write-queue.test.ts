import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { LIMITS } from '../../src/transfer/transfer-limits.ts';
import type { Write } from '../../src/transfer/write.ts';
import { type Entry, FailedWrite, type QueueParts, WriteQueue } from '../../src/transfer/write-queue.ts';
import type { WriteResult } from '../../src/transfer/write-sender.ts';

const WRITTEN: WriteResult = { kind: 'written' };
const refused = (name: string, message: string): WriteResult => ({ kind: 'refused', name, message });

/** Requests whose answers the test gives; each is called by what it writes, as in `a b`. */
function manualSender(batchSize: number) {
  const answers = new Map<string, (results: readonly WriteResult[]) => void>();
  const send = (writes: readonly Write[]) =>
    new Promise<readonly WriteResult[]>((resolve) => {
      answers.set(writes.map(({ json }) => json).join(' '), resolve);
    });
  const answer = async (name: string, ...results: WriteResult[]) => {
    answers.get(name)!(results.length > 0 ? results : name.split(' ').map(() => WRITTEN));
    answers.delete(name);
    await settled();
  };
  return { sender: { batchSize, send }, answer, underWay: () => [...answers.keys()] };
}

const settled = () => new Promise(setImmediate);

/** A queue whose writes wait for others for ever, unless the test says otherwise, and what it has reported. */
function openQueue(parts: Pick<QueueParts<number>, 'sender' | 'concurrency'> & Partial<QueueParts<number>>) {
  const reported: unknown[] = [];
  const queue = new WriteQueue<number>({
    report: ({ place }, outcome) => reported.push([place, outcome.kind]),
    linger: () => new Promise(() => {}),
    ...parts,
  });
  return { queue, reported };
}

const entry = (place: number, json: string, key = json): Entry<number> => ({
  place,
  bytes: 1,
  work: { kind: 'write', operation: 'PutItem', json, key },
});

test('reports come in the order of the input, whatever order the answers have', async () => {
  const { sender, answer } = manualSender(1);
  const { queue, reported } = openQueue({ sender, concurrency: 8 });
  for (const [place, json] of ['a', 'b', 'c'].entries()) queue.add(entry(place, json));
  queue.add({ place: 3, bytes: 1, work: { kind: 'bad', problem: 'wrong' } });
  await answer('c');
  await answer('b');
  expect(reported).toEqual([]);
  await answer('a', refused('ValidationException', 'no'));
  await queue.drained();
  expect(reported).toEqual([
    [0, 'bad'],
    [1, 'done'],
    [2, 'done'],
    [3, 'bad'],
  ]);
});

test('writes of one item wait for each other, those of others do not', async () => {
  const { sender, answer, underWay } = manualSender(1);
  const { queue } = openQueue({ sender, concurrency: 8 });
  queue.add(entry(0, 'first', 'k'));
  queue.add(entry(1, 'second', 'k'));
  queue.add(entry(2, 'other'));
  queue.add(entry(3, 'third', 'k'));
  await settled();
  expect(underWay()).toEqual(['first', 'other']);
  await answer('first');
  expect(underWay()).toEqual(['other', 'second']);
  await answer('second');
  expect(underWay()).toEqual(['other', 'third']);
});

test('it is full with as many requests as may be under way, and has room after an answer', async () => {
  const { sender, answer } = manualSender(2);
  const { queue } = openQueue({ sender, concurrency: 2 });
  for (const [place, json] of ['a', 'b', 'c'].entries()) queue.add(entry(place, json));
  expect(queue.isFull).toBe(false);
  queue.add(entry(3, 'd'));
  expect(queue.isFull).toBe(true);
  const room = queue.room();
  await answer('c d');
  await room;
  expect(queue.isFull).toBe(false);
});

test('after a failed write nothing is sent or reported beyond it, and what was under way before it is', async () => {
  const { sender, answer, underWay } = manualSender(1);
  const { queue, reported } = openQueue({ sender, concurrency: 8 });
  queue.add(entry(0, 'a'));
  queue.add(entry(1, 'b', 'k'));
  queue.add(entry(2, 'c', 'k'));
  await answer('b', refused('AccessDeniedException', 'no'));
  expect(queue.hasFailed).toBe(true);
  expect(underWay()).toEqual(['a']);
  await answer('a');
  await expect(queue.drained()).rejects.toEqual(new FailedWrite(1, 'AccessDeniedException: no'));
  expect(reported).toEqual([[0, 'done']]);
});

test('as many writes of different items as may go together are one request, in their order', async () => {
  const { sender, answer, underWay } = manualSender(3);
  const { queue, reported } = openQueue({ sender, concurrency: 8 });
  for (const [place, json] of ['a', 'b', 'c', 'd'].entries()) queue.add(entry(place, json));
  expect(underWay()).toEqual(['a b c']);
  await answer('a b c', WRITTEN, refused('ValidationException', 'no'), WRITTEN);
  expect(reported).toEqual([
    [0, 'done'],
    [1, 'bad'],
    [2, 'done'],
  ]);
  const drained = queue.drained();
  expect(underWay()).toEqual(['d']);
  await answer('d');
  await drained;
  expect(reported).toHaveLength(4);
});

test('two writes of one item never go together, and the second goes after the first', async () => {
  const { sender, answer, underWay } = manualSender(3);
  const { queue } = openQueue({ sender, concurrency: 8 });
  queue.add(entry(0, 'a'));
  queue.add(entry(1, 'old', 'k'));
  queue.add(entry(2, 'new', 'k'));
  queue.add(entry(3, 'b'));
  expect(underWay()).toEqual(['a old']);
  const drained = queue.drained();
  expect(underWay()).toEqual(['a old', 'b']);
  await answer('a old');
  expect(underWay()).toEqual(['b', 'new']);
  await answer('b');
  await answer('new');
  await drained;
});

test('a batch that fails in the middle names the line, and reports those before', async () => {
  const { sender, answer } = manualSender(3);
  const { queue, reported } = openQueue({ sender, concurrency: 8 });
  for (const [place, json] of ['a', 'b', 'c'].entries()) queue.add(entry(place, json));
  await answer('a b c', WRITTEN, { kind: 'given-up', problem: 'it failed 14 times' });
  await expect(queue.drained()).rejects.toEqual(new FailedWrite(1, 'it failed 14 times'));
  expect(reported).toEqual([[0, 'done']]);
});

test('of an input that is slow, what has come goes without waiting for a whole batch', async () => {
  const { sender, answer, underWay } = manualSender(25);
  let endLinger = () => {};
  const linger = () =>
    new Promise<void>((resolve) => {
      endLinger = resolve;
    });
  const { queue, reported } = openQueue({ sender, concurrency: 8, linger });
  queue.add(entry(0, 'a'));
  queue.add(entry(1, 'b'));
  await settled();
  expect(underWay()).toEqual([]);
  endLinger();
  await settled();
  expect(underWay()).toEqual(['a b']);
  await answer('a b');
  expect(reported).toHaveLength(2);
});

test('a batch has no more bytes than the service takes', async () => {
  const { sender, underWay } = manualSender(25);
  const { queue } = openQueue({ sender, concurrency: 8 });
  // Two bytes each in UTF-8, so that three times as many are over the limit and twice are not.
  const large = 'é'.repeat(LIMITS.maxBatchBytes / 2 / 2.5);
  for (const [place, name] of ['a', 'b', 'c'].entries()) queue.add(entry(place, large, name));
  expect(underWay()).toEqual([`${large} ${large}`]);
});

test('a queue that is full of what was not sent yet sends it', async () => {
  const { sender, answer, underWay } = manualSender(25);
  const { queue } = openQueue({ sender, concurrency: 8 });
  queue.add({ ...entry(0, 'a'), bytes: LIMITS.maxBytesPending });
  expect(queue.isFull).toBe(true);
  const room = queue.room();
  expect(underWay()).toEqual(['a']);
  await answer('a');
  await room;
});

test('what is reported takes no more memory', async () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const sender = { batchSize: 25, send: async (writes: readonly Write[]) => writes.map(() => WRITTEN) };
  const { queue } = openQueue({ sender, concurrency: 8, linger: async () => {}, report: () => {} });
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  for (let place = 0; place < 400; place++) {
    await queue.room();
    queue.add(entry(place, Buffer.alloc(400_000, 'x').toString('latin1'), String(place)));
  }
  await queue.drained();
  await settled();
  collectGarbage();
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(20_000_000);
  expect(queue.isFull).toBe(false);
});
