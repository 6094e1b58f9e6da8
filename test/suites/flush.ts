import type { Store } from '../../src/env/store.ts';

/** Resolves when the store says that everything before is flushed. */
export function flush(store: Store): Promise<void> {
  return new Promise((resolve, reject) => store.flush((error) => (error === undefined ? resolve() : reject(error))));
}
