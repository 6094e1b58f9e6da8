import { expect, test } from 'vitest';
import type { LagRule } from '../../src/dynamo/client.ts';
import { PeerLags } from '../../src/peer/peer-lags.ts';
import { ManualClock } from '../parts/manual-clock.ts';

const RULES: readonly LagRule[] = [{ id: 'f1', scope: [], release: { kind: 'never' } }];

test('a node keeps no rule of lag while anybody makes replicas alike, and for a minute at most without being told', () => {
  const clock = new ManualClock();
  const told: (readonly LagRule[])[] = [];
  const lags = new PeerLags({ setLags: (rules) => told.push(rules) }, clock);
  lags.set(RULES);
  lags.rest('a', 60_000);
  lags.rest('b', 1_000_000);
  expect(told.at(-1)).toEqual([]);
  lags.set([...RULES]);
  expect(told.at(-1)).toEqual([]);
  lags.rest('a', 0);
  expect(told.at(-1)).toEqual([]);
  clock.advance(59_999);
  expect(told.at(-1)).toEqual([]);
  clock.advance(1);
  expect(told.at(-1)).toEqual(RULES);
  lags.rest('a', 10);
  lags.stop();
  expect(clock.timers).toBe(0);
});
