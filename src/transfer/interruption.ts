import { Interrupted } from './failure.ts';
import { LIMITS } from './transfer-limits.ts';
import type { World } from './world.ts';

/**
 * Waits for work. Once the user wants it to end, it has a moment to do so by itself, then one more after it was cut.
 * @param cut ends the requests under way
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
