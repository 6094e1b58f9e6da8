import { describe, expect, test } from 'vitest';
import { highestAt } from '../../src/dynamo/ballot.ts';
import type { CoordinatorTrace } from '../../src/dynamo/coordinating-node.ts';
import type { Reply, Request } from '../../src/dynamo/messages.ts';
import { CoordinatorTraces } from '../../src/trace/coordinator-traces.ts';
import { TraceLog } from '../../src/trace/trace-log.ts';

const BALLOT = { hlc: 1_700_000_000_000 * 1024, coordinator: 7, boot: 2 };
const prepare = (requestId: string | undefined): Request =>
  ({
    kind: 'prepare',
    requestId,
    key: 'k',
    epoch: 0,
    ballot: BALLOT,
    needsCurrent: true,
  }) as unknown as Request;
const promise = (from: string) => ({ kind: 'promise', from }) as unknown as Reply;

function collector() {
  const now = { ms: 1_000 };
  return { now, traces: new CoordinatorTraces(() => now.ms) };
}

describe('what a coordinator does for a request of another process', () => {
  test('is kept until it answers, with times since the request came', () => {
    const { now, traces } = collector();
    const end = traces.begin('R1', true)!;
    now.ms += 2;
    const heard: Reply[] = [];
    const hear = traces.sent('b', prepare('R1'), (reply) => heard.push(reply));
    now.ms += 3;
    hear(promise('b'));
    traces.hintKept('a', { requestId: 'R1', home: 'c', ballot: BALLOT });
    now.ms += 1;
    expect(end()).toEqual({
      ms: 6,
      events: [
        { atMs: 2, what: 'asked', node: 'b', detail: 'prepare', ballot: BALLOT },
        { atMs: 5, what: 'answered', node: 'b', detail: 'promise', ballot: undefined },
        { atMs: 5, what: 'hint', node: 'c', detail: 'kept by a', ballot: BALLOT },
      ],
    });
    expect(heard).toEqual([promise('b')]);
  });

  test('is not kept for other requests, nor after the answer', () => {
    const { traces } = collector();
    const end = traces.begin('R1', true)!;
    const onReply = () => {};
    expect(traces.sent('b', prepare('R2'), onReply)).toBe(onReply);
    expect(traces.sent('b', prepare(undefined), onReply)).toBe(onReply);
    const late = traces.sent('b', prepare('R1'), onReply);
    end();
    late(promise('b'));
    expect(traces.sent('b', prepare('R1'), onReply)).toBe(onReply);
    const again = traces.begin('R1', true)!;
    expect(again().events).toEqual([]);
  });

  test('is told once if several requests of one name are under way, each by its own time', () => {
    const { now, traces } = collector();
    const [first, second] = [traces.begin('R1', false)!, traces.begin('R1', false)!];
    now.ms += 4;
    traces.sent('b', prepare('R1'), () => {});
    const third = traces.begin('R1', false)!;
    expect(third()).toMatchObject({ ms: 0, events: [{ atMs: 0 }] });
    traces.sent('c', prepare('R1'), () => {});
    expect(first().events.map(({ atMs, node }) => [atMs, node])).toEqual([[4, 'c']]);
    expect(second().events).toEqual([]);
  });

  test('is bounded: events of a request, and requests', () => {
    const { traces } = collector();
    const end = traces.begin('R', true)!;
    for (let i = 0; i < 100; i++) traces.sent('b', prepare('R'), () => {});
    expect(end().events.length).toBe(64);
    const ends = Array.from({ length: 300 }, (_, i) => traces.begin(`R${i}`, true));
    expect(ends.filter((each) => each !== undefined).length).toBe(256);
    for (const each of ends) each?.();
    expect(traces.begin('R', true)).toBeDefined();
  });
});

describe('what another process tells', () => {
  const nodeOf = (disk: number) => (disk === 7 ? 'a' : undefined);
  const TOLD: CoordinatorTrace = {
    ms: 6,
    events: [
      { atMs: 2, what: 'asked', node: 'b', detail: 'prepare', ballot: BALLOT },
      { atMs: 5, what: 'answered', node: 'b', detail: 'promise', ballot: highestAt(1) },
    ],
  };

  async function asked(tell: (trace: TraceLog, now: { ms: number }) => void) {
    const now = { ms: 50 };
    const log = new TraceLog({ tracesKept: 2, traceEventsKept: 10 }, () => now.ms);
    const execute = log.traced(async () => {
      log.asked('R1', 'a', 'coordinate-read');
      tell(log, now);
      log.answered('R1', 'a', 'found');
      return {};
    });
    await execute('GetItem', {}, { requestId: 'R1', nowMs: 0, accessKeyId: 'any', region: 'local' });
    return log.trace('R1', nodeOf)!.events;
  }

  test('is put where it belongs in time: the way there and back took half each of what it did not take', async () => {
    const events = await asked((log, now) => {
      const tell = log.expect('R1')!;
      now.ms += 5;
      log.fired('R1', 'rule');
      now.ms += 5;
      tell(TOLD);
    });
    expect(events.map(({ atMs, what, detail }) => [atMs, what, detail])).toEqual([
      [0, 'asked', 'coordinate'],
      [4, 'asked', 'prepare'],
      [5, 'fault', 'rule'],
      [7, 'answered', 'promise'],
      [10, 'answered', 'found'],
    ]);
    expect(events[1]!.ballot).toMatch(/^2023-11-14T22:13:20.000Z\+0 a boot 2$/);
  });

  test('that it has asked nobody is an answer by its own replica; that it tells nothing is not', async () => {
    const detailOf = async (trace: CoordinatorTrace | undefined) =>
      (await asked((log) => log.expect('R1')!(trace))).at(-1)!.detail;
    expect(await detailOf({ ms: 0, events: [] })).toBe('found by its own replica');
    expect(await detailOf(undefined)).toBe('found');
  });

  test("is nobody's if the request is not traced, or not any more", async () => {
    const log = new TraceLog({ tracesKept: 1, traceEventsKept: 10 }, () => 0);
    expect(log.expect('R1')).toBeUndefined();
    const run = (requestId: string) =>
      log.traced(async () => ({}))('GetItem', {}, { requestId, nowMs: 0, accessKeyId: 'any', region: 'local' });
    await run('R1');
    const late = log.expect('R1')!;
    await run('R2');
    late(TOLD);
    expect(log.trace('R2', nodeOf)!.events).toEqual([]);
  });
});
