import type { Reply } from '../../src/dynamo/messages.ts';
import { isTombstone } from '../../src/dynamo/record.ts';
import type { Store } from '../../src/env/store.ts';

/** A committed tombstone removes what was there and leaves nothing. */
export function withoutTombstones(store: Store): Store {
  return overlay(store, {
    put(name, key, value) {
      if (name === 'items' && isTombstone(value)) store.remove(name, key);
      else store.put(name, key, value);
    },
  });
}

export function hideState(reply: Reply): Reply {
  return reply.kind === 'promise' ? { kind: 'promise', from: reply.from } : reply;
}

/** A store that does some things in another way. */
export function overlay(store: Store, changed: Partial<Store>): Store {
  return {
    get: (name, key) => store.get(name, key),
    put: (name, key, value) => store.put(name, key, value),
    remove: (name, key) => store.remove(name, key),
    range: (name, from, to, limit) => store.range(name, from, to, limit),
    flush: (done) => store.flush(done),
    giveUp: (reason) => store.giveUp(reason),
    close: () => store.close(),
    get onLost() {
      return store.onLost;
    },
    set onLost(lost) {
      store.onLost = lost;
    },
    ...changed,
  };
}
