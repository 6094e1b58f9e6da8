import { beforeEach, describe, expect, test } from 'vitest';
import { TICKS_PER_MS } from '../../src/dynamo/ballot.ts';
import { HintedHandoff } from '../../src/dynamo/healing/hinted-handoff.ts';
import type { Reply, Request } from '../../src/dynamo/messages.ts';
import { DEFAULT_NODE_LIMITS, type NodeLimits } from '../../src/dynamo/node-settings.ts';
import { ItemRecord } from '../../src/dynamo/record.ts';
import { silentLog } from '../../src/env/log.ts';
import { MemoryStore } from '../../src/env/memory-store.ts';
import { ManualClock } from '../parts/manual-clock.ts';

const KEY = '\0\0table-01 key-of-an-item';
const record = (ms: number): ItemRecord =>
  new ItemRecord({
    ballot: { hlc: ms * TICKS_PER_MS, coordinator: 1, boot: 1 },
    item: { size: 3, json: Buffer.from(String(ms)) },
    partitionKey: 'k',
    lineage: [],
  });
const chosen = (ms: number, key = KEY) => ({ requestId: undefined, key, record: record(ms) });

let clock: ManualClock;
let store: MemoryStore;
let up: Set<string>;
let members: string[];
let learned: string[];
/** The members of keys whose partition has moved. */
let moved: Map<string, string[]>;
/** Nodes without a vote: what they learn they may have to erase. */
let voteless: Set<string>;
/** Members that wait for the next epoch, and those that have not heard of the present one. */
let sealed: Set<string>;
let behind: Set<string>;
/** Nodes that hold back what they are told. */
let lagging: Set<string>;

beforeEach(() => {
  clock = new ManualClock();
  store = new MemoryStore();
  up = new Set(['b', 'c', 'd']);
  members = ['a', 'b', 'c'];
  learned = [];
  voteless = new Set();
  sealed = new Set();
  behind = new Set();
  lagging = new Set();
  moved = new Map();
});

function open(limits: Partial<NodeLimits> = {}): HintedHandoff {
  const transport = {
    send: (to: string, request: Request, onReply: (reply: Reply) => void) => {
      if (request.kind !== 'learn' || !(up.has(to) || to === 'a')) return;
      learned.push(`${to} ${request.record.ballot.hlc / TICKS_PER_MS}`);
      const isHeld = lagging.has(to);
      const vote = voteless.has(to) || isHeld ? undefined : { epoch: behind.has(to) ? 0 : 1, isSealed: sealed.has(to) };
      clock.after(1, () => onReply({ kind: 'learned', from: to, vote, isHeld }));
    },
  };
  return new HintedHandoff({
    self: 'a',
    store,
    clock,
    log: silentLog,
    limits: { ...DEFAULT_NODE_LIMITS, hintIntervalMs: 100, hintLifeMs: 10_000, ...limits },
    transport,
    isUp: (node) => up.has(node),
    configOfKey: (key) => ({
      partition: 0,
      epoch: 1,
      attempt: 1,
      members: (moved.get(key) ?? members).map((node) => ({ node, diskId: 1 })),
    }),
  });
}

describe('a hint', () => {
  test('waits as long as its home is down, and goes when it was taken', () => {
    const hints = open();
    up.delete('b');
    hints.keep('b', chosen(1));
    hints.start();
    clock.advance(500);
    expect(learned).toEqual([]);
    up.add('b');
    clock.advance(150);
    expect(learned).toEqual(['b 1']);
    expect(hints.count).toBe(0);
    expect(hints.bytes).toBe(0);
    expect(hints.hasHint(KEY)).toBe(false);
    hints.stop();
  });

  test.each([
    ['is sealed, so that the next epoch may begin without it', () => sealed],
    ['is behind, so that it may begin the present epoch with nothing', () => behind],
  ])('is kept while its home %s', (_why, unfit) => {
    const hints = open();
    unfit().add('b');
    hints.keep('b', chosen(1));
    hints.start();
    clock.advance(150);
    expect(learned).toEqual(['b 1']);
    expect(hints.count).toBe(1);
    unfit().delete('b');
    clock.advance(150);
    expect(hints.count).toBe(0);
    hints.stop();
  });

  test('is the newest record of its key and home', () => {
    const hints = open();
    for (const ms of [5, 9, 7]) hints.keep('b', chosen(ms));
    expect(hints.count).toBe(1);
    expect(hints.committed(KEY)?.ballot.hlc).toBe(9 * TICKS_PER_MS);
    hints.deliver('b');
    clock.advance(50);
    expect(learned).toEqual(['b 9']);
  });

  test('that became newer while its former self was on the way stays', () => {
    const hints = open();
    hints.keep('b', chosen(1));
    hints.deliver('b');
    hints.keep('b', chosen(2));
    clock.advance(50);
    expect(hints.committed(KEY)?.ballot.hlc).toBe(2 * TICKS_PER_MS);
  });

  test('survives a restart of its holder, and counts again', () => {
    const before = open();
    before.keep('b', chosen(1));
    before.keep('c', chosen(1));
    const after = open();
    expect([after.count, after.bytes]).toEqual([before.count, before.bytes]);
    expect(after.count).toBe(2);
  });

  test('finds no room above the bounds', () => {
    expect(open({ hintsKept: 0 }).keep('b', chosen(1))).toBe(false);
    expect(open({ hintBytesKept: 10 }).keep('b', chosen(1))).toBe(false);
  });

  test('that is too old is dropped, not delivered', () => {
    const hints = open();
    hints.keep('b', chosen(1));
    clock.advance(10_001);
    hints.deliver('b');
    clock.advance(50);
    expect(learned).toEqual([]);
    expect(hints.count).toBe(0);
  });

  test('for a home that has left goes to all present members', () => {
    const hints = open();
    hints.keep('b', chosen(1));
    up.delete('b');
    members = ['a', 'c', 'd'];
    hints.start();
    clock.advance(150);
    expect(learned.sort()).toEqual(['a 1', 'c 1', 'd 1']);
    expect(hints.count).toBe(0);
    hints.stop();
  });

  test('stays until its home takes it with a vote, since a newcomer may erase what it was told before', () => {
    const hints = open();
    hints.keep('b', chosen(1));
    voteless.add('b');
    hints.start();
    clock.advance(450);
    expect(learned.length).toBeGreaterThan(1);
    expect(hints.count).toBe(1);
    voteless.clear();
    clock.advance(150);
    expect(hints.count).toBe(0);
    hints.stop();
  });

  test('stays while its home holds it back, and is offered with few others at a time', () => {
    const hints = open({ repairBatch: 2 });
    lagging.add('b');
    for (let i = 0; i < 5; i++) hints.keep('b', chosen(i, `${KEY}${i}`));
    hints.start();
    clock.advance(50 + 3 * 100);
    expect(learned).toEqual(['b 0', 'b 1', 'b 2', 'b 3', 'b 4']);
    clock.advance(150);
    expect(learned.slice(5)).toEqual(['b 0', 'b 1']);
    expect(hints.count).toBe(5);
    lagging.delete('b');
    clock.advance(300);
    expect(hints.count).toBe(0);
    hints.stop();
  });

  test('that is too old goes although its home is down, and makes room for others', () => {
    const hints = open({ hintsKept: 2 });
    up.delete('b');
    hints.keep('b', chosen(1, `${KEY}1`));
    hints.keep('b', chosen(1, `${KEY}2`));
    hints.start();
    clock.advance(9_000);
    expect(hints.count).toBe(2);
    clock.advance(2_000);
    expect(hints.count).toBe(0);
    expect(hints.keep('c', chosen(1))).toBe(true);
    hints.stop();
  });

  test('that is too old is no answer to a read', () => {
    const hints = open();
    hints.keep('b', chosen(1));
    expect(hints.committed(KEY)).toBeDefined();
    clock.advance(10_001);
    expect(hints.committed(KEY)).toBeUndefined();
  });

  test('of a partition that has moved goes to its members, although its home is down and has others', () => {
    const hints = open({ repairBatch: 2 });
    up.delete('b');
    for (const i of [1, 2, 3, 4, 5]) hints.keep('b', chosen(i, `${KEY}${i}`));
    moved.set(`${KEY}4`, ['c', 'd']);
    hints.start();
    clock.advance(1_000);
    expect([...new Set(learned)].sort()).toEqual(['c 4', 'd 4']);
    expect(hints.count).toBe(4);
    hints.stop();
  });

  test('is not held up by those before it, one of whose new homes is down', () => {
    const hints = open({ repairBatch: 2 });
    for (const i of [1, 2, 3, 4]) hints.keep('b', chosen(i, `${KEY}${i}`));
    for (const i of [1, 2]) moved.set(`${KEY}${i}`, ['c', 'e']);
    for (const i of [3, 4]) moved.set(`${KEY}${i}`, ['c', 'd']);
    hints.start();
    clock.advance(2_000);
    expect(learned).toContain('d 3');
    expect(hints.count).toBe(2);
    hints.stop();
  });
});
