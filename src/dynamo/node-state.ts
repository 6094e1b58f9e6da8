import { strict as assert } from 'node:assert';
import type { Store, StoreKey } from '../env/store.ts';
import type { PartitionConfig } from './messages.ts';

/**
 * What a node knows of itself, durably, in the `meta` store: how often it started, how far ahead it may have promised,
 * and in which partitions it votes. JSON, because it is read at start-up and seldom written.
 */
export interface NodeState {
  /** Counts the starts of this disk, this one included. */
  readonly boot: number;
  /** No ballot above this time was promised before this start. Ticks. */
  readonly ceilingHlc: number;
  /** By partition. A partition without a config is one in which this node may not vote. */
  readonly configs: ReadonlyMap<number, PartitionConfig>;
}

const BOOT: StoreKey = 'boot';
const CEILING: StoreKey = 'ceiling';
const CONFIGS: StoreKey = 'configs';

/**
 * Reads the state at start-up and counts the start. `done` is called once the new boot number, and the bootstrap where
 * one is given and the node has none, are durable: only then may the node issue ballots or vote.
 *
 * @param bootstrap the configs for the first start of the cluster, of which the node keeps those naming it
 */
export function openNodeState(
  store: Store,
  self: { readonly id: string; readonly diskId: number },
  bootstrap: readonly PartitionConfig[] | undefined,
  done: (state: NodeState, error?: Error) => void,
): void {
  const boot = (readJson<number>(store, BOOT) ?? 0) + 1;
  writeJson(store, BOOT, boot);
  let rows = readJson<PartitionConfig[]>(store, CONFIGS);
  if (rows === undefined && bootstrap !== undefined) {
    const votes = (config: PartitionConfig) =>
      config.members.some((member) => member.node === self.id && member.diskId === self.diskId);
    rows = bootstrap.filter(votes);
    writeJson(store, CONFIGS, rows);
  }
  const state: NodeState = {
    boot,
    ceilingHlc: readJson<number>(store, CEILING) ?? 0,
    configs: new Map((rows ?? []).map((config) => [config.partition, config])),
  };
  store.flush((error) => done(state, error));
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
