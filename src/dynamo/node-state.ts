import { strict as assert } from 'node:assert';
import type { Store, StoreKey } from '../env/store.ts';
import { PartitionVotes } from './epochs/partition-votes.ts';
import { LATE } from './healing/late-tombstones.ts';
import { assertInvariant } from './invariants.ts';
import type { NodeSettings } from './node-settings.ts';
import { MARK } from './registers/damaged-keys.ts';
import { FENCED } from './registers/fences.ts';
import { readState, whole, writeState } from './state-rows.ts';

/**
 * A node's own durable state, in the `meta` store: how often it was started, up to what time it may have promised
 * ballots, and in which partitions it votes. JSON, because it is read at start-up and seldom written.
 */
export interface NodeState {
  /** The number of starts of this disk, this one included. */
  readonly boot: number;
  /** No ballot above this time was promised before this start. Ticks. */
  readonly ceilingHlc: number;
  readonly votes: PartitionVotes;
}

const BOOT: StoreKey = 'boot';
const CEILING: StoreKey = 'ceiling';
const BOOTSTRAPPED: StoreKey = 'bootstrapped';

/** A record has four bytes for it. */
const MAX_BOOT = 0xffff_ffff;

/** Rows read at a time; each may be a staged item of 400 KB. */
const PAGE = 64;
/** Above every key. */
const END: StoreKey = '\xff\xff';

/**
 * Reads a node's state through, and gives the store up if a row of it is damaged. To be called before the node starts,
 * while nobody counts on it yet.
 */
export function checkNodeState(store: Store): void {
  for (let after: StoreKey = ''; ; ) {
    const page = store.range('meta', { after, to: END, limit: PAGE });
    for (const { key, value } of page) if (!isDispensable(key)) whole(store, key, value);
    if (page.length < PAGE) return;
    after = page.at(-1)!.key;
  }
}

/** The epoch that a cluster is founded in. */
const FOUNDING_EPOCH = 0;

/** The mark of a damaged key, of a late tombstone or of a deleted table: such a row counts by being there, whatever its value. */
function isDispensable(key: StoreKey): boolean {
  return key.startsWith(MARK) || key.startsWith(LATE) || key.startsWith(FENCED);
}

/**
 * Reads the state at start-up and counts the start. `done` is called once the new boot number, and at the first start
 * of the cluster the node's votes, are durable: only then may the node issue ballots or vote. Gives the store up if a
 * row is damaged.
 */
export function openNodeState(
  store: Store,
  settings: NodeSettings,
  done: (state: NodeState, error?: Error) => void,
): void {
  const { id, diskId, ring, isBootstrap } = settings;
  const boot = (readState<number>(store, BOOT) ?? 0) + 1;
  assertInvariant(boot >= 1 && boot <= MAX_BOOT, 'docs/protocol.md I1', 'a boot that no record can name');
  writeState(store, BOOT, boot);
  const votes = new PartitionVotes({ node: id, diskId }, store, settings);
  if (isBootstrap && store.get('meta', BOOTSTRAPPED) === undefined) {
    // A founder whose first start was interrupted may know of later epochs by now: it is led into those as any member is.
    for (const config of ring) if (config.epoch === FOUNDING_EPOCH && votes.isNamedIn(config)) votes.bootstrap(config);
    // Last: a crash keeps a beginning of what was written.
    writeState(store, BOOTSTRAPPED, true);
  }
  const state: NodeState = { boot, ceilingHlc: readState<number>(store, CEILING) ?? 0, votes };
  store.flush((error) => {
    votes.reload();
    done(state, error);
  });
}

export function writeCeiling(store: Store, hlc: number): void {
  assert(Number.isSafeInteger(hlc));
  writeState(store, CEILING, hlc);
}
