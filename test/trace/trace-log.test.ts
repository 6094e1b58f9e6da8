import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Trace } from '../../src/api/admin.ts';
import type { LimitOptions, Settings } from '../../src/config.ts';
import { type TracedRing, tracedRing } from './traced-ring.ts';

let it: TracedRing;
afterEach(() => it?.close());

async function start(settings?: Partial<Settings>, limits?: LimitOptions): Promise<void> {
  it = await tracedRing(settings, limits);
  // The table's definition is at hand from now on.
  await put('other');
}

const put = (k: string) => it.trace('PutItem', { Item: { k: { S: k } } });
const get = (k: string, ConsistentRead: boolean) => it.trace('GetItem', { Key: { k: { S: k } }, ConsistentRead });

/** What happened, and how often: `asked prepare` of three replicas counts three. */
function tally({ events }: Trace): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { what, detail } of events) counts[`${what} ${detail}`] = (counts[`${what} ${detail}`] ?? 0) + 1;
  return counts;
}

function homesOf(k: string): readonly string[] {
  const { partition } = it.ring.locate({ ...address, partitionKey: k });
  return it.ring.describe().partitions[partition]!.members.map(({ node }) => node);
}
const address = { table: '\0\0\0\0\0\0\0\0', sortKey: '' };

describe('a PutItem', () => {
  test('shows its coordinator, three phases at three replicas, one ballot, and times that grow', async () => {
    await start();
    const trace = await put('a');
    expect(trace).toMatchObject({ operation: 'PutItem', coordinator: homesOf('a')[0] });
    expect(trace.ms).toBeGreaterThan(0);
    expect(tally(trace)).toEqual({
      'asked coordinate': 1,
      'asked prepare': 3,
      'answered promise': 3,
      'asked accept': 3,
      'answered accepted': 3,
      'asked learn': 3,
      'answered learned': 3,
      'answered applied': 1,
    });
    const asked = trace.events.filter(({ what, ballot }) => what === 'asked' && ballot !== undefined);
    expect(new Set(asked.map(({ ballot }) => ballot)).size).toBe(1);
    const today = new Date().toISOString().slice(0, 10);
    expect(asked[0]!.ballot).toMatch(new RegExp(`^${today}T[\\d:.]+Z\\+\\d+ ${trace.coordinator} boot 1$`));
    for (const kind of ['prepare', 'accept', 'learn']) {
      expect(asked.filter(({ detail }) => detail === kind).map(({ node }) => node)).toEqual(homesOf('a'));
    }
    const times = trace.events.map(({ atMs }) => atMs);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(times.every((atMs) => atMs >= 0)).toBe(true);
  });

  test('in a table with an index shows its entry at three homes, and that it is in place', async () => {
    await start({ writeQuorum: 3 });
    await it.trace('CreateTable', {
      TableName: 'fruit',
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: ['k', 'colour'].map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
      KeySchema: [{ AttributeName: 'k', KeyType: 'HASH' }],
      GlobalSecondaryIndexes: [
        {
          IndexName: 'by-colour',
          KeySchema: [{ AttributeName: 'colour', KeyType: 'HASH' }],
          Projection: { ProjectionType: 'ALL' },
        },
      ],
    });
    const { requestId } = await it.trace('PutItem', {
      TableName: 'fruit',
      Item: { k: { S: 'a' }, colour: { S: 'red' } },
    });
    const isMarked = (trace: Trace) => (tally(trace)['answered marked'] ?? 0) === 3;
    const trace = await it.until(requestId, isMarked);
    expect(tally(trace)).toMatchObject({ 'asked learn': 3, 'asked learn entry': 3, 'asked mark-settled': 3 });
    expect(tally(trace)['asked remove entry']).toBeUndefined();
    const sent = trace.events.filter(({ what, detail }) => what === 'asked' && /entry|mark|^accept$/.test(detail));
    const ballots = sent.map(({ ballot }) => ballot);
    expect(new Set(ballots).size).toBe(1);
  });

  test('that is refused by its condition shows that nothing was proposed', async () => {
    await start();
    await put('a');
    const trace = await it.trace('PutItem', {
      Item: { k: { S: 'a' } },
      ConditionExpression: 'attribute_not_exists(k)',
    });
    expect(tally(trace)).toMatchObject({ 'asked prepare': 3, 'answered condition-failed': 1 });
    expect(tally(trace)).not.toHaveProperty('asked accept');
  });

  test('with a replica down shows who did not answer, and the hint that is kept for it', async () => {
    await start({}, { node: { phaseTimeoutMs: 50 } });
    const [first, , third] = homesOf('a');
    await it.ring.stop(third!);
    const { requestId } = await put('a');
    // A read of the same key comes before the hint, and does not take it for its own.
    const read = await get('a', true);
    const trace = await it.until(requestId, ({ events }) => events.some(({ what }) => what === 'hint'));
    const answered = new Set(trace.events.filter(({ what }) => what === 'answered').map(({ node }) => node));
    expect(answered).toEqual(new Set(homesOf('a').slice(0, 2)));
    const { ballot } = trace.events.find(({ detail }) => detail === 'accept')!;
    expect(trace.events.filter(({ what }) => what === 'hint')).toEqual([
      { atMs: expect.any(Number), what: 'hint', node: third, detail: `kept by ${first}`, ballot },
    ]);
    expect(tally(it.admin.trace(read.requestId)!)).not.toHaveProperty(`hint kept by ${first}`);

    // And it is delivered.
    await it.ring.start(third!);
    await it.until(requestId, ({ events }) =>
      events.some(({ what, node, detail }) => what === 'answered' && node === third && detail === 'learned'),
    );
  });

  test('of a table in dynamo mode shows the substitute', async () => {
    await start(
      { nodes: 4, replication: 3, consistency: 'dynamo' },
      { node: { phaseTimeoutMs: 50, suspectAfterMs: 100 } },
    );
    const homes = homesOf('a');
    const substitute = ['node-1', 'node-2', 'node-3', 'node-4'].find((node) => !homes.includes(node))!;
    await it.ring.stop(homes[2]!);
    let trace = await put('a');
    await vi.waitFor(async () => {
      trace = await put('a');
      expect(trace.events.map(({ detail }) => detail)).toContain(`kept by ${substitute}`);
    }, 20_000);
    expect(tally(trace)).toMatchObject({ 'asked learn': 2, [`hint kept by ${substitute}`]: 1, 'answered applied': 1 });
    expect(tally(trace)).not.toHaveProperty('asked prepare');
    expect(trace.events.find(({ what }) => what === 'hint')!.node).toBe(homes[2]);
  });

  test('whose nodes do not answer shows who was asked', async () => {
    await start({}, { node: { opLifeMs: 500, phaseTimeoutMs: 50 } });
    const [first, second, third] = homesOf('a');
    await it.ring.stop(second!);
    await it.ring.stop(third!);
    const trace = await put('a');
    expect(trace.ms).toBeGreaterThan(490);
    expect(tally(trace)).toMatchObject({ 'answered unavailable': 1 });
    expect(tally(trace)['asked prepare']).toBeGreaterThan(3);
    const promises = trace.events.filter(({ detail }) => detail === 'promise');
    expect(new Set(promises.map(({ node }) => node))).toEqual(new Set([first]));
  });
});

describe('a GetItem', () => {
  test('that is consistent shows the majority, and what each holds', async () => {
    await start();
    const written = await put('a');
    const trace = await get('a', true);
    expect(tally(trace)).toEqual({
      'asked coordinate': 1,
      'asked read': 3,
      'answered state': 3,
      'answered found': 1,
    });
    const { ballot } = written.events.find(({ detail }) => detail === 'accept')!;
    expect(trace.events.filter(({ detail }) => detail === 'state').map((each) => each.ballot)).toEqual([
      ballot,
      ballot,
      ballot,
    ]);
  });

  test('that is eventually consistent shows the one replica that answered, without a message', async () => {
    await start();
    await put('a');
    const trace = await get('a', false);
    const [first] = homesOf('a');
    expect(trace.coordinator).toBe(first);
    expect(trace.events).toEqual([
      { atMs: expect.any(Number), what: 'asked', node: first, detail: 'coordinate' },
      { atMs: expect.any(Number), what: 'answered', node: first, detail: 'found by its own replica' },
    ]);
    expect((await get('nothing', false)).events.at(-1)).toMatchObject({ detail: 'none by its own replica' });
  });

  test('that finds a replica behind shows the repair', async () => {
    await start({ antiEntropyIntervalMs: 0, readQuorum: 3 }, { node: { phaseTimeoutMs: 50, hintIntervalMs: 60_000 } });
    const [, , third] = homesOf('a');
    await it.ring.stop(third!);
    await put('a');
    await it.ring.start(third!);
    const { requestId } = await get('a', false);
    const trace = await it.until(requestId, ({ events }) =>
      events.some(({ node, detail }) => node === third && detail === 'learned'),
    );
    const repairs = trace.events.filter(({ what }) => what === 'read-repair');
    expect(repairs).toMatchObject([{ node: third, detail: 'learn', ballot: expect.stringContaining('boot') }]);
  });
});

test('requests for one key at a time are told apart', async () => {
  await start();
  const traces = await Promise.all([
    ...Array.from({ length: 20 }, () => put('hot')),
    get('hot', true),
    get('hot', true),
  ]);
  for (const trace of traces.slice(0, 20)) {
    expect(tally(trace)).toMatchObject({ 'asked prepare': 3, 'asked accept': 3, 'asked learn': 3 });
    expect(new Set(trace.events.filter(({ detail }) => detail === 'accept').map(({ ballot }) => ballot)).size).toBe(1);
  }
  for (const trace of traces.slice(20)) expect(tally(trace)).toMatchObject({ 'asked read': 3 });
});

test('puts of one key at a time in dynamo mode, which prepare nothing, are told apart', async () => {
  await start({ consistency: 'dynamo' });
  const traces = await Promise.all(Array.from({ length: 10 }, () => put('hot')));
  for (const trace of traces) expect(tally(trace)).toMatchObject({ 'asked coordinate': 1, 'asked learn': 3 });
  const ballots = traces.map(({ events }) => new Set(events.flatMap(({ ballot }) => ballot ?? [])));
  for (const ofOne of ballots) expect(ofOne.size).toBe(1);
  expect(new Set(ballots.flatMap((ofOne) => [...ofOne])).size).toBe(10);
});

test('reads of several keys in one request are all of its trace', async () => {
  await start();
  const RequestItems = { things: { Keys: ['a', 'b', 'c'].map((k) => ({ k: { S: k } })), ConsistentRead: true } };
  const trace = await it.trace('BatchGetItem', { RequestItems });
  expect(tally(trace)).toMatchObject({ 'asked coordinate': 3, 'asked read': 9, 'answered none': 3 });
});

describe('what is kept has limits', () => {
  test('the oldest request gives way, and its late messages go to no other', async () => {
    await start({}, { tracesKept: 3, node: { phaseTimeoutMs: 50 } });
    await it.ring.stop(homesOf('a')[2]!);
    const { requestId } = await put('a');
    expect(it.admin.trace(requestId)).toBeDefined();
    const later = [await get('b', false), await get('c', false), await get('d', false)];
    expect(it.admin.trace(requestId)).toBeUndefined();
    await new Promise((resolve) => setTimeout(resolve, 200));
    for (const each of later) expect(it.admin.trace(each.requestId)!.events).toEqual(each.events);
  });

  test('further events of one request are dropped', async () => {
    await start({}, { traceEventsKept: 5 });
    expect((await put('a')).events).toHaveLength(5);
  });
});

test('a fault rule that fired is told by its id', async () => {
  await start();
  const { requestId } = await put('a');
  it.traces.fired(requestId, 'fault-7');
  it.traces.fired('R999', 'fault-7');
  expect(it.admin.trace(requestId)!.events.at(-1)).toEqual({
    atMs: expect.any(Number),
    what: 'fault',
    detail: 'fault-7',
  });
});

test('an operation that asks no replica has a trace, too', async () => {
  await start();
  const trace = await it.trace('GetItem', { Key: { wrong: { S: 'a' } } });
  expect(trace).toMatchObject({ operation: 'GetItem', coordinator: undefined, events: [] });
});
