import { describe, expect, test } from 'vitest';
import type { CoordinationRequest } from '../../src/dynamo/coordination-messages.ts';
import { prefixEnd } from '../../src/dynamo/keyspace.ts';
import { PaperRing } from '../paper/paper-ring.ts';
import type { Sent } from '../parts/memory-node.ts';
import { rangeOf, readOf, writeOf } from './coordination-requests.ts';
import { image } from './three-nodes.ts';

const NAME = 'cart';
const requestId = 'R1';
const put = { kind: 'put', item: image('v') } as const;

/** Has a node coordinate a request. @returns the messages that were sent meanwhile, by their kinds, with their ids */
function sentFor(
  ring: PaperRing,
  at: string,
  request: CoordinationRequest,
): Map<Sent['kind'], Set<string | undefined>> {
  const sent = ring.during(() => {
    ring.node(at).coordinate(request, () => {});
    ring.run(20_000);
  });
  const ids = new Map<Sent['kind'], Set<string | undefined>>();
  for (const { kind, isReply, request: message } of sent) {
    if (isReply) continue;
    const id = 'requestId' in message ? message.requestId : undefined;
    ids.set(kind, (ids.get(kind) ?? new Set()).add(id));
  }
  return ids;
}

describe('each message that is sent for a request carries its id:', () => {
  const only = new Set([requestId]);

  test('those of a write', () => {
    const ring = new PaperRing({ nodes: 3 });
    const ids = sentFor(ring, 'node-1', writeOf(ring.keyOf(NAME), put, { requestId, partitionKey: NAME }));
    expect([...ids]).toEqual([
      ['prepare', only],
      ['accept', only],
      ['learn', only],
    ]);
  });

  test('those of a strong read that has to prove what it found, and of an identity round', () => {
    const ring = new PaperRing({ nodes: 3 });
    const [first, second] = ring.homesOf(NAME);
    // One replica accepts a record, and nobody else hears of it.
    ring.isLost = ({ to, kind }) => kind === 'accept' && to !== second;
    sentFor(ring, first!, writeOf(ring.keyOf(NAME), put, { partitionKey: NAME }));
    ring.isLost = () => false;
    const ids = sentFor(ring, second!, { ...readOf(ring.keyOf(NAME), 'latest'), requestId });
    expect([...ids.keys()]).toEqual(['read', 'prepare', 'accept', 'learn']);
    for (const ofKind of ids.values()) expect(ofKind).toEqual(only);
  });

  test('those of an eventually consistent read, and of the repair that follows', () => {
    const ring = new PaperRing({ nodes: 3, writeQuorum: 1, readQuorum: 3 });
    const [first] = ring.homesOf(NAME);
    ring.isLost = ({ to, kind }) => kind === 'learn' && to !== first;
    ring.put(first!, NAME, 'v');
    ring.run(10);
    ring.isLost = () => false;
    const ids = sentFor(ring, first!, { ...readOf(ring.keyOf(NAME), 'committed', 'dynamo'), requestId });
    expect([...ids.keys()]).toEqual(['read-committed', 'learn']);
    for (const ofKind of ids.values()) expect(ofKind).toEqual(only);
  });

  test('those of a write that a substitute keeps, until it is delivered', () => {
    const ring = new PaperRing({ nodes: 4 });
    const [first, , dead] = ring.homesOf(NAME);
    ring.kill(dead!);
    const write = writeOf(ring.keyOf(NAME), put, { partitionKey: NAME, consistency: 'dynamo' });
    // It notices that the home is down, and goes to a substitute.
    sentFor(ring, first!, write);
    const ids = sentFor(ring, first!, { ...write, requestId });
    expect(ids.get('hint')).toEqual(only);
    expect(ids.get('learn')).toEqual(only);
    const delivered = ring.during(() => {
      ring.start(dead!);
      ring.startBackground();
      ring.run(5_000);
    });
    const toDead = delivered.filter(({ to, kind, isReply }) => to === dead && kind === 'learn' && !isReply);
    expect(toDead.map(({ request }) => 'requestId' in request && request.requestId)).toContain(requestId);
  });

  test('those of a range read', () => {
    const ring = new PaperRing({ nodes: 3 });
    const range = { from: ring.keyOf(NAME), to: prefixEnd(ring.keyOf(NAME)) };
    expect([...sentFor(ring, 'node-1', rangeOf(range, 'latest', { requestId }))]).toEqual([['read-range', only]]);
  });
});

test('what nodes do by themselves carries no id', () => {
  const ring = new PaperRing({ nodes: 3 });
  ring.startBackground();
  const sent = ring.during(() => ring.run(5_000));
  expect(sent.length).toBeGreaterThan(0);
  for (const { request } of sent) expect('requestId' in request ? request.requestId : undefined).toBeUndefined();
});
