import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { ReadRoom } from '../../src/router/read-room.ts';
import {
  READ_BYTES_HELD,
  READ_BYTES_PER_TURN,
  READS_AT_ONCE,
  READS_PER_TURN,
  TURNS_OF_OTHERS,
} from '../../src/router/router-limits.ts';

const ITEM_BYTES = 400 * 1024;
const pause = () => nextTurn();

/** Counts what requests for many items hold, and do between two turns of the event loop. */
class Watch {
  held = 0;
  mostHeld = 0;
  mostAtOnce = 0;
  mostPerTurn = 0;
  #atOnce = 0;
  #perTurn = 0;

  async request(room: ReadRoom, items: number, itemBytes: number): Promise<void> {
    const request = room.begin();
    let bytes = 0;
    const readOne = async () => {
      const turn = room.take(request);
      if (turn !== undefined) await turn;
      this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#atOnce);
      await Promise.resolve();
      this.#atOnce--;
      bytes += itemBytes;
      this.held += itemBytes;
      this.mostHeld = Math.max(this.mostHeld, this.held);
      this.#perTurn += itemBytes;
      this.mostPerTurn = Math.max(this.mostPerTurn, this.#perTurn);
      room.give(request, itemBytes);
    };
    for (let at = 0; at < items; at += 25) await Promise.all(Array.from({ length: Math.min(25, items - at) }, readOne));
    await room.end(request);
    this.held -= bytes;
  }

  async countTurns(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      await nextTurn();
      this.#perTurn = 0;
    }
  }
}

test('however many ask for much at the same time, little is held, and the event loop goes round', async () => {
  const room = new ReadRoom(pause);
  const watch = new Watch();
  let isOver = false;
  const turns = watch.countTurns(() => isOver);
  await Promise.all(Array.from({ length: 150 }, () => watch.request(room, 40, ITEM_BYTES)));
  isOver = true;
  await turns;
  expect(watch.held).toBe(0);
  // What was begun when the bound was reached comes to its end.
  expect(watch.mostHeld).toBeLessThan(READ_BYTES_HELD + 40 * ITEM_BYTES + READS_PER_TURN * ITEM_BYTES);
  expect(watch.mostPerTurn).toBeLessThan(READ_BYTES_PER_TURN + READS_PER_TURN * ITEM_BYTES);
  expect(watch.mostAtOnce).toBeLessThanOrEqual(READS_PER_TURN);
});

test('whoever asks for little waits for nobody', async () => {
  const room = new ReadRoom(pause);
  const request = room.begin();
  for (let at = 0; at < 1_000; at++) {
    expect(room.take(request)).toBeUndefined();
    room.give(request, 100);
  }
  expect(room.end(request)).toBeUndefined();
});

test('reads for which the cluster takes its time keep few others waiting', async () => {
  const room = new ReadRoom(pause);
  const slow = room.begin();
  const begun: unknown[] = [];
  for (let at = 0; at < READS_AT_ONCE + 1; at++) Promise.resolve(room.take(slow)).then(() => begun.push(at));
  await nextTurn();
  expect(begun.length).toBeLessThanOrEqual(2 * READS_PER_TURN);
  while (begun.length < READS_AT_ONCE) await nextTurn();
  for (let turns = 0; turns < 3 * TURNS_OF_OTHERS; turns++) await nextTurn();
  expect(begun.length).toBe(READS_AT_ONCE);
  // One that failed.
  room.give(slow, 0);
  for (let turns = 0; turns < 3 * TURNS_OF_OTHERS; turns++) await nextTurn();
  expect(begun.length).toBe(READS_AT_ONCE + 1);
});
