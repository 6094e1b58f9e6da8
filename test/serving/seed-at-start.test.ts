import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ApiError } from '../../src/api/errors.ts';
import { silentLog } from '../../src/env/log.ts';
import type { RingExamination } from '../../src/peer/ring-examination.ts';
import { seedAtStart } from '../../src/serving/seed-at-start.ts';
import { temporaryDirectory } from '../parts/directory.ts';
import { ManualClock } from '../parts/manual-clock.ts';

const SEED = {
  TableName: 'Things',
  BillingMode: 'PAY_PER_REQUEST',
  AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
  KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
  Items: [{ id: { S: '1' } }],
};

/** @param outcomes of each request, in order; undefined: it is done. @param votes of the only node, at each look */
function world(outcomes: (ApiError | undefined)[], votes: readonly number[] = [0]) {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, 'things.json'), JSON.stringify(SEED));
  const clock = new ManualClock();
  const done: string[] = [];
  let looks = 0;
  let isStopping = false;
  const router = {
    tables: { drop: async () => void done.push('drop') } as never,
    executeIn: async (_namespace: string, operation: string) => {
      done.push(operation);
      const error = outcomes.shift();
      if (error !== undefined) throw error;
      return {};
    },
  };
  const ring = {
    examine: (): RingExamination => ({
      nodes: [
        {
          id: 'a',
          state: 'up',
          votes: [votes[Math.min(looks++, votes.length - 1)]!],
          hints: 0,
          suspects: [],
          release: undefined,
        },
      ],
      partitions: [{ partition: 0, epoch: 0, attempt: 0, members: [{ node: 'a', diskId: 1 }] }],
      moves: [],
      unknownGoal: undefined,
      level: undefined,
      notes: [],
    }),
  };
  const settings = { replication: 1, writeQuorum: 1, readQuorum: 1 };
  const cluster = { ring, settings, clock, log: silentLog, isStopping: () => isStopping };
  const begin = (isOfSeveral = true) => {
    let hasEnded = false;
    const parts = { router, nowMs: () => 0, log: silentLog };
    const seeded = seedAtStart(directory, parts, isOfSeveral ? cluster : undefined).finally(() => {
      hasEnded = true;
    });
    return { seeded, hasEnded: () => hasEnded };
  };
  const settle = async (ms = 0) => {
    clock.advance(ms);
    // Seeds are read from disk.
    await new Promise((resolve) => setTimeout(resolve, 20));
  };
  return { begin, settle, done, looks: () => looks, stop: () => (isStopping = true) };
}

const UNAVAILABLE = ApiError.internalServerError('no');

describe('the seeds of a process of several', () => {
  test('wait until every partition has a majority', async () => {
    const { begin, settle, done, looks } = world([], [-1, -1, 0]);
    const { seeded } = begin();
    await expect.poll(looks).toBe(1);
    await settle(500);
    expect([looks(), done]).toEqual([2, []]);
    await settle(500);
    await seeded;
    expect(done).toEqual(['CreateTable', 'PutItem']);
  });

  test('are begun again if the cluster fails: what was made in part is taken back', async () => {
    const { begin, settle, done } = world([undefined, UNAVAILABLE]);
    const { seeded } = begin();
    await expect.poll(() => done).toEqual(['CreateTable', 'PutItem', 'drop']);
    await settle(500);
    await seeded;
    expect(done.slice(3)).toEqual(['CreateTable', 'PutItem']);
  });

  test('fill a table that was made although that was not known', async () => {
    const { begin, settle, done } = world([UNAVAILABLE, ApiError.resourceInUse('there is one')]);
    const { seeded } = begin();
    await expect.poll(() => done).toEqual(['CreateTable']);
    await settle(500);
    await seeded;
    expect(done).toEqual(['CreateTable', 'CreateTable', 'PutItem']);
  });

  test('leave alone what was there before', async () => {
    const { begin, done } = world([ApiError.resourceInUse('there is one')]);
    await begin().seeded;
    expect(done).toEqual(['CreateTable']);
  });

  test('end the process if they are wrong, however long it would wait', async () => {
    const { begin } = world([ApiError.validation('no')]);
    await expect(begin().seeded).rejects.toThrow('things.json:1:1: ValidationException: no');
  });

  test('are given up when it is to end', async () => {
    const { begin, settle, done, looks, stop } = world([], [-1]);
    const { seeded } = begin();
    await expect.poll(looks).toBe(1);
    stop();
    await settle(500);
    await seeded;
    expect(done).toEqual([]);
  });
});

test('the seeds of a process by itself are tried once', async () => {
  const { begin, looks } = world([UNAVAILABLE]);
  await expect(begin(false).seeded).rejects.toThrow('things.json');
  expect(looks()).toBe(0);
});
