import { strict as assert } from 'node:assert';
import type { Store, StoreKey } from '../env/store.ts';
import { PartitionVotes } from './partition-votes.ts';
import type { NodeSettings } from './settings.ts';

/**
 * What a node knows of itself, durably, in the `meta` store: how often it started, how far ahead it may have promised,
 * and in which partitions it votes. JSON, because it is read at start-up and seldom written.
 */
export interface NodeState {
  /** Counts the starts of this disk, this one included. */
  readonly boot: number;
  /** No ballot above this time was promised before this start. Ticks. */
  readonly ceilingHlc: number;
  readonly votes: PartitionVotes;
}

const BOOT: StoreKey = 'boot';
const CEILING: StoreKey = 'ceiling';
const BOOTSTRAPPED: StoreKey = 'bootstrapped';

/**
 * Reads the state at start-up and counts the start. `done` is called once the new boot number, and at the first start of
 * the cluster the node's votes, are durable: only then may the node issue ballots or vote.
 */
export function openNodeState(
  store: Store,
  { id, diskId, ring, isBootstrap }: NodeSettings,
  done: (state: NodeState, error?: Error) => void,
): void {
  const boot = (readJson<number>(store, BOOT) ?? 0) + 1;
  writeJson(store, BOOT, boot);
  const votes = new PartitionVotes({ node: id, diskId }, store);
  if (isBootstrap && store.get('meta', BOOTSTRAPPED) === undefined) {
    for (const config of ring) if (votes.isNamedIn(config)) votes.begin(config);
    // Last: a crash keeps a beginning of what was written.
    writeJson(store, BOOTSTRAPPED, true);
  }
  const state: NodeState = { boot, ceilingHlc: readJson<number>(store, CEILING) ?? 0, votes };
  store.flush((error) => {
    votes.reload();
    done(state, error);
  });
}

export function writeCeiling(store: Store, hlc: number): void {
  assert(Number.isSafeInteger(hlc));
  writeJson(store, CEILING, hlc);
}

function readJson<T>(store: Store, key: StoreKey): T | undefined {
  const bytes = store.get('meta', key);
  return bytes === undefined ? undefined : (JSON.parse(Buffer.from(bytes).toString()) as T);
}

function writeJson(store: Store, key: StoreKey, value: unknown): void {
  store.put('meta', key, Buffer.from(JSON.stringify(value)));
}
