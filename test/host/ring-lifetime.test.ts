import { expect, test } from 'vitest';
import { RingLifetime } from '../../src/host/ring-lifetime.ts';

test('who waits in a ring gets the value, or is told that the ring is closed; afterwards nobody waits', async () => {
  const lifetime = new RingLifetime();
  await expect(lifetime.untilClosed<number>((done) => done(7))).resolves.toBe(7);
  const waiting = expect(lifetime.untilClosed(() => {})).rejects.toThrow('the ring is closed');
  lifetime.checkOpen();
  lifetime.close();
  await waiting;
  expect(lifetime.isClosed).toBe(true);
  expect(() => lifetime.checkOpen()).toThrow('the ring is closed');
  let isBegun = false;
  await expect(
    lifetime.untilClosed(() => {
      isBegun = true;
    }),
  ).rejects.toThrow('the ring is closed');
  expect(isBegun).toBe(false);
});
