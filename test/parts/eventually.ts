import { vi } from 'vitest';

/** Waits until `check` does not throw. For what hangs: a machine that has other things to do may take its time. */
export function eventually<T>(check: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(check, { timeout: 20_000, interval: 10 });
}
