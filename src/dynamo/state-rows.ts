import { DAMAGED, type Store, type StoreKey } from '../env/store.ts';

/** A row of the `meta` store, whose rows are JSON; undefined if there is none. Throws as `whole` does. */
export function readState<T>(store: Store, key: StoreKey): T | undefined {
  const stored = store.get('meta', key);
  return stored === undefined ? undefined : parseState<T>(store, key, stored);
}

/** The value of a row of `store` as it was read. Throws as `whole` does. */
export function parseState<T>(store: Store, key: StoreKey, stored: Uint8Array): T {
  return JSON.parse(Buffer.from(whole(store, key, stored)).toString()) as T;
}

/**
 * The value of a row that a node cannot do without. If the row is damaged, nobody knows any more what the node promised
 * or where it votes, so its disk is as good as lost: gives the store up and throws what `Store.giveUp` returns.
 */
export function whole(store: Store, key: StoreKey, stored: Uint8Array): Uint8Array {
  if (stored !== DAMAGED) return stored;
  throw store.giveUp(`the record '${key.replace(/[^!-~].*/s, '…')}' of the node's own state is damaged`);
}

export function writeState(store: Store, key: StoreKey, value: unknown): void {
  store.put('meta', key, Buffer.from(JSON.stringify(value)));
}
