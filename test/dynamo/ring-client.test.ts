import { describe, expect, test } from 'vitest';
import { Departing } from '../../src/api/departure.ts';
import type { Failure, RangeOutcome, WriteOutcome } from '../../src/dynamo/client.ts';
import type { CoordinatingNode } from '../../src/dynamo/coordinating-node.ts';
import type { CoordinationRequest } from '../../src/dynamo/coordination-messages.ts';
import { collectionPrefix, prefixEnd } from '../../src/dynamo/keyspace.ts';
import { DEFAULT_NODE_LIMITS } from '../../src/dynamo/node-settings.ts';
import type { Carried, WriteAnswer } from '../../src/dynamo/registers/handed-back.ts';
import { RingClient } from '../../src/dynamo/ring-client.ts';
import { RingView } from '../../src/dynamo/ring-view.ts';
import { ManualClock } from '../parts/manual-clock.ts';
import { put } from './three-nodes.ts';

const KEY = { table: '\0\0\0\0\0\0\0\x01', partitionKey: 'k', sortKey: '' };
const STRICT = { consistency: 'strict', wantsOld: false } as const;
const CUT_OFF: Failure = { kind: 'unavailable', needed: 2, got: 1 };
const APPLIED: WriteOutcome = { kind: 'applied', next: undefined, old: undefined };
const CARRIED: Carried = {
  kind: 'round',
  operation: { coordinator: 1, boot: 1, sequence: 1 },
  attempts: new Map([[1, { kind: 'applied', next: undefined, old: undefined }]]),
};
const HANDED_BACK: WriteAnswer = { kind: 'handed-back', carried: CARRIED };

/** A client of three nodes that answer after so long what the test says, to each write. */
function ringOf(answers: Record<string, { readonly afterMs: number; readonly answer?: WriteAnswer }>) {
  const clock = new ManualClock();
  const asked: { readonly node: string; readonly carried: Carried | undefined }[] = [];
  const nodeOf = (node: string): CoordinatingNode => ({
    coordinate: (request, reply) => {
      if (request.kind !== 'coordinate-write') return;
      asked.push({ node, carried: request.carried });
      const { afterMs, answer } = answers[node]!;
      if (answer === undefined) return;
      const done = reply as (answer: WriteAnswer) => void;
      if (afterMs === 0) done(answer);
      else clock.after(afterMs, () => done(answer));
    },
  });
  const names = ['A', 'B', 'C'];
  const members = names.map((node, i) => ({ node, diskId: i }));
  const client = new RingClient({
    view: new RingView([{ partition: 0, epoch: 0, attempt: 0, members }]),
    nodes: new Map(names.map((node) => [node, nodeOf(node)])),
    clock,
    limits: DEFAULT_NODE_LIMITS,
    writeQuorum: 2,
  });
  const write = () => client.write(KEY, put('v'), STRICT);
  /** What a write came to within so long. */
  const outcomeOf = async (promise: Promise<WriteOutcome>, withinMs: number) => {
    clock.advance(withinMs);
    return Promise.race([promise, new Promise((resolve) => setImmediate(resolve, 'nothing yet'))]);
  };
  return { client, clock, asked, answers, write, outcomeOf };
}

describe('a write that its coordinator cannot do', () => {
  test('is done by the next node, and the next write goes there at once', async () => {
    const ring = ringOf({
      A: { afterMs: 1_000, answer: CUT_OFF },
      B: { afterMs: 1, answer: APPLIED },
      C: { afterMs: 1 },
    });
    expect(await ring.outcomeOf(ring.write(), 1_001)).toEqual(APPLIED);
    expect(await ring.outcomeOf(ring.write(), 1)).toEqual(APPLIED);
    expect(ring.asked.map(({ node }) => node)).toEqual(['A', 'B', 'B']);
    ring.client.stop();
  });

  test('is carried on with from where it was left', async () => {
    const ring = ringOf({
      A: { afterMs: 1_000, answer: HANDED_BACK },
      B: { afterMs: 500, answer: CUT_OFF },
      C: { afterMs: 1, answer: APPLIED },
    });
    expect(await ring.outcomeOf(ring.write(), 1_501)).toEqual(APPLIED);
    expect(ring.asked).toEqual([
      { node: 'A', carried: undefined },
      { node: 'B', carried: CARRIED },
      { node: 'C', carried: CARRIED },
    ]);
    ring.client.stop();
  });

  test('is tried again by all of them for as long as an operation may take, and has then not happened', async () => {
    const cutOff = { afterMs: 500, answer: CUT_OFF };
    const ring = ringOf({ A: cutOff, B: cutOff, C: cutOff });
    const outcome = ring.write();
    expect(await ring.outcomeOf(outcome, 4_900)).toBe('nothing yet');
    expect(await ring.outcomeOf(outcome, 1_000)).toEqual(CUT_OFF);
    expect(ring.asked.map(({ node }) => node).join('')).toMatch(/^(ABC){3}A/);
    ring.client.stop();
  });

  test('may have happened if one of them had begun it', async () => {
    const cutOff = { afterMs: 500, answer: CUT_OFF };
    const ring = ringOf({ A: { afterMs: 500, answer: HANDED_BACK }, B: cutOff, C: cutOff });
    expect(await ring.outcomeOf(ring.write(), 6_000)).toEqual({ kind: 'unknown' });
    ring.client.stop();
  });

  test('is not asked again without pause where all refuse at once', async () => {
    const refusing = { afterMs: 0, answer: CUT_OFF };
    const ring = ringOf({ A: refusing, B: refusing, C: refusing });
    expect(await ring.outcomeOf(ring.write(), 6_000)).toEqual(CUT_OFF);
    expect(ring.asked.length).toBeLessThan(3 * (DEFAULT_NODE_LIMITS.opLifeMs / DEFAULT_NODE_LIMITS.maxBackoffMs + 2));
    ring.client.stop();
  });

  test('is not asked of another if nobody knows what became of it', async () => {
    const ring = ringOf({
      A: { afterMs: 10, answer: { kind: 'unknown' } },
      B: { afterMs: 0, answer: APPLIED },
      C: { afterMs: 0, answer: APPLIED },
    });
    expect(await ring.outcomeOf(ring.write(), 10)).toEqual({ kind: 'unknown' });
    expect(ring.asked).toHaveLength(1);
    ring.client.stop();
  });
});

describe('a node that gave a write back', () => {
  test('is asked by one write a second whether it is still cut off, and by all once it is not', async () => {
    const ring = ringOf({ A: { afterMs: 1, answer: CUT_OFF }, B: { afterMs: 1, answer: APPLIED }, C: { afterMs: 1 } });
    for (let i = 0; i < 100; i++) {
      expect(await ring.outcomeOf(ring.write(), 50)).toEqual(APPLIED);
    }
    const trials = ring.asked.filter(({ node }) => node === 'A').length;
    expect(trials).toBeGreaterThanOrEqual(4);
    expect(trials).toBeLessThanOrEqual(6);
    ring.answers.A = { afterMs: 1, answer: APPLIED };
    await ring.outcomeOf(ring.write(), 1_000);
    await ring.outcomeOf(ring.write(), 50);
    ring.asked.length = 0;
    for (let i = 0; i < 10; i++) await ring.outcomeOf(ring.write(), 50);
    expect(ring.asked.every(({ node }) => node === 'A')).toBe(true);
    ring.client.stop();
  });
});

describe('a node that has left a write unanswered for too long', () => {
  test.each<[string, WriteAnswer, string]>([
    ['is asked again', APPLIED, 'A'],
    ['is not asked for a while', CUT_OFF, 'B'],
  ])('%s once its answer, %j, has come, even if nobody waits for that any more', async (_, late, next) => {
    const ring = ringOf({
      A: { afterMs: 7_000, answer: late },
      B: { afterMs: 1, answer: APPLIED },
      C: { afterMs: 1, answer: APPLIED },
    });
    expect(await ring.outcomeOf(ring.write(), 6_500)).toEqual({ kind: 'unknown' });
    await ring.outcomeOf(ring.write(), 10);
    ring.clock.advance(1_000);
    ring.answers.A = { afterMs: 1, answer: APPLIED };
    await ring.outcomeOf(ring.write(), 10);
    expect(ring.asked.map(({ node }) => node)).toEqual(['A', 'B', next]);
    ring.client.stop();
  });
});

test('a range of sort keys is asked of the node that coordinates as a range of store keys, in the order of the request', async () => {
  const asked: CoordinationRequest[] = [];
  const node: CoordinatingNode = {
    coordinate: (request, reply) => {
      asked.push(request);
      (reply as (answer: RangeOutcome) => void)({ kind: 'items', items: [], more: false });
    },
  };
  const client = new RingClient({
    view: new RingView([{ partition: 0, epoch: 0, attempt: 0, members: [{ node: 'A', diskId: 1 }] }]),
    nodes: new Map([['A', node]]),
    clock: new ManualClock(),
    limits: DEFAULT_NODE_LIMITS,
    writeQuorum: 1,
  });
  const { table, partitionKey } = KEY;
  const whole = { table, partitionKey, order: 'forward', limit: 5, from: 'latest', consistency: 'strict' } as const;
  await client.range(whole);
  await client.range({
    ...whole,
    lower: { sortKey: 'b', isInclusive: false },
    upper: { sortKey: 'd', isInclusive: true },
    order: 'backward',
  });
  const prefix = collectionPrefix(table, partitionKey, 1);
  expect(asked).toMatchObject([
    { kind: 'coordinate-range', range: { from: prefix, to: prefixEnd(prefix) }, order: 'forward', limit: 5 },
    { kind: 'coordinate-range', range: { from: `${prefix}b\0`, to: `${prefix}d\0` }, order: 'backward', limit: 5 },
  ]);
});

test('a node that does not answer may owe entries, until others have had the time to settle them', async () => {
  const clock = new ManualClock();
  const nodeOf = (items: number | undefined): CoordinatingNode => ({
    coordinate: (request, reply) => {
      if (request.kind === 'due-of' && items !== undefined) (reply as (answer: object) => void)({ kind: 'due', items });
    },
  });
  const clientOf = (...due: readonly (number | undefined)[]) =>
    new RingClient({
      view: new RingView([{ partition: 0, epoch: 0, attempt: 0, members: [{ node: 'A', diskId: 1 }] }]),
      nodes: new Map(due.map((items, i) => ['ABC'[i]!, nodeOf(items)])),
      clock,
      limits: DEFAULT_NODE_LIMITS,
      writeQuorum: 2,
    });
  const dueOf = (client: RingClient, ageMs: number) => {
    const due = client.due(KEY.table, ageMs);
    clock.advance(DEFAULT_NODE_LIMITS.suspectAfterMs);
    return due;
  };
  expect(await dueOf(clientOf(0, 0, 0), 0)).toBe(0);
  expect(await dueOf(clientOf(0, undefined, 3), 0)).toBe(3);
  const client = clientOf(0, undefined, 0);
  expect(await dueOf(client, 0)).toBe(1);
  const { outboxAgeMs, outboxLaterMs, finishIntervalMs, opLifeMs, suspectAfterMs } = DEFAULT_NODE_LIMITS;
  const takenOverMs = outboxAgeMs + outboxLaterMs + finishIntervalMs + opLifeMs;
  clock.advance(takenOverMs - suspectAfterMs);
  expect(await dueOf(client, 0)).toBe(1);
  expect(await dueOf(client, 0)).toBe(0);
  // Nobody knows what it has done since it was asked last.
  clock.advance(takenOverMs);
  expect(await dueOf(client, 0)).toBe(1);
});

test('a derivation is not in use before what a strong read may have left, whose client has gone, is lost', async () => {
  const { opLifeMs, messageLifeMs } = DEFAULT_NODE_LIMITS;
  const clock = new ManualClock();
  const node: CoordinatingNode = {
    coordinate: (request, reply, departure) => {
      const answer = reply as (answer: object) => void;
      if (request.kind === 'use-derivation') answer({ kind: 'used' });
      else departure?.whenGone(() => answer({ kind: 'lost' }));
    },
  };
  const client = new RingClient({
    view: new RingView([{ partition: 0, epoch: 0, attempt: 0, members: [{ node: 'A', diskId: 1 }] }]),
    nodes: new Map([['A', node]]),
    clock,
    limits: DEFAULT_NODE_LIMITS,
    writeQuorum: 1,
  });
  const derivation = (version: number) => ({
    table: KEY.table,
    version,
    key: { partition: { name: 'id', type: 'S' as const } },
    indexes: [],
  });
  const isUsed = (version: number) => {
    const used = client.useDerivation(derivation(version)).then(() => true);
    return () => Promise.race([used, new Promise((resolve) => setImmediate(resolve, false))]);
  };
  expect(await isUsed(1)()).toBe(true);
  const readBy = (from: 'latest' | 'committed', departure: Departing) =>
    client.read({ key: KEY, from, consistency: 'strict', derivation: undefined, requestId: undefined, departure });
  for (const [from, version] of [
    ['committed', 2],
    ['latest', 3],
  ] as const) {
    const departure = new Departing();
    const read = readBy(from, departure);
    departure.go();
    await read;
    const used = isUsed(version);
    expect(await used(), from).toBe(from === 'committed');
    clock.advance(opLifeMs + messageLifeMs + DEFAULT_NODE_LIMITS.derivationFreshMs);
    expect(await used(), from).toBe(true);
  }
  client.stop();
});
