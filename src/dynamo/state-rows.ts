import { DAMAGED, type Store, type StoreKey } from '../env/store.ts';

/**
 * A row of the node's own state is damaged. What the node promised, or where it votes, cannot be known any more, and nobody
 * else has it: its disk is as good as lost.
 */
export class DamagedStateError extends Error {
  override readonly name = 'DamagedStateError';

  constructor(key: StoreKey) {
    super(`the record '${key.replace(/[^!-~].*/s, '…')}' of the node's own state is damaged`);
  }
}

/**
 * A row of the `meta` store, which are JSON; undefined if there is none.
 * @throws DamagedStateError
 */
export function readState<T>(store: Store, key: StoreKey): T | undefined {
  const stored = store.get('meta', key);
  return stored === undefined ? undefined : parseState<T>(key, stored);
}

/** @throws DamagedStateError */
export function parseState<T>(key: StoreKey, stored: Uint8Array): T {
  return JSON.parse(Buffer.from(whole(key, stored)).toString()) as T;
}

/**
 * The value of a row that cannot be done without.
 * @throws DamagedStateError
 */
export function whole(key: StoreKey, stored: Uint8Array): Uint8Array {
  if (stored === DAMAGED) throw new DamagedStateError(key);
  return stored;
}

export function writeState(store: Store, key: StoreKey, value: unknown): void {
  store.put('meta', key, Buffer.from(JSON.stringify(value)));
}
