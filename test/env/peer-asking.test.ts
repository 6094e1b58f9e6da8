import { expect, test } from 'vitest';
import { LocalAsking } from '../../src/env/local-asking.ts';
import type { Ask, OpenPort } from '../../src/env/open-port.ts';
import { PeerAsking } from '../../src/env/peer-asking.ts';
import { DEFAULT_PEER_LIMITS } from '../../src/env/peer-limits.ts';
import { TransportCounts } from '../../src/env/transport-counts.ts';
import { TEST_CHANNEL } from '../parts/test-channel.ts';

const PORT = { channel: TEST_CHANNEL, serve: () => {}, isOpen: true } as unknown as OpenPort;

function newAsk(done: Ask['done'] = () => expect.fail('nobody waits')): Ask & { payload: Uint8Array } {
  const payload = new Uint8Array(100_000);
  return { port: PORT, to: 'b', request: { text: 'x' }, payload, done, sinceMs: 0, state: 'queued', id: 0 };
}

test('a request that is cancelled in a queue holds nothing any more, although it keeps its place', async () => {
  const counts = new TransportCounts();
  const asking = new PeerAsking({ lane: 'hot', limits: DEFAULT_PEER_LIMITS, counts }, () => {});
  const reasons: string[] = [];
  const asks = Array.from({ length: 500 }, () => newAsk());
  for (const ask of asks) {
    // More than the queue has room for, if the cancelled ones counted.
    asking.add(ask);
    asking.cancel(ask);
    expect(ask).toMatchObject({ state: 'over', payload: undefined, request: undefined });
  }
  const kept = newAsk((outcome) => reasons.push(outcome.kind));
  asking.add(kept);
  asking.failQueued('down');
  await Promise.resolve();
  expect(reasons).toEqual(['not-sent']);
});

test('a request that waits is not ended for the age of one before it that was cancelled', async () => {
  const limits = { ...DEFAULT_PEER_LIMITS, queuedMs: 1_000 };
  const asking = new PeerAsking({ lane: 'hot', limits, counts: new TransportCounts() }, () => {});
  const ended: string[] = [];
  const old = newAsk();
  const young = { ...newAsk(() => ended.push('young')), sinceMs: 900 };
  const youngest = { ...newAsk(() => ended.push('youngest')), sinceMs: 1_500 };
  for (const ask of [old, young, youngest]) asking.add(ask);
  asking.cancel(old);
  asking.sweep(1_000);
  await Promise.resolve();
  expect(ended).toEqual([]);
  asking.sweep(1_900);
  await Promise.resolve();
  expect(ended).toEqual(['young']);
  asking.sweep(2_500);
  await Promise.resolve();
  expect(ended).toEqual(['young', 'youngest']);
});

test('a request to the peer itself that is cancelled holds nothing any more, and is not served', async () => {
  const local = new LocalAsking(new TransportCounts(), 1_000);
  const ask = newAsk();
  local.add(ask);
  local.cancel(ask);
  expect(ask).toMatchObject({ state: 'over', payload: undefined, request: undefined });
  await Promise.resolve();
});
