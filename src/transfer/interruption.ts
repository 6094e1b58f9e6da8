import { Interrupted } from './failure.ts';
import { LIMITS } from './transfer-limits.ts';
import type { World } from './world.ts';

/**
 * Waits for `work`. After an interrupt, `work` has a grace period to end by itself; then `cut` is called, and it has
 * one more.
 * @param cut ends the requests in progress
 * @throws Interrupted if it has not ended by then
 */
export function endedInTime<T>(work: Promise<T>, cut: () => void, world: World): Promise<T> {
  const timeout = new Promise<never>((_, reject) => {
    const count = async () => {
      await world.sleep(LIMITS.interruptGraceMs);
      cut();
      await world.sleep(LIMITS.interruptGraceMs);
      reject(new Interrupted('ended'));
    };
    world.interrupted.addEventListener('abort', count, { once: true });
  });
  return Promise.race([work, timeout]);
}
